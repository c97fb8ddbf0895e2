'use strict';

const { Stalled } = require('../lib/child');
const { canPin, OTHERS, SERVER } = require('../lib/cpus');
const { withLoad } = require('../lib/load');
const { SERVERS, available, sessionAt, withServer } = require('../lib/servers');
const { median } = require('../lib/stats');
const { fixed, spread, table } = require('../lib/table');

const CASES = [
  { name: 'output', title: 'Output in frames of 32 KiB', size: 32 * 1024 },
  { name: 'input', title: 'Input in messages of 32 KiB', size: 32 * 1024 },
  { name: 'outputLarge', title: 'Output in frames of 150 KB', size: 150_000 },
  { name: 'inputLarge', title: 'Input in messages of 150 KB', size: 150_000 },
];
const isInput = ({ name }) => name.startsWith('input');

/** One transfer through a server that is warm: its rate, and what it cost the server. */
function attempt(server, { container }, one, bytes) {
  return withLoad({ cpus: OTHERS }, async (load) => {
    const words = isInput(one) ? ['sink'] : ['blast', String(bytes), String(one.size), 'wait'];
    await load.call('open', sessionAt(server, container, words));
    const before = server.cpu();
    const used = (moved) => ({ cpu: (server.cpu() - before) / (moved / 1e9) });
    try {
      const result = await load.call(isInput(one) ? 'input' : 'go', { bytes, size: one.size }, { patience: 4000 });
      const moved = isInput(one) ? Number(result.text) : result.bytes;
      if (moved !== bytes || result.failed > 0) throw new Error(`${moved} bytes of ${bytes} came through`);
      return { hung: false, rate: bytes / 1e6 / (result.ms / 1000), busy: (server.cpu() - before) / (result.ms / 1000), ...used(bytes) };
    } catch (error) {
      if (!(error instanceof Stalled)) throw error;
      return { hung: true, ...used(error.progress) };
    }
  });
}

/** All cases with a fresh server. */
function measure(kind, context, cases, bytes) {
  return withServer(kind, context, { cpus: SERVER }, async (server) => {
    await attempt(server, context, CASES[0], 50_000_000);
    const results = {};
    for (const one of cases) results[one.name] = await attempt(server, context, one, bytes);
    return results;
  });
}

function summary(rounds, reference) {
  const complete = rounds.filter(({ hung }) => !hung);
  const ratios = rounds.map(({ rate }, i) => rate / reference?.[i]?.rate).filter((ratio) => ratio > 0);
  return {
    hung: rounds.length - complete.length,
    attempts: rounds.length,
    rates: complete.map(({ rate }) => rate),
    rate: median(complete.map(({ rate }) => rate)),
    ratio: median(ratios),
    cpu: median((complete.length > 0 ? complete : rounds).map(({ cpu }) => cpu)),
    busy: median(complete.map(({ busy }) => busy)),
  };
}

/** What a server can move and what that costs it, when it has a core for itself and the engine costs next to nothing. */
module.exports = async function ceiling(context, { quick }) {
  const kinds = available(SERVERS, ['engine', 'socat', ...(quick ? [] : ['bare']), 'original', 'adopted', 'port', 'dew'], context);
  const cases = quick ? CASES.slice(0, 2) : CASES;
  const count = quick ? 1 : 5;
  // The originals take ten times as long for each byte.
  const bytes = (kind) => (quick ? 1e9 : 2e9) / (kind === 'original' ? 5 : 1);
  const rounds = Object.fromEntries(kinds.map((kind) => [kind, []]));
  for (let round = 0; round < count; round++) {
    for (const kind of kinds) rounds[kind].push(await measure(kind, context, cases, bytes(kind)));
  }
  const of = (kind, { name }) => rounds[kind]?.map((round) => round[name]);
  const summaries = Object.fromEntries(kinds.map((kind) => [kind,
    Object.fromEntries(cases.map((one) => [one.name, summary(of(kind, one), of('socat', one))]))]));
  console.log(`\n## Ceiling: a server ${canPin() ? 'with a core of its own' : '(no core of its own: this needs taskset and two cores)'}, fake engine`);
  for (const { name, title } of cases) {
    console.log(`\n### ${title}\n`);
    console.log(table([
      ['', 'MB/s, median (range)', 'of socat', 'server CPU s/GB', 'core busy', 'hung'],
      ...kinds.map((kind) => {
        const one = summaries[kind][name];
        const none = kind === 'engine';
        return [
          SERVERS[kind].title, spread(one.rates, median, 0), fixed(one.ratio, 2), none ? '–' : fixed(one.cpu, 3),
          none ? '–' : `${fixed(one.busy * 100, 0)} %`, `${one.hung} of ${one.attempts}`,
        ];
      }),
    ]));
  }
  return summaries;
};
