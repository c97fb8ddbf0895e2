'use strict';

const { badOption } = require('./errors');

// Marks our listeners, also for another copy of this package in the same process.
const OURS = Symbol.for('docker-exec-websocket.upgrade');

const NOTHING = Buffer.alloc(0);

/** @type {WeakMap<import('node:http').Server, UpgradeRouter>} */
const routers = new WeakMap();

/** Sockets made by {@link closedSocket}. */
const gone = new WeakSet();

/**
 * Serves upgrade requests for `path` on an http server that others may use too.
 *
 * @param {import('node:http').Server} http
 * @param {string} path
 * @param {Route} route
 * @returns {() => void} Stops serving.
 *
 * @typedef {object} Route
 * @property {(request: import('node:http').IncomingMessage,
 *   socket: import('node:stream').Duplex, head: Buffer) => void} open
 * @property {(request: import('node:http').IncomingMessage,
 *   socket: import('node:stream').Duplex) => Buffer | null} refusal The whole HTTP response to a
 *   request that becomes no session: its path is served by nobody, or it asks for no WebSocket.
 */
function serveUpgrades(http, path, route) {
  let router = routers.get(http);
  if (router === undefined) {
    router = new UpgradeRouter(http);
    routers.set(http, router);
  }
  return router.add(path, route);
}

/**
 * Sorts out the upgrade requests of one http server.
 *
 * Other WebSocket servers answer 400 to a path that they do not know, without asking whether
 * somebody else does, and a listener cannot keep an event from the listeners behind it. So a
 * request for one of our paths is taken before the event reaches any listener, and those who
 * only look on get it with a socket that is closed already; all others go their usual way.
 */
class UpgradeRouter {
  #http;
  #routes = new Map();
  #emit = null;

  constructor(http) {
    this.#http = http;
  }

  add(path, route) {
    if (this.#routes.has(path)) {
      throw badOption(`options.path is served already on this http server: ${path}`);
    }
    this.#routes.set(path, route);
    if (this.#routes.size === 1) this.#start();
    let added = true;
    return () => {
      if (!added) return;
      added = false;
      this.#routes.delete(path);
      if (this.#routes.size === 0) this.#stop();
    };
  }

  #start() {
    // Node only tells of upgrades where there is a listener.
    this.#http.prependListener('upgrade', this.#onUpgrade);
    const router = this;
    const own = Object.hasOwn(this.#http, 'emit');
    const inner = this.#http.emit;
    const outer = function emit(name, ...rest) {
      if (name === 'upgrade' && !gone.has(rest[1]) && router.#open(...rest)) {
        if (!router.#isAlone()) Reflect.apply(inner, this, [name, rest[0], closedSocket(), NOTHING]);
        return true;
      }
      const heard = Reflect.apply(inner, this, [name, ...rest]);
      return name === 'request' && !heard ? router.#answerPlain(...rest) : heard;
    };
    this.#http.emit = outer;
    this.#emit = { inner, outer, own };
  }

  #stop() {
    this.#http.removeListener('upgrade', this.#onUpgrade);
    const { inner, outer, own } = this.#emit;
    // Somebody may have wrapped ours: then it stays, and without routes only passes on.
    if (this.#http.emit !== outer) return;
    if (own) this.#http.emit = inner;
    else delete this.#http.emit;
  }

  /** Whether nobody but this package listens. */
  #isAlone() {
    return this.#http.listeners('upgrade').every((listener) => listener[OURS]);
  }

  #open(request, socket, head) {
    const route = this.#routes.get(pathOf(request));
    if (route === undefined) return false;
    route.open(request, socket, head);
    return true;
  }

  /** A request without an upgrade that nobody answers would be left open for ever. */
  #answerPlain(request, response) {
    const refusal = this.#refusal(request, request.socket);
    if (refusal === null) return false;
    const [head, body] = refusal.toString().split('\r\n\r\n');
    const [status, ...headers] = head.split('\r\n');
    const split = headers.flatMap((line) => line.split(/: (.*)/, 2));
    response.writeHead(Number(status.split(' ')[1]), split).end(body);
    return true;
  }

  #refusal(request, socket) {
    const [first] = this.#routes.values();
    return (this.#routes.get(pathOf(request)) ?? first)?.refusal(request, socket) ?? null;
  }

  #onUpgrade = Object.assign((request, socket, head) => {
    if (gone.has(socket)) return;
    // Somebody replaced `emit`: the listener does what it can.
    if (this.#open(request, socket, head)) return;
    // A path that is not ours is for the others. If there are only our own, the last answers.
    if (!this.#isAlone() || this.#http.listeners('upgrade').at(-1) !== this.#onUpgrade) return;
    answer(socket, this.#refusal(request, socket));
  }, { [OURS]: true });
}

/** The path of a request, without its query. */
function pathOf({ url }) {
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
}

/** What those get who look on: whatever they do with it reaches nobody. */
function closedSocket() {
  const { Socket } = require('node:net'); // who has a server has it loaded
  const socket = new Socket();
  socket.destroy();
  gone.add(socket);
  return socket;
}

/** Answers a request with `response`, a whole HTTP response, and ends the connection. */
function answer(socket, response) {
  // The peer may be gone already.
  socket.on('error', () => {});
  socket.once('finish', () => socket.destroy());
  socket.end(response);
}

module.exports = { answer, serveUpgrades };
