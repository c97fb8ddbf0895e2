'use strict';
// What the product demands of itself, against what a run has seen.

const { median, quantile } = require('./stats');
const { fixed, table } = require('./table');

const SERVERS = ['adopted', 'port', 'dew'];
const atMost = (limit) => ({ says: (unit) => `<= ${limit}${unit}`, met: (seen) => seen <= limit });
const atLeast = (limit) => ({ says: (unit) => `>= ${limit}${unit}`, met: (seen) => seen >= limit });

/** `{ name: pick(table[name]) }` for those of `names` that were measured. */
const each = (measured, names, pick) => Object.fromEntries(names
  .filter((name) => measured?.[name] !== undefined).map((name) => [name, pick(measured[name], measured)]));
const all = (measured, pick) => each(measured, SERVERS, pick);

/** What each count up to a thousand is of one session. */
const ofOne = (list, what) => list.filter(({ count }) => count <= 1000).map((one) => one[what]);

/** Of the largest count: what each idle session took, KiB. */
function idleKib(list) {
  const { before, after, count } = list.at(-1);
  return (after.kept - before.kept) / count;
}

/**
 * `seen(results)` gives a figure for each that was measured; nothing if the suite did not run or what
 * it is compared with is not there.
 */
const BARS = [
  { figure: 'stdout, real engine, of the limit', bar: atLeast(1), digits: 2, seen: ({ output }) => all(output?.summaries, (one) => one.ratio) },
  { figure: 'stdin to wc, real engine, of the limit', bar: atLeast(0.95), digits: 2, seen: ({ input }) => all(input?.summaries, (one) => one.ratio) },
  { figure: 'stdin in pieces of 64 KiB, real engine, of the limit', bar: atLeast(0.95), digits: 2, seen: ({ input }) => all(input?.pieces?.summaries, (one) => one.ratio) },
  { figure: "server CPU, stdout, real engine, of the original's", bar: atMost(0.25), digits: 2,
    seen: ({ output }) => all(output?.summaries, (one, { original }) => one.server / original?.server) },
  { figure: "server CPU, stdout, fake engine, of the original's", bar: atMost(0.167), digits: 3,
    seen: ({ ceiling }) => all(ceiling, (one, { original }) => one.output.cpu / original?.output.cpu) },
  { figure: "Node client CPU, stdout, real engine, of the original's", bar: atMost(0.333), digits: 2,
    seen: ({ output }) => each(output?.summaries, ['adopted', 'port'], (one, { original }) => one.client / original?.client) },
  { figure: "Node client, messages of 256 bytes, of the original's", bar: atLeast(8), digits: 1,
    seen: ({ small }) => each(small?.[256], ['ours'], (one, { original }) => one.messages / original?.messages) },
  { figure: 'stdout ceiling on one core, of socat', bar: atLeast(0.8), digits: 2, seen: ({ ceiling }) => all(ceiling, (one) => one.output.ratio) },
  { figure: 'stdin ceiling on one core, of socat', bar: atLeast(0.8), digits: 2, seen: ({ ceiling }) => all(ceiling, (one) => one.input.ratio) },
  { figure: 'echo p50 over the engine, Node client', bar: atMost(0.1), digits: 2, unit: ' ms',
    seen: ({ echo }) => each(echo, ['adopted', 'port', 'dewNode'], (one, { engine }) => quantile(one, 0.5) - quantile(engine, 0.5)) },
  ...Object.entries({
    single: 'one session that floods', steady: '100 sessions of 1 MB/s', flood: '100 sessions that flood',
  }).map(([load, others]) => ({
    figure: `echo p99 over the engine beside ${others}`, bar: atMost(1), digits: 2, unit: ' ms',
    seen: ({ busy }) => all(busy?.[load], (one, { engine }) => one.quantiles[1] - engine.quantiles[1]),
  })),
  { figure: 'connect to first byte p50 over the engine, real', bar: atMost(1), digits: 2, unit: ' ms', seen: ({ start }) => starts(start) },
  { figure: 'connect to first byte p50 over the engine, fake', bar: atMost(1), digits: 2, unit: ' ms', seen: ({ startFake }) => starts(startFake) },
  { figure: 'memory for each idle session, most sessions', bar: atMost(16), digits: 1, unit: ' KiB', seen: ({ scale }) => all(scale, idleKib) },
  { figure: 'slow reader, 1 GB waiting: growth', bar: atMost(2), digits: 2, unit: ' MiB', seen: ({ slow }) => all(slow, ([one]) => one.growth / 1024) },
  { figure: 'throughput of up to 1,000 sessions, of one', bar: atLeast(0.9), digits: 2,
    seen: ({ scale }) => all(scale, (list) => Math.min(...ofOne(list, 'rateOfOne'))) },
  { figure: 'CPU per byte of up to 1,000 sessions, of one', bar: atMost(1.2), digits: 2,
    seen: ({ scale }) => all(scale, (list) => Math.max(...ofOne(list, 'cpuOfOne'))) },
  { figure: 'require()', bar: atMost(8), digits: 1, unit: ' ms',
    seen: (results) => (results.require ? { ours: quantile(results.require[0].times, 0.5) } : {}) },
  { figure: 'installation, unpacked', bar: atMost(8), digits: 2, unit: ' MB', seen: ({ size }) => each(size, ['ours'], ({ bytes }) => bytes / 1e6) },
  ...[1, 32].map((width) => ({
    figure: `Docker: container.inspect() a second, ${width} at once, of dockerode's`, bar: atLeast(2), digits: 2,
    seen: ({ dockerCalls }) => ofDockerode(dockerCalls?.[width], ({ rate }) => rate),
  })),
  ...['exec', 'attach', 'logs'].map((name) => ({
    figure: `Docker: throughput of ${name}, real engine, of dockerode's`, bar: atLeast(3), digits: 2,
    seen: ({ dockerOutput }) => ofDockerode(dockerOutput?.[name], ({ rate }) => rate),
  })),
  ...['exec', 'attach', 'logs'].map((name) => ({
    figure: `Docker: throughput of ${name}, fake engine, of dockerode's`, bar: atLeast(3), digits: 2, seen: ({ dockerCeiling }) => ceilings(dockerCeiling, name),
  })),
  { figure: "Docker: require(), of dockerode's", bar: atMost(0.1), digits: 2,
    seen: (results) => ofDockerode(results.require && timesOf(results.require), ({ ms }) => ms) },
  { figure: "Docker: installation, of dockerode's", bar: atMost(0.1), digits: 2,
    seen: ({ size }) => each(size, ['ours'], ({ bytes }) => bytes / size.dockerode?.bytes) },
  { figure: 'event loop p99 above idle at 300 MB/s', bar: atMost(2), digits: 2, unit: ' ms',
    seen: ({ loop }) => each(loop, ['adopted', 'port'], ({ busy, idle }) => busy.p99 - idle.p99) },
];

/** Of the medians of all rounds: ours by that of dockerode. */
function ofDockerode(rounds, pick) {
  if (!rounds?.ours || !rounds.dockerode) return {};
  return { ours: median(rounds.ours.map(pick)) / median(rounds.dockerode.map(pick)) };
}

/** Of each kind of output that `name` gave: ours by that of dockerode. */
function ceilings(outputs, name) {
  const named = Object.entries(outputs ?? {}).filter(([key]) => key.startsWith(name));
  return Object.fromEntries(named.map(([key, rounds]) => [key, ofDockerode(rounds, ({ rate }) => rate).ours]));
}

/** The times of `require()` by who is loaded. */
function timesOf(modules) {
  const find = (start) => modules.find(({ title }) => title.startsWith(start))?.times.map((ms) => ({ ms }));
  return { ours: find('ours (`/docker`)'), dockerode: find('dockerode') };
}

function starts(times) {
  return each(times, ['adopted', 'port'], (one, { engine }) => quantile(one, 0.5) - quantile(engine, 0.5));
}

/** What was seen of each bar: `{ figure, bar, seen: { peer: number }, met }`. Bars of suites that did not run are left out. */
function judge(results) {
  return BARS.map(({ figure, bar, digits, unit = '', seen }) => {
    const figures = Object.fromEntries(Object.entries(seen(results)).filter(([, value]) => Number.isFinite(value)));
    const values = Object.values(figures);
    return { figure, bar: bar.says(unit), seen: figures, digits, met: values.length > 0 ? values.every(bar.met) : null };
  }).filter(({ met }) => met !== null);
}

/** Prints the bars and resolves to them. */
function printBars(results) {
  const bars = judge(results);
  if (bars.length === 0) return bars;
  console.log('\n## Bars\n');
  console.log(table([
    ['figure', 'bar', 'seen', ''],
    ...bars.map(({ figure, bar, seen, digits, met }) => [
      figure, bar, Object.entries(seen).map(([peer, value]) => `${peer} ${fixed(value, digits)}`).join(', '), met ? 'met' : 'NOT met',
    ]),
  ]));
  return bars;
}

module.exports = { judge, printBars };
