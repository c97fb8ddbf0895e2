'use strict';

const { NativeBridge } = require('./native');
const { Source, TurnBudget } = require('./pull');
const { pushRest } = require('./streams');

// Signals of a bridge.
const OUTPUT = 1;
const INPUT = 2;
const GONE = 3;

// How long a socket that the addon has let go of may take to send the rest.
const LINGER_MS = 5000;

/**
 * Joins a socket, that cannot be taken over, to a stream inside the addon, and moves the bytes
 * between the two: TLS sockets, which Node has to decrypt, and whatever has no descriptor.
 *
 * @param {import('node:stream').Duplex} socket
 * @returns {import('../native').NativeBridge} To be given to the addon.
 */
function bridgeTo(socket) {
  const native = new NativeBridge((signal) => {
    if (signal === OUTPUT) sender.signal();
    else if (signal === INPUT) receiver.goOn();
    else if (signal === GONE) sender.letGo();
  });
  const sender = new Sender(socket, native.output());
  const receiver = new Receiver(socket, native.input());
  socket.setTimeout?.(0);
  socket.setNoDelay?.(true);
  // Without a listener an error would end the process; 'close' follows and tells the addon.
  socket.on('error', () => {});
  socket.once('close', () => native.detach(!receiver.ended));
  sender.send();
  receiver.start();
  return native;
}

/** From the socket to the addon. */
class Receiver {
  /** Whether the other end has closed its direction in order. */
  ended = false;
  #socket;
  #writer;
  #rest = null;

  constructor(socket, writer) {
    this.#socket = socket;
    this.#writer = writer;
  }

  start() {
    this.#socket.on('data', (chunk) => {
      this.#rest = { chunk, offset: 0 };
      if (!this.#push()) this.#socket.pause();
    });
    this.#socket.once('end', () => {
      this.ended = true;
      // Streams other than Node's sockets may end while they are paused, with a chunk in hand.
      if (this.#rest === null) this.#writer.end();
    });
    this.#socket.resume();
  }

  /** There is room again. */
  goOn() {
    if (this.#rest !== null && !this.#push()) return;
    if (this.ended) this.#writer.end();
    else this.#socket.resume();
  }

  #push() {
    if (!pushRest(this.#writer, this.#rest)) return false;
    this.#rest = null;
    return true;
  }
}

/** From the addon to the socket. */
class Sender {
  #socket;
  #source;
  #budget = new TurnBudget(() => this.send());
  #draining = false;
  #ended = false;

  constructor(socket, reader) {
    this.#socket = socket;
    this.#source = new Source(reader);
    socket.on('drain', () => {
      this.#draining = false;
      this.send();
    });
  }

  /** There may be bytes, or the end. */
  signal() {
    this.#source.waits = false;
    this.send();
  }

  send() {
    const [socket, source] = [this.#socket, this.#source];
    while (!this.#draining && !this.#ended && !source.waits && !socket.destroyed && !this.#budget.isSpent()) {
      const chunk = source.take();
      if (chunk !== null) {
        this.#budget.spend(chunk.length);
        this.#draining = !socket.write(chunk);
      }
      if (source.ended) {
        this.#ended = true;
        socket.end();
      }
    }
  }

  /** Nobody in the addon listens any more: what is left is sent, then the socket goes. */
  letGo() {
    const socket = this.#socket;
    this.signal();
    if (socket.destroyed) return;
    if (socket.writableFinished) {
      socket.destroy();
      return;
    }
    socket.once('finish', () => socket.destroy());
    const linger = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => clearTimeout(linger));
  }
}

module.exports = { bridgeTo };
