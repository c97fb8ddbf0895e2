'use strict';
// Clients of the engine's API, each a process of its own.

const path = require('path');
const { Child } = require('./child');
const { peakKib, resetPeak, residentKib } = require('./processes');
const { addonIsBuilt } = require('./programs');
const { installed } = require('./servers');
const { median } = require('./stats');
const { fixed, spread, table } = require('./table');

const CLIENTS = {
  dockerode: { title: 'dockerode', unless: () => (installed('dockerode') ? null : 'dockerode is not installed') },
  ours: { title: 'ours: `Docker`', unless: () => (addonIsBuilt() ? null : 'the addon is not built') },
};

/** For small calls only: their limit. */
const WITH_LIMIT = { ...CLIENTS, bare: { title: 'a socket of Node.js, no more', unless: () => null } };

/** Runs `fn(child)` with a fresh client of a kind. */
async function withClient(kind, { engine, container }, options, fn) {
  const child = new Child(path.join(__dirname, '../peers/docker-client.js'), { kind, socketPath: engine.host.replace('unix://', ''), container }, options);
  try {
    // Loaded, connected, and the code run once: what follows is measured.
    await child.call('calls', { count: 100, width: 1, name: 'inspect' });
    return await fn(child);
  } finally {
    await child.end();
  }
}

/** Has a client move bytes: megabytes a second, processor seconds per gigabyte, and its memory in MiB, at most and by how much it grew. */
async function move(child, name, args, bytes) {
  const before = child.cpu();
  const resident = residentKib(child.pid);
  resetPeak(child.pid);
  const result = await child.call(name, args);
  if (result.bytes !== bytes) throw new Error(`${name}: ${result.bytes} bytes of ${bytes} came through`);
  const peak = peakKib(child.pid);
  return {
    rate: bytes / 1e6 / (result.ms / 1000),
    cpu: (child.cpu() - before) / (bytes / 1e9),
    peak: peak / 1024,
    growth: (peak - resident) / 1024,
  };
}

/** `measure(kind)` for each kind in turn, `rounds` times: `{ kind: [result of each round] }`. */
async function interleaved(kinds, rounds, measure) {
  const results = Object.fromEntries(kinds.map((kind) => [kind, []]));
  for (let round = 0; round < rounds; round++) {
    for (const kind of kinds) results[kind].push(await measure(kind));
  }
  return results;
}

const HEAD = ['', 'MB/s, median (range)', 'of dockerode', 'client CPU s/GB', 'memory, MiB', 'growth of memory, MiB'];

function rows(kinds, results, prefix = '') {
  const of = (kind, pick) => results[kind].map(pick);
  return kinds.map((kind) => [
    `${prefix}${CLIENTS[kind].title}`, spread(of(kind, ({ rate }) => rate), median, 0),
    fixed(results.dockerode ? median(of(kind, ({ rate }) => rate)) / median(of('dockerode', ({ rate }) => rate)) : NaN, 2),
    fixed(median(of(kind, ({ cpu }) => cpu)), 2), fixed(median(of(kind, ({ peak }) => peak)), 0), fixed(median(of(kind, ({ growth }) => growth)), 1),
  ]);
}

function report(title, kinds, results) {
  console.log(`\n## ${title}\n`);
  console.log(table([HEAD, ...rows(kinds, results)]));
  return results;
}

module.exports = { CLIENTS, HEAD, WITH_LIMIT, interleaved, move, report, rows, withClient };
