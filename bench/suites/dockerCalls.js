'use strict';

const { OTHERS, SERVER } = require('../lib/cpus');
const { WITH_LIMIT, interleaved, withClient } = require('../lib/docker-clients');
const { available } = require('../lib/servers');
const { median } = require('../lib/stats');
const { fixed, spread, table } = require('../lib/table');

const WIDTHS = [1, 32];

/** Small calls of the engine's API, which is a fake one on another processor. */
module.exports = async function dockerCalls(context, { quick }) {
  const kinds = available(WITH_LIMIT, Object.keys(WITH_LIMIT), context);
  const count = quick ? 2000 : 20_000;
  const results = {};
  for (const width of WIDTHS) {
    results[width] = await interleaved(kinds, quick ? 2 : 5, (kind) => withClient(kind, context, { cpus: SERVER }, async (child) => {
      await child.call('calls', { count: Math.ceil(count / 4), width, name: 'inspect' });
      const before = child.cpu();
      const { ms } = await child.call('calls', { count, width, name: 'inspect' });
      return { rate: count / (ms / 1000), cpu: (child.cpu() - before) * 1e6 / count };
    }));
    console.log(`\n## container.inspect(), ${width} at once, client on one processor, fake engine on ${OTHERS}\n`);
    console.log(table([
      ['', 'calls/s, median (range)', 'of dockerode', 'client CPU us each'],
      ...kinds.map((kind) => {
        const rates = (one) => results[width][one].map(({ rate }) => rate);
        return [
          WITH_LIMIT[kind].title, spread(rates(kind), median, 0),
          fixed(results[width].dockerode ? median(rates(kind)) / median(rates('dockerode')) : NaN, 2),
          fixed(median(results[width][kind].map(({ cpu }) => cpu)), 0),
        ];
      }),
    ]));
  }
  return results;
};
