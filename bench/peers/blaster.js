'use strict';
// A server that only sends: `command=blast&command=BYTES&command=SIZE` gets so many bytes of output in
// messages of that size, as fast as the socket takes them. It knows nothing of engines, so that what is
// seen is the client.

const crypto = require('crypto');
const http = require('http');
const { serveJobs } = require('../lib/child');

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const STDOUT = 1, RESUME = 100, PAUSE = 101, STOPPED = 200;
const NORMAL = 1000;
/** About how much one write hands to the system. */
const BLOCK = 1024 * 1024;

/** One message in a frame, as servers send it. */
function frame(payload, opcode = 2) {
  const { length } = payload;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65536 ? 4 : 10);
  head[0] = 0x80 | opcode;
  head[1] = length < 126 ? length : length < 65536 ? 126 : 127;
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

const output = (size) => frame(Buffer.concat([Buffer.of(STDOUT), Buffer.alloc(size)]));

/** The payloads of the frames that a client sends, small ones. */
function* payloads(state, chunk) {
  state.rest = Buffer.concat([state.rest, chunk]);
  while (state.rest.length >= 6) {
    const length = state.rest[1] & 0x7f;
    if (length > 125) throw new Error('the blaster takes no input');
    if (state.rest.length < 6 + length) return;
    const mask = state.rest.subarray(2, 6);
    yield state.rest.subarray(6, 6 + length).map((byte, at) => byte ^ mask[at % 4]);
    state.rest = state.rest.subarray(6 + length);
  }
}

function blast(socket, bytes, size) {
  const one = output(size);
  const perBlock = Math.max(1, Math.floor(BLOCK / one.length));
  const block = Buffer.concat(Array.from({ length: perBlock }, () => one));
  let left = Math.floor(bytes / size);
  let paused = false;
  const more = () => {
    while (left > 0 && !paused) {
      const now = Math.min(left, perBlock);
      left -= now;
      const whole = now === perBlock ? block : block.subarray(0, now * one.length);
      if (!socket.write(whole)) break;
    }
    if (left > 0) return;
    left = NaN;
    if (bytes % size > 0) socket.write(output(bytes % size));
    const code = Buffer.alloc(2);
    code.writeUInt16BE(NORMAL);
    socket.write(Buffer.concat([frame(Buffer.of(STOPPED, 0)), frame(code, 8)]));
  };
  const state = { rest: Buffer.alloc(0) };
  socket.on('drain', () => { if (!Number.isNaN(left)) more(); });
  socket.on('data', (chunk) => {
    for (const [code] of payloads(state, chunk)) {
      if (code === PAUSE) paused = true;
      if (code === RESUME && paused) {
        paused = false;
        if (!Number.isNaN(left)) more();
      }
    }
  });
  socket.on('end', () => socket.end()).on('error', () => socket.destroy());
  socket.write(frame(Buffer.of(RESUME)));
  more();
}

serveJobs({
  listen: () => new Promise((resolve) => {
    const server = http.createServer();
    server.on('upgrade', ({ url, headers }, socket) => {
      const accept = crypto.createHash('sha1').update(headers['sec-websocket-key'] + GUID).digest('base64');
      socket.setNoDelay(true);
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
      const [, bytes, size] = new URL(url, 'http://host').searchParams.getAll('command').map(Number);
      blast(socket, bytes, size);
    });
    server.listen(0, '127.0.0.1', () => resolve({ url: `ws://127.0.0.1:${server.address().port}/` }));
  }),
});
