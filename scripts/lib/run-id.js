'use strict';
// Who made what. Everything that the scripts leave in an engine or on disk carries the id of
// the run that made it, so that a later run can tell what a dead one has left behind. The id
// names the machine, the boot, the process and the process's start: a reused pid is not mistaken.

const crypto = require('crypto');
const fs = require('fs');
const os = require('os');

/** Label of every container, and of every image, that the scripts and tests make. */
const LABEL = 'docker-exec-websocket';

const read = (path) => {
  try {
    return fs.readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
};

const link = (path) => {
  try {
    return fs.readlinkSync(path);
  } catch {
    return '';
  }
};

const short = (text, length) =>
  crypto.createHash('sha256').update(text).digest('hex').slice(0, length);

// The pid namespace belongs to the machine's name here: a pid means nothing outside of it.
const MACHINE = short(
  `${os.hostname()} ${read('/etc/machine-id')} ${link('/proc/self/ns/pid')}`, 6);
const BOOT = short(read('/proc/sys/kernel/random/boot_id'), 4);

/**
 * Start of a process in clock ticks since boot, '0' where the platform has no /proc, and
 * null if there is no such process (a zombie counts as none).
 */
function startTime(pid) {
  if (process.platform !== 'linux') {
    try {
      process.kill(pid, 0);
      return '0';
    } catch (error) {
      return error.code === 'EPERM' ? '0' : null;
    }
  }
  const stat = read(`/proc/${pid}/stat`);
  // The command's name may hold spaces and brackets, so fields are counted after the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.length < 20 || fields[0] === 'Z' || fields[0] === 'X' ? null : fields[19];
}

/** Id of this process: `machine.boot.pid.start`. */
const ownId = () => `${MACHINE}.${BOOT}.${process.pid}.${startTime(process.pid)}`;

/** 'alive', 'dead', or 'foreign' for an id of another machine, about which nothing is known. */
function stateOf(id) {
  const match = /^([0-9a-f]{6})\.([0-9a-f]{4})\.(\d+)\.(\d+)$/.exec(id);
  if (!match || match[1] !== MACHINE) return 'foreign';
  if (match[2] !== BOOT) return 'dead';
  return startTime(Number(match[3])) === match[4] ? 'alive' : 'dead';
}

/** Whether a living ancestor opened the engine and will end it. */
const insideRun = () => stateOf(process.env.DEW_RUN || '') === 'alive';

/** Id of the run: that of the process which started it, handed down in `DEW_RUN`. */
const runId = () => (insideRun() ? process.env.DEW_RUN : ownId());

module.exports = { LABEL, insideRun, ownId, runId, stateOf, startTime };
