'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { Readable } = require('node:stream');

const { badOption } = require('../errors');
const { pushRest } = require('../streams');

/**
 * A body from what a caller calls a file: bytes, the path of a file, a stream, or anything that is
 * iterated over.
 *
 * @returns {{ bytes?: Buffer, source?: Readable, owned?: boolean }}
 */
function bodyOf(file) {
  if (typeof file === 'string') return { source: fs.createReadStream(path.resolve(file)), owned: true };
  if (typeof file !== 'object') throw badOption('a file must be a path, bytes or a stream');
  if (file instanceof Uint8Array) return { bytes: Buffer.from(file.buffer, file.byteOffset, file.byteLength) };
  if (typeof file.pipe === 'function' && typeof file.on === 'function') return { source: file };
  if (typeof file.getReader === 'function') return { source: Readable.fromWeb(file), owned: true };
  if (Symbol.asyncIterator in file || Symbol.iterator in file) return { source: Readable.from(file), owned: true };
  throw badOption('a file must be a path, bytes or a stream');
}

/** Moves a stream into the body of a request, no faster than the engine takes it. */
class Upload {
  #source;
  #owned;
  #writer;
  #fail;
  #rest = null;
  #ended = false;
  #done = false;

  /**
   * @param {{ source: Readable, owned?: boolean }} body
   * @param {import('../../native').ByteWriter} writer
   * @param {(error: Error) => void} fail Told when the source breaks.
   */
  constructor({ source, owned }, writer, fail) {
    this.#source = source;
    this.#owned = owned;
    this.#writer = writer;
    this.#fail = fail;
    source.on('data', this.#take).on('end', this.#end).on('error', this.#broken).on('close', this.#closed);
    // A stream that broke before it came here tells nobody any more.
    if (source.errored) this.#broken(source.errored);
    else if (source.destroyed && !source.readableEnded) this.#closed();
    else if (source.readableEnded) this.#end();
  }

  /** There is room again. */
  signalInput() {
    if (this.#rest === null || !this.#push()) return;
    if (this.#ended) this.#end();
    else this.#source.resume();
  }

  /** Nobody takes the body any more. */
  stop() {
    if (this.#done) return;
    this.#done = true;
    this.#source.off('data', this.#take).off('end', this.#end).off('close', this.#closed);
    this.#source.pause();
    if (this.#owned) this.#source.destroy();
  }

  #take = (given) => {
    const chunk = typeof given === 'string' ? Buffer.from(given) : given;
    if (!(chunk instanceof Uint8Array)) {
      this.#broken(badOption('a stream to be sent must give bytes or text'));
      return;
    }
    this.#rest = { chunk, offset: 0 };
    if (!this.#push()) this.#source.pause();
  };

  #end = () => {
    this.#ended = true;
    // A stream may say that it has ended although it was paused, with its last chunk in our hands.
    if (this.#done || this.#rest !== null) return;
    this.#done = true;
    this.#writer.end();
  };

  #broken = (error) => {
    if (this.#done) return;
    this.stop();
    this.#fail(error);
  };

  #closed = () => {
    if (this.#ended) return;
    this.#broken(Object.assign(new Error('the stream to be sent ended before its end'), { code: 'ERR_STREAM_PREMATURE_CLOSE' }));
  };

  #push() {
    if (!pushRest(this.#writer, this.#rest)) return false;
    this.#rest = null;
    return true;
  }
}

module.exports = { Upload, bodyOf };
