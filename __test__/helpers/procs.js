'use strict';

/** What a process holds, read from /proc: descriptors, memory, state. */

const fs = require('node:fs');

const MIB = 1024 * 1024;

/** How many descriptors a process has open. */
function fdCount(pid = process.pid) {
  // Listing the folder of our own process opens one for the time of the listing.
  return fs.readdirSync(`/proc/${pid}/fd`).length - (pid === process.pid ? 1 : 0);
}

/** Where the descriptors lead, sorted and counted, for the message of a failed comparison. */
function fdTargets(pid = process.pid) {
  const counts = new Map();
  for (const fd of fs.readdirSync(`/proc/${pid}/fd`)) {
    let target;
    try {
      target = fs.readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/\d{3,}/, 'N');
    } catch {
      continue;
    }
    counts.set(target, (counts.get(target) || 0) + 1);
  }
  return [...counts].sort().map(([target, count]) => `${count} x ${target}`);
}

/** Resident memory of a process in MiB. */
function rssMiB(pid = process.pid) {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)[1]) / 1024;
}

/** Threads of a process. */
function threadCount(pid = process.pid) {
  return fs.readdirSync(`/proc/${pid}/task`).length;
}

module.exports = { fdCount, fdTargets, rssMiB, threadCount, MIB };
