'use strict';

const { setTimeout: sleep } = require('node:timers/promises');

/**
 * Commands that nobody waits for any more are ended, with everything that they have started: they are
 * found again by a mark in their environment.
 */

// How long an engine may take to begin a command whose start was given up, and how often it is asked.
const START_MS = 10_000;
const POLL_MS = 50;

/**
 * What a command's environment gets in addition; nothing where it could not be ended: within TLS.
 *
 * @param {import('./modem').Modem} modem
 * @returns {Promise<string[]>}
 */
async function markFor(modem) {
  const { requests } = await modem.route('/', {});
  const mark = requests.mark();
  return mark === null ? [] : [mark];
}

/**
 * Ends a command.
 *
 * @param {object} container What it runs in.
 * @param {object} exec
 * @param {string[]} marks What `markFor` gave.
 * @param {string} [user] What it was to run as.
 */
async function end(container, exec, [mark], user) {
  if (mark === undefined) return;
  const { requests } = await container.modem.route('/', {});
  const { ContainerID, Pid } = await whenBegun(exec);
  await requests.endLeftover({ mark, container: ContainerID ?? container.id, pid: Pid || undefined, user });
}

/** What the engine says of a command that has begun, or will not any more; nothing if it does not answer. */
async function whenBegun(exec) {
  const latest = Date.now() + START_MS;
  for (;;) {
    const state = await exec.inspect().catch(() => ({ ExitCode: 0 }));
    if (state.Pid || state.ExitCode !== null || Date.now() > latest) return state;
    await sleep(POLL_MS);
  }
}

module.exports = { end, markFor };
