#!/usr/bin/env node
'use strict';
// Measures the product against its limit and its peers in one run: on a real engine, and on a fake one
// that costs next to nothing.
//
//   npm run bench -- [--quick | --full] [--only NAME[,NAME...]] [--json FILE]
//   npm run bench -- --plots FILE
//
//   --quick   less of everything, under two minutes
//   --full    more of what takes long: the slow peer of `bounded` reads 500 MiB, which takes four
//             minutes a peer, and `busyReal` is measured
//   --only    some suites:
//             on a real engine   output, input, echo, start, idle, bounded, soak, busyReal, dockerOutput, ssh
//             on the fake one    ceiling, scale, loop, busy, slow, rate, startFake, dockerCalls, dockerCeiling
//             on none            small, require, size
//   --json    every single figure, for other programs
//   --plots   measures nothing, and draws docs/plots/*.svg from what --json wrote
//
// The programs bench/fake-engine, bench/load-client and bench/bare-server are built by cargo first, where they are missing.

const fs = require('fs');
const os = require('os');
const { parseArgs } = require('util');
const { ask, withEngine } = require('../scripts/engine');
const { printBars } = require('./lib/bars');
const { example } = require('./lib/build');
const { startContainer, removeContainer } = require('./lib/container');
const { OTHERS } = require('./lib/cpus');
const { withFakeEngine } = require('./lib/fake-engine');
const { writePlots } = require('./lib/plots');

/** A suite with an engine of its own each: nothing that one leaves behind slows the next one down. */
const ON = {
  async real(engine, suite) {
    const container = await startContainer(engine);
    try {
      return await suite({ engine, container });
    } finally {
      await removeContainer(engine, container);
    }
  },
  /** Where the server has a core of its own, the engine is on the others. */
  fake: (_engine, suite) => withFakeEngine((engine) => suite({ engine, container: 'bench' })),
  fakePinned: (_engine, suite) => withFakeEngine((engine) => suite({ engine, container: 'bench' }), { cpus: OTHERS }),
  nothing: (_engine, suite) => suite({}),
};

const SUITES = {
  output: 'real', input: 'real', echo: 'real', start: 'real', idle: 'real', bounded: 'real', soak: 'real', busyReal: 'real',
  dockerOutput: 'real', ssh: 'real', dockerCalls: 'fakePinned', dockerCeiling: 'fakePinned',
  ceiling: 'fakePinned', scale: 'fakePinned', loop: 'fakePinned', busy: 'fake', slow: 'fake', rate: 'fake', startFake: 'fake',
  small: 'nothing', require: 'nothing', size: 'nothing',
};
/** Where a bare server is one of the peers, but for quick runs. */
const WITH_BARE = ['input', 'echo', 'ceiling'];
/** Not part of a run unless they are asked for; of a quick one, what another suite shows more of or is not about sessions. */
const FULL_ONLY = ['busyReal'], NOT_QUICK = ['idle', 'ssh'];

function parse(args) {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean' }, full: { type: 'boolean' }, only: { type: 'string' }, json: { type: 'string' }, plots: { type: 'string' },
    },
  });
  const left = [...(values.full ? [] : FULL_ONLY), ...(values.quick ? NOT_QUICK : [])];
  const usual = Object.keys(SUITES).filter((name) => !left.includes(name));
  const suites = values.only ? values.only.split(',') : usual;
  const unknown = suites.find((name) => !Object.hasOwn(SUITES, name));
  if (unknown !== undefined) throw new Error(`no suite '${unknown}': choose from ${Object.keys(SUITES).join(', ')}`);
  if (values.quick && values.full) throw new Error('--quick and --full exclude each other');
  return { suites, json: values.json, plots: values.plots, options: { quick: Boolean(values.quick), full: Boolean(values.full) } };
}

async function machine(engine) {
  const { Version, ApiVersion } = engine ? await ask(engine, 'GET', '/version') : {};
  const [{ model }] = os.cpus();
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    cores: os.cpus().length,
    model: model.trim(),
    memory: `${Math.round(os.totalmem() / 2 ** 30)} GiB`,
    kernel: os.release(),
    node: process.version,
    engine: engine ? `${engine.kind} ${Version} (API ${ApiVersion})` : 'no engine',
    load: os.loadavg()[0].toFixed(2),
  };
}

function describe({ date, cores, model, memory, kernel, node, engine, load }) {
  console.log(`# Benchmarks\n\n${date} UTC: ${cores} x ${model}, ${memory}; Linux ${kernel}; Node ${node}; ${engine}; load at the start ${load}`);
}

/** Hands the results so far to `keep` behind each suite: one that fails shall not cost those before it. */
async function runSuites(engine, { suites, options }, keep) {
  const results = {};
  for (const name of suites) {
    const began = Date.now();
    const measure = require(`./suites/${name}`);
    results[name] = await ON[SUITES[name]](engine, (context) => measure(context, options));
    console.error(`(${name}: ${((Date.now() - began) / 1000).toFixed(0)} s)`);
    keep(results);
  }
  return results;
}

async function main(args) {
  if (process.platform !== 'linux') throw new Error('the benchmarks read /proc: they need Linux');
  const wanted = parse(args);
  if (wanted.plots) {
    writePlots(wanted.plots);
    return;
  }
  // Before the clock runs, and before anything is measured.
  if (wanted.suites.some((name) => SUITES[name].startsWith('fake'))) ['fake-engine', 'load-client'].forEach(example);
  if (!wanted.options.quick && wanted.suites.some((name) => WITH_BARE.includes(name))) example('bare-server');
  const began = Date.now();
  const measure = async (engine) => {
    const about = await machine(engine);
    describe(about);
    const keep = (found) => {
      if (wanted.json) fs.writeFileSync(wanted.json, `${JSON.stringify({ machine: about, ...found }, null, 1)}\n`);
    };
    const results = await runSuites(engine, wanted, (soFar) => keep({ results: soFar }));
    console.log(`\n${((Date.now() - began) / 1000).toFixed(0)} s in all; load at the end ${os.loadavg()[0].toFixed(2)}`);
    keep({ results, bars: printBars(results) });
  };
  if (wanted.suites.some((name) => SUITES[name] === 'real')) await withEngine(measure);
  else await measure(null);
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
