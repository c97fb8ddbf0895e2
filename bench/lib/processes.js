'use strict';
// What a process has used, read from outside of it: nothing that is measured has to measure itself.
// Linux only, as the engine that the figures are about.

const fs = require('fs');

/** The unit of times in /proc/PID/stat; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Fields of /proc/PID/stat from the state on. The command's name before them may hold anything. */
function statFields(pid) {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ').map(Number);
}

/** Seconds of user and system time that a process has used so far. */
function cpuSeconds(pid) {
  const fields = statFields(pid);
  return (fields[11] + fields[12]) / TICKS_PER_SECOND;
}

/** The same; none of a process that has ended meanwhile. */
function secondsOrNone(pid) {
  try {
    return cpuSeconds(pid);
  } catch (error) {
    if (!['ENOENT', 'ESRCH'].includes(error.code)) throw error;
    return 0;
  }
}

/** The same with its children, those that live and those that have ended. */
function familyCpuSeconds(pid) {
  const fields = statFields(pid);
  const children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return (fields[11] + fields[12] + fields[13] + fields[14]) / TICKS_PER_SECOND
    + children.reduce((sum, child) => sum + secondsOrNone(child), 0);
}

/** The same for all children of this process that have ended, theirs included. */
function endedChildrenCpuSeconds() {
  const fields = statFields('self');
  return (fields[13] + fields[14]) / TICKS_PER_SECOND;
}

function status(pid, name) {
  const match = new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match[1]);
}

/** Resident memory of a process, in KiB. */
function residentKib(pid) {
  const match = /^Rss:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
  return Number(match[1]);
}

/** The highest resident memory of a process since `resetPeak`, in KiB. */
const peakKib = (pid) => status(pid, 'VmHWM');

/** Lets `peakKib` begin anew. */
function resetPeak(pid) {
  fs.writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** How many descriptors a process has open. */
const descriptors = (pid) => fs.readdirSync(`/proc/${pid}/fd`).length;

/** How many threads a process has. */
const threads = (pid) => status(pid, 'Threads');

module.exports = {
  cpuSeconds, familyCpuSeconds, endedChildrenCpuSeconds, residentKib, peakKib, resetPeak, descriptors, threads,
};
