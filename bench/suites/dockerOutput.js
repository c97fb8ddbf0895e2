'use strict';

const { ask, IMAGES, LABEL, runId } = require('../../scripts/engine');
const { CLIENTS, interleaved, move, report, withClient } = require('../lib/docker-clients');
const { available } = require('../lib/servers');

const MIB = 1024 * 1024;
/** Makes a container that prints `mib` MiB, and lets `fn(id)` have it. */
async function withPrinter(engine, mib, fn) {
  const { Id } = await ask(engine, 'POST', '/containers/create', {
    json: {
      Image: IMAGES.busybox, Cmd: ['dd', 'if=/dev/zero', 'bs=1M', `count=${mib}`], Labels: { [LABEL]: runId() },
      HostConfig: { NetworkMode: 'none', LogConfig: { Type: 'json-file' } },
    },
  });
  try {
    return await fn(Id);
  } finally {
    await ask(engine, 'DELETE', `/containers/${Id}?force=1&v=1`);
  }
}

/** Has the container print all that it has to say, into its log. */
async function printed(engine, id) {
  await ask(engine, 'POST', `/containers/${id}/start`);
  await ask(engine, 'POST', `/containers/${id}/wait`);
}

/** Output that goes through `modem.demuxStream`: what a real engine, which shares the machine, can give. */
module.exports = async function dockerOutput({ engine, container }, { quick }) {
  const kinds = available(CLIENTS, Object.keys(CLIENTS), {});
  const rounds = quick ? 1 : 5;
  const [mib, logged] = quick ? [200, 20] : [500, 150];
  const context = { engine, container };
  const results = {};
  const command = ['dd', 'if=/dev/zero', 'bs=1M', `count=${mib}`];

  results.exec = report(`exec: dd, ${mib} MiB, real engine`, kinds, await interleaved(kinds, rounds, (kind) =>
    withClient(kind, context, {}, (child) => move(child, 'exec', { command }, mib * MIB))));
  results.attach = report(`attach: dd, ${logged} MiB, real engine`, kinds, await interleaved(kinds, rounds, (kind) =>
    withPrinter(engine, logged, (id) => withClient(kind, context, {}, (child) => move(child, 'attach', { id }, logged * MIB)))));
  await withPrinter(engine, logged, async (id) => {
    await printed(engine, id);
    results.logs = report(`logs: dd, ${logged} MiB, real engine`, kinds, await interleaved(kinds, rounds, (kind) =>
      withClient(kind, context, {}, (child) => move(child, 'logs', { id }, logged * MIB))));
  });
  return results;
};
