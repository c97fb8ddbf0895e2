'use strict';

const { processes, quiet } = require('../lib/container');
const { PEERS, withPair } = require('../lib/peers');
const { available } = require('../lib/servers');
const { descriptors, residentKib, threads } = require('../lib/processes');
const { fixed, table } = require('../lib/table');

const state = (pid) => ({ rss: residentKib(pid), descriptors: descriptors(pid), threads: threads(pid) });

/** Many sessions, many at once, some of whose clients vanish: what the server keeps of them. */
module.exports = async function soak(context, { quick }) {
  const names = available(PEERS, quick ? ['adopted'] : ['original', 'adopted', 'dewNode'], context);
  const count = quick ? 60 : 1000;
  const width = quick ? 30 : 100;
  const results = {};
  for (const name of names) {
    const already = await processes(context);
    results[name] = await withPair(name, context, async (pair) => {
      await pair.call('churn', { count: width, width });
      const before = state(pair.serverPid);
      const began = Date.now();
      const { failures } = await pair.call('churn', { count, width });
      const seconds = (Date.now() - began) / 1000;
      // The end of a vanished client's command takes a moment.
      const left = await quiet(context, already).catch(() => processes(context)) - already;
      return { before, after: state(pair.serverPid), failures, seconds, left };
    });
  }
  console.log(`\n## Soak: ${count} sessions after ${width} to warm up, ${width} at once, each tenth client vanishes\n`);
  console.log(table([
    ['', 'sessions/s', 'failed', 'descriptors', 'threads', 'server MiB', 'processes left'],
    ...names.map((name) => {
      const { before, after, failures, seconds, left } = results[name];
      return [
        PEERS[name].title, fixed(count / seconds, 1), failures.length, `${before.descriptors} -> ${after.descriptors}`,
        `${before.threads} -> ${after.threads}`, `${fixed(before.rss / 1024, 1)} -> ${fixed(after.rss / 1024, 1)}`, left,
      ];
    }),
  ]));
  for (const name of names) {
    for (const text of new Set(results[name].failures)) console.log(`${PEERS[name].title}: ${text}`);
  }
  return results;
};
