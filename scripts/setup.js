#!/usr/bin/env node
'use strict';
// Makes a clone ready: packages, addon, engine. Runs before anything is installed, so it uses
// Node alone. Does nothing, quickly, when nothing has changed.

const { spawnSync } = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const { findEngine, cannotStart } = require('./engine');
const { TESTED_RELEASE, engineIfAny } = require('./lib/debian-engine');
const tools = require('./lib/tools');

const ROOT = path.join(__dirname, '..');
const RUNTIMES = path.join(__dirname, 'runtimes');

/** Something that only the user can mend. */
class SetupError extends Error {}

function checkTools() {
  const [major] = process.versions.node.split('.');
  if (Number(major) < 20) throw new SetupError(`Node.js 20 or newer is needed; this is ${process.version}`);
  if (!tools.find('cargo')) throw new SetupError('Rust is needed to build the addon: install it from https://rustup.rs, so that `cargo` is in PATH');
}

function run(what, program, args, cwd = ROOT) {
  console.log(`setup: ${what}`);
  const { status, error } = spawnSync(program, args, { cwd, stdio: 'inherit', shell: process.platform === 'win32' });
  if (status !== 0) throw new SetupError(`${what} failed${error ? `: ${error.message}` : ''}; its own words are above`);
}

const digest = (files) => {
  const hash = crypto.createHash('sha256');
  for (const file of files) {
    hash.update(`${file}\0`);
    hash.update(fs.existsSync(file) ? fs.readFileSync(file) : '');
  }
  return hash.digest('hex');
};

const readText = (file) => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : null);

/** Installs a folder's npm packages unless they are those of its lock file. */
function installPackages(folder, what) {
  const at = (name) => path.join(folder, name);
  // npm would empty what a link leads to: whoever made the link looks after that.
  if (fs.lstatSync(at('node_modules'), { throwIfNoEntry: false })?.isSymbolicLink()) return;
  const stamp = at('node_modules/.dew-stamp');
  const wanted = digest([at('package-lock.json')]);
  if (readText(stamp) === wanted) return;
  // npm writes its own record of what it installed; somebody who ran npm by hand need not wait again.
  const record = fs.statSync(at('node_modules/.package-lock.json'), { throwIfNoEntry: false });
  if (!record || record.mtimeMs < fs.statSync(at('package-lock.json')).mtimeMs) {
    run(what, 'npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], folder);
  }
  fs.writeFileSync(stamp, wanted);
}

const sources = (folder) => fs.readdirSync(path.join(ROOT, folder), { recursive: true }).sort()
  .map((name) => path.join(ROOT, folder, name)).filter((file) => fs.statSync(file).isFile());

/** The built addon of this platform, or undefined. */
const addon = () => fs.readdirSync(ROOT).filter((name) => name.endsWith('.node')).map((name) => path.join(ROOT, name))[0];

/** Builds the addon unless it is that of the present sources. */
function buildAddon() {
  const stamp = path.join(ROOT, 'target/dew-stamp');
  const inputs = ['Cargo.toml', 'Cargo.lock', 'build.rs', 'package.json', 'native.js', 'native.d.ts']
    .map((name) => path.join(ROOT, name));
  // The time tells an addon apart that somebody has built by hand, with other flags perhaps.
  const state = () => `${digest([...inputs, ...sources('src')])} ${addon() && fs.statSync(addon()).mtimeMs}`;
  if (addon() && readText(stamp) === state()) return;
  run('building the addon (cargo, a minute or two the first time)', 'npm', ['run', '--silent', 'build']);
  fs.writeFileSync(stamp, state());
}

/** The Debian packages that are missing here, each with what to do where they cannot be installed. */
async function missingPackages({ test }) {
  const missing = [];
  if (!await findEngine() && !tools.find('dockerd')) {
    missing.push(['docker.io', 'no engine answers: start Docker or podman, or set DOCKER_HOST']);
  }
  if (!tools.findBusybox()) {
    missing.push(['busybox-static', 'the demo and test images are made from a statically linked busybox: install one as `busybox` in PATH']);
  }
  if (test && !tools.findChromium()) {
    missing.push(['chromium', 'the test of the page needs Chromium: install it, or name its program in CHROMIUM']);
  }
  if (test && !tools.find('podman')) missing.push(['podman', 'the tests on podman need it: install podman']);
  if (test && !tools.find('docker-registry')) {
    missing.push(['docker-registry', 'the tests of pulls and pushes need a registry: install Debian\'s docker-registry, or its program']);
  }
  if (test && !tools.find('sshd')) missing.push(['openssh-server', 'the tests of engines behind ssh need an sshd: install OpenSSH']);
  if (test && !['ssh', 'ssh-agent', 'ssh-add', 'ssh-keygen'].every((name) => tools.find(name))) {
    missing.push(['openssh-client', 'the tests of ssh and of its agents need it: install OpenSSH\'s client']);
  }
  if (test && !tools.find('ps')) missing.push(['procps', 'the engine lists processes with `ps`: install it']);
  if (test && !tools.find('runc')) missing.push(['runc', 'the tests on podman need runc: install it']);
  return missing;
}

async function prepareMachine(options) {
  const missing = await missingPackages(options);
  if (missing.length === 0) return;
  if (!tools.canInstall()) throw new SetupError(missing.map(([, advice]) => advice).join('\n'));
  tools.install(missing.map(([name]) => name));
  const still = await missingPackages(options);
  if (still.length > 0) throw new SetupError(still.map(([, advice]) => advice).join('\n'));
}

/**
 * Prepares the clone. With `test`, also what only the tests need: Chromium, podman, other runtimes, a newer engine.
 * Rejects with a sentence that says what to do when something is missing that cannot be installed.
 */
async function setup({ test = false } = {}) {
  checkTools();
  await prepareMachine({ test });
  const found = await findEngine();
  if (!found && cannotStart()) throw new SetupError(`no engine answers and none can be started: ${cannotStart()}`);
  installPackages(ROOT, 'installing npm packages');
  if (test && process.platform === 'linux' && process.arch === 'x64') installPackages(RUNTIMES, 'fetching Node 22, Node 24, Bun and Deno');
  // On an engine that is there, all tests run on that one.
  if (test && !found) engineIfAny(TESTED_RELEASE);
  buildAddon();
}

/** Runs `main()` as a program: its number is the exit status, its error a message. */
function asProgram(main) {
  main().then((code) => { process.exitCode = code; }, (error) => {
    console.error(error instanceof SetupError ? `setup: ${error.message}` : error);
    process.exitCode = 1;
  });
}

if (require.main === module) {
  asProgram(async () => {
    const began = Date.now();
    await setup({ test: process.argv.includes('--test') });
    console.log(`setup: ready (${((Date.now() - began) / 1000).toFixed(1)} s)`);
    return 0;
  });
}

module.exports = { setup, asProgram, SetupError, RUNTIMES, ROOT };
