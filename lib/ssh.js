'use strict';

const { badOption } = require('./errors');

/** Times are in milliseconds. The names are those of the `ssh2` package, as far as it has them. */
const SSH_DEFAULTS = Object.freeze({
  readyTimeout: 10_000,
  keepaliveInterval: 5000,
  keepaliveCountMax: 3,
  linger: 30_000,
  channelLimit: 8,
  queueTimeout: 30_000,
});

/** Who may name them: they are part of the address. */
const ADDRESS = ['host', 'port', 'username'];
const FILES = ['configFile', 'identityFile', 'agent'];
const KNOWN = [...ADDRESS, ...FILES, 'privateKey', ...Object.keys(SSH_DEFAULTS)];

const MAX_UINT32 = 0xffff_ffff;

let watchesExit = false;

/** Nothing of ssh is to outlive the process: neither its own nor the folder of its sockets. */
function endWithProcess() {
  if (watchesExit) return;
  watchesExit = true;
  // Loaded when there is an engine behind ssh: most programs have none.
  const { isMainThread } = require('node:worker_threads');
  if (isMainThread) process.once('exit', require('./native').endSsh);
}

/**
 * How an engine behind ssh is connected to, as the addon takes it.
 *
 * @param {object} [given] `sshOptions` of a `Docker` or a `DockerServer`.
 * @param {number} [connectTimeout] Unless `readyTimeout` is given.
 */
function nativeSshOptions(given = {}, connectTimeout = undefined) {
  if (given === null || typeof given !== 'object') throw badOption('options.sshOptions must be an object');
  const options = { ...SSH_DEFAULTS, ...(connectTimeout ? { readyTimeout: connectTimeout } : {}) };
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (!KNOWN.includes(name)) {
      throw badOption(`options.sshOptions.${name} is not supported: connections are made by ssh, see its configuration`);
    }
    options[name] = value;
  }
  check(options);
  endWithProcess();
  return {
    configFile: options.configFile,
    identityFiles: [options.identityFile ?? []].flat(),
    privateKey: options.privateKey === undefined ? undefined : Buffer.from(options.privateKey),
    agent: options.agent,
    connectTimeout: options.readyTimeout,
    linger: options.linger,
    serverAliveInterval: options.keepaliveInterval,
    serverAliveCount: options.keepaliveCountMax,
    channelLimit: options.channelLimit,
    queueTimeout: options.queueTimeout,
  };
}

function check(options) {
  for (const name of Object.keys(SSH_DEFAULTS)) {
    const value = options[name];
    if (Number.isInteger(value) && value >= 0 && value <= MAX_UINT32) continue;
    throw badOption(`options.sshOptions.${name} must be a whole number from 0 to ${MAX_UINT32}`);
  }
  if (options.readyTimeout === 0) throw badOption('options.sshOptions.readyTimeout must be more than 0');
  if (options.channelLimit === 0) throw badOption('options.sshOptions.channelLimit must be more than 0');
  for (const name of FILES) {
    if ([options[name] ?? []].flat().every((file) => typeof file === 'string')) continue;
    throw badOption(`options.sshOptions.${name} must be a path`);
  }
  const { privateKey } = options;
  if (privateKey !== undefined && typeof privateKey !== 'string' && !Buffer.isBuffer(privateKey)) {
    throw badOption('options.sshOptions.privateKey must be a string or a Buffer');
  }
}

/** Whether a text in the syntax of `DOCKER_HOST` is an engine behind ssh. */
const isSsh = (host) => /^ssh:/.test(host ?? '');

module.exports = { isSsh, nativeSshOptions };
