'use strict';

/** Peers that speak protocol v1 by hand, so that tests decide about every message. */

const WebSocket = require('ws');

const { Transcript, within, until } = require('./deadline');

const CODE = {
  stdin: 0, stdout: 1, stderr: 2, resize: 50, resume: 100, pause: 101, end: 102, stopped: 200, shutdown: 201, error: 202,
};
const NAME = Object.fromEntries(Object.entries(CODE).map(([name, code]) => [code, name]));

/** The request's query, as the original client writes it. */
function withQuery(url, { command = 'sh', tty = false } = {}) {
  const query = new URLSearchParams({ tty: String(tty) });
  for (const word of [].concat(command)) query.append('command', word);
  return `${url}${url.includes('?') ? '&' : '?'}${query}`;
}

class Peer {
  /** Connects; resolves when the WebSocket is open. `ws`: options for the WebSocket itself. */
  static async open(url, { command, tty, ws = {}, protocols = [] } = {}) {
    const peer = new Peer(new WebSocket(withQuery(url, { command, tty }), protocols, ws));
    await within('WebSocket', peer.opened, { transcript: peer.transcript });
    return peer;
  }

  constructor(socket) {
    this.socket = socket;
    this.messages = [];
    this.isClosed = false;
    this.transcript = new Transcript('raw peer');
    this.opened = new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    this.closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => {
        this.transcript.note(`closed ${code} ${reason}`);
        this.isClosed = true;
        resolve({ code, reason: reason.toString() });
      });
    });
    socket.on('error', (error) => this.transcript.note(`error ${error.message}`));
    socket.on('message', (data, isBinary) => {
      const message = { code: data[0], payload: data.subarray(1), isBinary, length: data.length };
      this.messages.push(message);
      this.transcript.bytes(`<- ${NAME[message.code] || message.code}`, message.payload);
    });
  }

  get isOpen() {
    return this.socket.readyState === WebSocket.OPEN;
  }

  /** Sends bytes (or, as a string, a text message) as they are. */
  raw(bytes) {
    const [code] = Buffer.from(bytes);
    this.transcript.bytes(`-> ${NAME[code] || code}`, Buffer.from(bytes).subarray(1));
    this.socket.send(bytes);
  }

  send(code, payload = '') {
    this.raw(Buffer.concat([Buffer.from([code]), Buffer.from(payload)]));
  }

  stdin(data) {
    this.send(CODE.stdin, data);
  }

  end() {
    this.send(CODE.end);
  }

  resize(rows, cols) {
    const size = Buffer.alloc(4);
    size.writeUInt16LE(rows, 0);
    size.writeUInt16LE(cols, 2);
    this.send(CODE.resize, size);
  }

  of(code) {
    return this.messages.filter((message) => message.code === code);
  }

  bytes(code) {
    return Buffer.concat(this.of(code).map((message) => message.payload));
  }

  get stdout() {
    return this.bytes(CODE.stdout).toString();
  }

  get stderr() {
    return this.bytes(CODE.stderr).toString();
  }

  /** Waits for what `look` finds; a connection that is closed brings nothing more. */
  async expect(what, look, options = {}) {
    return until(what, () => {
      const found = look();
      if (!found && this.isClosed) throw new Error(`the connection ended before ${what}\n${this.transcript}`);
      return found;
    }, { transcript: this.transcript, ...options });
  }

  /** The first message with this code. */
  waitFor(code, options) {
    return this.expect(`message '${NAME[code]}'`, () => this.of(code)[0], options);
  }

  sees(text, options) {
    const look = () => (text instanceof RegExp ? text.exec(this.stdout) : this.stdout.includes(text));
    return this.expect(`${text} on stdout`, look, options);
  }

  /** The exit code, which must be a message of its own after all output. */
  async exit(options) {
    const stopped = await this.waitFor(CODE.stopped, options);
    return stopped.payload[0];
  }

  /** The close frame's code, or 1006 when there was none. */
  close(options = {}) {
    return within('close of the WebSocket', this.closed, { transcript: this.transcript, ...options });
  }

  terminate() {
    this.socket.terminate();
  }
}

/** The upgrade request's outcome where it is refused: { status, body }. */
function refusal(url, { command = 'true', tty = false, ws = {} } = {}) {
  return within('refusal', new Promise((resolve, reject) => {
    const socket = new WebSocket(withQuery(url, { command, tty }), ws);
    socket.on('error', () => {});
    socket.once('open', () => {
      socket.terminate();
      reject(new Error('the upgrade was accepted'));
    });
    socket.once('unexpected-response', (request, response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode, body: Buffer.concat(chunks).toString() }));
    });
  }));
}

module.exports = { Peer, CODE, withQuery, refusal };
