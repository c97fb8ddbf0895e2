#!/usr/bin/env node
'use strict';
// npm test: set-up, one engine for the whole run, every suite on it, and nothing left afterwards.
//
//   npm test                                  everything
//   npm test -- --only mocha --grep 'resize'  one step; what follows goes to mocha, cargo test, ...
//   npm test -- --only mocha __test__/client.test.js
//   npm test -- --release testing             on a private engine of another Debian release
//
// Where the engine is a private one, the steps run in lanes side by side, each lane on an engine of its
// own, since most tests wait more than they work; one of them is of a newer Debian. The files of ALONE
// come after that, one by one. On an engine that was there before, everything runs one after the other.

const fs = require('fs');
const path = require('path');
const { ask, ensureImage, openEngine, runCommand, startPrivateEngine, startPrivatePodman } = require('./engine');
const { TESTED_RELEASE, debianEngine, engineIfAny } = require('./lib/debian-engine');
const { sideBySide } = require('./lib/lanes');
const { setup, asProgram, ROOT, RUNTIMES } = require('./setup');

/** A step that takes longer than this hangs; on a machine that is busy otherwise it may take a good while. */
const STEP_MS = 45 * 60_000;

const at = (...names) => path.join(ROOT, ...names);
const runtime = (...names) => path.join(RUNTIMES, 'node_modules', ...names);
const mocha = (node) => [node, at('node_modules/mocha/bin/mocha.js')];
/** What a compiler says is the same on every runtime that it runs on. */
const TYPES = '__test__/docker-types.test.js';
const TESTS = ['__test__/**/*.test.js', '--ignore', TYPES];
/** Tests of memory and descriptors under load, and of what runs on the whole machine: nothing else runs meanwhile. */
const ALONE = ['bulk', 'engine-script', 'leaks'].map((name) => `__test__/${name}.test.js`);
const smoke = () => (fs.existsSync(at('__test__/smoke.js')) ? null : 'there is no __test__/smoke.js');
const root = () => (process.platform === 'linux' && process.getuid() === 0 ? null : 'a podman of its own needs Linux and root');
const linux = () => (process.platform === 'linux' && process.arch === 'x64' ? null : 'this runtime is fetched on Linux, x64, only');

/** The steps in order: a name, the lane, the command, the files that it is given, and `unless()`, which says
 * why it cannot run here; with `podman`, a podman service of its own is the engine; in a lane of its own it
 * has the engine of the Debian `release`. */
const STEPS = [
  { name: 'cargo', lane: 'rust', command: ['cargo', 'test', '--all-features'] },
  { name: 'podman', lane: 'rust', command: ['cargo', 'test', '--all-features', '--test', 'engine', '--test', 'processes', '--test', 'session'], podman: true, unless: root },
  { name: 'podmanjs', lane: 'rust', command: mocha(process.execPath), files: ['__test__/docker-conformance.test.js', '__test__/docker-copy.test.js'], podman: true, unless: root },
  { name: 'types', lane: 'rust', command: mocha(process.execPath), files: [TYPES] },
  { name: 'mocha', lane: 'node20', command: mocha(process.execPath), files: TESTS, alone: ALONE },
  { name: 'node22', lane: 'node22', command: mocha(runtime('node22/bin/node')), files: TESTS, alone: ALONE, unless: linux, release: TESTED_RELEASE },
  { name: 'node24', lane: 'node24', command: mocha(runtime('node24/bin/node')), files: TESTS, alone: ALONE, unless: linux },
  { name: 'bun', lane: 'rust', command: [runtime('@oven/bun-linux-x64/bin/bun'), '__test__/smoke.js'], unless: () => linux() || smoke() },
  { name: 'deno', lane: 'rust', command: [runtime('@deno/linux-x64-glibc/deno'), 'run', '-A', '__test__/smoke.js'], unless: () => linux() || smoke() },
];

/** `--only a,b` chooses steps, `--release NAME` their engine; everything else is passed on to them. */
function parse(args) {
  const rest = [...args];
  const take = (option) => {
    const place = rest.indexOf(option);
    return place < 0 ? null : rest.splice(place, 2)[1] ?? '';
  };
  const release = take('--release');
  const list = take('--only');
  if (list === null) {
    if (rest.length > 0) throw new Error('arguments are passed on to a single step: choose it with --only');
    return { steps: STEPS, rest, release };
  }
  const steps = list.split(',').map((name) => {
    const step = STEPS.find((one) => one.name === name);
    if (!step) throw new Error(`no step '${name}': choose from ${STEPS.map((one) => one.name).join(', ')}`);
    return step;
  });
  return { steps, rest, release };
}

/** The steps in lanes, and what comes after them: the files of ALONE, each runtime's as a step of its own. */
function arrange(steps) {
  const lanes = new Map();
  const after = [];
  for (const step of steps) {
    const { name, lane, files, alone } = step;
    const whole = alone ? { ...step, files: [...files, ...alone.flatMap((file) => ['--ignore', file])] } : step;
    lanes.set(lane, [...lanes.get(lane) ?? [], whole]);
    if (alone) after.push({ ...step, name: `${name} alone`, files: alone });
  }
  return { lanes: [...lanes.values()], after };
}

/** Runs one step and resolves to what the summary says of it. What it prints goes to `output`, if given. */
async function runStep(engine, { name, command, files = [], unless, podman }, rest, output) {
  const why = unless && unless();
  // Files that the caller names take the place of all of them.
  const named = rest.some((word) => word.endsWith('.test.js'));
  const words = [...command, ...(named ? [] : files), ...rest];
  const title = `\n== ${name}: ${why ? `not run: ${why}` : words.join(' ').replaceAll(`${ROOT}/`, '')}`;
  if (!output) console.log(title);
  const began = Date.now();
  let result;
  try {
    if (!why) result = await runWords(engine, words, podman, output);
  } finally {
    await output?.print(title);
  }
  if (why) return { name, outcome: 'not run', why };
  const { status, on } = result;
  const time = `${((Date.now() - began) / 1000).toFixed(1)} s on ${on}`;
  return status === 0 ? { name, outcome: 'passed', why: time } : { name, outcome: 'failed', why: `status ${status}, ${time}` };
}

/** Resolves to the words' exit status, and to the engine's name and version. */
async function runWords(engine, words, podman, output) {
  const own = podman && await startPrivatePodman();
  const used = own || engine;
  try {
    if (own) await ensureImage(own);
    const { Version } = await ask(used, 'GET', '/version');
    const status = await runCommand(used, words, {
      cwd: ROOT, timeout: STEP_MS, env: { CARGO_PROFILE_DEV_DEBUG: '0' }, output: output?.fd,
    });
    return { status, on: `${used.kind} ${Version}` };
  } finally {
    if (own) await own.stop();
  }
}

/** A private engine with our images, as `openEngine` gives one; of these programs, if any. */
async function openPrivate(programs) {
  const engine = await startPrivateEngine({ programs });
  try {
    await ensureImage(engine);
  } catch (error) {
    await engine.stop();
    throw error;
  }
  return { engine, end: () => engine.stop() };
}

async function main(args) {
  const { steps, rest, release } = parse(args);
  await setup({ test: true });
  const { engine, end } = await (release === null ? openEngine() : openPrivate(debianEngine(release)));
  const results = [];
  let stopped = false;
  const stop = () => { stopped = true; };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  const { lanes, after } = arrange(steps);
  const apart = engine.private && rest.length === 0 && lanes.length > 1;
  const programsOf = ([step]) => (release === null ? step.release && engineIfAny(step.release) : engine.programs);
  try {
    if (apart) {
      console.log(`\n== side by side: ${lanes.map((lane) => lane.map(({ name }) => name).join(', ')).join('; ')}`);
      results.push(...await sideBySide(lanes, {
        open: (lane) => openPrivate(programsOf(lane)), run: (own, step, output) => runStep(own, step, rest, output), stopped: () => stopped,
      }));
    }
    for (const step of apart ? after : steps) {
      if (stopped) break;
      results.push(await runStep(engine, step, rest));
    }
  } finally {
    await end();
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
  console.log('\n== summary');
  for (const { name, outcome, why } of results) console.log(`${name.padEnd(12)} ${outcome.padEnd(8)} ${why}`);
  if (stopped) console.log('interrupted');
  return stopped || results.some(({ outcome }) => outcome === 'failed') ? 1 : 0;
}

asProgram(() => main(process.argv.slice(2)));
