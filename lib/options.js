'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { DEFAULT_SOCKET, hostOf, isPipe } = require('./engine-socket');
const { badOption } = require('./errors');
const { isSsh, nativeSshOptions } = require('./ssh');

/** Times are in milliseconds, sizes in bytes. */
const SERVER_DEFAULTS = Object.freeze({
  host: '127.0.0.1',
  allowRemote: false,
  maxSessions: 10,
  wrapperCommand: [],
  onDisconnect: 'kill',
  killGrace: 2000,
  engineTimeout: 30_000,
  maxMessageSize: 16 * 1024 * 1024,
  stdinLimit: 1024 * 1024,
  keepAliveInterval: 30_000,
  keepAliveTimeout: 30_000,
  handshakeTimeout: 10_000,
  maxHandshakes: 256,
  closeTimeout: 5000,
});

/** Times are in milliseconds, sizes in bytes. */
const CLIENT_DEFAULTS = Object.freeze({
  tty: true,
  command: 'sh',
  wsopts: {},
  connectTimeout: 10_000,
  maxMessageSize: 100 * 1024 * 1024,
  outputLimit: 1024 * 1024,
  inputLimit: 1024 * 1024,
  keepAliveInterval: 30_000,
  keepAliveTimeout: 30_000,
  closeTimeout: 5000,
});

const MAX_UINT32 = 0xffff_ffff;

/** `given` over `defaults`; what is `undefined` counts as not given. */
function withDefaults(given, defaults) {
  const options = { ...defaults };
  for (const [name, value] of Object.entries(given ?? {})) {
    if (value !== undefined) options[name] = value;
  }
  return options;
}

function checkNumbers(options, defaults) {
  for (const [name, standard] of Object.entries(defaults)) {
    if (typeof standard !== 'number') continue;
    const value = options[name];
    if (!Number.isInteger(value) || value < 0 || value > MAX_UINT32) {
      throw badOption(`options.${name} must be a whole number from 0 to ${MAX_UINT32}`);
    }
  }
}

/** Asserts as version 3.0.0 did, with the same class of error. */
function demand(truth, message) {
  // Loaded when it is needed: it takes longer than the rest of this file.
  if (!truth) require('node:assert')(truth, message);
}

function checkWords(words, name) {
  if (words.every((word) => typeof word === 'string')) return;
  throw badOption(`options.${name} must hold strings only`);
}

/**
 * Checks a server's options and fills in the defaults. The first checks are those of version
 * 3.0.0, with their words.
 *
 * @param {object} given
 * @returns {object}
 */
function serverOptions(given) {
  const options = withDefaults(given, SERVER_DEFAULTS);
  demand(options.server || options.port !== undefined, 'options.server is required');
  demand(options.containerId, 'options.containerId is required');
  demand(options.path, 'options.path is required');
  demand(Array.isArray(options.wrapperCommand), 'options.wrapperCommand must be an array!');
  checkEngine(options);
  checkNumbers(options, SERVER_DEFAULTS);
  checkWords(options.wrapperCommand, 'wrapperCommand');
  for (const name of ['containerId', 'path', 'host']) {
    if (typeof options[name] !== 'string') throw badOption(`options.${name} must be a string`);
  }
  if (typeof options.allowRemote !== 'boolean') throw badOption('options.allowRemote must be true or false');
  if (options.server && typeof options.server.prependListener !== 'function') {
    throw badOption('options.server must be an http or https server');
  }
  const { port } = options;
  if (!options.server && !(Number.isInteger(port) && port >= 0 && port <= 65535)) {
    throw badOption('options.port must be a whole number from 0 to 65535');
  }
  if (!['kill', 'leave'].includes(options.onDisconnect)) {
    throw badOption('options.onDisconnect must be "kill" or "leave"');
  }
  // A server that is given away keeps the rule of version 3.0.0, whose callers connect from
  // pages of other origins; its path is the secret. What listens itself is for its own pages.
  options.origins ??= options.server ? 'any' : 'same';
  if (!['any', 'same'].includes(options.origins) && !Array.isArray(options.origins)) {
    throw badOption('options.origins must be "any", "same" or an array of origins');
  }
  if (Array.isArray(options.origins)) checkWords(options.origins, 'origins');
  return options;
}

/** Finds out which engine is meant, and whether a local one looks as if it were there. */
function checkEngine(options) {
  if (options.dockerHost !== undefined) {
    if (options.dockerSocket !== undefined) {
      throw badOption('options.dockerHost and options.dockerSocket exclude each other');
    }
    if (typeof options.dockerHost !== 'string') {
      throw badOption('options.dockerHost must be a string');
    }
    return;
  }
  if (options.dockerSocket === undefined && process.env.DOCKER_HOST) return;
  options.dockerSocket ??= DEFAULT_SOCKET;
  // To look at a pipe is to connect to it.
  if (isPipe(options.dockerSocket)) return;
  demand(fs.statSync(options.dockerSocket).isSocket(), 'Are you sure that docker is running?');
}

/** The same options as the addon takes them. */
function nativeServerOptions(options) {
  const list = Array.isArray(options.origins);
  const socket = options.dockerSocket;
  const host = options.dockerHost ?? (socket === undefined ? process.env.DOCKER_HOST : undefined);
  return {
    path: options.path,
    container: options.containerId,
    engine: options.dockerHost ?? (socket === undefined ? undefined : absoluteSocket(socket)),
    ssh: isSsh(host) ? nativeSshOptions(options.sshOptions) : undefined,
    engineTimeout: options.engineTimeout,
    maxSessions: options.maxSessions,
    wrapperCommand: options.wrapperCommand,
    killOnDisconnect: options.onDisconnect === 'kill',
    killGrace: options.killGrace,
    origins: list ? 'list' : options.origins,
    originList: list ? options.origins : [],
    allowRemote: options.allowRemote,
    maxMessageSize: options.maxMessageSize,
    stdinLimit: options.stdinLimit,
    keepAliveInterval: options.keepAliveInterval,
    keepAliveTimeout: options.keepAliveTimeout,
    handshakeTimeout: options.handshakeTimeout,
    maxHandshakes: options.maxHandshakes,
    closeTimeout: options.closeTimeout,
  };
}

function absoluteSocket(socket) {
  return hostOf(isPipe(socket) ? socket : path.resolve(socket));
}

/**
 * Fills in a client's defaults. What is wrong with them is told by `execute`, as in version
 * 3.0.0.
 *
 * @param {object} given
 * @returns {object}
 */
function clientOptions(given) {
  const options = withDefaults(given, CLIENT_DEFAULTS);
  // Version 3.0.0 took the words of a query string for a terminal that was not wanted.
  options.tty = typeof options.tty === 'string' ? /^true$/i.test(options.tty) : !!options.tty;
  return options;
}

/** Checks a client's options when they are needed. */
function checkClientOptions(options) {
  if (typeof options.url !== 'string' || !/^(wss?:\/\/|ws\+unix:)/i.test(options.url)) {
    throw badOption('url required or malformed url input');
  }
  checkNumbers(options, CLIENT_DEFAULTS);
  checkWords(Array.isArray(options.command) ? options.command : [options.command], 'command');
  if (options.signal !== undefined && !(options.signal instanceof AbortSignal)) {
    throw badOption('options.signal must be an AbortSignal');
  }
}

module.exports = {
  checkClientOptions, clientOptions, nativeServerOptions, serverOptions, withDefaults,
};
