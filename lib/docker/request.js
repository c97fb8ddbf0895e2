'use strict';

const { NativeDial } = require('../native');
const { aborted, failed } = require('./errors');
const { HijackedStream, ResponseStream, wholeStream } = require('./streams');
const { Upload, bodyOf } = require('./upload');

// Signals of a request.
const OUTPUT = 1;
const INPUT = 2;

/**
 * One request: from its first byte to the last of its answer.
 *
 * `done(error, answer)` is called once, in a turn of its own: `answer` has `status`, `reason` and
 * `headers` (names and values by turns), and either `body` or `stream`.
 */
class EngineRequest {
  #native = null;
  #stream = null;
  #upload = null;
  #done;
  #signal;
  #hijacks;
  #beside;
  #settled = false;

  /**
   * @param {import('../../native').NativeRequests} requests
   * @param {object} wanted
   * @param {string} wanted.method
   * @param {string} wanted.target
   * @param {string[]} wanted.headers Names and values by turns.
   * @param {string | Buffer} [wanted.data] The body, if it is there as a whole.
   * @param {unknown} [wanted.file] The body otherwise.
   * @param {boolean} wanted.hijack Whether the connection is to become a stream in both directions.
   * @param {boolean} wanted.gather Whether the answer is to come as a whole.
   * @param {boolean} [wanted.terminal] Whether that stream is a terminal's: destroyed, it is left in order.
   * @param {number} wanted.idleTimeout In ms, 0 for none.
   * @param {AbortSignal} [wanted.signal]
   * @param {{ begin: (giveUp: (error: Error) => void) => void, end: () => void }} [wanted.beside] What lives as
   *   long as the request is under way.
   * @param {(error: Error | null, answer?: object) => void} done
   */
  constructor(requests, wanted, done) {
    this.#done = done;
    this.#signal = wanted.signal;
    this.#hijacks = wanted.hijack;
    this.#beside = wanted.beside;
    if (this.#signal?.aborted) {
      this.#finish(aborted(this.#signal));
      return;
    }
    const { bytes, ...body } = this.#body(wanted);
    this.#native = new NativeDial(requests, {
      method: wanted.method,
      target: wanted.target,
      headers: wanted.headers,
      body: bytes,
      streams: body.source !== undefined,
      gather: wanted.gather,
      terminal: Boolean(wanted.terminal),
      idleTimeout: wanted.idleTimeout,
    }, (signal, event) => this.#hear(signal, event));
    this.#signal?.addEventListener('abort', this.#abort, { once: true });
    this.#beside?.begin((error) => this.#giveUp(error));
    if (body.source) this.#upload = new Upload(body, this.#native.input(), (error) => this.#giveUp(error));
  }

  #body({ data, file }) {
    if (file !== undefined && file !== null) return bodyOf(file);
    return data === undefined ? {} : { bytes: Buffer.from(data) };
  }

  #hear(signal, event) {
    if (signal === OUTPUT) this.#stream?.signalOutput();
    else if (signal === INPUT) (this.#upload ?? this.#stream)?.signalInput();
    else if (event.name === 'answer') this.#answer(event);
    else if (event.name === 'failed') this.#finish(failed(event));
    else this.#ended(event);
  }

  #answer(event) {
    if (event.body) {
      this.#finish(null, event);
      return;
    }
    const reader = this.#native.output();
    const abort = () => this.#letGo();
    const writer = event.hijacked ? this.#native.input() : null;
    this.#stream = event.hijacked || this.#hijacks
      ? new HijackedStream(event, { reader, writer }, abort)
      : new ResponseStream(event, reader, abort);
    this.#settle(null, { ...event, stream: this.#stream });
  }

  #ended({ error, errno }) {
    this.#release();
    this.#stream.settle(error ? failed({ error, errno }) : null);
  }

  #abort = () => this.#giveUp(aborted(this.#signal));

  /** Ends it all because of `error`. */
  #giveUp(error) {
    this.#native?.abort();
    if (this.#stream) {
      this.#release();
      this.#stream.destroy(error);
    } else {
      this.#finish(error);
    }
  }

  /** The reader of the answer is gone. */
  #letGo() {
    this.#native.abort();
    this.#release();
  }

  #finish(error, answer) {
    this.#release();
    this.#settle(error, answer);
  }

  #settle(error, answer) {
    if (this.#settled) return;
    this.#settled = true;
    // What a callback throws is to be nobody's error but its own.
    process.nextTick(this.#done, error, answer);
  }

  #release() {
    this.#upload?.stop();
    this.#beside?.end();
    this.#signal?.removeEventListener('abort', this.#abort);
  }
}

/** An answer's body as a stream, also if it came as a whole. */
const streamOf = (answer) => answer.stream ?? wholeStream(answer);

module.exports = { EngineRequest, streamOf };
