'use strict';

const { Duplex, Readable } = require('node:stream');

const { Puller } = require('../pull');
const { pushRest } = require('../streams');
const { DockerError } = require('./errors');

// What a stream holds ready before its reader asks again.
const READ_AHEAD = 64 * 1024;

/** A stream's end: what comes is pulled out of the addon as fast as it is read, to one outcome. */
class Incoming {
  #stream;
  #puller;
  #drained = false;
  #outcome = null;

  /**
   * @param {Readable} stream
   * @param {import('../../native').ByteReader} reader
   */
  constructor(stream, reader) {
    this.#stream = stream;
    this.#puller = new Puller((chunk) => stream.push(chunk), () => {
      this.#drained = true;
      this.#finish();
    });
    this.#puller.attach(reader);
  }

  want() {
    this.#puller.want();
  }

  signal() {
    this.#puller.signal();
  }

  /** Says what kind of end it will be. */
  settle(error) {
    this.#outcome ??= { error };
    this.#puller.signal();
    this.#finish();
  }

  close() {
    this.#puller.close();
  }

  #finish() {
    if (!this.#drained || this.#outcome === null || this.#stream.destroyed) return;
    if (this.#outcome.error) this.#stream.destroy(this.#outcome.error);
    else this.#stream.push(null);
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
  #incoming;
  #abort;

  /**
   * @param {object} answer
   * @param {import('../../native').ByteReader} reader
   * @param {() => void} abort
   */
  constructor(answer, reader, abort) {
    super({ highWaterMark: READ_AHEAD });
    describe(this, answer);
    this.#abort = abort;
    this.#incoming = new Incoming(this, reader);
  }

  signalOutput() {
    this.#incoming.signal();
  }

  settle(error) {
    this.#incoming.settle(error);
  }

  _read() {
    this.#incoming.want();
  }

  _destroy(error, callback) {
    this.#incoming.close();
    this.#abort();
    callback(error);
  }
}

/**
 * A hijacked connection. `end()` ends what we send and nothing else. Without a writer, which is when
 * the upgrade was lost on the way, writing fails.
 */
class HijackedStream extends Duplex {
  #incoming;
  #writer;
  #abort;
  #pending = null;

  /**
   * @param {object} answer
   * @param {{ reader: import('../../native').ByteReader, writer: import('../../native').ByteWriter | null }} ends
   * @param {() => void} abort
   */
  constructor(answer, { reader, writer }, abort) {
    super({ highWaterMark: READ_AHEAD, allowHalfOpen: false });
    describe(this, answer);
    this.#writer = writer;
    this.#abort = abort;
    this.#incoming = new Incoming(this, reader);
  }

  signalOutput() {
    this.#incoming.signal();
  }

  signalInput() {
    if (this.#pending !== null) this.#send();
  }

  settle(error) {
    this.#incoming.settle(error);
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
    this.#incoming.want();
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
    this.#incoming.close();
    this.#abort();
    callback(error);
    // Node fails the writes that wait for this one; this one is ours to fail.
    const pending = this.#pending;
    this.#pending = null;
    pending?.callback(error ?? unsent());
  }

  #send() {
    const pending = this.#pending;
    if (!pushRest(this.#writer, pending)) return;
    this.#pending = null;
    pending.callback();
  }
}

const unsent = () => Object.assign(
  new Error('not all of this was sent: the stream was destroyed meanwhile'),
  { code: 'ERR_STREAM_DESTROYED' },
);

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
