'use strict';

const { removeContainer, startContainer } = require('../lib/container');
const { withLoad } = require('../lib/load');
const { SERVERS, available, sessionAt, withServer } = require('../lib/servers');
const { median, quantile } = require('../lib/stats');
const { fixed, table } = require('../lib/table');

const BUSY = 100;
/** More than anybody takes while it is measured. */
const ENDLESS = '1000000000000000';
const FRAME = '32768';
/** They begin when they get their first input: not before all are there. */
const blast = (...more) => ['blast', ENDLESS, FRAME, 'wait', ...more];
const QUANTILES = [0.5, 0.99, 0.999];

/** What else goes on: words of the command that so many sessions run. */
const FAKE = {
  alone: { title: 'alone' },
  single: { title: 'beside one session that takes all it can', words: blast(), count: 1 },
  steady: { title: `beside ${BUSY} sessions of 1 MB/s each`, words: blast('rate=1000000') },
  flood: { title: `beside ${BUSY} sessions that take all they can`, words: blast() },
};
const REAL = {
  alone: { title: 'alone' },
  flood: { title: `beside ${BUSY} sessions of \`cat /dev/zero\``, words: ['cat', '/dev/zero'] },
};

/** Milliseconds from a key to its echo on a terminal, and MB/s of the busy sessions. The busy sessions have a client of their own. */
function measure(kind, context, { words, count = BUSY }, job) {
  return withServer(kind, context, {}, (server) => withLoad({}, (keys) => withLoad({}, async (others) => {
    if (words) {
      await others.call('open', { ...sessionAt(server, context.container, words), count, width: 8 });
      await others.call('start');
    }
    await keys.call('open', { ...sessionAt(server, context.container, ['cat'], { tty: true }), tty: true });
    const began = { at: process.hrtime.bigint(), bytes: (await others.call('moved')).bytes };
    const { times } = await keys.call('keys', job);
    const bytes = (await others.call('moved')).bytes - began.bytes;
    return { times, rate: bytes / (Number(process.hrtime.bigint() - began.at) / 1e3) };
  })));
}

/** The same in a container of its own: what its clients leave behind there may go on. */
async function measureReal(kind, { engine }, ...rest) {
  const container = await startContainer(engine);
  try {
    return await measure(kind, { engine, container }, ...rest);
  } finally {
    await removeContainer(engine, container);
  }
}

/** How long a key's echo takes while other sessions are at work. */
module.exports = async function busy(context, { quick }) {
  const real = context.engine.kind !== 'fake';
  const peers = quick ? ['engine', 'adopted', 'dew'] : ['engine', 'socat', 'original', 'adopted', 'port', 'dew'];
  const kinds = available(SERVERS, peers, context);
  const cases = real ? REAL : FAKE;
  const rounds = quick || real ? 1 : 3;
  const samples = quick ? 150 : 1000;
  const results = {};
  for (const [name, load] of Object.entries(cases)) {
    const { title, words } = load;
    // Where each takes its time, fewer of them.
    const job = { samples: name === 'flood' ? samples / 2 : samples, warmUp: 20, gap: 1 };
    const all = Object.fromEntries(kinds.map((kind) => [kind, []]));
    for (let round = 0; round < rounds; round++) {
      for (const kind of kinds) all[kind].push(await (real ? measureReal : measure)(kind, context, load, job));
    }
    results[name] = Object.fromEntries(kinds.map((kind) => {
      const times = all[kind].flatMap((one) => one.times);
      return [kind, { quantiles: QUANTILES.map((q) => quantile(times, q)), rate: median(all[kind].map(({ rate }) => rate)) }];
    }));
    console.log(`\n## Echo of a key ${title}, ${real ? 'real' : 'fake'} engine, ${rounds} x ${job.samples} samples (ms)\n`);
    console.log(table([
      ['', 'p50', 'p99', 'p99.9', 'the others, MB/s'],
      ...kinds.map((kind) => {
        const { quantiles, rate } = results[name][kind];
        return [SERVERS[kind].title, ...quantiles.map((ms) => fixed(ms, 3)), words ? fixed(rate, 0) : '–'];
      }),
    ]));
  }
  return results;
};
