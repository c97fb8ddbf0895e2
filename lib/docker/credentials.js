'use strict';

/**
 * Credentials for registries, from where the docker CLI keeps them: `auths` of its `config.json`, and
 * the helper programs that `credsStore` and `credHelpers` name. They are read anew for each call, since
 * what helpers give may expire. Nothing that is secret, and nothing that a helper says, is in an error.
 */

const { spawn } = require('node:child_process');

const { configFile, readIfThere } = require('./config');
const { DockerError, aborted } = require('./errors');

// How long a helper may take, in ms (it may ask a person), and bytes that it may answer.
const HELPER_MS = 60_000;
const HELPER_ANSWER = 1024 * 1024;

/** What Docker Hub goes by among credentials. */
const HUB = 'https://index.docker.io/v1/';
const HUB_HOST = 'docker.io';
const HUB_HOSTS = new Set([HUB_HOST, 'index.docker.io', 'registry-1.docker.io']);

/** What helpers say of a registry that they do not know, and give for the user of an identity token. */
const NOT_FOUND = 'credentials not found in native keychain';
const TOKEN_USER = '<token>';

const failed = (message, cause) => new DockerError('DEW_CREDENTIALS_FAILED', message, { cause });
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The host of `https://host/v1/`, `host:port/path`, or `host`; addresses with the same one are the same registry. */
function hostOf(address) {
  const host = address.replace(/^[a-z]+:\/\//i, '').split('/')[0].toLowerCase();
  return HUB_HOSTS.has(host) ? HUB_HOST : host;
}

/** The registry that an image's, or a plugin's, name leads to. */
function registryOf(name) {
  const [first, ...rest] = String(name).split('/');
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  return !isHost || hostOf(first) === HUB_HOST ? HUB : first;
}

/** The member of `map` for a registry, whichever way it is written there. */
function findRegistry(map, registry) {
  if (Object.hasOwn(map, registry)) return map[registry];
  return Object.entries(map).find(([address]) => hostOf(address) === hostOf(registry))?.[1];
}

/** What the docker CLI's settings say of credentials. */
function readSettings() {
  const file = configFile();
  const text = readIfThere(file);
  if (text === undefined) return { auths: {}, credHelpers: {} };
  let settings;
  try {
    settings = JSON.parse(text);
  } catch {
    throw failed(`no credentials: ${file} is not JSON; correct it, or give authconfig: false`);
  }
  const { auths, credHelpers, credsStore } = isObject(settings) ? settings : {};
  return { auths: isObject(auths) ? auths : {}, credHelpers: isObject(credHelpers) ? credHelpers : {}, credsStore };
}

/** Name and password out of base64; undefined if that is not what it is. */
function decodeUser(auth) {
  const text = Buffer.from(String(auth), 'base64').toString();
  const colon = text.indexOf(':');
  if (colon < 0) return undefined;
  return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') };
}

/** Credentials as `auths` has them; undefined for an entry that only says that a helper has some. */
function decodeEntry(entry, registry) {
  if (!isObject(entry)) return undefined;
  const { auth, ...rest } = entry;
  const known = ['username', 'password', 'email', 'identitytoken', 'registrytoken'].filter((name) => rest[name]);
  const given = Object.fromEntries(known.map((name) => [name, rest[name]]));
  if (auth) {
    const user = decodeUser(auth);
    if (!user) throw failed(`no credentials for ${registry}: \`auth\` in ${configFile()} is not base64 of user:password`);
    Object.assign(given, user);
  }
  return Object.keys(given).length > 0 ? { ...given, serveraddress: registry } : undefined;
}

/**
 * Asks a helper; resolves to its answer, or to undefined if it knows nothing, or is not installed.
 *
 * @param {string} helper What comes after `docker-credential-`.
 * @param {'get' | 'list'} action
 * @param {string} input
 * @param {{ signal?: AbortSignal, ms?: number }} [options]
 * @returns {Promise<string | undefined>}
 */
function askHelper(helper, action, input, { signal, ms = HELPER_MS } = {}) {
  const program = `docker-credential-${helper}`;
  if (!/^\w[\w.-]*$/.test(helper)) throw failed(`no credentials: "${helper}" in ${configFile()} cannot be the name of a helper`);
  if (signal?.aborted) throw aborted(signal);
  return new Promise((resolve, reject) => {
    const child = spawn(program, [action], { stdio: ['pipe', 'pipe', 'ignore'], windowsHide: true });
    const chunks = [];
    let size = 0;
    const abort = () => finish(aborted(signal));
    const timer = setTimeout(() => finish(failed(`${program} did not answer within ${ms} ms; run it by hand to see why`)), ms);
    const finish = (error, answer) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      child.kill('SIGKILL');
      // Whatever the helper has started may hold its output open.
      child.stdout?.destroy();
      if (error) reject(error);
      else resolve(answer);
    };
    signal?.addEventListener('abort', abort, { once: true });
    child.stdin?.on('error', () => {}).end(input); // a helper need not read it
    child.stdout?.on('data', (chunk) => {
      size += chunk.length;
      chunks.push(chunk);
      if (size > HELPER_ANSWER) finish(failed(`${program} answered more than ${HELPER_ANSWER} bytes`));
    });
    child.once('error', (error) => {
      if (error.code !== 'ENOENT') return finish(failed(`${program} cannot be run`, error));
      process.emitWarning(`${program}, which ${configFile()} names, is not installed`, { code: 'DEW_CREDENTIALS_FAILED' });
      return finish(null, undefined);
    });
    child.once('close', (status, killer) => {
      const text = Buffer.concat(chunks).toString();
      if (status === 0) finish(null, text);
      else if (text.trim() === NOT_FOUND) finish(null, undefined);
      else finish(failed(`${program} ${action} ended with ${status ?? killer}; run it by hand to see why`));
    });
  });
}

/** What a helper says, as an object. */
async function askJson(helper, action, input, options) {
  const text = await askHelper(helper, action, input, options);
  if (text === undefined) return undefined;
  let json;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  if (!isObject(json)) throw failed(`docker-credential-${helper} ${action} did not answer with a JSON object`);
  return json;
}

/** Credentials of one registry. */
async function lookUp(settings, registry, options) {
  const helper = findRegistry(settings.credHelpers, registry) ?? settings.credsStore;
  if (!helper) return decodeEntry(findRegistry(settings.auths, registry), registry);
  const found = await askJson(String(helper), 'get', registry, options);
  if (!found?.Secret) return undefined;
  if (found.Username === TOKEN_USER) return { identitytoken: found.Secret, serveraddress: registry };
  return { username: found.Username, password: found.Secret, serveraddress: registry };
}

/**
 * Credentials for the registry of an image, or of a plugin.
 *
 * @param {string} name
 * @param {{ signal?: AbortSignal }} [options]
 * @returns {Promise<object | undefined>} As `authconfig`; undefined if there are none.
 */
async function credentialsFor(name, options) {
  return lookUp(readSettings(), registryOf(name), options);
}

/**
 * All credentials that there are, by registry, for a build: it may need any. A helper that fails is
 * told of in a warning: that of another registry must not be in a build's way.
 *
 * @param {{ signal?: AbortSignal }} [options]
 * @returns {Promise<object | undefined>} As `registryconfig`; undefined if there are none.
 */
async function allCredentials(options) {
  const settings = readSettings();
  const orWarn = (error) => {
    if (error.code !== 'DEW_CREDENTIALS_FAILED') throw error;
    process.emitWarning(error.message, { code: error.code });
  };
  const listed = settings.credsStore && await askJson(String(settings.credsStore), 'list', '', options).catch(orWarn);
  const names = new Set([settings.auths, settings.credHelpers, listed ?? {}].flatMap(Object.keys));
  const found = await Promise.all([...names].map(async (name) =>
    [name, await lookUp(settings, name, options).catch(orWarn)]));
  const known = found.filter(([, credentials]) => credentials !== undefined);
  return known.length > 0 ? Object.fromEntries(known) : undefined;
}

module.exports = { allCredentials, askHelper, credentialsFor, decodeUser, hostOf, registryOf };
