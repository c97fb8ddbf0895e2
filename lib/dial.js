'use strict';

const crypto = require('node:crypto');
const http = require('node:http');
const https = require('node:https');

const { failure } = require('./errors');

// RFC 6455, section 1.3.
const ACCEPT_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const SERVER_HEADER = 'docker-exec-websocket';
const MAX_REDIRECTS = 10;
/** What is meant for one server only. */
const PRIVATE = new Set(['authorization', 'cookie', 'host']);

/**
 * Opens the connection of a WebSocket with Node's own means: for options that only those
 * understand, such as an agent or a key with a passphrase.
 *
 * @param {string} url With the whole query.
 * @param {object} wsopts
 * @param {Array<[string, string]>} headers
 * @param {number} timeout In ms, from now to the upgrade.
 * @param {(error: Error | null, opened?: Opened) => void} done Called once, unless stopped.
 * @returns {() => void} Stops it; `done` is not called then.
 *
 * @typedef {object} Opened
 * @property {import('node:stream').Duplex} socket
 * @property {Buffer} head What came behind the response.
 * @property {boolean} modern Whether the server is one of this package.
 */
function dial(url, wsopts, headers, timeout, done) {
  let request = null;
  let over = false;
  const finish = (error, opened) => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    if (error !== null) request?.destroy();
    done(error, opened);
  };
  const timer = setTimeout(() => {
    const text = `no WebSocket to ${url} after ${timeout} ms: see the option for the handshake's timeout`;
    finish(failure('DEW_CONNECT_TIMEOUT', text));
  }, timeout);
  const go = (to, redirects) => {
    request = ask(to, wsopts, isSamePlace(url, to) ? headers : withoutPrivate(headers), {
      opened: (opened) => finish(null, opened),
      failed: (error) => finish(error),
      redirected: (location) => {
        if (redirects === 0) {
          finish(failure('DEW_HANDSHAKE_FAILED', `too many redirects, the last to ${location}`));
        } else {
          attempt(() => go(resolved(location, to), redirects - 1), finish);
        }
      },
    });
  };
  const redirects = wsopts.followRedirects ? wsopts.maxRedirects ?? MAX_REDIRECTS : -1;
  attempt(() => go(url, redirects), finish);
  return () => {
    over = true;
    clearTimeout(timer);
    request?.destroy();
  };
}

/** Whether a redirect leads to the same server, and no less protected. */
function isSamePlace(from, to) {
  if (from === to) return true;
  const [one, other] = [from, to].map((url) => {
    const { secure, host, port, socketPath } = locate(url);
    return { secure, place: socketPath ?? `${host}:${port}` };
  });
  return one.place === other.place && one.secure === other.secure;
}

const withoutPrivate = (headers) => headers.filter(([name]) => !PRIVATE.has(name.toLowerCase()));

/** Where the server that was asked at `from` redirects to. */
function resolved(location, from) {
  const base = from.replace(/^ws/i, 'http');
  if (URL.canParse(location, base)) {
    const { protocol, href } = new URL(location, base);
    if (/^(?:http|ws)s?:$/.test(protocol)) return href;
  }
  throw failure('DEW_HANDSHAKE_FAILED', `the server redirects to ${JSON.stringify(location)}, which is no WebSocket's address`);
}

function attempt(act, finish) {
  try {
    act();
  } catch (error) {
    // Node checks its options, ours pass through.
    error.code ??= 'DEW_BAD_OPTION';
    finish(error);
  }
}

/** Sends one request, and sorts out the answers. */
function ask(url, wsopts, headers, { opened, failed, redirected }) {
  const { secure, ...place } = locate(url);
  const key = crypto.randomBytes(16).toString('base64');
  const request = (secure ? https : http).request({
    agent: false,
    ...(secure ? { ALPNProtocols: ['http/1.1'] } : {}),
    ...wsopts,
    ...place,
    timeout: undefined,
    method: 'GET',
    headers: {
      ...Object.fromEntries(headers),
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': key,
    },
  });
  request.on('error', (cause) => {
    const text = `cannot connect to ${url}: ${cause.message}`;
    failed(Object.assign(failure('DEW_CONNECT_FAILED', text), { cause }));
  });
  request.on('response', (response) => {
    const { statusCode, headers: { location } } = response;
    const follow = wsopts.followRedirects && location && statusCode >= 300 && statusCode < 400;
    response.resume();
    request.destroy();
    if (follow) redirected(location);
    else failed(failure('DEW_HANDSHAKE_REFUSED', `Unexpected server response: ${statusCode}`));
  });
  request.on('upgrade', (response, socket, head) => {
    const expected = crypto.createHash('sha1').update(key + ACCEPT_GUID).digest('base64');
    if (response.headers['sec-websocket-accept'] === expected) {
      opened({ socket, head, modern: SERVER_HEADER in response.headers });
      return;
    }
    socket.destroy();
    failed(failure('DEW_HANDSHAKE_FAILED', `handshake with ${url} failed: wrong accept key`));
  });
  request.end();
  return request;
}

/** Where a URL points to, as `http.request` takes it. */
function locate(url) {
  const unix = /^ws\+unix:(?:\/\/)?([^:?]+)(?::([^?]*))?(\?.*)?$/i.exec(url);
  if (unix !== null) {
    const [, socketPath, path = '/', query = ''] = unix;
    return { secure: false, socketPath, path: path + query };
  }
  const { protocol, hostname, port, pathname, search, username } = new URL(url);
  if (username !== '') throw failure('DEW_BAD_OPTION', 'credentials belong into wsopts.auth');
  const secure = protocol === 'wss:' || protocol === 'https:';
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  const defaultPort = secure ? 443 : 80;
  return { secure, host, port: port || defaultPort, path: pathname + search };
}

module.exports = { dial };
