'use strict';

/** A TCP connection that can send what no WebSocket library would. */

const crypto = require('node:crypto');
const net = require('node:net');

const { Transcript, within, until } = require('./deadline');
const { withQuery } = require('./wire');

const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

/** One WebSocket frame as bytes; masked, final and without reserved bits unless told. */
function frame(opcode, payload = Buffer.alloc(0), { fin = true, rsv = 0, mask = true, length } = {}) {
  const body = Buffer.from(payload);
  const claimed = length === undefined ? body.length : length;
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
  const masked = mask ? 0x80 : 0;
  let extended = Buffer.alloc(0);
  if (claimed < 126) {
    head.push(masked | claimed);
  } else if (claimed < 65536) {
    head.push(masked | 126);
    extended = Buffer.alloc(2);
    extended.writeUInt16BE(claimed);
  } else {
    head.push(masked | 127);
    extended = Buffer.alloc(8);
    extended.writeBigUInt64BE(BigInt(claimed));
  }
  if (!mask) return Buffer.concat([Buffer.from(head), extended, body]);
  const key = crypto.randomBytes(4);
  const hidden = Buffer.from(body);
  for (let i = 0; i < hidden.length; i += 1) hidden[i] ^= key[i % 4];
  return Buffer.concat([Buffer.from(head), extended, key, hidden]);
}

/** Splits the server's bytes into { opcode, payload, fin }; gives what is left over. */
function parseFrames(bytes) {
  const frames = [];
  let at = 0;
  while (bytes.length - at >= 2) {
    let length = bytes[at + 1] & 0x7f;
    let start = at + 2;
    if (length === 126) {
      if (bytes.length < at + 4) break;
      length = bytes.readUInt16BE(at + 2);
      start = at + 4;
    } else if (length === 127) {
      if (bytes.length < at + 10) break;
      length = Number(bytes.readBigUInt64BE(at + 2));
      start = at + 10;
    }
    if (bytes.length < start + length) break;
    frames.push({ fin: (bytes[at] & 0x80) !== 0, opcode: bytes[at] & 15, payload: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return { frames, rest: bytes.subarray(at) };
}

class RawConnection {
  static async connect(port, host = '127.0.0.1') {
    const connection = new RawConnection(net.connect(port, host));
    await within('TCP connection', connection.connected, { transcript: connection.transcript });
    return connection;
  }

  constructor(socket) {
    this.socket = socket;
    this.frames = [];
    this.head = null;
    this.rest = Buffer.alloc(0);
    this.transcript = new Transcript('raw connection');
    this.connected = new Promise((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    // The other side has closed, or reset; either way it wants nothing more from us.
    this.gone = new Promise((resolve) => {
      socket.once('end', resolve);
      socket.once('close', resolve);
    });
    socket.on('error', (error) => this.transcript.note(`error ${error.message}`));
    socket.on('data', (chunk) => this.take(chunk));
  }

  take(chunk) {
    this.rest = Buffer.concat([this.rest, chunk]);
    if (this.head === null) {
      const end = this.rest.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.head = this.rest.subarray(0, end).toString();
      this.rest = this.rest.subarray(end + 4);
      this.transcript.note(`<- ${this.head.split('\r\n')[0]}`);
    }
    if (!this.head.startsWith('HTTP/1.1 101')) return;
    const { frames, rest } = parseFrames(this.rest);
    this.rest = rest;
    for (const one of frames) {
      this.frames.push(one);
      this.transcript.note(`<- opcode ${one.opcode}, ${one.payload.length} bytes, first ${one.payload[0]}`);
    }
  }

  write(bytes) {
    this.transcript.note(`-> ${bytes.length} bytes`);
    this.socket.write(bytes);
  }

  /** The text of an upgrade request; `headers` replace (or with null, remove) the usual ones. */
  static request(path, { headers = {}, method = 'GET', version = '1.1' } = {}) {
    const all = {
      Host: '127.0.0.1',
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': crypto.randomBytes(16).toString('base64'),
      ...headers,
    };
    const lines = Object.entries(all).filter(([, value]) => value !== null).map(([name, value]) => `${name}: ${value}`);
    return `${method} ${path} HTTP/${version}\r\n${lines.join('\r\n')}\r\n\r\n`;
  }

  /** Makes the connection a WebSocket. Gives the status line's code. */
  async upgrade(path, { command = 'cat', tty = false, ...request } = {}) {
    this.write(RawConnection.request(withQuery(path, { command, tty }), request));
    return this.status();
  }

  /** The status of the answer. */
  async status(options = {}) {
    await until('HTTP answer', () => this.head !== null, { transcript: this.transcript, ...options });
    return Number(this.head.split(' ')[1]);
  }

  frame(...args) {
    this.write(frame(...args));
  }

  /** Waits for a protocol message (binary frame) with this code. */
  message(code, options = {}) {
    return until(`message ${code}`, () => this.frames.find((one) => one.opcode === OPCODE.binary && one.payload[0] === code),
      { transcript: this.transcript, ...options });
  }

  /** Waits for the server's close frame, answers it as a client has to, and gives its code. */
  async farewell() {
    const { payload } = await until('close frame', () => this.frames.find((one) => one.opcode === OPCODE.close),
      { transcript: this.transcript });
    this.frame(OPCODE.close, payload);
    await this.closeCode();
    return payload.readUInt16BE(0);
  }

  /** The code in the server's close frame, or null when the connection ended without one. */
  async closeCode(options = {}) {
    await within('end of the connection', this.gone, { transcript: this.transcript, ...options });
    const close = this.frames.find((one) => one.opcode === OPCODE.close);
    return close && close.payload.length >= 2 ? close.payload.readUInt16BE(0) : null;
  }

  destroy() {
    this.socket.destroy();
  }
}

module.exports = { RawConnection, frame, parseFrames, OPCODE };
