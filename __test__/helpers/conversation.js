'use strict';

/**
 * A client (ours or the original) with everything that it says written down.
 *
 * Output is collected as it comes; `end()` gives it with the exit code when both the
 * 'exit' event and the ends of the streams are there.
 */

const { once } = require('node:events');

const { exitCode } = require('./implementations');
const { Transcript, within, until, event } = require('./deadline');

const EVENTS = ['open', 'resumed', 'paused', 'resume', 'pause', 'exit', 'shutdown', 'error', 'close'];

function brief(value) {
  if (value === undefined) return '';
  if (Buffer.isBuffer(value)) return JSON.stringify(value.subarray(0, 80).toString());
  if (value instanceof Error) return `${value.name} ${value.code || ''} ${value.message}`;
  if (value && value.message) return `(${value.constructor.name}) ${value.message}`;
  return JSON.stringify(value);
}

class Conversation {
  /**
   * @param {string} kind 'ours' or 'old', the client's implementation.
   * @param {EventEmitter} client not yet executed.
   * @param {object} options collect: false leaves stdout and stderr to the test.
   */
  constructor(kind, client, { collect = true, title = '' } = {}) {
    this.kind = kind;
    this.client = client;
    this.collect = collect;
    this.events = [];
    this.errors = [];
    this.out = [];
    this.err = [];
    this.outBytes = 0;
    this.transcript = new Transcript(`client ${title}`);
    for (const name of EVENTS) {
      client.on(name, (value) => {
        // 'resumed' of the original comes for every frame that it sends: the first one tells.
        if (this.events[this.events.length - 1] !== name) this.events.push(name);
        if (name === 'error') this.errors.push(value);
        this.transcript.note(`${name} ${brief(value)}`);
      });
    }
    this.exited = new Promise((resolve) => client.once('exit', (code) => resolve(exitCode(kind, code))));
    this.resumed = once(client, 'resumed').catch(() => {});
  }

  /** execute(), with the listeners on the streams there at once. */
  async open() {
    const opened = this.client.execute();
    opened.catch(() => {});
    await within('connection', opened, { transcript: this.transcript });
    if (this.collect) this.listen();
    return this;
  }

  listen() {
    const { stdout, stderr } = this.client;
    stdout.on('data', (chunk) => {
      if (this.events[this.events.length - 1] !== 'data') this.events.push('data');
      this.out.push(chunk);
      this.outBytes += chunk.length;
      this.transcript.bytes('stdout', chunk);
    });
    stderr.on('data', (chunk) => {
      this.err.push(chunk);
      this.transcript.bytes('stderr', chunk);
    });
    // Plain listeners: events.once() would listen for 'error' too, and change what happens.
    const both = (name) => Promise.all([stdout, stderr].map((stream) => new Promise((resolve) => stream.once(name, resolve))));
    this.ended = both('end');
    // Where the output is cut off there is no 'end': the streams close without it.
    this.cut = both('close');
  }

  get stdout() {
    return Buffer.concat(this.out);
  }

  get stderr() {
    return Buffer.concat(this.err);
  }

  /** Waits until stdout has `wanted` (a string, or a pattern whose match is returned). */
  async sees(wanted, { stream = 'stdout', ms } = {}) {
    const found = () => {
      const text = this[stream].toString();
      return wanted instanceof RegExp ? wanted.exec(text) : text.includes(wanted);
    };
    return until(`${wanted} on ${stream}`, found, { ms, transcript: this.transcript });
  }

  /** Waits for the end: { code, stdout, stderr }, output as Buffers. */
  async end({ ms } = {}) {
    const options = { ms, transcript: this.transcript };
    const code = await within("'exit' event", this.exited, options);
    await within('end of stdout and stderr', this.ended, options);
    return { code, stdout: this.stdout, stderr: this.stderr };
  }

  /** Like `end()`, as text. */
  async text(options) {
    const { code, stdout, stderr } = await this.end(options);
    return { code, stdout: stdout.toString(), stderr: stderr.toString() };
  }

  /** The next event of that name. */
  next(name, options = {}) {
    return event(this.client, name, { transcript: this.transcript, ...options });
  }

  /** Waits until the client has told of an error and gives the first one. */
  async error(options = {}) {
    return until("'error' event", () => this.errors[0], { transcript: this.transcript, ...options });
  }

  /** Leaves, whatever state the client is in. */
  leave() {
    const { socket } = this.client;
    try {
      this.client.close();
    } catch (error) {
      this.transcript.note(`close() threw ${brief(error)}`);
    }
    if (socket && typeof socket.terminate === 'function') socket.terminate();
  }
}

module.exports = { Conversation };
