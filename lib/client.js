'use strict';

const { EventEmitter } = require('node:events');

const { NativeClient } = require('./native');
const { ServerTextError, aborted, failure, fromNative } = require('./errors');
const { handOver } = require('./handover');
const { checkClientOptions, clientOptions } = require('./options');
const { Outbox, toBuffer } = require('./outbox');
const { ClientSocket } = require('./socket');
const { sortWsopts } = require('./wsopts');

// Signals of the addon's client.
const STDOUT = 1;
const STDERR = 2;
const STDIN = 3;

// The first byte of each message.
const CODE = Object.freeze({
  stdout: 1, stderr: 2, resize: 50, resume: 100, pause: 101, stopped: 200, shutdown: 201,
  error: 202,
});

/**
 * Runs one command in the container of a server, with its standard streams here.
 *
 * Orders events and owns the Node streams; the connection is the addon's.
 */
class DockerClient extends EventEmitter {
  #native = null;
  #executing = null;
  #settle = null;
  #stopDialing = null;
  #stopListening = () => {};
  #state = 'new';
  #size = null;
  #exit = null;
  #closed = null;
  #closing = false;

  constructor(options) {
    super();
    this.options = clientOptions(options);
    this.#makeStreams();
  }

  #makeStreams() {
    // Loaded with the first client that is made: it takes Node's streams along.
    const { InputStream, OutputStream } = require('./streams');
    /** Takes whole messages, behind the input that was written before. */
    this.strbuf = new Outbox();
    this.strbuf.on('high', () => this.#flow('paused', 'pause'));
    this.stdin = new InputStream(this.strbuf);
    this.stdout = new OutputStream();
    this.stderr = new OutputStream();
  }

  /** Bytes that were written and that the connection has not taken yet. */
  get outstandingBytes() {
    return this.strbuf.length;
  }

  /**
   * Connects. Resolves when the connection is open, before the command runs: what is written
   * from then on waits for it. After the end of a session it may be called again.
   *
   * @returns {Promise<void>}
   */
  execute() {
    if (this.#state === 'closed') this.#reset();
    this.#executing ??= new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      try {
        this.#connect();
      } catch (error) {
        this.#failed(error);
      }
    });
    return this.#executing;
  }

  #reset() {
    this.#makeStreams();
    this.#state = 'new';
    this.#executing = this.#exit = this.#closed = null;
    this.#closing = false;
  }

  #connect() {
    checkClientOptions(this.options);
    const { signal, url, tty, command, wsopts } = this.options;
    if (signal?.aborted) throw aborted(signal);
    const { headers, tls, node, ...limits } = sortWsopts(wsopts, url);
    const given = (name) => limits[name] ?? this.options[name];
    const [rows, cols] = this.#size ?? firstSize(this.options);
    const connectTimeout = given('connectTimeout');
    const native = new NativeClient({
      url, tty, command: [command].flat(), rows, cols, headers: headers.flat(), ...tls,
      connectTimeout,
      maxMessageSize: given('maxMessageSize'),
      closeTimeout: given('closeTimeout'),
      outputLimit: this.options.outputLimit,
      inputLimit: this.options.inputLimit,
      keepAliveInterval: this.options.keepAliveInterval,
      keepAliveTimeout: this.options.keepAliveTimeout,
    }, (number, event) => {
      // What an earlier connection still had to tell is not this one's.
      if (native === this.#native) this.#onNative(number, event);
    });
    this.#native = native;
    this.#state = 'connecting';
    this.url = this.#native.url;
    this.socket = new ClientSocket(this.url, {
      close: () => this.close(),
      terminate: () => this.#terminate(),
      send: (message, callback) => this.strbuf.write(message, callback),
      waiting: () => this.strbuf.length,
    });
    this.#listenTo(signal);
    if (node === null) {
      this.#native.connect();
    } else {
      // Seldom needed, and it takes Node's http, https and crypto along.
      const { dial } = require('./dial');
      this.#stopDialing = dial(this.url, node, headers, connectTimeout, this.#dialed);
    }
  }

  #listenTo(signal) {
    if (signal === undefined) return;
    const onAbort = () => {
      const error = aborted(signal);
      if (this.#state === 'connecting') {
        this.#failed(error);
        return;
      }
      try {
        this.#tellError(error);
      } finally {
        this.close();
      }
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#stopListening = () => signal.removeEventListener('abort', onAbort);
  }

  /** Node has made the connection, or not. */
  #dialed = (error, opened) => {
    this.#stopDialing = null;
    if (error !== null) {
      this.#failed(error);
      return;
    }
    const { socket, head, modern } = opened;
    const native = this.#native;
    handOver(socket, head, {
      socket: (descriptor, bytes) => native.connectSocket(descriptor, bytes, modern),
      bridge: (bridge, bytes) => native.connectBridge(bridge, bytes, modern),
    }, (refused) => {
      if (refused !== null) this.#failed(refused);
    });
  };

  #onNative(number, event) {
    if (number === STDOUT) this.stdout.signal();
    else if (number === STDERR) this.stderr.signal();
    else if (number === STDIN) this.strbuf.signal();
    else this.#onEvent(event);
  }

  #onEvent({ name, code, text, error }) {
    switch (name) {
      case 'open':
        this.#opened();
        break;
      case 'failed':
        this.#failed(fromNative(error));
        break;
      case 'resumed':
        this.#flow('resumed', 'resume');
        break;
      case 'paused':
        this.#flow('paused', 'pause');
        break;
      case 'exit':
        this.#exited(code);
        break;
      case 'shutdown':
        this.emit('shutdown');
        break;
      case 'message':
        this.#tellError(new ServerTextError(text));
        break;
      case 'closed':
        this.#lastWord(code, text, error ? fromNative(error) : null);
        break;
      default:
    }
  }

  #opened() {
    if (this.#state !== 'connecting') return;
    this.#state = 'open';
    this.strbuf.attach(this.#native.stdin());
    this.stdout.attach(this.#native.stdout());
    this.stderr.attach(this.#native.stderr());
    // The size went with the request, which servers of version 3.0.0 do not read.
    if (this.#size !== null) this.#native.resize(...this.#size);
    // Whoever awaits it goes on behind the listeners all the same, also if one of them throws.
    this.#settle.resolve();
    try {
      this.socket.opened();
    } finally {
      this.emit('open');
    }
  }

  /** There is no connection, and will be none. */
  #failed(error) {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#stopListening();
    this.#stopDialing?.();
    this.#native?.terminate();
    this.#native = null;
    this.#endStreams(error);
    this.#settle?.reject(error);
    this.socket?.failed(error);
    this.socket?.closed(1006, '');
  }

  #flow(...names) {
    for (const name of names) this.emit(name);
  }

  /** Without a listener an error would end the process. */
  #tellError(error) {
    if (this.listenerCount('error') > 0) this.emit('error', error);
  }

  /** All output is here. Whoever reads it shall have read it when told of the end. */
  #exited(code) {
    if (this.#exit !== null) return;
    const streams = [this.stdout, this.stderr];
    const tell = () => {
      if (this.#exit.told) return;
      this.#exit.told = true;
      try {
        this.emit('exit', code);
      } finally {
        // Their ends come behind `exit`, as in version 3.0.0.
        for (const stream of streams) stream.settle(null);
        // Behind those ends, which take a turn.
        setImmediate(() => this.#finishClose());
      }
    };
    this.#exit = { told: false, tell };
    const read = this.#closing ? [] : streams.filter((stream) => stream.isConsumed());
    if (read.length === 0) {
      tell();
      return;
    }
    // In a turn of its own, so that what a listener throws is not a promise's business.
    Promise.all(read.map((stream) => stream.consumed())).then(() => process.nextTick(tell));
  }

  #lastWord(code, reason, error) {
    this.#stopListening();
    this.#closed = { code, reason };
    try {
      if (error !== null) {
        this.socket.failed(error);
        this.#tellError(error);
      }
    } finally {
      this.#endStreams(error);
      this.#finishClose();
    }
  }

  #endStreams(error) {
    // Where the exit code is still to be told, the streams end behind it.
    if (this.#exit?.told !== false) {
      this.stdout.settle(error);
      this.stderr.settle(error);
    }
    this.strbuf.close();
    this.stdin.destroy();
  }

  #finishClose() {
    if (this.#closed === null || this.#exit?.told === false || this.#state === 'closed') return;
    this.#state = 'closed';
    const { code, reason } = this.#closed;
    try {
      this.socket.closed(code, reason);
    } finally {
      this.emit('close', { code, reason });
    }
  }

  /**
   * Tells the size of the terminal. Before `execute` it is the size to begin with.
   *
   * @param {number} rows
   * @param {number} cols
   */
  resize(rows = 0, cols = 0) {
    if (!this.options.tty) throw new Error('cannot resize, not a tty instance');
    const size = [cells(rows, 'rows'), cells(cols, 'cols')];
    this.#size = size;
    if (this.#state === 'open') this.#native.resize(...size);
  }

  /** Asks the server to send no more output for now. */
  pause() {
    if (this.#state === 'open') this.#native.pause();
  }

  /** Asks the server to send output again. */
  resume() {
    if (this.#state === 'open') this.#native.resume();
  }

  /** Sends a message that is only a code. */
  sendCode(code) {
    this.strbuf.write(Buffer.from([code]));
  }

  /** Sends a message of a code and data. */
  sendMessage(code, data) {
    this.strbuf.write(Buffer.concat([Buffer.from([code]), toBuffer(data)]));
  }

  /**
   * Takes a message as if the server had sent it.
   *
   * @param {{ data: ArrayBuffer | Uint8Array }} messageEvent
   */
  messageHandler({ data }) {
    const message = toBuffer(data);
    const payload = message.subarray(1);
    switch (message[0]) {
      case CODE.stdout:
        this.stdout.push(payload);
        break;
      case CODE.stderr:
        this.stderr.push(payload);
        break;
      case CODE.resume:
        this.strbuf.resume();
        this.#flow('resumed', 'resume');
        break;
      case CODE.pause:
        this.strbuf.pause();
        this.#flow('paused', 'pause');
        break;
      case CODE.stopped:
        this.#exited(payload[0] ?? 0);
        this.#closeConnection();
        break;
      case CODE.shutdown:
        this.emit('shutdown');
        this.close();
        break;
      case CODE.error:
        this.#tellError(new ServerTextError(payload.toString()));
        break;
      default:
    }
  }

  /** Closes the connection in order, which ends the command. `close` follows. */
  close() {
    this.#waitForNobody();
    this.#closeConnection();
  }

  #closeConnection() {
    if (this.#state === 'open') this.#native.close();
    else this.#giveUp();
  }

  /** Who closes may have stopped reading: the exit code, and `close`, no longer wait for that. */
  #waitForNobody() {
    if (this.#state !== 'open') return;
    this.#closing = true;
    if (this.#exit?.told === false) process.nextTick(this.#exit.tell);
  }

  #terminate() {
    this.#waitForNobody();
    if (this.#state === 'open') this.#native.terminate();
    else this.#giveUp();
  }

  #giveUp() {
    if (this.#state !== 'connecting') return;
    this.#failed(failure('DEW_CLIENT_CLOSED', 'the client was closed before the connection was open'));
  }

  async [Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')]() {
    if (this.#state === 'new' || this.#state === 'closed') return;
    const closed = new Promise((resolve) => {
      this.once('close', resolve);
      this.#executing.catch(resolve);
    });
    this.close();
    await closed;
  }
}

function firstSize({ rows, cols }) {
  if (rows === undefined || cols === undefined) return [undefined, undefined];
  return [cells(rows, 'rows'), cells(cols, 'cols')];
}

function cells(count, name) {
  const value = Number(count);
  if (Number.isInteger(value) && value >= 0 && value <= 0xffff) return value;
  throw new RangeError(`${name} must be a whole number from 0 to 65535, not ${count}`);
}

module.exports = DockerClient;
