'use strict';
// The servers that are measured, each a process of its own, and what stands in for one.

const fs = require('fs');
const path = require('path');
const { Child } = require('./child');
const { cpuSeconds, familyCpuSeconds } = require('./processes');
const { addonIsBuilt, dew, relay, serve, serveBare, socat } = require('./programs');

const MAX_SESSIONS = 10_000;

const installed = (name) => {
  try {
    return fs.existsSync(require.resolve(`${name}/package.json`));
  } catch {
    return false;
  }
};

const needsAddon = () => (addonIsBuilt() ? null : 'the addon is not built');
const needsDew = () => (dew() ? null : '`dew` is not built');
const needsUnix = ({ engine }) => (engine.host.startsWith('unix://') ? null : 'it needs an engine on a unix socket');
const needsOriginal = (context) => (installed('docker-exec-websocket-server') ? needsUnix(context) : 'the original packages are not installed');
const needsSocat = (context) => (socat() ? needsUnix(context) : 'there is no socat: install the package');

/**
 * `unless(context)` says why one cannot be measured here. `direct`: it speaks the engine's protocol,
 * not that of the sessions.
 */
const SERVERS = {
  engine: { title: 'engine directly', direct: true, unless: () => null },
  socat: { title: 'socat, 256 KiB at a time', direct: true, unless: needsSocat },
  bare: { title: 'a bare server', unless: needsUnix },
  original: { title: 'original server 3.0.0', node: true, unless: needsOriginal },
  adopted: { title: 'ours: Node http server', node: true, unless: needsAddon },
  port: { title: 'ours: `port`', node: true, unless: needsAddon },
  dew: { title: 'ours: `dew serve`', unless: needsDew },
};

/**
 * Starts a server of a kind. Resolves to
 *   pid       its process; undefined where there is none
 *   url       where its sessions are: `ws:`, or the engine's protocol on `unix:` or `tcp:`
 *   cpu()     seconds of processor time so far
 *   call()    has it do a job of peers/server.js, if it is a Node process
 *   end()
 * `cpus`: on which processors; `gc`: so that it can be told to collect its garbage.
 */
async function startServer(kind, { engine, container }, { cpus, gc = false } = {}) {
  if (kind === 'engine') return { url: engine.host, cpu: () => 0, end: async () => {} };
  if (kind === 'socat') {
    const { pid, url, end } = await relay(engine, { cpus });
    return { pid, url, cpu: () => familyCpuSeconds(pid), end };
  }
  if (kind === 'bare') {
    const { pid, url, end } = await serveBare({ engine, container }, { cpus });
    return { pid, url, cpu: () => cpuSeconds(pid), end };
  }
  if (kind === 'dew') {
    const { pid, url, end } = await serve(dew(), { engine, container, maxSessions: MAX_SESSIONS, cpus });
    return { pid, url, cpu: () => cpuSeconds(pid), end };
  }
  const child = new Child(path.join(__dirname, '../peers/server.js'), { kind, engine: { host: engine.host }, container },
    { cpus, flags: gc ? ['--expose-gc'] : [] });
  try {
    const { url } = await child.call('listen');
    const { pid } = child;
    return { pid, url, cpu: () => child.cpu(), call: (name, args) => child.call(name, args), end: () => child.end() };
  } catch (error) {
    await child.end();
    throw error;
  }
}

/** Calls `fn` with a server that lives as long as it. */
async function withServer(kind, context, options, fn) {
  const server = await startServer(kind, context, options);
  try {
    return await fn(server);
  } finally {
    await server.end();
  }
}

/** What the load client needs to open sessions of a command at a server. */
function sessionAt({ url }, container, words, { tty = false } = {}) {
  if (!url.startsWith('ws:')) return { url, container, words, tty };
  const query = new URLSearchParams([['tty', String(tty)], ...words.map((word) => ['command', word])]);
  return { url: `${url}?${query}` };
}

const told = new Set();

/** The names of `wanted` in `table` that can be measured here; says why of the others, once. */
function available(table, wanted, context) {
  return wanted.filter((name) => {
    const { title, unless } = table[name];
    const reason = unless(context);
    if (reason && !told.has(title)) console.log(`(not measured: ${title}: ${reason})`);
    if (reason) told.add(title);
    return !reason;
  });
}

module.exports = { SERVERS, available, installed, sessionAt, startServer, withServer };
