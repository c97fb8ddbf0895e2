'use strict';
// The container in which everything that is measured runs.

const { setTimeout } = require('timers/promises');
const { ask, IMAGES, LABEL, runId } = require('../../scripts/engine');
const { openExec } = require('../peers/engine-exec');

/** Starts a container that does nothing, and resolves to its id. */
async function startContainer(engine) {
  const { Id } = await ask(engine, 'POST', '/containers/create', {
    json: {
      Image: IMAGES.busybox, Cmd: ['sleep', '1000000'], Labels: { [LABEL]: runId() }, StopSignal: 'SIGKILL',
      NetworkDisabled: true, HostConfig: { NetworkMode: 'none' },
    },
  });
  await ask(engine, 'POST', `/containers/${Id}/start`);
  return Id;
}

const removeContainer = (engine, id) => ask(engine, 'DELETE', `/containers/${id}?force=1&v=1`);

/** Runs a command to its end and resolves to its output. Rejects if it fails. */
async function runIn({ engine, container }, command) {
  const session = await openExec({ engine, container, command, tty: false });
  let text = '';
  session.stdout.on('data', (chunk) => { text += chunk; });
  const code = await session.done();
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}: ${text.trim()}`);
  return text.trim();
}

/** How many processes live in the container, the first one not counted; the dead that nobody collects are none. */
async function processes({ engine, container }) {
  const { Processes } = await ask(engine, 'GET', `/containers/${container}/top?ps_args=${encodeURIComponent('-o pid,stat')}`);
  return Processes.filter(([, state]) => !state.startsWith('Z')).length - 1;
}

/** Resolves once the container has no more than `count` processes beside its first; rejects after `limit` ms. */
async function quiet(context, count = 0, limit = 20_000) {
  const end = Date.now() + limit;
  for (;;) {
    const now = await processes(context);
    if (now <= count) return now;
    if (Date.now() > end) throw new Error(`${now} processes still live in the container`);
    await setTimeout(100); // asking costs the engine a process
  }
}

module.exports = { startContainer, removeContainer, runIn, processes, quiet };
