'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { DEFAULT_PIPE, DEFAULT_SOCKET, isPipe } = require('../engine-socket');
const { badOption } = require('../errors');
const { configFile, configFolder, readIfThere } = require('./config');
const { isSsh } = require('../ssh');

/** The port of an engine within TLS, by convention. */
const TLS_PORT = '2376';

const exists = (file) => fs.promises.access(file).then(() => true, () => false);

/** Where engines keep their sockets: Docker Desktop, the system's own, rootless. On Windows there is one pipe. */
async function findDefaultSocket() {
  if (isPipe(DEFAULT_SOCKET)) return DEFAULT_SOCKET;
  const desktop = path.join(os.homedir(), '.docker', 'run', 'docker.sock');
  const places = [desktop, DEFAULT_SOCKET];
  const runtime = process.env.XDG_RUNTIME_DIR;
  if (runtime) places.push(path.join(runtime, 'docker.sock'));
  for (const place of places) if (await exists(place)) return place;
  return DEFAULT_SOCKET;
}

function certificatesIn(folder) {
  const read = (name) => readIfThere(path.join(folder, name));
  return { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem') };
}

/** The address that a text in the syntax of `DOCKER_HOST` means, as options of a modem. */
function parseHost(text) {
  if (text.startsWith('unix://')) return { socketPath: text.slice('unix://'.length) || findDefaultSocket };
  if (text.startsWith('npipe://')) return { socketPath: pipeOf(text) };
  if (text.startsWith('/') || isPipe(text)) return { socketPath: text };
  if (isSsh(text)) return parseSsh(text);
  const withScheme = text.includes('//') ? text : `tcp://${text}`;
  let url;
  try {
    url = new URL(withScheme);
  } catch {
    throw badOption(`"${text}" is no address of an engine; it should be something like tcp://localhost:1234`);
  }
  // Only of http and https does URL know the usual port, and drops it.
  const port = url.port || (url.protocol === 'http:' ? '80' : url.protocol === 'https:' ? '443' : undefined);
  // Without a name it is for the addon to refuse.
  return { host: url.hostname || url.pathname, port, scheme: url.protocol.slice(0, -1) };
}

/** The path of the named pipe that `npipe://…` means. */
function pipeOf(text) {
  const pipe = text.slice('npipe://'.length) || DEFAULT_PIPE;
  if (isPipe(pipe)) return pipe;
  throw badOption(`"${text}" is no named pipe of this machine; it should be something like npipe://${DEFAULT_PIPE}`);
}

/** What `ssh://[user@]host[:port][/path]` means. Which characters may be in it is the addon's to say. */
function parseSsh(text) {
  const parsed = /^ssh:\/\/(?:([^/]*)@)?(\[[^\]/]*\]|[^:/]+)(?::([^/]*))?(\/.*)?$/s.exec(text);
  if (!parsed) throw badOption(`"${text}" is no address of an engine; it should be something like ssh://user@host`);
  const [, username, host, port, remoteSocket] = parsed;
  return { host, port, username, remoteSocket, scheme: 'ssh' };
}

/** The options of an engine behind ssh, complete. */
function sshEngine({ sshOptions = {}, ...options }) {
  const parsed = parseSsh(isSsh(options.host) ? options.host : `ssh://${options.host}`);
  const { host = parsed.host, port, username } = sshOptions;
  return {
    ...options,
    protocol: 'ssh',
    host,
    port: port ?? options.port ?? parsed.port,
    username: username ?? options.username ?? parsed.username,
    remoteSocket: options.remoteSocket ?? parsed.remoteSocket,
    sshOptions,
  };
}

/** The options that name the engine at `text`, which is in the syntax of `DOCKER_HOST`. */
const engineAt = (text) => secured(parseHost(text), {}, false);

/** The engine of the docker CLI's current context, if it is another than the default. */
function contextEngine() {
  const folder = configFolder();
  const name = process.env.DOCKER_CONTEXT || currentContext();
  if (!name || name === 'default') return undefined;
  // Loaded when there is a context: it takes long.
  const id = require('node:crypto').createHash('sha256').update(name).digest('hex');
  const meta = readIfThere(path.join(folder, 'contexts', 'meta', id, 'meta.json'));
  if (meta === undefined) throw badOption(`the docker context "${name}" does not exist`);
  const engine = JSON.parse(meta).Endpoints?.docker;
  if (!engine?.Host) throw badOption(`the docker context "${name}" names no engine`);
  if (engine.SkipTLSVerify) throw badOption(`the docker context "${name}" skips the check of certificates, which is not supported`);
  const tls = certificatesIn(path.join(folder, 'contexts', 'tls', id, 'docker'));
  return secured(parseHost(engine.Host), tls, Boolean(tls.ca || tls.cert));
}

function currentContext() {
  const config = readIfThere(configFile());
  if (config === undefined) return undefined;
  try {
    return JSON.parse(config).currentContext;
  } catch {
    throw badOption(`${configFile()} is not JSON`);
  }
}

function secured({ scheme, ...address }, certificates, secure) {
  if (address.socketPath) return address;
  if (scheme !== 'tcp' && scheme !== 'http' && scheme !== 'https') return { ...address, protocol: scheme };
  const isSecure = secure || scheme === 'https' || address.port === TLS_PORT;
  return { ...address, ...certificates, protocol: isSecure ? 'https' : 'http' };
}

/** What the environment says about the engine, as options of a modem. */
function environment() {
  const { DOCKER_HOST: host } = process.env;
  if (!host) return contextEngine() ?? { socketPath: findDefaultSocket };
  const folder = process.env.DOCKER_CERT_PATH;
  const options = secured(parseHost(host), folder ? certificatesIn(folder) : {}, Boolean(process.env.DOCKER_TLS_VERIFY));
  if (options.socketPath) return options;
  const timeout = process.env.DOCKER_CLIENT_TIMEOUT;
  return {
    ...options,
    pathPrefix: process.env.DOCKER_PATH_PREFIX || '/',
    ...(timeout ? { timeout: Number.parseInt(timeout, 10) } : {}),
  };
}

/** Options that say where an engine is; with one of them, the environment has no say. */
const ADDRESS = ['host', 'socketPath'];

/**
 * The options of a modem, complete.
 *
 * @param {object} [given]
 */
function modemOptions(given = {}) {
  const options = Object.fromEntries(Object.entries(given ?? {}).filter(([, value]) => value !== undefined));
  for (const name of ['checkServerIdentity', 'agent']) {
    if (options[name]) throw badOption(`options.${name} is not supported: connections are not made by Node.js`);
  }
  if (!ADDRESS.some((name) => options[name])) return { ...environment(), ...options };
  if (!options.host) return options;
  if (options.protocol === 'ssh' || isSsh(options.host)) return sshEngine(options);
  const [, scheme, name] = /^(?:(\w+):\/\/)?(.*)$/.exec(String(options.host));
  const [authority, ...rest] = name.split('/');
  const parsed = /^(\[.*\]|[^:]*)(?::(\d+))?$/.exec(authority);
  if (!parsed) throw badOption(`"${options.host}" is no name of a host`);
  return {
    pathPrefix: `/${rest.join('/')}`,
    ...options,
    name: parsed[1],
    port: options.port ?? parsed[2],
    scheme,
  };
}

module.exports = { engineAt, environment, findDefaultSocket, modemOptions };
