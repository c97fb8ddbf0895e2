'use strict';

const { ask, IMAGES, LABEL, runId } = require('../../scripts/engine');
const { OTHERS, SERVER } = require('../lib/cpus');
const { withFakeEngine } = require('../lib/fake-engine');
const { CLIENTS, interleaved, move, withClient } = require('../lib/docker-clients');
const { available } = require('../lib/servers');
const { median } = require('../lib/stats');
const { fixed, spread, table } = require('../lib/table');

const MIB = 1024 * 1024;
/** What the fake engine sends, in frames of so many bytes. */
const FRAME = 32 * 1024;

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

function report(title, kinds, results) {
  const of = (kind, pick) => results[kind].map(pick);
  console.log(`\n## ${title}\n`);
  console.log(table([
    ['', 'MB/s, median (range)', 'of dockerode', 'client CPU s/GB', 'growth of memory, MiB'],
    ...kinds.map((kind) => [
      CLIENTS[kind].title, spread(of(kind, ({ rate }) => rate), median, 0),
      fixed(results.dockerode ? median(of(kind, ({ rate }) => rate)) / median(of('dockerode', ({ rate }) => rate)) : NaN, 2),
      fixed(median(of(kind, ({ cpu }) => cpu)), 2), fixed(median(of(kind, ({ growth }) => growth)), 1),
    ]),
  ]));
  return results;
}

/** Output that goes through `modem.demuxStream`: what the engine can give, and what a client can take. */
module.exports = async function dockerOutput({ engine, container }, { quick }) {
  const kinds = available(CLIENTS, Object.keys(CLIENTS), {});
  const rounds = quick ? 2 : 5;
  const [mib, logged, blast] = quick ? [200, 50, 500] : [500, 150, 2000];
  const context = { engine, container };
  const results = {};
  const exec = (at, command, bytes, options) => (kind) =>
    withClient(kind, at, options, (child) => move(child, 'exec', { command }, bytes));

  results.exec = report(`exec: dd, ${mib} MiB, real engine`, kinds,
    await interleaved(kinds, rounds, exec(context, ['dd', 'if=/dev/zero', 'bs=1M', `count=${mib}`], mib * MIB)));
  results.attach = report(`attach: dd, ${logged} MiB, real engine`, kinds, await interleaved(kinds, rounds, (kind) =>
    withPrinter(engine, logged, (id) => withClient(kind, context, {}, (child) => move(child, 'attach', { id }, logged * MIB)))));
  await withPrinter(engine, logged, async (id) => {
    await printed(engine, id);
    results.logs = report(`logs: dd, ${logged} MiB, real engine`, kinds, await interleaved(kinds, rounds, (kind) =>
      withClient(kind, context, {}, (child) => move(child, 'logs', { id }, logged * MIB))));
  });
  await withFakeEngine(async (fake) => {
    const command = ['blast', String(blast * MIB), String(FRAME)];
    results.ceiling = report(`exec: ${blast} MiB in frames of 32 KiB, client on one processor, fake engine on another`, kinds,
      await interleaved(kinds, rounds, exec({ engine: fake, container: 'bench' }, command, blast * MIB, { cpus: SERVER })));
  }, { cpus: OTHERS });
  return results;
};
