'use strict';
// Who is measured: pairs of a server and a client, each in a process of its own.

const path = require('path');
const { Child } = require('./child');
const { pinned } = require('./cpus');
const { ProgramClient, addonIsBuilt, dew, docker } = require('./programs');
const { SERVERS, installed, startServer } = require('./servers');

const needsAddon = () => (addonIsBuilt() ? null : 'the addon is not built');
const needsDew = () => (dew() ? null : '`dew` is not built');
const needsOriginals = (context) => (installed('docker-exec-websocket-client') ? SERVERS.original.unless(context) : 'the original packages are not installed');
const needsDocker = () => (docker() ? null : 'there is no docker command');
const needsDockerode = () => (installed('dockerode') ? null : 'dockerode is not installed');

/**
 * `server`: of which kind, if any; `client`: of which kind. `unless(context)` says why a peer cannot be
 * measured here.
 */
const PEERS = {
  engine: { title: 'engine directly, Node', client: 'engine', unless: () => null },
  socat: { title: 'engine through socat, Node', server: 'socat', client: 'engine', unless: (context) => SERVERS.socat.unless(context) },
  bare: { title: 'a bare server, our Node client', server: 'bare', client: 'ours', unless: (context) => needsAddon() || SERVERS.bare.unless(context) },
  bareDew: { title: 'a bare server, `dew exec`', server: 'bare', client: 'dew', unless: (context) => needsDew() || SERVERS.bare.unless(context) },
  dockerode: { title: "dockerode's exec stream", client: 'dockerode', unless: needsDockerode },
  original: { title: 'originals 3.0.0', server: 'original', client: 'original', unless: needsOriginals },
  adopted: { title: 'ours: Node http server, Node client', server: 'adopted', client: 'ours', unless: needsAddon },
  port: { title: 'ours: `port`, Node client', server: 'port', client: 'ours', unless: needsAddon },
  ws: { title: 'ours: `port`, the `ws` package as client', server: 'port', client: 'ws', unless: needsAddon },
  dewNode: { title: 'ours: `dew serve`, Node client', server: 'dew', client: 'ours', unless: () => needsAddon() || needsDew() },
  dew: { title: 'ours: `dew serve`, `dew exec`', server: 'dew', client: 'dew', unless: needsDew },
  docker: { title: '`docker exec`', client: 'docker', unless: needsDocker },
};

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
    return this.#client.call(name, args, options);
  }

  /** Seconds of processor time so far: `{ server, client }`. */
  cpu() {
    return { server: this.#server ? this.#server.cpu() : 0, client: this.#client.cpu() };
  }

  async end() {
    await this.#client.end();
    if (this.#server) await this.#server.end();
  }
}

/** A client of a kind, on `cpus` or on any: `call()` for the jobs of `peers/client.js`, `cpu()`, `end()`. */
function startClient(kind, { engine, container }, url, { cpus } = {}) {
  if (kind === 'dew') {
    const exec = pinned(cpus, [...dew(), 'exec', '-T']);
    return new ProgramClient({ output: [...exec, '-n', url], input: [...exec, url] });
  }
  if (kind === 'docker') {
    const exec = [...docker(), 'exec'];
    return new ProgramClient({ output: [...exec, container], input: [...exec, '-i', container] }, { DOCKER_HOST: engine.host });
  }
  // Whoever speaks to the engine itself may do so through a server that only relays.
  const host = url?.startsWith('tcp:') ? url : engine?.host;
  const target = ['engine', 'dockerode'].includes(kind) ? { engine: { host }, container } : { url };
  return new Child(path.join(__dirname, '../peers/client.js'), { kind, target }, { cpus });
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

module.exports = { PEERS, startClient, withPair };
