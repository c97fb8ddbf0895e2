'use strict';

const path = require('path');
const { Child, Stalled } = require('../lib/child');
const { OTHERS, SERVER } = require('../lib/cpus');
const { startClient } = require('../lib/peers');
const { median } = require('../lib/stats');
const { addonIsBuilt, dew } = require('../lib/programs');
const { available, installed } = require('../lib/servers');
const { fixed, spread, table } = require('../lib/table');

const CLIENTS = {
  original: { title: 'original client 3.0.0', unless: () => (installed('docker-exec-websocket-client') ? null : 'the original packages are not installed') },
  ours: { title: 'ours: Node client', unless: () => (addonIsBuilt() ? null : 'the addon is not built') },
  dew: { title: 'ours: `dew exec`', unless: () => (dew() ? null : '`dew` is not built') },
};

/** Message sizes, and how many bytes of each a client gets: full, quick. */
const SIZES = [
  { size: 256, title: 'Messages of 256 bytes', bytes: [1e9, 2e8], originals: [2e8, 3e7] },
  { size: 32 * 1024, title: 'Messages of 32 KiB', bytes: [4e9, 1e9], originals: [1e9, 2e8] },
];

async function attempt(kind, url, bytes, size) {
  const client = startClient(kind, {}, url, { cpus: SERVER });
  const command = (count) => ['blast', String(count), String(size)];
  try {
    await client.call('output', { command: command(1e6), bytes: 1e6 });
    const before = client.cpu();
    try {
      const { ms, bytes: came } = await client.call('output', { command: command(bytes), bytes }, { patience: 5000 });
      if (came !== bytes) throw new Error(`${came} bytes of ${bytes} came through`);
      return { hung: false, rate: bytes / 1e6 / (ms / 1000), cpu: (client.cpu() - before) / (bytes / 1e9) };
    } catch (error) {
      if (!(error instanceof Stalled)) throw error;
      return { hung: true, cpu: (client.cpu() - before) / (error.progress / 1e9) };
    }
  } finally {
    await client.end();
  }
}

function summary(rounds, size) {
  const complete = rounds.filter(({ hung }) => !hung);
  const rates = complete.map(({ rate }) => rate);
  return {
    attempts: rounds.length,
    hung: rounds.length - complete.length,
    rates,
    messages: median(rates) * 1e6 / size,
    cpu: median((complete.length > 0 ? complete : rounds).map(({ cpu }) => cpu)),
  };
}

/** What a client can take, from a server that does nothing but send. */
module.exports = async function small(_context, { quick }) {
  const kinds = available(CLIENTS, Object.keys(CLIENTS), {});
  const count = quick ? 1 : 5;
  const server = new Child(path.join(__dirname, '../peers/blaster.js'), {}, { cpus: OTHERS });
  const results = {};
  try {
    const { url } = await server.call('listen');
    for (const { size, title, bytes, originals } of SIZES) {
      const rounds = Object.fromEntries(kinds.map((kind) => [kind, []]));
      for (let round = 0; round < count; round++) {
        for (const kind of kinds) {
          rounds[kind].push(await attempt(kind, url, (kind === 'original' ? originals : bytes)[Number(quick)], size));
        }
      }
      const summaries = Object.fromEntries(kinds.map((kind) => [kind, summary(rounds[kind], size)]));
      results[size] = summaries;
      console.log(`\n## ${title} to a client with a core of its own\n`);
      console.log(table([
        ['', 'MB/s, median (range)', 'messages/s', 'of the original', 'client CPU s/GB', 'hung'],
        ...kinds.map((kind) => {
          const one = summaries[kind];
          return [
            CLIENTS[kind].title, spread(one.rates, median, 0), fixed(one.messages, 0),
            fixed(one.messages / summaries.original?.messages, 1), fixed(one.cpu, 2), `${one.hung} of ${one.attempts}`,
          ];
        }),
      ]));
    }
  } finally {
    await server.end();
  }
  return results;
};
