'use strict';

const { PEERS, withPair } = require('../lib/peers');
const { available } = require('../lib/servers');
const { quantile } = require('../lib/stats');
const { fixed, table } = require('../lib/table');

/** From connecting, or from starting the program, to the first byte of output. */
module.exports = async function start(context, { quick }) {
  const fake = context.engine.kind === 'fake';
  // The originals lose output that comes as early as there, and the docker command asks for more than is there.
  const names = available(PEERS, ['engine', 'adopted', 'port', 'dew', ...(fake ? [] : ['original', 'docker'])], context);
  const rounds = quick ? 1 : 30;
  const count = fake ? 20 : 10;
  const times = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const name of names) times[name].push(...await withPair(name, context, (pair) => pair.call('start', { count })));
  }
  console.log(`\n## From connecting to the first byte of \`echo hi\`, ${fake ? 'fake' : 'real'} engine, ${rounds * count} samples (ms)\n`);
  console.log(table([
    ['', 'p50', 'p95'],
    ...names.map((name) => [PEERS[name].title, ...[0.5, 0.95].map((q) => fixed(quantile(times[name], q), fake ? 2 : 1))]),
  ]));
  return times;
};
