'use strict';

const { hostOf } = require('../engine-socket');
const { badOption } = require('../errors');
const { nativeSshOptions } = require('../ssh');
const { modemOptions } = require('./address');
const { isAbortSignal } = require('./arguments');
const { refused } = require('./errors');
const { buildQuerystring, parseJson, without } = require('./query');

// How long connecting to an engine may take, unless `connectionTimeout` says otherwise.
const CONNECT_MS = 10_000;

/** The newest version of the API that the table of endpoints is after. */
const NEWEST = [1, 51];

/** Options that are neither in a query nor in a body. */
const NO_PARAMETERS = ['_query', '_body', 'authconfig', 'registryconfig', 'abortSignal'];

/** In the alphabet that engines read; in the other one, `+` and `/` would spoil it all. */
const base64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64').replaceAll('+', '-').replaceAll('/', '_');

/** Something like `v1.41`. */
const versionName = (version) => (/^\d/.test(version) ? `v${version}` : version);

function protocolOf({ scheme, key, cert, ca }) {
  if (scheme === 'https' || (key && cert && ca)) return 'https';
  return 'http';
}

/** PEM or DER as bytes; `ca` may be several. */
const certificates = (given) => [given ?? []].flat().map((one) => Buffer.from(one.pem ?? one));

function checkTimes(modem) {
  for (const name of ['timeout', 'connectionTimeout']) {
    const value = modem[name];
    if (value === undefined || (Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff)) continue;
    throw badOption(`options.${name} must be a whole number of milliseconds`);
  }
}

/** The addon, and what sends requests by it, are loaded when there is something to send. */
const sending = () => require('./request');

function callsOn(requests, path) {
  const { Calls } = require('./calls');
  return Calls.isPossible ? new Calls(requests, path) : null;
}

/** The connections to one engine, and what all requests to it have in common. */
class Modem {
  #hostname;
  #remoteSocket;
  #requests = null;
  #calls = null;
  #opening = null;
  #socketPath = null;
  #prefix = '';

  /** @param {object} [options] Those of `new Docker`. */
  constructor(options) {
    const given = modemOptions(options);
    this.host = given.host;
    if (!this.host) this.socketPath = given.socketPath;
    this.port = given.port;
    this.pathPrefix = given.pathPrefix;
    this.version = given.version;
    this.key = given.key;
    this.cert = given.cert;
    this.ca = given.ca;
    this.timeout = given.timeout;
    this.connectionTimeout = given.connectionTimeout;
    this.headers = given.headers ?? {};
    this.credentials = given.credentials;
    this.protocol = given.protocol ?? protocolOf(given);
    this.username = given.username;
    this.sshOptions = given.sshOptions;
    this.#remoteSocket = given.remoteSocket;
    this.Promise = Promise;
    this.#hostname = given.name ?? given.host;
    checkTimes(this);
    if (this.credentials !== undefined && typeof this.credentials !== 'boolean') {
      throw badOption('options.credentials must be true or false');
    }
  }

  /**
   * Makes a request. `options` are those of docker-modem: `path`, `method`, `options` (the query if
   * the path has a `?`, and the body of a POST; `_query` and `_body` in it tell them apart),
   * `statusCodes`, `isStream`, `hijack`, `openStdin`, `file`, `authconfig`, `registryconfig`,
   * `headers`, `allowEmpty`, `abortSignal`. `beside` is what lives as long as the request and its answer:
   * `begin(giveUp)` and `end()` are called.
   *
   * @param {object} options
   * @param {(error: Error | null, data?: any) => void} callback
   */
  dial(options, callback) {
    if (this.#requests !== null) this.#send(options, callback);
    else this.#open().then(() => this.#send(options, callback), (error) => process.nextTick(callback, error, null));
  }

  /** The path of the engine's socket, if it has one. */
  async getSocketPath() {
    if (typeof this.socketPath !== 'function') return this.socketPath;
    this.#socketPath ??= Promise.resolve().then(() => this.socketPath());
    try {
      return await this.#socketPath;
    } catch (error) {
      // The next request asks again.
      this.#socketPath = null;
      throw error;
    }
  }

  /**
   * Where a request goes that is not made by `dial`.
   *
   * @param {string} path
   * @param {object} headers
   */
  async route(path, headers) {
    if (this.#requests === null) await this.#open();
    return {
      requests: this.#requests,
      target: this.#target(path, {}),
      headers: this.#headers({ headers }, {}),
      idleTimeout: this.timeout ?? 0,
    };
  }

  /** @see {@link import('./demux').demuxStream} */
  demuxStream(stream, stdout, stderr, options) {
    return require('./demux').demuxStream(stream, stdout, stderr, options);
  }

  /** @see {@link import('./progress').followProgress} */
  followProgress(stream, onFinished, onProgress) {
    return require('./progress').followProgress(stream, onFinished, onProgress);
  }

  /** @see {@link import('./query').buildQuerystring} */
  buildQuerystring(options) {
    return buildQuerystring(options);
  }

  #open() {
    this.#opening ??= this.#prepare().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  async #prepare() {
    const { NativeRequests } = require('../native');
    const requests = new NativeRequests({
      host: await this.#address(),
      ssh: this.protocol === 'ssh' ? nativeSshOptions(this.sshOptions, this.connectionTimeout) : undefined,
      tls: this.protocol === 'https',
      ca: certificates(this.ca),
      cert: certificates(this.cert)[0],
      key: certificates(this.key)[0],
      connectTimeout: this.connectionTimeout || CONNECT_MS,
    });
    const prefix = (this.pathPrefix ?? '').replace(/\/+$/, '');
    this.#prefix = prefix && !prefix.startsWith('/') ? `/${prefix}` : prefix;
    if (this.version === 'auto') this.version = await this.#negotiate(requests);
    if (!this.host) this.#calls = callsOn(requests, await this.getSocketPath());
    this.#requests = requests;
  }

  /** The newest version that both sides know. */
  async #negotiate(requests) {
    const wanted = {
      method: 'GET', target: `${this.#prefix}/_ping`, headers: this.#headers({}, {}), gather: true, idleTimeout: this.timeout ?? 0,
    };
    const { headers } = await new Promise((resolve, reject) => {
      new (sending().EngineRequest)(requests, wanted, (error, answer) => (error ? reject(error) : resolve(answer)));
    });
    const theirs = headers[headers.findIndex((name) => name.toLowerCase() === 'api-version') + 1];
    const [major, minor] = /^\d+\.\d+$/.test(theirs) ? theirs.split('.').map(Number) : NEWEST;
    const isOlder = major < NEWEST[0] || (major === NEWEST[0] && minor < NEWEST[1]);
    return `v${(isOlder ? [major, minor] : NEWEST).join('.')}`;
  }

  async #address() {
    if (!this.host) return hostOf(await this.getSocketPath());
    // What is neither http nor https is named as it is, for the addon to refuse if it does not know it.
    const scheme = this.protocol === 'http' || this.protocol === 'https' ? 'tcp' : this.protocol;
    const user = this.protocol === 'ssh' && this.username ? `${this.username}@` : '';
    return `${scheme}://${user}${this.#hostname}${this.port ? `:${this.port}` : ''}${this.#remoteSocket ?? ''}`;
  }

  #send(options, callback) {
    try {
      const wanted = this.#wanted(options);
      const done = (error, answer) => {
        if (error) callback(error, null);
        else finish(options, wanted, answer, callback);
      };
      if (this.#calls?.canMake(wanted)) this.#calls.make(wanted, done);
      else new (sending().EngineRequest)(this.#requests, wanted, done);
    } catch (error) {
      process.nextTick(callback, error, null);
    }
  }

  #wanted(options) {
    const { options: given = {}, file } = options;
    const hijack = Boolean(options.hijack || options.openStdin);
    const body = file ? undefined : givenBody(options);
    const data = bodyText(body, options);
    return {
      method: options.method,
      target: this.#target(options.path, given ?? {}),
      headers: this.#headers(options, { hijack, file, data }),
      data,
      file,
      hijack,
      gather: !options.isStream && !hijack,
      terminal: hijack && Boolean(body?.Tty),
      idleTimeout: this.timeout ?? 0,
      signal: options.abortSignal ?? (isAbortSignal(options.signal) ? options.signal : undefined),
      beside: options.beside,
    };
  }

  #target(path, options) {
    const base = `${this.#prefix}${this.version ? `/${versionName(this.version)}` : ''}${path}`;
    if (!path.includes('?')) return base;
    const query = buildQuerystring(options._query ?? without(options, NO_PARAMETERS));
    return query === '' ? base.replace(/[?&]$/, '') : `${base}${query}`;
  }

  #headers({ headers: own = {}, authconfig, registryconfig }, { hijack, file, data }) {
    const headers = { ...this.headers, ...own };
    // So it is with most calls.
    if (!(authconfig || registryconfig || file || data !== undefined || hijack)) return pairsOf(headers);
    const has = (name) => Object.keys(headers).some((key) => key.toLowerCase() === name);
    if (authconfig) {
      headers['X-Registry-Auth'] = authconfig.key || authconfig.base64 || base64(authconfig);
    }
    if (registryconfig) headers['X-Registry-Config'] = registryconfig.base64 || base64(registryconfig);
    if (file && !has('content-type')) headers['Content-Type'] = 'application/tar';
    if (data !== undefined && !has('content-type')) headers['Content-Type'] = 'application/json';
    if (hijack) {
      headers.Connection = 'Upgrade';
      if (!has('upgrade')) headers.Upgrade = 'tcp';
    }
    return pairsOf(headers);
  }
}

/** Names and values by turns. */
const pairsOf = (headers) => Object.entries(headers).flatMap(([name, value]) => [name, String(value)]);

/** What the options have as a body, if that goes with the method. */
function givenBody({ method, options }) {
  if (!options || (method !== 'POST' && method !== 'PUT')) return undefined;
  return '_body' in options ? options._body : without(options, NO_PARAMETERS);
}

/** The JSON to send, or undefined. */
function bodyText(body, { allowEmpty }) {
  if (body === null || body === undefined) return undefined;
  const text = JSON.stringify(body);
  return allowEmpty || (text !== '{}' && text !== '""') ? text : undefined;
}

/** Tells the caller of an answer. */
function finish({ statusCodes = {}, isStream, isBytes }, wanted, answer, callback) {
  const { status } = answer;
  const known = statusCodes[status];
  const isFine = known === true || status === 101 || (known === undefined && status >= 200 && status < 300);
  if (!isFine) {
    collect(answer, (error, body) => {
      if (error) callback(error, null);
      else callback(refused(status, known || undefined, redirect(answer) ?? valueOf(body)), null);
    });
  } else if (isStream || wanted.gather === false) {
    callback(null, sending().streamOf(answer));
  } else {
    callback(null, isBytes ? bytesOf(answer) : valueOf(answer));
  }
}

/** Why a redirect is no answer: to follow it would be to trust whoever gave it. */
function redirect({ status, location, headers = [] }) {
  const at = headers.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === 'location');
  const target = location ?? headers[at + 1];
  if (status <= 300 || status >= 400 || (location === undefined && at < 0)) return undefined;
  return { message: `it redirects to ${target}, which is not followed` };
}

/** A whole body, which is short and a text, or bytes. */
const bytesOf = ({ text, body }) => body ?? Buffer.from(text);

/** What the JSON of a whole body says, or its bytes if it is none. */
function valueOf(whole) {
  const json = parseJson(whole.text ?? whole.body.toString());
  return json === undefined ? bytesOf(whole) : json;
}

/** The whole body of an answer, also where it was to be a stream. */
function collect({ text, body, stream }, done) {
  if (stream === undefined) {
    done(null, { text, body });
    return;
  }
  const chunks = [];
  stream.on('data', (chunk) => chunks.push(chunk));
  stream.once('error', done);
  stream.once('end', () => done(null, { body: Buffer.concat(chunks) }));
}

module.exports = { Modem };
