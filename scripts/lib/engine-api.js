'use strict';
// The few calls to an engine that the scripts and tests need, straight over HTTP: set-up runs
// before anything is installed.

const fs = require('fs');
const http = require('http');
const https = require('https');
const path = require('path');

/**
 * Where `host` (the syntax of DOCKER_HOST) is, as options for `http.request`. tcp hosts use TLS
 * when DOCKER_TLS_VERIFY is set, with the files in DOCKER_CERT_PATH. Throws for other schemes.
 */
function address(host) {
  const unix = /^unix:\/\/(.+)$/.exec(host);
  if (unix) return { socketPath: unix[1] };
  const tcp = /^(?:tcp|https?):\/\/(\[[^\]]+\]|[^:/]+)(?::(\d+))?\/?$/.exec(host);
  if (!tcp) throw new Error(`cannot use the engine at ${host}: only unix:// and tcp:// are supported here`);
  const secure = host.startsWith('https') || Boolean(process.env.DOCKER_TLS_VERIFY);
  const options = { host: tcp[1].replace(/[[\]]/g, ''), port: Number(tcp[2] || (secure ? 2376 : 2375)) };
  if (!secure) return options;
  const folder = process.env.DOCKER_CERT_PATH || path.join(process.env.HOME || '/', '.docker');
  const file = (name) => fs.readFileSync(path.join(folder, name));
  return { ...options, secure, ca: file('ca.pem'), cert: file('cert.pem'), key: file('key.pem') };
}

/**
 * One call. Resolves to `{ status, text, json }` whatever the status; rejects when the engine
 * cannot be reached or says nothing for `timeout` ms (60,000 by default).
 *
 * @param {{ host: string }} engine
 * @param {string} method
 * @param {string} target path and query
 * @param {{ json?: object, tar?: Buffer, timeout?: number }} [options] the body, if any
 */
function call(engine, method, target, { json, tar, timeout = 60_000 } = {}) {
  const body = tar || (json && Buffer.from(JSON.stringify(json)));
  const headers = { Host: 'engine' };
  // Who refuses so much before it has read all closes the connection, and its answer would be lost with that.
  if (tar) headers.Expect = '100-continue';
  if (body) {
    headers['Content-Type'] = tar ? 'application/x-tar' : 'application/json';
    headers['Content-Length'] = body.length;
  }
  const where = address(engine.host);
  return new Promise((resolve, reject) => {
    const request = (where.secure ? https : http).request(
      { ...where, method, path: target, headers, agent: false, timeout }, (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          let value;
          try {
            value = JSON.parse(text);
          } catch { /* not every answer is JSON */ }
          resolve({ status: response.statusCode, text, json: value });
        });
      });
    request.on('timeout', () => request.destroy(
      new Error(`engine at ${engine.host} did not answer ${method} ${target} within ${timeout} ms`)));
    // An error of its own: the stack, which is what test runners print, keeps the words that an error was made with.
    request.on('error', (cause) => reject(Object.assign(
      new Error(`${method} ${target} at ${engine.host}: ${cause.message}`, { cause }), { code: cause.code })));
    if (tar) request.on('continue', () => request.end(body));
    else request.end(body);
  });
}

/** As `call`, but resolves to the JSON value and rejects unless the status is 2xx or 304. */
async function ask(engine, method, target, options) {
  const { status, text, json } = await call(engine, method, target, options);
  if ((status < 200 || status > 299) && status !== 304) {
    const message = (json && json.message) || text;
    throw Object.assign(new Error(`engine refused ${method} ${target}: ${message.trim()} (HTTP ${status})`), { status });
  }
  return json;
}

/** 'docker', 'podman', or null when nothing answers at `host` within 3 s. */
async function kindOf(host) {
  try {
    const { status, json } = await call({ host }, 'GET', '/version', { timeout: 3000 });
    if (status !== 200 || !json) return null;
    return /podman/i.test(JSON.stringify(json.Components || '')) ? 'podman' : 'docker';
  } catch {
    return null;
  }
}

module.exports = { address, call, ask, kindOf };
