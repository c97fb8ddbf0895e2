'use strict';

const { setTimeout } = require('timers/promises');
const { Stalled } = require('../lib/child');
const { OTHERS } = require('../lib/cpus');
const { withLoad } = require('../lib/load');
const { SERVERS, available, sessionAt, withServer } = require('../lib/servers');
const { median } = require('../lib/stats');
const { fixed, table } = require('../lib/table');

const SESSIONS = 10;
const RATE = 300e6;
const FRAME = 32 * 1024;

/** One process, at rest and then at work for `seconds`. */
function measure(kind, context, seconds) {
  return withServer(kind, context, {}, (server) => withLoad({ cpus: OTHERS }, async (load) => {
    const each = RATE / SESSIONS;
    const words = ['blast', String(each * seconds), String(FRAME), 'wait', `rate=${each}`];
    await load.call('open', { ...sessionAt(server, context.container, words), count: SESSIONS, width: SESSIONS });
    await server.call('watchLoop');
    await setTimeout(seconds * 1000);
    const idle = await server.call('loopDelay');
    await server.call('watchLoop');
    try {
      const { bytes, ms } = await load.call('go', {}, { patience: 5000 });
      return { idle, busy: await server.call('loopDelay'), rate: bytes / 1e6 / (ms / 1000) };
    } catch (error) {
      if (!(error instanceof Stalled)) throw error;
      return { idle, busy: await server.call('loopDelay'), rate: NaN };
    }
  }));
}

/** Whether the event loop of a Node process notices what its sessions move. */
module.exports = async function loop(context, { quick }) {
  const kinds = available(SERVERS, quick ? ['adopted'] : ['original', 'adopted', 'port'], context);
  const rounds = Object.fromEntries(kinds.map((kind) => [kind, []]));
  for (let round = 0; round < (quick ? 1 : 3); round++) {
    for (const kind of kinds) rounds[kind].push(await measure(kind, context, quick ? 2 : 4));
  }
  const results = Object.fromEntries(kinds.map((kind) => {
    const middle = (pick) => median(rounds[kind].map(pick));
    const delays = (state) => Object.fromEntries(['p50', 'p99', 'max'].map((q) => [q, middle((one) => one[state][q])]));
    return [kind, { idle: delays('idle'), busy: delays('busy'), rate: median(rounds[kind].map(({ rate }) => rate).filter(Number.isFinite)) }];
  }));
  console.log(`\n## Event loop: how late a timer of 1 ms is while ${SESSIONS} sessions move ${RATE / 1e6} MB/s (ms)\n`);
  console.log(table([
    ['', 'MB/s', 'idle p50', 'idle p99', 'busy p50', 'busy p99', 'busy max', 'p99 above idle'],
    ...kinds.map((kind) => {
      const { idle, busy, rate } = results[kind];
      return [
        SERVERS[kind].title, fixed(rate, 0), ...[idle.p50, idle.p99, busy.p50, busy.p99, busy.max, busy.p99 - idle.p99].map((ms) => fixed(ms, 2)),
      ];
    }),
  ]));
  return results;
};
