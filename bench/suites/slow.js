'use strict';

const { setTimeout } = require('timers/promises');
const { Stalled } = require('../lib/child');
const { withLoad } = require('../lib/load');
const { peakKib, residentKib, resetPeak } = require('../lib/processes');
const { SERVERS, available, sessionAt, withServer } = require('../lib/servers');
const { fixed, table } = require('../lib/table');

const FRAME = 32 * 1024;
/** For how long memory has to stay the same to count as settled, ms. */
const SETTLED = 1000;
const TRIES = 5;

/** The highest memory since `resetPeak`, once it grows no more; KiB. */
async function settledPeak(pid) {
  let peak = peakKib(pid);
  for (;;) {
    await setTimeout(SETTLED);
    const now = peakKib(pid);
    if (now === peak) return now;
    peak = now;
  }
}

/** `count` sessions whose clients read nothing, `bytes` of output waiting for each; then they read all of it. */
function measure(kind, context, count, bytes) {
  return withServer(kind, context, {}, (server) => withLoad({}, async (load) => {
    const blast = (size) => sessionAt(server, context.container, ['blast', String(size), String(FRAME), 'wait']);
    // A first transfer, so that only what the sessions themselves take is new.
    await load.call('open', blast(50_000_000));
    await load.call('go');
    const before = residentKib(server.pid);
    resetPeak(server.pid);
    await load.call('open', { ...blast(bytes), count, width: 8, hold: true });
    await load.call('start');
    const growth = await settledPeak(server.pid) - before;
    try {
      const { bytes: came, failed } = await load.call('wait', {}, { patience: 5000 });
      const whole = came === bytes * count && failed === 0;
      return { growth, outcome: whole ? 'complete' : `${came} bytes, ${failed} failed` };
    } catch (error) {
      if (!(error instanceof Stalled)) throw error;
      return { growth, outcome: 'hung' };
    }
  }));
}

/** As `measure`, and again where the first transfer hangs, as the original's do now and then. */
async function measured(kind, ...args) {
  for (let tries = 1; ; tries++) {
    try {
      return await measure(kind, ...args);
    } catch (error) {
      if (!(error instanceof Stalled) || kind !== 'original' || tries === TRIES) throw error;
    }
  }
}

/** What clients that do not read cost the server. */
module.exports = async function slow(context, { quick }) {
  const kinds = available(SERVERS, quick ? ['adopted', 'dew'] : ['original', 'adopted', 'port', 'dew'], context);
  const cases = [{ count: 1, bytes: 1e9 }, ...(quick ? [] : [{ count: 100, bytes: 1e7 }])];
  const results = Object.fromEntries(kinds.map((kind) => [kind, []]));
  for (const { count, bytes } of cases) {
    for (const kind of kinds) results[kind].push({ count, bytes, ...await measured(kind, context, count, bytes) });
  }
  console.log('\n## Clients that do not read: growth of the server\'s memory, and what comes when they do\n');
  console.log(table([
    ['', 'sessions', 'waiting for each', 'growth MiB', 'KiB each', 'then'],
    ...kinds.flatMap((kind) => results[kind].map(({ count, bytes, growth, outcome }) => [
      SERVERS[kind].title, count, `${bytes / 1e6} MB`, fixed(growth / 1024, 2), fixed(growth / count, 0), outcome,
    ])),
  ]));
  return results;
};
