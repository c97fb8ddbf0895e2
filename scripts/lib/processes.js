'use strict';
// Ending processes that are not our children, and knowing when they are gone.

const fs = require('fs');
const { startTime } = require('./run-id');

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Looks until `look()` gives something true, at most `ms`; resolves to that, or to null. */
async function until(look, ms) {
  const deadline = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() >= deadline) return null;
    await pause(20);
  }
}

const pids = () => fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number);

const read = (path) => {
  try {
    return fs.readFileSync(path, 'utf8');
  } catch {
    return ''; // it ended while we looked
  }
};

/** Living processes with `text` in their argv: `{ pid, argv }`. This process is not among them. */
function withArgument(text) {
  return pids().filter((pid) => pid !== process.pid)
    .map((pid) => ({ pid, argv: read(`/proc/${pid}/cmdline`).split('\0') }))
    .filter(({ pid, argv }) => argv.some((word) => word.includes(text)) && startTime(pid) !== null);
}

/** Pids of the children of `parent`. */
const childrenOf = (parent) => pids().filter((pid) => {
  const stat = read(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] === String(parent);
});

/** Sends `name` to `pid`; false if there is no such process. */
function signal(pid, name) {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if (error.code === 'ESRCH') return false;
    throw error;
  }
}

/** Resolves to true once `pid` is gone, to false after `ms`. */
const gone = async (pid, ms) => Boolean(await until(() => startTime(pid) === null, ms));

module.exports = { until, withArgument, childrenOf, signal, gone };
