'use strict';

const fs = require('fs');
const { setTimeout } = require('timers/promises');
const { OTHERS, SERVER } = require('../lib/cpus');
const { withLoad } = require('../lib/load');
const { descriptors, residentKib } = require('../lib/processes');
const { SERVERS, available, sessionAt, withServer } = require('../lib/servers');
const { median } = require('../lib/stats');
const { fixed, table } = require('../lib/table');

const FRAME = '32768';
/** More than anybody takes while it is measured. */
const ENDLESS = '1000000000000000';
/** Sessions that are opened at the same time. */
const WIDTH = 32;
const WARM_UP = 10;
const ROUNDS = 5;
/** The most sessions that a bar compares with one. */
const COMPARED = 1000;
/** Descriptors that a server has beside its sessions, which take two each. */
const SPARE_DESCRIPTORS = 200;

/** As many of `wanted` sessions as the limit of descriptors allows. */
function fitting(wanted) {
  const [, hard] = /^Max open files\s+\S+\s+(\d+)/m.exec(fs.readFileSync('/proc/self/limits', 'utf8'));
  return Math.min(wanted, Math.floor((Number(hard) - SPARE_DESCRIPTORS) / 2));
}

/** Resident memory once it stays as it is, in KiB. */
async function settled(pid) {
  let last = residentKib(pid);
  for (let same = 0; same < 3;) {
    await setTimeout(100);
    const now = residentKib(pid);
    same = Math.abs(now - last) < 64 ? same + 1 : 0;
    last = now;
  }
  return last;
}

/** Memory and descriptors of a server at rest; of a Node process also when it has collected its garbage. */
async function state(server) {
  const seen = await settled(server.pid);
  if (!server.call) return { seen, kept: seen, descriptors: descriptors(server.pid) };
  await server.call('collect');
  return { seen, kept: await settled(server.pid), descriptors: descriptors(server.pid) };
}

/** So many idle sessions, and then all of them at work for `ms`. */
function measure(kind, context, count, ms) {
  return withServer(kind, context, { cpus: SERVER, gc: true }, (server) => withLoad({ cpus: OTHERS }, async (load) => {
    const at = (...words) => sessionAt(server, context.container, words);
    // What a process keeps after its first sessions belongs to none of them.
    await load.call('rate', { ...at('echo', 'hi'), count: WARM_UP, width: WARM_UP });
    const before = await state(server);
    await load.call('open', { ...at('blast', ENDLESS, FRAME, 'wait'), count, width: WIDTH });
    const after = await state(server);
    await load.call('start');
    return { count, before, after, ...await load.flow(ms, server.cpu) };
  }));
}

const each = ({ before, after, count }, what) => (after[what] - before[what]) / count;

/** What the rounds of each count come to: memory as it was first, of the figures at work the median, also of what they are of one session's. */
function summary(rounds) {
  const [ones] = rounds;
  const ofOne = (list, what) => median(list.map((one, round) => one[what] / ones[round][what]));
  return rounds.map((list) => ({
    ...list[0],
    rate: median(list.map(({ rate }) => rate)), rateOfOne: ofOne(list, 'rate'),
    cpu: median(list.map(({ cpu }) => cpu)), cpuOfOne: ofOne(list, 'cpu'),
  }));
}

/** What many sessions at once cost a server, idle and at work. */
module.exports = async function scale(context, { quick }) {
  const kinds = available(SERVERS, quick ? ['adopted', 'dew'] : ['original', 'adopted', 'port', 'dew'], context);
  const counts = [...new Set((quick ? [1, 1000] : [1, 10, 100, 1000, 10_000]).map(fitting))];
  const measured = Object.fromEntries(kinds.map((kind) => [kind, counts.map(() => [])]));
  for (let round = 0; round < (quick ? 1 : ROUNDS); round++) {
    for (const [index, count] of counts.entries()) {
      // What is compared with a bar is measured more than once.
      if (round > 0 && count > COMPARED) continue;
      for (const kind of kinds) {
        if (round > 0 && kind === 'original') continue;
        measured[kind][index].push(await measure(kind, context, count, quick ? 1000 : 2000));
      }
    }
  }
  const results = Object.fromEntries(kinds.map((kind) => [kind, summary(measured[kind])]));
  const rows = kinds.flatMap((kind) => results[kind].map((one) => [SERVERS[kind].title, one]));
  console.log('\n## Many sessions: memory while they are idle\n');
  console.log(table([
    ['', 'sessions', 'server MiB', 'KiB each', 'KiB each, garbage collected', 'descriptors each'],
    ...rows.map(([title, one]) => [
      title, one.count, `${fixed(one.before.seen / 1024, 1)} -> ${fixed(one.after.seen / 1024, 1)}`, fixed(each(one, 'seen'), 1),
      fixed(each(one, 'kept'), 1), fixed(each(one, 'descriptors'), 2),
    ]),
  ]));
  console.log('\n## Many sessions: output of all together, server with a core of its own\n');
  console.log(table([
    ['', 'sessions', 'MB/s', 'of one session', 'server CPU s/GB', 'of one session'],
    ...rows.map(([title, one]) => [
      title, one.count, fixed(one.rate, 0), fixed(one.rateOfOne, 2), fixed(one.cpu, 3), fixed(one.cpuOfOne, 2),
    ]),
  ]));
  return results;
};
