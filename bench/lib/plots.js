'use strict';
// The plots of a run, from what `--json` has kept of it.

const fs = require('fs');
const path = require('path');
const { PEERS } = require('./peers');
const { barChart, lineChart } = require('./plot');
const { SERVERS } = require('./servers');
const { median, quantile } = require('./stats');

const FOLDER = path.join(__dirname, '../../docs/plots');
/** One for each peer, in every plot; strong enough on white and on black. */
const COLORS = {
  engine: '#84826f', socat: '#d97706', dockerode: '#14b8a6', original: '#ef4444',
  bare: '#a16207', bareDew: '#a16207', ws: '#64748b', adopted: '#3b82f6', port: '#10b981', dew: '#a855f7', dewNode: '#a855f7', docker: '#ec4899',
};
const plain = (title) => title.replaceAll('`', '');
const peer = (name) => plain(PEERS[name].title);
const server = (name) => plain(SERVERS[name].title);

/** `[{ label, color, value }]` for those of a table's entries whose value is a number. */
const bars = (measured, title, value) => Object.entries(measured ?? {})
  .map(([name, one]) => ({ label: title(name), color: COLORS[name], value: value(one) })).filter((bar) => Number.isFinite(bar.value));
const groups = (list) => list.filter((group) => group.bars.length > 0);

const lines = (scale, value, from) => Object.entries(scale ?? {}).map(([kind, list]) => ({
  label: server(kind), color: COLORS[kind], points: list.filter(({ count }) => count >= from).map((one) => [one.count, value(one)]),
})).filter(({ points }) => points.length > 0);

/** File name to SVG text; plots whose suites did not run are left out. */
const PLOTS = {
  throughput: ({ output, input }) => ({
    title: 'Throughput on a real engine', axis: 'MB/s, median',
    groups: groups([
      { label: 'output (dd)', bars: bars(output?.summaries, peer, ({ rates }) => median(rates)) },
      { label: 'input (wc -c)', bars: bars(input?.summaries, peer, ({ rates }) => median(rates)) },
    ]),
  }),
  cpu: ({ output, input }) => ({
    title: 'Processor time of server and client together, real engine', axis: 'CPU seconds per GB, median',
    groups: groups([
      { label: 'output (dd)', bars: bars(output?.summaries, peer, ({ both }) => both) },
      { label: 'input (wc -c)', bars: bars(input?.summaries, peer, ({ both }) => both) },
    ]),
  }),
  ceiling: ({ ceiling }) => ({
    title: 'What a server can move on one core, fake engine', axis: 'MB/s, median',
    groups: groups([
      { label: 'output, 32 KiB frames', bars: bars(relays(ceiling), server, ({ output }) => output.rate) },
      { label: 'input, 32 KiB messages', bars: bars(relays(ceiling), server, ({ input }) => input.rate) },
    ]),
  }),
  'ceiling-cpu': ({ ceiling }) => ({
    title: "A server's processor time, fake engine", axis: 'CPU seconds per GB, median',
    groups: groups([
      { label: 'output, 32 KiB frames', bars: bars(relays(ceiling), server, ({ output }) => output.cpu) },
      { label: 'input, 32 KiB messages', bars: bars(relays(ceiling), server, ({ input }) => input.cpu) },
    ]),
  }),
  memory: ({ scale }) => ({
    title: 'Memory of the server for each idle session', x: 'sessions', y: 'KiB each, garbage collected',
    // What one session adds is lost in what a process does anyhow.
    lines: lines(scale, ({ before, after, count }) => Math.max(0, after.kept - before.kept) / count, 100),
  }),
  sessions: ({ scale }) => ({
    title: 'Output of all sessions together, server on one core, fake engine', x: 'sessions', y: 'MB/s', lines: lines(scale, ({ rate }) => rate, 1),
  }),
  echo: ({ echo, busy }) => ({
    title: 'From a key to its echo', axis: 'milliseconds', logarithmic: true,
    groups: groups([
      ...[0.5, 0.99].map((q) => ({ label: `real engine, alone, p${q * 100}`, bars: bars(echo, peer, (times) => quantile(times, q)) })),
      { label: 'fake engine, beside one session that takes all it can, p99', bars: bars(busy?.single, server, ({ quantiles }) => quantiles[1]) },
      { label: 'fake engine, beside 100 sessions of 1 MB/s each, p99', bars: bars(busy?.steady, server, ({ quantiles }) => quantiles[1]) },
      { label: 'fake engine, beside 100 sessions that take all they can, p99', bars: bars(busy?.flood, server, ({ quantiles }) => quantiles[1]) },
    ]),
  }),
};

/** Without the engine itself, which is no server. */
function relays(ceiling) {
  const { engine, ...rest } = ceiling ?? {};
  return engine ? rest : {};
}

/** Writes the plots of the run in `file`, and prints how docs/benchmarks.md shows them. */
function writePlots(file) {
  const { results } = JSON.parse(fs.readFileSync(file, 'utf8'));
  fs.mkdirSync(FOLDER, { recursive: true });
  for (const [name, describe] of Object.entries(PLOTS)) {
    const chart = describe(results);
    if ((chart.groups ?? chart.lines).length === 0) {
      console.log(`(no plot ${name}: its suites did not run)`);
      continue;
    }
    fs.writeFileSync(path.join(FOLDER, `${name}.svg`), chart.lines ? lineChart(chart) : barChart(chart));
    console.log(`![${chart.title}](plots/${name}.svg)`);
  }
}

module.exports = { writePlots };
