'use strict';

const { Readable, Writable } = require('node:stream');

// Bytes are copied out of the addon into slabs, and slices of a slab are what consumers get: one
// copy, no allocation for each chunk. All streams share the current slab.
const SLAB_SIZE = 256 * 1024;
// With less room than this left a new slab is better than a run of small chunks.
const SLAB_REST = 16 * 1024;
// The most that one stream hands on before other events get their turn.
const TURN_BUDGET = 1024 * 1024;

// Told by an output stream that has lost its last reader.
const IDLE = Symbol('idle');
// Told by an output stream that has handed out its last byte.
const DRAINED = Symbol('drained');

let slab = null;
let used = 0;

/**
 * The next bytes that wait, or `null` if there are none now.
 *
 * @param {import('../native').ByteReader} reader
 * @returns {Buffer | null}
 */
function takeChunk(reader) {
  if (slab === null || SLAB_SIZE - used < SLAB_REST) {
    slab = Buffer.allocUnsafeSlow(SLAB_SIZE);
    used = 0;
  }
  const count = reader.readInto(slab, used);
  if (count === 0) return null;
  const chunk = slab.subarray(used, used + count);
  used += count;
  return chunk;
}

/**
 * Gives the addon what is left of a chunk, as far as there is room; answers whether that was all.
 * If it was not, the writer's signal tells when there is room again.
 *
 * @param {import('../native').ByteWriter} writer
 * @param {{ chunk: Uint8Array, offset: number }} rest Its offset goes on.
 * @returns {boolean}
 */
function pushRest(writer, rest) {
  do {
    rest.offset += writer.push(rest.chunk, rest.offset);
    if (rest.offset >= rest.chunk.length) return true;
  } while (writer.arm());
  return false;
}

/** How much may still be handed on in this turn of the event loop. */
class TurnBudget {
  #left = TURN_BUDGET;
  #resets = false;
  #go;
  #goes = false;

  /** @param {() => void} go Called in a later turn if the budget ran out. */
  constructor(go) {
    this.#go = go;
  }

  spend(bytes) {
    this.#left -= bytes;
    if (this.#resets) return;
    this.#resets = true;
    setImmediate(() => {
      this.#resets = false;
      this.#left = TURN_BUDGET;
      if (!this.#goes) return;
      this.#goes = false;
      this.#go();
    });
  }

  /** Whether nothing may be handed on now; `go` is called when that changes. */
  isSpent() {
    if (this.#left > 0) return false;
    this.#goes = true;
    return true;
  }
}

/**
 * A command's output. Bytes are pulled from the addon when a consumer wants them; what nobody
 * reads stays there, and in the end the command waits.
 */
class OutputStream extends Readable {
  /** What callers of version 3.0.0 could see of its flow control; output never waits here now. */
  draining = false;

  #reader = null;
  #budget = new TurnBudget(() => this.#pull());
  #wanted = false;
  #pulling = false;
  #armed = false;
  #drained = false;
  #settled = false;
  #error = null;
  #pipes = new Set();

  constructor() {
    super({ highWaterMark: 64 * 1024 });
  }

  /** The bytes come from here. */
  attach(reader) {
    this.#reader = reader;
    if (this.destroyed) reader.close();
    else this.#pull();
  }

  /** There may be bytes, or the end. */
  signal() {
    this.#armed = false;
    this.#pull();
  }

  /**
   * Says how the session ended. Bytes that wait are still handed on, then the stream ends, or is
   * destroyed if there is an error.
   *
   * @param {Error | null} error
   */
  settle(error) {
    if (this.#settled) return;
    this.#settled = true;
    this.#error = error;
    if (this.#reader === null || this.#reader.isEnded()) this.#drained = true;
    this.#finish();
    this.#armed = false;
    this.#pull();
  }

  /** Whether somebody is about to read everything up to the end. */
  isConsumed() {
    if (this.destroyed || this.readableEnded) return false;
    return this.readableFlowing === true || this.#pipes.size > 0
      || this.listenerCount('readable') > 0 || this.listenerCount('data') > 0;
  }

  /** Resolves when every byte was read, or when nobody wants to read any more. */
  consumed() {
    return new Promise((resolve) => {
      if (this.#isDrained()) resolve();
      this.once(DRAINED, resolve);
      this.once('close', resolve);
      this.once(IDLE, resolve);
    });
  }

  #isDrained() {
    return this.#drained && this.readableLength === 0;
  }

  pipe(destination, options) {
    this.#pipes.add(destination);
    return super.pipe(destination, options);
  }

  unpipe(destination) {
    if (destination === undefined) this.#pipes.clear();
    else this.#pipes.delete(destination);
    super.unpipe(destination);
    if (!this.isConsumed()) this.emit(IDLE);
    return this;
  }

  read(size) {
    const chunk = super.read(size);
    if (this.#drained) this.#finish();
    return chunk;
  }

  _read() {
    this.#wanted = true;
    this.#pull();
  }

  _destroy(error, callback) {
    this.#reader?.close();
    callback(error);
  }

  #pull() {
    if (!this.#wanted || this.#armed || this.#pulling || this.#drained) return;
    if (this.#reader === null || this.destroyed) return;
    this.#pulling = true;
    while (this.#wanted && !this.#budget.isSpent()) {
      const chunk = takeChunk(this.#reader);
      if (chunk !== null) {
        this.#budget.spend(chunk.length);
        this.#wanted = this.push(chunk);
      } else if (this.#reader.isEnded()) {
        this.#drained = true;
        break;
      } else if (!this.#reader.arm()) {
        this.#armed = true;
        break;
      }
    }
    this.#pulling = false;
    if (this.#drained) this.#finish();
  }

  /** Ends the stream once everything was read and it is known how the session ended. */
  #finish() {
    if (this.#isDrained()) this.emit(DRAINED);
    if (!this.#drained || !this.#settled || this.destroyed) return;
    if (this.#error === null) {
      if (!this.#pulling) this.push(null);
    } else if (this.readableLength === 0) {
      // Without a listener the error would end the process; the client has told of it already.
      this.destroy(this.listenerCount('error') > 0 ? this.#error : undefined);
    }
  }
}

/** A command's input. `write` pushes back; `end` ends the command's input and nothing else. */
class InputStream extends Writable {
  #outbox;
  #ended = false;

  /** @param {import('./outbox').Outbox} outbox */
  constructor(outbox) {
    super({ highWaterMark: 64 * 1024, decodeStrings: true });
    this.#outbox = outbox;
  }

  _write(chunk, _encoding, callback) {
    this.#outbox.input(chunk, callback);
  }

  _writev(chunks, callback) {
    const last = chunks.length - 1;
    chunks.forEach(({ chunk }, index) => {
      this.#outbox.input(chunk, index === last ? callback : undefined);
    });
  }

  _final(callback) {
    this.#ended = true;
    this.#outbox.endInput();
    callback();
  }

  _destroy(error, callback) {
    // Whoever gives up writing has nothing more to say: the command must not wait for it.
    if (!this.#ended) this.#outbox.endInput();
    callback(error);
  }
}

module.exports = { InputStream, OutputStream, TurnBudget, pushRest, takeChunk };
