#!/usr/bin/env node
'use strict';
// One engine for every command and test: the user's own where there is one, a throwaway dockerd
// otherwise. Never touches a container or an image that does not carry our label.

const { spawn } = require('child_process');
const os = require('os');
const path = require('path');
const { ask, call, kindOf } = require('./lib/engine-api');
const { IMAGES, imageArchive } = require('./lib/images');
const { startPrivateEngine, reapEngines, engineFolders, cannotStart } = require('./lib/private-engine');
const { startPrivatePodman } = require('./lib/private-podman');
const { LABEL, insideRun, runId, stateOf } = require('./lib/run-id');

/**
 * How often an image is sent to an engine that breaks the connection. dockerd 20.10 was seen to do so twice in some hundred
 * starts, right behind its start, and without a word in its log.
 */
const UPLOADS = 2;

/** Hosts of which we have said already that nothing answers there. */
const warned = new Set();

/**
 * An engine that already runs: DOCKER_HOST, then the places where docker and podman keep theirs.
 * Resolves to `{ host, socketPath, kind: 'docker' | 'podman', private: false }` or to null.
 */
async function findEngine() {
  const runtime = process.env.XDG_RUNTIME_DIR;
  const hosts = [
    process.env.DOCKER_HOST,
    'unix:///var/run/docker.sock',
    runtime && `unix://${runtime}/docker.sock`,
    runtime && `unix://${runtime}/podman/podman.sock`,
    'unix:///run/podman/podman.sock',
  ].filter(Boolean);
  for (const host of hosts) {
    const kind = await kindOf(host);
    if (kind) return { host, socketPath: host.startsWith('unix://') ? host.slice(7) : null, kind, private: false };
    if (host === process.env.DOCKER_HOST && !warned.has(host)) {
      console.error(`no engine answers at DOCKER_HOST=${host}; looking elsewhere`);
      warned.add(host);
    }
  }
  return null;
}

const withLabel = (value) =>
  `filters=${encodeURIComponent(JSON.stringify({ label: [value ? `${LABEL}=${value}` : LABEL] }))}`;

/** Removes the containers for which `wanted(id of the run that made it)` says so. */
async function removeContainers(engine, wanted) {
  const containers = await ask(engine, 'GET', `/containers/json?all=1&${withLabel()}`);
  await Promise.all(containers.filter(({ Labels }) => wanted(Labels[LABEL])).map(({ Id }) =>
    ask(engine, 'DELETE', `/containers/${Id}?force=1&v=1`).catch((error) => {
      if (error.status !== 404 && error.status !== 409) throw error; // gone, or somebody else is at it
    })));
}

/**
 * Imports the images of `IMAGES` where they are missing and resolves to their names. A container that is
 * never started holds each until this run ends, so that the end of another run does not remove it.
 */
async function ensureImage(engine) {
  for (const [key, name] of Object.entries(IMAGES)) {
    let there = await hold(engine, key);
    for (let attempt = 1; !there && attempt <= UPLOADS; attempt++) {
      const lost = await upload(engine, key, name);
      there = await hold(engine, key);
      if (!lost) break;
      if (!there && attempt === UPLOADS) throw lost;
      console.error(`${lost.message}\n${there ? 'the image is there' : 'trying again'}`);
    }
    if (!there) throw new Error(`engine at ${engine.host} lost the image ${name} it had just imported`);
  }
  return IMAGES;
}

/** Has the engine import an image; resolves to an error if the connection broke meanwhile. */
async function upload(engine, key, name) {
  const target = `/images/create?fromSrc=-&repo=${name}&tag=latest&changes=${encodeURIComponent(`LABEL ${LABEL}=1`)}`;
  let answer;
  try {
    answer = await call(engine, 'POST', target, { tar: imageArchive(key) });
  } catch (cause) {
    const error = new Error(engine.report ? `${cause.message}; ${await engine.report()}` : cause.message, { cause });
    if (cause.code === 'EPIPE' || cause.code === 'ECONNRESET') return error;
    throw error;
  }
  const { status, text } = answer;
  // Failures come with status 200 as well, as a line of the progress report.
  if (status !== 200 || /"error"/.test(text)) throw new Error(`engine did not import ${name}: ${text.trim()} (HTTP ${status})`);
  return null;
}

/** Makes the container that holds an image for this run; false if there is no such image. */
async function hold(engine, key) {
  const name = `${LABEL}-hold-${key}-${runId()}`;
  const { status, text } = await call(engine, 'POST', `/containers/create?name=${name}`, {
    json: { Image: IMAGES[key], Cmd: ['true'], Labels: { [LABEL]: runId() }, NetworkDisabled: true, HostConfig: { NetworkMode: 'none' } },
  });
  if (status === 404) return false;
  if (status === 201 || status === 409 || /already in use/.test(text)) return true; // podman says that with a 500
  throw new Error(`engine did not make ${name}: ${text.trim()} (HTTP ${status})`);
}

/** Removes our containers and then our images, unless another run holds them. */
async function release(engine) {
  await removeContainers(engine, (id) => id === runId() || stateOf(id) === 'dead');
  const images = await ask(engine, 'GET', `/images/json?${withLabel()}`);
  for (const { Id } of images) await call(engine, 'DELETE', `/images/${Id}`);
}

/**
 * Finds or starts an engine, clears up after dead runs, and has the images ready.
 * `end()` undoes it: our containers, our images, a private engine as a whole. Inside of a run
 * (`DEW_RUN`) that is left to the process which opened the engine.
 */
async function openEngine() {
  const found = await findEngine();
  if (!found && cannotStart()) {
    throw new Error(`no engine answers and none can be started: ${cannotStart()}; start Docker or podman, or set DOCKER_HOST`);
  }
  const engine = found || await startPrivateEngine();
  if (found && insideRun()) {
    await ensureImage(engine);
    return { engine, end: async () => {} };
  }
  if (found) await reapEngines();
  const end = async () => {
    if (engine.private) await engine.stop();
    else await release(engine);
    await reapEngines();
  };
  try {
    if (found) await removeContainers(engine, (id) => stateOf(id) === 'dead');
    await ensureImage(engine);
  } catch (error) {
    await end();
    throw error;
  }
  return { engine, end };
}

/** Runs `fn(engine)` with an engine, and ends it after that, whatever came of it. */
async function withEngine(fn) {
  const { engine, end } = await openEngine();
  try {
    return await fn(engine);
  } finally {
    await end();
  }
}

/** The environment that tells a child process about the engine and the run. Engines that it starts are of the same programs. */
const engineEnv = ({ host, programs = [] }) => ({
  ...process.env, DOCKER_HOST: host, DEW_RUN: runId(), PATH: [...programs, process.env.PATH].join(path.delimiter),
});

/**
 * Runs a command with the engine in its environment; resolves to its exit status, 128 + n for a signal.
 * It is killed after `timeout` ms, if given; what it prints goes to the descriptor `output`, if given.
 */
function runCommand(engine, [program, ...args], { cwd, timeout, env = {}, output } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd, timeout, killSignal: 'SIGKILL', stdio: output === undefined ? 'inherit' : ['ignore', output, output], env: { ...engineEnv(engine), ...env },
    });
    // Ctrl-C reaches the child from the terminal; we stay to end the engine after it.
    const stay = () => {};
    const pass = () => child.kill('SIGTERM');
    process.on('SIGINT', stay).on('SIGTERM', pass).on('SIGHUP', pass);
    const done = () => process.off('SIGINT', stay).off('SIGTERM', pass).off('SIGHUP', pass);
    child.on('error', (error) => {
      done();
      reject(new Error(`cannot run ${program}: ${error.message}`));
    });
    child.on('exit', (code, name) => {
      done();
      resolve(name ? 128 + os.constants.signals[name] : code);
    });
  });
}

async function status() {
  const engine = await findEngine();
  if (engine) {
    const { Version, ApiVersion } = await ask(engine, 'GET', '/version');
    console.log(`${engine.kind} ${Version} (API ${ApiVersion}) answers at ${engine.host}`);
  } else {
    console.log(`no engine answers; ${cannotStart() || 'a private one can be started'}`);
  }
  for (const { folder, state } of engineFolders()) console.log(`private engine in ${folder}, its owner is ${state}`);
  return engine || !cannotStart() ? 0 : 1;
}

async function main([command, ...rest]) {
  if (command === 'status' && rest.length === 0) return status();
  if (command === 'run' && rest[0] === '--' && rest.length > 1) {
    return withEngine((engine) => runCommand(engine, rest.slice(1)));
  }
  console.error('usage: node scripts/engine.js run -- COMMAND…   run COMMAND with an engine in DOCKER_HOST\n'
    + '       node scripts/engine.js status             say which engine there is');
  return 2;
}

if (require.main === module) {
  main(process.argv.slice(2)).then((code) => { process.exitCode = code; }, (error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}

module.exports = {
  findEngine, startPrivateEngine, startPrivatePodman, ensureImage, openEngine, withEngine, engineEnv, runCommand,
  reapEngines, cannotStart, ask, call, IMAGES, LABEL, runId,
};
