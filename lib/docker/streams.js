'use strict';

const { Duplex, Readable } = require('node:stream');

const { TurnBudget, pushRest, takeChunk } = require('../streams');
const { DockerError } = require('./errors');

// What a stream holds ready before its reader asks again.
const READ_AHEAD = 64 * 1024;

/** Pulls what comes out of the addon, as fast as a stream is read. */
class Puller {
  #reader;
  #push;
  #finish;
  #budget = new TurnBudget(() => this.#pull());
  #wanted = false;
  #armed = false;
  #pulling = false;
  #outcome = null;

  /**
   * @param {import('../../native').DialReader} reader
   * @param {(chunk: Buffer) => boolean} push Answers whether more is wanted.
   * @param {(error: Error | null) => void} finish Called once, after the last chunk.
   */
  constructor(reader, push, finish) {
    this.#reader = reader;
    this.#push = push;
    this.#finish = finish;
  }

  want() {
    this.#wanted = true;
    this.#pull();
  }

  /** There may be bytes, or the end. */
  signal() {
    this.#armed = false;
    this.#pull();
  }

  /** Says what kind of end it will be. */
  settle(error) {
    this.#outcome = { error };
    this.#armed = false;
    this.#pull();
  }

  close() {
    this.#finish = null;
    this.#reader.close();
  }

  #pull() {
    if (!this.#wanted || this.#armed || this.#pulling || this.#finish === null) return;
    this.#pulling = true;
    while (this.#wanted && this.#finish !== null && !this.#budget.isSpent()) {
      const chunk = takeChunk(this.#reader);
      if (chunk !== null) {
        this.#budget.spend(chunk.length);
        this.#wanted = this.#push(chunk);
      } else if (this.#reader.isEnded()) {
        this.#end();
        break;
      } else if (!this.#reader.arm()) {
        this.#armed = true;
        break;
      }
    }
    this.#pulling = false;
  }

  #end() {
    if (this.#outcome === null || this.#finish === null) return;
    const finish = this.#finish;
    this.#finish = null;
    finish(this.#outcome.error);
  }
}

/** The headers of an answer as an object, in the way of Node's own. */
function headersOf(pairs) {
  const headers = {};
  for (let at = 0; at < pairs.length; at += 2) {
    const name = pairs[at].toLowerCase();
    const value = pairs[at + 1];
    if (name === 'set-cookie') (headers[name] ??= []).push(value);
    else headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  }
  return headers;
}

function describe(stream, { status, reason, headers }) {
  stream.statusCode = status;
  stream.statusMessage = reason;
  stream.headers = headersOf(headers);
  stream.rawHeaders = headers;
}

/** The body of an answer. What nobody reads stays with the engine. */
class ResponseStream extends Readable {
  #puller;
  #abort;

  /**
   * @param {object} answer
   * @param {import('../../native').DialReader} reader
   * @param {() => void} abort
   */
  constructor(answer, reader, abort) {
    super({ highWaterMark: READ_AHEAD });
    describe(this, answer);
    this.#abort = abort;
    this.#puller = new Puller(reader, (chunk) => this.push(chunk), (error) => {
      if (error) this.destroy(error);
      else this.push(null);
    });
  }

  signalOutput() {
    this.#puller.signal();
  }

  settle(error) {
    this.#puller.settle(error);
  }

  _read() {
    this.#puller.want();
  }

  _destroy(error, callback) {
    this.#puller.close();
    this.#abort();
    callback(error);
  }
}

/**
 * A hijacked connection. `end()` ends what we send and nothing else. Without a writer, which is when
 * the upgrade was lost on the way, writing fails.
 */
class HijackedStream extends Duplex {
  #puller;
  #writer;
  #abort;
  #pending = null;

  /**
   * @param {object} answer
   * @param {{ reader: import('../../native').DialReader, writer: import('../../native').ByteWriter | null }} ends
   * @param {() => void} abort
   */
  constructor(answer, { reader, writer }, abort) {
    super({ highWaterMark: READ_AHEAD, allowHalfOpen: false });
    describe(this, answer);
    this.#writer = writer;
    this.#abort = abort;
    this.#puller = new Puller(reader, (chunk) => this.push(chunk), (error) => {
      if (error) this.destroy(error);
      else this.push(null);
    });
  }

  signalOutput() {
    this.#puller.signal();
  }

  signalInput() {
    if (this.#pending !== null) this.#send();
  }

  settle(error) {
    this.#puller.settle(error);
    // Nobody takes input any more: the addon drops what is left of it.
    if (this.#pending !== null) this.#send();
  }

  /** Ends, and destroys when everything was sent. */
  destroySoon() {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  _read() {
    this.#puller.want();
  }

  _write(chunk, _encoding, callback) {
    if (this.#writer === null) {
      callback(notUpgraded(this.statusCode));
      return;
    }
    this.#pending = { chunk, offset: 0, callback };
    this.#send();
  }

  _final(callback) {
    this.#writer?.end();
    callback();
  }

  _destroy(error, callback) {
    this.#puller.close();
    this.#abort();
    callback(error);
  }

  #send() {
    const pending = this.#pending;
    if (!pushRest(this.#writer, pending)) return;
    this.#pending = null;
    pending.callback();
  }
}

const notUpgraded = (status) => new DockerError(
  'DEW_ENGINE_PROTOCOL',
  `nothing can be sent: the engine answered HTTP ${status} and not 101 (a proxy before it may have removed the upgrade)`,
);

/** A body that is there already, as a stream. */
function wholeStream(answer) {
  const stream = Readable.from(answer.body.length > 0 ? [answer.body] : [], { objectMode: false });
  describe(stream, answer);
  return stream;
}

module.exports = { HijackedStream, ResponseStream, headersOf, wholeStream };
