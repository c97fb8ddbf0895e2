#!/usr/bin/env node
'use strict';
// npm test: set-up, one engine for the whole run, every suite on it, and nothing left afterwards.
//
//   npm test                                  everything
//   npm test -- --only mocha --grep 'resize'  one step; what follows goes to mocha, cargo test, ...
//   npm test -- --only mocha __test__/client.test.js

const fs = require('fs');
const path = require('path');
const { ensureImage, openEngine, runCommand, startPrivatePodman } = require('./engine');
const { setup, asProgram, ROOT, RUNTIMES } = require('./setup');

/** A step that takes longer than this hangs. */
const STEP_MS = 20 * 60_000;

const at = (...names) => path.join(ROOT, ...names);
const runtime = (...names) => path.join(RUNTIMES, 'node_modules', ...names);
const mocha = (node) => [node, at('node_modules/mocha/bin/mocha.js')];
const TESTS = '__test__/**/*.test.js';
const smoke = () => (fs.existsSync(at('__test__/smoke.js')) ? null : 'there is no __test__/smoke.js');
const root = () => (process.platform === 'linux' && process.getuid() === 0 ? null : 'a podman of its own needs Linux and root');
const linux = () => (process.platform === 'linux' && process.arch === 'x64' ? null : 'this runtime is fetched on Linux, x64, only');

/** The steps in order: a name, the command, the files that it is given, and `unless()`, which says why it
 * cannot run here; with `podman`, a podman service of its own is the engine. */
const STEPS = [
  { name: 'cargo', command: ['cargo', 'test', '--all-features'] },
  { name: 'podman', command: ['cargo', 'test', '--all-features', '--test', 'engine', '--test', 'processes', '--test', 'session'], podman: true, unless: root },
  { name: 'podmanjs', command: mocha(process.execPath), files: ['__test__/docker-conformance.test.js', '__test__/docker-copy.test.js'], podman: true, unless: root },
  { name: 'types', command: [process.execPath, at('node_modules/typescript/bin/tsc'), '--noEmit', '-p', '__test__/types'] },
  { name: 'mocha', command: mocha(process.execPath), files: TESTS },
  { name: 'node22', command: mocha(runtime('node22/bin/node')), files: TESTS, unless: linux },
  { name: 'node24', command: mocha(runtime('node24/bin/node')), files: TESTS, unless: linux },
  { name: 'bun', command: [runtime('@oven/bun-linux-x64/bin/bun'), '__test__/smoke.js'], unless: () => linux() || smoke() },
  { name: 'deno', command: [runtime('@deno/linux-x64-glibc/deno'), 'run', '-A', '__test__/smoke.js'], unless: () => linux() || smoke() },
];

/** `--only a,b` chooses steps; everything else is passed on to them. */
function parse(args) {
  const rest = [...args];
  const place = rest.indexOf('--only');
  if (place < 0) {
    if (rest.length > 0) throw new Error('arguments are passed on to a single step: choose it with --only');
    return { steps: STEPS, rest };
  }
  const [, list = ''] = rest.splice(place, 2);
  const steps = list.split(',').map((name) => {
    const step = STEPS.find((one) => one.name === name);
    if (!step) throw new Error(`no step '${name}': choose from ${STEPS.map((one) => one.name).join(', ')}`);
    return step;
  });
  return { steps, rest };
}

/** Runs one step and resolves to what the summary says of it. */
async function runStep(engine, { name, command, files, unless, podman }, rest) {
  const why = unless && unless();
  if (why) {
    console.log(`\n== ${name}: not run: ${why}`);
    return { name, outcome: 'not run', why };
  }
  // Files that the caller names take the place of all of them.
  const named = rest.some((word) => word.endsWith('.test.js'));
  const words = [...command, ...(files && !named ? [files].flat() : []), ...rest];
  console.log(`\n== ${name}: ${words.join(' ').replaceAll(`${ROOT}/`, '')}`);
  const began = Date.now();
  const own = podman && await startPrivatePodman();
  if (own) await ensureImage(own);
  const status = await runCommand(own || engine, words, { cwd: ROOT, timeout: STEP_MS, env: { CARGO_PROFILE_DEV_DEBUG: '0' } });
  if (own) await own.stop();
  const time = `${((Date.now() - began) / 1000).toFixed(1)} s`;
  return status === 0 ? { name, outcome: 'passed', why: time } : { name, outcome: 'failed', why: `status ${status}, ${time}` };
}

async function main(args) {
  const { steps, rest } = parse(args);
  await setup({ test: true });
  const { engine, end } = await openEngine();
  const results = [];
  let stopped = false;
  const stop = () => { stopped = true; };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  try {
    for (const step of steps) {
      if (stopped) break;
      results.push(await runStep(engine, step, rest));
    }
  } finally {
    await end();
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
  console.log('\n== summary');
  for (const { name, outcome, why } of results) console.log(`${name.padEnd(8)} ${outcome.padEnd(8)} ${why}`);
  if (stopped) console.log('interrupted');
  return stopped || results.some(({ outcome }) => outcome === 'failed') ? 1 : 0;
}

asProgram(() => main(process.argv.slice(2)));
