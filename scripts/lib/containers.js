'use strict';
// Containers of ours: labelled, without a network, from our own images.

const crypto = require('crypto');
const { ask, call } = require('./engine-api');
const { IMAGES } = require('./images');
const { LABEL, runId } = require('./run-id');

// A first process that collects the exit status of what is left to it, as an init would, and ends on TERM.
const IDLE = ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 1000 & wait $!; done'];

/** Starts a container from the busybox image that idles until it is removed; resolves to `{ id, name, remove() }`. */
async function startContainer(engine, purpose) {
  const name = `${LABEL}-${purpose}-${crypto.randomBytes(3).toString('hex')}`;
  const { Id } = await ask(engine, 'POST', `/containers/create?name=${name}`, {
    json: {
      Image: IMAGES.busybox,
      Cmd: IDLE,
      Labels: { [LABEL]: runId() },
      NetworkDisabled: true,
      HostConfig: { NetworkMode: 'none' },
    },
  });
  await ask(engine, 'POST', `/containers/${Id}/start`);
  const remove = async () => {
    const { status, text } = await call(engine, 'DELETE', `/containers/${Id}?force=1&v=1`);
    if (status !== 204 && status !== 200 && status !== 404) throw new Error(`engine did not remove ${name}: ${text.trim()}`);
  };
  return { id: Id, name, remove };
}

module.exports = { startContainer };
