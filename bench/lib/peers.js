'use strict';
// Who is measured: pairs of a server and a client, each in a process of its own.

const fs = require('fs');
const path = require('path');
const { Child } = require('./child');
const { cpuSeconds, endedChildrenCpuSeconds } = require('./processes');
const { ProgramClient, dew, docker, addonIsBuilt, serve } = require('./programs');

const MAX_SESSIONS = 10_000;
const at = (name) => path.join(__dirname, '../peers', name);

const installed = (name) => {
  try {
    return fs.existsSync(require.resolve(`${name}/package.json`));
  } catch {
    return false;
  }
};

const needsAddon = () => (addonIsBuilt() ? null : 'the addon is not built');
const needsDew = () => (dew() ? null : '`dew` is not built');
const needsOriginals = ({ engine }) => {
  if (!['server', 'client'].every((half) => installed(`docker-exec-websocket-${half}`))) return 'the original packages are not installed';
  return engine.host.startsWith('unix://') ? null : 'the original server needs a unix socket';
};
const needsDocker = () => (docker() ? null : 'there is no docker command');

/**
 * `server`: of which kind, if any; `client`: of which kind. `unless(context)` says why a peer cannot be
 * measured here.
 */
const PEERS = {
  engine: { title: 'engine directly, Node', client: 'engine', unless: () => null },
  original: { title: 'originals 3.0.0', server: 'original', client: 'original', unless: needsOriginals },
  adopted: { title: 'ours: Node http server, Node client', server: 'adopted', client: 'ours', unless: needsAddon },
  port: { title: 'ours: `port`, Node client', server: 'port', client: 'ours', unless: needsAddon },
  dewNode: { title: 'ours: `dew serve`, Node client', server: 'dew', client: 'ours', unless: () => needsAddon() || needsDew() },
  dew: { title: 'ours: `dew serve`, `dew exec`', server: 'dew', client: 'dew', unless: needsDew },
  docker: { title: '`docker exec`', client: 'docker', unless: needsDocker },
};

/** The names of `wanted` that can be measured here; says why of the others, once. */
const told = new Set();
function available(wanted, context) {
  return wanted.filter((name) => {
    const reason = PEERS[name].unless(context);
    if (reason && !told.has(name)) console.log(`(not measured: ${PEERS[name].title}: ${reason})`);
    if (reason) told.add(name);
    return !reason;
  });
}

class Pair {
  #server;
  #client;

  constructor(server, client) {
    this.#server = server;
    this.#client = client;
  }

  /** Process of the server; undefined where there is none. */
  get serverPid() {
    return this.#server?.pid;
  }

  /** Process of the client; undefined where each session has its own. */
  get clientPid() {
    return this.#client.pid;
  }

  /** Has the client do a job of `peers/client.js`. */
  call(name, args, options) {
    return this.#client instanceof Child ? this.#client.call(name, args, options) : this.#client[name](args);
  }

  /** Seconds of processor time so far: `{ server, client }`. */
  cpu() {
    return {
      server: this.#server ? cpuSeconds(this.#server.pid) : 0,
      client: this.#client instanceof Child ? cpuSeconds(this.#client.pid) : endedChildrenCpuSeconds(),
    };
  }

  async end() {
    if (this.#client instanceof Child) await this.#client.end();
    if (this.#server) await this.#server.end();
  }
}

async function startServer(kind, { engine, container }) {
  if (kind === 'dew') return serve(dew(), { engine, container, maxSessions: MAX_SESSIONS });
  const child = new Child(at('server.js'), { kind, engine: { host: engine.host }, container });
  try {
    const { url } = await child.call('listen');
    return { pid: child.pid, url, end: () => child.end() };
  } catch (error) {
    await child.end();
    throw error;
  }
}

function startClient(kind, { engine, container }, url) {
  if (kind === 'dew') {
    return new ProgramClient({ output: [...dew(), 'exec', '-T', '-n', url], input: [...dew(), 'exec', '-T', url] });
  }
  if (kind === 'docker') {
    const exec = [...docker(), 'exec'];
    return new ProgramClient({ output: [...exec, container], input: [...exec, '-i', container] }, { DOCKER_HOST: engine.host });
  }
  const target = kind === 'engine' ? { engine: { host: engine.host }, container } : { url };
  return new Child(at('client.js'), { kind, target });
}

/** Starts the server and the client of a peer, and lets one small session warm both up. */
async function openPair(name, context) {
  const { server: kind, client } = PEERS[name];
  const server = kind && await startServer(kind, context);
  const pair = new Pair(server, startClient(client, context, server?.url));
  try {
    await pair.call('start', { count: 1 });
  } catch (error) {
    await pair.end();
    throw error;
  }
  return pair;
}

/** Calls `fn` with a pair that lives as long as it. */
async function withPair(name, context, fn) {
  const pair = await openPair(name, context);
  try {
    return await fn(pair);
  } finally {
    await pair.end();
  }
}

module.exports = { PEERS, available, withPair };
