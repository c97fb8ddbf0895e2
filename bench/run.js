#!/usr/bin/env node
'use strict';
// Measures the product against its limit and its peers, on a real engine, in one run.
//
//   npm run bench -- [--quick | --full] [--only NAME[,NAME...]] [--json FILE]
//
//   --quick   less of everything, under two minutes
//   --full    the slow peer of the suite `bounded` reads 500 MiB, which takes four minutes a peer
//   --only    some suites: output, input, echo, start, idle, bounded, require, soak
//   --json    every single figure, for other programs

const fs = require('fs');
const os = require('os');
const { parseArgs } = require('util');
const { ask, withEngine } = require('../scripts/engine');
const { startContainer, removeContainer } = require('./lib/container');

const SUITES = ['output', 'input', 'echo', 'start', 'idle', 'bounded', 'require', 'soak'];

function parse(args) {
  const { values } = parseArgs({
    args,
    options: { quick: { type: 'boolean' }, full: { type: 'boolean' }, only: { type: 'string' }, json: { type: 'string' } },
  });
  const suites = values.only ? values.only.split(',') : SUITES;
  const unknown = suites.find((name) => !SUITES.includes(name));
  if (unknown !== undefined) throw new Error(`no suite '${unknown}': choose from ${SUITES.join(', ')}`);
  if (values.quick && values.full) throw new Error('--quick and --full exclude each other');
  return { suites, json: values.json, options: { quick: Boolean(values.quick), full: Boolean(values.full) } };
}

async function machine(engine) {
  const { Version, ApiVersion } = await ask(engine, 'GET', '/version');
  const [{ model }] = os.cpus();
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    cores: os.cpus().length,
    model: model.trim(),
    memory: `${Math.round(os.totalmem() / 2 ** 30)} GiB`,
    kernel: os.release(),
    node: process.version,
    engine: `${engine.kind} ${Version} (API ${ApiVersion})`,
    load: os.loadavg()[0].toFixed(2),
  };
}

function describe({ date, cores, model, memory, kernel, node, engine, load }) {
  console.log(`# Benchmarks\n\n${date} UTC: ${cores} x ${model}, ${memory}; Linux ${kernel}; Node ${node}; ${engine}; load at the start ${load}`);
}

async function runSuites(engine, { suites, options }) {
  const results = {};
  for (const name of suites) {
    // A container for each: nothing that a suite leaves behind slows the next one down.
    const container = await startContainer(engine);
    try {
      results[name] = await require(`./suites/${name}`)({ engine, container }, options);
    } finally {
      await removeContainer(engine, container);
    }
  }
  return results;
}

async function main(args) {
  if (process.platform !== 'linux') throw new Error('the benchmarks read /proc: they need Linux');
  const wanted = parse(args);
  const began = Date.now();
  await withEngine(async (engine) => {
    const about = await machine(engine);
    describe(about);
    const results = await runSuites(engine, wanted);
    console.log(`\n${((Date.now() - began) / 1000).toFixed(0)} s in all; load at the end ${os.loadavg()[0].toFixed(2)}`);
    if (wanted.json) fs.writeFileSync(wanted.json, `${JSON.stringify({ machine: about, results }, null, 1)}\n`);
  });
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
