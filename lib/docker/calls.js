'use strict';

/**
 * Small calls: requests and answers that are there as a whole, on connections of Node's own. A thread
 * to be woken for each of them costs more than the call. What is written and what an answer is, the addon
 * says; whatever it or the connection cannot do becomes an `EngineRequest`.
 */

const { AsyncResource } = require('node:async_hooks');
const net = require('node:net');

const { NativeExchange } = require('../native');
const { aborted, failed } = require('./errors');
const { EngineRequest } = require('./request');

// Connections kept for the next call, and for how long.
const KEPT_CONNECTIONS = 32;
const KEEP_MS = 20_000;
// What may not be sent twice goes over a connection that was in use so recently, or over a new one: the
// engine may have closed its end while we were busy.
const FRESH_MS = 1000;
// Longer bodies are not sent here: the engine may not have to read them.
const LONGEST_BODY = 64 * 1024;
// The most that one read takes. All connections share it: what came is taken at once.
const READ_SIZE = 64 * 1024;

let slab = null;

/** A call under way. `done` is called in a turn of its own, in the context of who made the call. */
class Call {
  #done;
  #resource = new AsyncResource('DockerCall', { requireManualDestroy: true });
  #abort;

  constructor(requests, wanted, done) {
    this.requests = requests;
    this.wanted = wanted;
    this.#done = done;
  }

  /** Whether it may be made twice. */
  get asks() {
    return this.wanted.data === undefined && (this.wanted.method === 'GET' || this.wanted.method === 'HEAD');
  }

  /** @param {() => void} giveUp */
  watch(giveUp) {
    const { signal } = this.wanted;
    if (!signal) return;
    this.#abort = () => {
      giveUp();
      this.#settle(aborted(signal));
    };
    signal.addEventListener('abort', this.#abort, { once: true });
  }

  /** @param {import('../../native').NativeOutcome} outcome */
  settle(outcome) {
    if (outcome.error) this.#settle(failed(outcome));
    else this.#settle(null, outcome);
  }

  /** Makes the request in the other way. */
  again() {
    this.#release();
    try {
      new EngineRequest(this.requests, this.wanted, (error, answer) => this.#settle(error, answer));
    } catch (error) {
      // Without threads nothing can be sent.
      this.#settle(error);
    }
  }

  #settle(error, answer) {
    this.#release();
    this.#resource.runInAsyncScope(process.nextTick, null, this.#done, error, answer);
  }

  #release() {
    if (this.#abort) this.wanted.signal.removeEventListener('abort', this.#abort);
  }
}

/** A connection: one call after the other. */
class Connection {
  #owner;
  #exchange;
  #socket = null;
  #connected = false;
  #timeout = 0;
  #call = null;
  /** When its last call was over. */
  since = 0;

  constructor(owner, requests) {
    this.#owner = owner;
    this.#exchange = new NativeExchange(requests);
  }

  /** Whether `call` is made here. */
  make(call) {
    const { method, target, headers, data, idleTimeout } = call.wanted;
    const head = this.#exchange.begin(method, target, headers, data === undefined ? null : Buffer.byteLength(data));
    if (head === null) return false;
    this.#call = call;
    if (this.#socket === null) this.#open();
    else this.#socket.ref();
    if (this.#timeout !== idleTimeout) this.#socket.setTimeout(this.#timeout = idleTimeout);
    if (data === undefined) this.#socket.write(head, 'latin1');
    else this.#socket.write(head + data);
    call.watch(() => this.#drop());
    return true;
  }

  close() {
    this.#socket?.destroy();
  }

  #open() {
    slab ??= Buffer.allocUnsafeSlow(READ_SIZE);
    this.#socket = net.connect({
      path: this.#owner.path,
      onread: { buffer: slab, callback: (count) => this.#take(count) },
    });
    this.#socket.once('connect', () => { this.#connected = true; });
    this.#socket.on('timeout', () => this.#silent());
    this.#socket.on('error', (error) => this.#lose(error));
    this.#socket.on('end', () => this.#lose(null));
    this.#socket.on('close', () => this.#lose(null));
  }

  #take(count) {
    if (this.#call === null) {
      // Nobody asked.
      this.#lose(null);
      return false;
    }
    const outcome = this.#exchange.take(slab, count);
    if (outcome === null) return true;
    const call = this.#call;
    if (outcome.reusable) this.#rest();
    else this.#drop();
    call.settle(outcome);
    return true;
  }

  #rest() {
    this.#call = null;
    this.#socket.unref();
    this.#owner.keep(this);
  }

  #silent() {
    const call = this.#call;
    // A connection that rests may be silent.
    if (call === null) return;
    this.#drop();
    call.settle(this.#exchange.silent(call.wanted.idleTimeout));
  }

  /** The connection is of no use any more. */
  #lose(error) {
    const call = this.#call;
    this.#drop();
    if (call === null) {
      this.#owner.forget(this);
      return;
    }
    // Nothing of it was sent, or it may be sent twice.
    const isUnsent = !this.#connected || error?.code === 'EPIPE';
    if (!this.#exchange.hasHead() && (isUnsent || call.asks)) call.again();
    else call.settle(error ? this.#exchange.lost(-error.errno) : this.#exchange.end());
  }

  #drop() {
    this.#call = null;
    this.#socket.destroy();
  }
}

/** The connections of one `Docker`. */
class Calls {
  #requests;
  #idle = [];
  #timer = null;

  /**
   * @param {import('../../native').NativeRequests} requests
   * @param {string} path The engine's socket.
   */
  constructor(requests, path) {
    this.#requests = requests;
    this.path = path;
  }

  /** Whether connections of Node's own are of use here. */
  static get isPossible() {
    return process.platform !== 'win32' && process.versions.bun === undefined && process.versions.deno === undefined;
  }

  /** Whether a request is a small call. */
  canMake({ gather, file, data, beside, signal }) {
    return gather && (file ?? beside) === undefined && !signal?.aborted
      && (data === undefined || data.length <= LONGEST_BODY);
  }

  /**
   * Makes a call. The parameters are those of `EngineRequest`.
   *
   * @param {object} wanted
   * @param {(error: Error | null, answer?: object) => void} done
   */
  make(wanted, done) {
    const call = new Call(this.#requests, wanted, done);
    const connection = this.#take(call) ?? new Connection(this, this.#requests);
    if (connection.make(call)) return;
    connection.close();
    call.again();
  }

  /** @param {Connection} connection Its call is over. */
  keep(connection) {
    if (this.#idle.length === KEPT_CONNECTIONS) {
      connection.close();
      return;
    }
    connection.since = performance.now();
    this.#idle.push(connection);
    if (this.#timer === null) this.#timer = setTimeout(() => this.#sweep(), KEEP_MS).unref();
  }

  /** @param {Connection} connection Its engine has closed it. */
  forget(connection) {
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  /** A kept connection that is fit for `call`. */
  #take(call) {
    if (!call.asks && !(this.#idle.at(-1)?.since + FRESH_MS > performance.now())) return undefined;
    return this.#idle.pop();
  }

  /** Closes what has not been used for long: the first of the list has waited longest. */
  #sweep() {
    const now = performance.now();
    const kept = this.#idle.findIndex(({ since }) => since + KEEP_MS > now);
    for (const connection of this.#idle.splice(0, kept < 0 ? this.#idle.length : kept)) connection.close();
    this.#timer = this.#idle.length === 0
      ? null : setTimeout(() => this.#sweep(), this.#idle[0].since + KEEP_MS - now).unref();
  }
}

module.exports = { Calls };
