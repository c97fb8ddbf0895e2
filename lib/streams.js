'use strict';

const { Readable, Writable } = require('node:stream');

const { Puller } = require('./pull');

// Told by an output stream that has lost its last reader.
const IDLE = Symbol('idle');
// Told by an output stream that has handed out its last byte.
const DRAINED = Symbol('drained');

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

/**
 * A command's output. Bytes are pulled from the addon when a consumer wants them; what nobody
 * reads stays there, and in the end the command waits.
 */
class OutputStream extends Readable {
  /** What callers of version 3.0.0 could see of its flow control; output never waits here now. */
  draining = false;

  #puller = new Puller((chunk) => this.push(chunk), () => {
    this.#drained = true;
    this.#finish();
  });
  #drained = false;
  #settled = false;
  #error = null;
  #pipes = new Set();

  constructor() {
    super({ highWaterMark: 64 * 1024 });
  }

  /** The bytes come from here. */
  attach(reader) {
    this.#puller.attach(reader);
  }

  /** There may be bytes, or the end. */
  signal() {
    this.#puller.signal();
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
    if (this.#puller.isEnded) this.#drained = true;
    this.#finish();
    this.#puller.signal();
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
    this.#puller.want();
  }

  _destroy(error, callback) {
    this.#puller.close();
    callback(error);
  }

  /** Ends the stream once everything was read and it is known how the session ended. */
  #finish() {
    if (this.#isDrained()) this.emit(DRAINED);
    if (!this.#drained || !this.#settled || this.destroyed) return;
    if (this.#error === null) {
      if (!this.#puller.isPulling) this.push(null);
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

module.exports = { InputStream, OutputStream, pushRest };
