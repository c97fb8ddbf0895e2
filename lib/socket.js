'use strict';

const { EventEmitter } = require('node:events');

const STATES = Object.freeze({ CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 });

/**
 * The connection as callers of version 3.0.0 know it, who had the `WebSocket` of the `ws`
 * package in their hands: its state and its events, but not its messages, which are read by the
 * addon. A listener of `addEventListener` gets one event object, one of `on` what `ws` gives.
 */
class ClientSocket extends EventEmitter {
  #actions;
  #adapters = new Map();

  /**
   * @param {string} url
   * @param {{ close: () => void, terminate: () => void, send: (message: Uint8Array) => void,
   *   waiting: () => number }} actions
   */
  constructor(url, actions) {
    super();
    this.#actions = actions;
    this.url = url;
    this.readyState = STATES.CONNECTING;
    this.binaryType = 'arraybuffer';
    this.protocol = '';
    this.extensions = '';
  }

  get bufferedAmount() {
    return this.#actions.waiting();
  }

  /** Sends a whole message, in order with the input. */
  send(message, options, callback) {
    this.#actions.send(message, typeof options === 'function' ? options : callback);
  }

  close() {
    if (this.readyState < STATES.CLOSING) this.readyState = STATES.CLOSING;
    this.#actions.close();
  }

  terminate() {
    if (this.readyState < STATES.CLOSING) this.readyState = STATES.CLOSING;
    this.#actions.terminate();
  }

  addEventListener(type, listener, options) {
    if (typeof listener !== 'function' && typeof listener?.handleEvent !== 'function') return;
    const adapter = (...details) => {
      const event = { type, target: this, ...eventDetails(type, details) };
      if (typeof listener === 'function') listener.call(this, event);
      else listener.handleEvent(event);
    };
    this.#adapters.set(listener, adapter);
    if (options?.once) this.once(type, adapter);
    else this.on(type, adapter);
  }

  removeEventListener(type, listener) {
    const adapter = this.#adapters.get(listener);
    if (adapter !== undefined) this.removeListener(type, adapter);
  }

  /** @internal */
  opened() {
    this.readyState = STATES.OPEN;
    this.emit('open');
  }

  /** @internal */
  failed(error) {
    if (this.listenerCount('error') > 0) this.emit('error', error);
  }

  /** @internal */
  closed(code, reason) {
    if (this.readyState === STATES.CLOSED) return;
    this.readyState = STATES.CLOSED;
    this.emit('close', code, Buffer.from(reason));
  }
}

Object.assign(ClientSocket, STATES);
Object.assign(ClientSocket.prototype, STATES);

function eventDetails(type, [first, second]) {
  if (type === 'close') {
    return { code: first, reason: String(second), wasClean: first !== 1006 };
  }
  return type === 'error' ? { error: first, message: first.message } : {};
}

module.exports = { ClientSocket };
