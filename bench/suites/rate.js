'use strict';

const { withLoad } = require('../lib/load');
const { SERVERS, available, sessionAt, withServer } = require('../lib/servers');
const { median } = require('../lib/stats');
const { fixed, spread, table } = require('../lib/table');

const WIDTH = 16;

function measure(kind, context, count) {
  return withServer(kind, context, {}, (server) => withLoad({}, async (load) => {
    const job = { ...sessionAt(server, context.container, ['echo', 'hi']), width: WIDTH };
    await load.call('rate', { ...job, count: Math.ceil(count / 4) });
    const before = server.cpu();
    const { ms, failed, why } = await load.call('rate', { ...job, count });
    if (failed > 0) throw new Error(`${failed} of ${count} sessions failed: ${why}`);
    return { rate: count / (ms / 1000), cpu: (server.cpu() - before) * 1000 / count };
  }));
}

/** How many sessions a second begin and end, when the engine is no obstacle. */
module.exports = async function rate(context, { quick }) {
  const kinds = available(SERVERS, ['engine', 'original', 'adopted', 'port', 'dew'], context);
  const count = quick ? 800 : 4000;
  const rounds = Object.fromEntries(kinds.map((kind) => [kind, []]));
  for (let round = 0; round < (quick ? 1 : 3); round++) {
    for (const kind of kinds) rounds[kind].push(await measure(kind, context, count));
  }
  console.log(`\n## Sessions that begin and end, ${WIDTH} at once, fake engine\n`);
  console.log(table([
    ['', 'sessions/s, median (range)', 'server CPU ms each'],
    ...kinds.map((kind) => [
      SERVERS[kind].title, spread(rounds[kind].map((one) => one.rate), median, 0),
      kind === 'engine' ? '–' : fixed(median(rounds[kind].map(({ cpu }) => cpu)), 2),
    ]),
  ]));
  return rounds;
};
