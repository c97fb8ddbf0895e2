'use strict';

const { EventEmitter } = require('node:events');

const END = Buffer.from([102]);

// A caller who pushes messages past this is told `paused`, as in version 3.0.0.
const HIGH_WATER = 8 * 1024 * 1024;

/**
 * All messages to the server, in the order in which they were given: pieces of input, and whole
 * messages that callers make themselves. To them it looks like the stream that was here before.
 *
 * Events: `drain` when everything was passed on after `write` had answered `false`; `high` when
 * a message took what waits over 8 MiB.
 */
class Outbox extends EventEmitter {
  #writer = null;
  #queue = [];
  #queued = 0;
  #waiting = false;
  #full = false;
  #paused = false;
  #closed = false;
  #needsDrain = false;
  #ended = false;

  /** Bytes that the connection has not taken yet. */
  get length() {
    return this.#queued + (this.#writer?.pending ?? 0);
  }

  get paused() {
    return this.#paused;
  }

  /** The messages go there. */
  attach(writer) {
    this.#writer = writer;
    this.#pump();
  }

  /** There is room for more. */
  signal() {
    this.#waiting = false;
    this.#pump();
  }

  /**
   * Sends a whole message.
   *
   * @param {Uint8Array | string} message Its first byte is the code.
   * @param {() => void} [callback] Called when it was passed on, or when it never will be.
   * @returns {boolean} Whether the caller may go on at once.
   */
  write(message, encoding, callback) {
    const done = typeof encoding === 'function' ? encoding : callback;
    if (this.#ended) {
      done?.();
      return false;
    }
    const bytes = toBuffer(message, typeof encoding === 'string' ? encoding : 'utf8');
    this.#add(bytes, true, done);
    if (this.length <= HIGH_WATER) return true;
    this.#needsDrain = true;
    this.emit('high');
    // Whole messages are taken however little room there is: then nothing is left here that waits for it.
    if (this.#queue.length === 0) process.nextTick(() => this.#pump());
    return false;
  }

  /** Sends bytes of input. `callback` is called when all of them were passed on. */
  input(bytes, callback) {
    this.#add(bytes, false, callback);
  }

  /** Ends the session's input, behind what was given before. */
  endInput() {
    this.#add(END, true);
  }

  /** Takes no more messages of callers' own, after this one if there is one. */
  end(message) {
    if (message !== undefined && typeof message !== 'function') this.write(message);
    this.#ended = true;
    return this;
  }

  /** Passes nothing on until `resume`. */
  pause() {
    this.#paused = true;
    return this;
  }

  resume() {
    this.#paused = false;
    this.#pump();
    return this;
  }

  /** The connection is gone: what waits, and what comes, is dropped. */
  close() {
    this.#closed = true;
    const dropped = this.#queue;
    this.#queue = [];
    this.#queued = 0;
    for (const { done } of dropped) done?.();
  }

  #add(bytes, whole, done) {
    if (this.#closed) {
      done?.();
      return;
    }
    this.#queue.push({ bytes, offset: 0, whole, done });
    this.#queued += bytes.length;
    this.#pump();
  }

  #pump() {
    if (this.#writer === null || this.#waiting || this.#paused) return;
    while (this.#queue.length > 0) {
      if (this.#full && !this.#writer.arm()) {
        this.#waiting = true;
        return;
      }
      const item = this.#queue[0];
      this.#full = !this.#pass(item);
      if (item.offset < item.bytes.length) continue;
      this.#queue.shift();
      item.done?.();
    }
    if (!this.#needsDrain) return;
    if (this.#full && !this.#writer.arm()) {
      this.#waiting = true;
      return;
    }
    this.#needsDrain = false;
    this.emit('drain');
  }

  /** Passes on what there is room for; answers whether there is room for more. */
  #pass(item) {
    const { bytes, offset } = item;
    if (item.whole) {
      item.offset = bytes.length;
      this.#queued -= bytes.length;
      return this.#writer.pushWhole(bytes);
    }
    const count = this.#writer.push(bytes, offset);
    item.offset += count;
    this.#queued -= count;
    return item.offset === bytes.length;
  }
}

function toBuffer(data, encoding) {
  if (Buffer.isBuffer(data)) return data;
  if (typeof data === 'string') return Buffer.from(data, encoding);
  if (ArrayBuffer.isView(data)) return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return Buffer.from(data);
}

module.exports = { Outbox, toBuffer };
