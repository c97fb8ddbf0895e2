'use strict';

/** An engine that answers as a test says, on a unix socket or a port. */

const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');

/**
 * Serves `answer(request, response)`; `raw(socket)` takes connections as they are.
 *
 * @param {Function} answer
 * @param {object} [options] `tls`: options of an https server; `raw`: no HTTP at all; `port`: TCP.
 */
async function fakeEngine(answer, { tls, raw, port = tls !== undefined } = {}) {
  const requests = [];
  const sockets = new Set();
  const listen = (request, response) => {
    requests.push({ method: request.method, url: request.url, headers: request.headers });
    answer(request, response);
  };
  const server = raw ? net.createServer(answer) : tls ? https.createServer(tls, listen) : http.createServer(listen);
  server.keepAliveTimeout = 60_000;
  let connections = 0;
  server.on('connection', (socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dew-fake-'));
  const socketPath = path.join(folder, 'engine.sock');
  await new Promise((resolve) => {
    if (port) server.listen(port === true ? 0 : port, '127.0.0.1', resolve);
    else server.listen(socketPath, resolve);
  });
  return {
    server,
    requests,
    socketPath,
    get connections() { return connections; },
    get sockets() { return sockets; },
    port: port ? server.address().port : undefined,
    /** Cuts all connections. */
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The body of a request. */
async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Fake engines that are closed after each test of the enclosing `describe`. */
function useFakeEngines() {
  const open = [];
  afterEach('close the fake engines', () => Promise.all(open.splice(0).map((engine) => engine.close())));
  return async (...args) => {
    const engine = await fakeEngine(...args);
    open.push(engine);
    return engine;
  };
}

module.exports = { bodyOf, useFakeEngines };
