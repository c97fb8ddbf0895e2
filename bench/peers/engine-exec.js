'use strict';
// The limit: an exec with nothing between Node and the engine's own stream.

const { EventEmitter } = require('events');
const http = require('http');
const https = require('https');
const { address, ask } = require('../../scripts/lib/engine-api');

const HEADER = 8;
const STDOUT = 1;

/** Takes framed output apart and emits `data` for stdout alone, as slices of what was read. */
class FramedOutput extends EventEmitter {
  #socket;
  #header = Buffer.alloc(HEADER);
  #have = 0;
  #left = 0;

  constructor(socket) {
    super();
    this.#socket = socket;
  }

  take(chunk) {
    let at = 0;
    while (at < chunk.length) {
      if (this.#left === 0) {
        const part = Math.min(HEADER - this.#have, chunk.length - at);
        chunk.copy(this.#header, this.#have, at, at + part);
        this.#have += part;
        at += part;
        if (this.#have < HEADER) return;
        this.#have = 0;
        this.#left = this.#header.readUInt32BE(4);
        continue;
      }
      const part = Math.min(this.#left, chunk.length - at);
      if (this.#header[0] === STDOUT) this.emit('data', chunk.subarray(at, at + part));
      this.#left -= part;
      at += part;
    }
  }

  pause() {
    this.#socket.pause();
  }

  resume() {
    this.#socket.resume();
  }
}

/** Starts an exec and resolves to the hijacked socket, and the bytes that came with the answer. */
function hijack(engine, id) {
  const where = address(engine.host);
  const body = JSON.stringify({ Detach: false, Tty: false });
  return new Promise((resolve, reject) => {
    const request = (where.secure ? https : http).request({
      ...where, method: 'POST', path: `/exec/${id}/start`, agent: false,
      headers: {
        Host: 'engine', Connection: 'Upgrade', Upgrade: 'tcp',
        'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body),
      },
    });
    request.on('upgrade', (_response, socket, head) => resolve({ socket, head }));
    request.on('response', ({ statusCode }) => reject(new Error(`engine did not hijack: HTTP ${statusCode}`)));
    request.on('error', reject);
    request.end(body);
  });
}

async function exitCode(engine, id) {
  for (;;) {
    const { Running, ExitCode } = await ask(engine, 'GET', `/exec/${id}/json`);
    if (!Running) return ExitCode;
  }
}

/** Opens a session in the manner of `sessions.js`. */
async function openExec({ engine, container, command, tty }) {
  const { Id } = await ask(engine, 'POST', `/containers/${container}/exec`, {
    json: { AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: tty, Cmd: command },
  });
  const { socket, head } = await hijack(engine, Id);
  socket.setNoDelay(true);
  const stdout = new FramedOutput(socket);
  const ended = new Promise((resolve, reject) => {
    socket.on('end', resolve);
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the engine closed the stream')));
  });
  ended.catch(() => { /* reported by `done`, if anybody waits for it */ });
  // Before anybody listens: given back later, it would be emitted at once, and the caller not there yet.
  if (head.length > 0) socket.unshift(head);
  socket.on('data', (chunk) => stdout.take(chunk));
  return {
    stdin: socket,
    stdout,
    done: async () => {
      await ended;
      return exitCode(engine, Id);
    },
    leave: () => socket.destroy(),
  };
}

module.exports = { openExec };
