'use strict';

const { EventEmitter } = require('node:events');

const { NativeServer } = require('./native');
const { failure, fromNative } = require('./errors');
const { handOver, whenListening } = require('./handover');
const { nativeServerOptions, serverOptions } = require('./options');
const { answer, serveUpgrades } = require('./upgrade');

/** One peer joined to one command in the container. */
class Session {
  #close;

  constructor({ id, command, tty, remoteAddress }, close) {
    this.id = id;
    this.command = command;
    this.tty = tty;
    this.remoteAddress = remoteAddress;
    this.#close = close;
  }

  /** Tells the peer `shutdown` and ends the command. */
  close() {
    this.#close(this.id);
  }
}

/**
 * Serves commands in one container to WebSockets on one path: on an http server that is given
 * to it, from the moment it is made, or on a port of its own, from `execute` on.
 *
 * Orders events and owns listeners; sockets, limits and sessions are the addon's.
 */
class DockerServer extends EventEmitter {
  #native;
  #stopServing = null;
  #address = null;
  #executing = null;
  #closing = null;
  #held = false;
  // Sessions whose commands may run still, beyond the end of the session.
  #unsettled = new Set();

  constructor(options) {
    super();
    this.options = serverOptions(options);
    /** The http server that it was given. */
    this.server = this.options.server;
    /** Names the container. Old callers patch methods into this object; nothing calls them. */
    this.container = { id: this.options.containerId };
    /** The open sessions, oldest first. */
    this.sessions = [];
    // Only an open session or a listener keeps this object alive, not the addon's own events.
    const self = new WeakRef(this);
    this.#native = new NativeServer(nativeServerOptions(this.options), (_signal, event) => {
      self.deref()?.#onEvent(event);
    });
    if (!this.server) return;
    const stopServing = serveUpgrades(this.server, this.options.path, {
      open: (request, socket, head) => this.#open(request, socket, head),
      refusal: (request, socket) => this.#native.refusal(describe(request, socket)),
    });
    const stopPreparing = whenListening(this.server, (descriptor) => this.#native.prepareListener(descriptor));
    this.#stopServing = () => {
      stopServing();
      stopPreparing();
    };
  }

  /**
   * Checks that the engine answers and that the container runs; with `port`, then listens.
   *
   * @returns {Promise<void>}
   */
  execute() {
    if (this.#closing !== null) {
      return Promise.reject(failure('DEW_SERVER_CLOSED', 'the server is closed: make a new one'));
    }
    this.#executing ??= this.#execute().catch((error) => {
      // What was wrong may be mended: the next call tries again.
      this.#executing = null;
      throw error;
    });
    return this.#executing;
  }

  async #execute() {
    await this.#native.check();
    if (this.server) return;
    this.#address = await this.#native.listen(this.options.host, this.options.port);
    this.#updateHold();
    this.emit('listening');
  }

  /** Where it listens, as `net.Server` tells it; `null` if it does not. */
  address() {
    return this.server ? this.server.address() : this.#address;
  }

  /**
   * Stops serving, tells each peer `shutdown`, and resolves when every command has ended. An
   * http server that was given is left as it is.
   *
   * @returns {Promise<void>}
   */
  close() {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close() {
    this.#stopServing?.();
    await this.#native.close();
    this.#address = null;
    this.#native.dispose();
    // Their events may have been on their way still.
    for (const session of [...this.sessions]) this.#removed(session.id);
    this.emit('close');
  }

  async [Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')]() {
    await this.close();
  }

  #onEvent({ name, session, id, error }) {
    if (name === 'added') this.#added(session);
    else if (name === 'removed') this.#removed(id);
    else if (name === 'settled') this.#settled(id);
    else if (name === 'error') this.#failed(fromNative(error));
  }

  #added(info) {
    const session = new Session(info, (id) => this.#native.closeSession(id));
    this.sessions.push(session);
    this.#unsettled.add(info.id);
    this.#updateHold();
    this.emit('session', session);
    this.emit('session added', this.sessions.length);
  }

  #removed(id) {
    const index = this.sessions.findIndex((session) => session.id === id);
    if (index < 0) return;
    this.sessions.splice(index, 1);
    this.emit('session removed', this.sessions.length);
  }

  #settled(id) {
    this.#unsettled.delete(id);
    this.#updateHold();
  }

  /** What concerns one session must not end a process that does not listen for it. */
  #failed(error) {
    if (this.listenerCount('error') > 0) this.emit('error', error);
  }

  /**
   * A listener, or a session whose processes may run still, keeps the process and this object
   * alive: whoever exits before they were ended leaves them in the container.
   */
  #updateHold() {
    const holds = this.#address !== null || this.#unsettled.size > 0;
    if (holds === this.#held) return;
    this.#held = holds;
    if (holds) this.#native.hold(() => this);
    else this.#native.release();
  }

  #open(request, socket, head) {
    const handshake = describe(request, socket);
    const refusal = this.#native.refusal(handshake);
    if (refusal !== null) {
      answer(socket, refusal);
      return;
    }
    const native = this.#native;
    const to = {
      socket: (descriptor, bytes) => native.acceptSocket(descriptor, bytes, handshake),
      bridge: (bridge, bytes) => native.acceptBridge(bridge, bytes, handshake),
    };
    handOver(socket, head, to, (error, session) => {
      if (error !== null) this.#failed(error);
      else if (session !== null) this.#added(session);
    });
  }
}

/** A request as the addon takes it. */
function describe(request, socket) {
  return {
    method: request.method,
    target: request.url,
    headers: request.rawHeaders,
    remoteAddress: socket.remoteAddress,
    secure: socket.encrypted === true,
  };
}

module.exports = DockerServer;
