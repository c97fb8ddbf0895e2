'use strict';

const { PEERS, withPair } = require('../lib/peers');
const { available } = require('../lib/servers');
const { quantile } = require('../lib/stats');
const { fixed, table } = require('../lib/table');

/** From a key to its echo, through a terminal. */
module.exports = async function echo(context, { quick }) {
  const names = available(PEERS, ['engine', 'socat', ...(quick ? [] : ['bare']), 'original', 'ws', 'adopted', 'port', 'dewNode'], context);
  const samples = quick ? 200 : 500;
  const rounds = quick ? 1 : 3;
  const times = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      times[name].push(...await withPair(name, context, (pair) => pair.call('echo', { samples, warmUp: 50, gap: 2 })));
    }
  }
  console.log(`\n## Echo of a key, ${rounds} x ${samples} samples (ms)\n`);
  console.log(table([
    ['', 'p50', 'p90', 'p99', 'p99.9'],
    ...names.map((name) => [PEERS[name].title, ...[0.5, 0.9, 0.99, 0.999].map((q) => fixed(quantile(times[name], q), 2))]),
  ]));
  return times;
};
