'use strict';

/** Loaded for the first socket that cannot be taken over: most can. */
const bridge = () => require('./bridge');

/**
 * Gives a socket of Node's to the addon: the connection itself where that is possible, so that
 * no byte passes through JavaScript any more, else over a bridge.
 *
 * At once if the socket has nothing left to send, else as soon as it has sent it.
 *
 * @template T
 * @param {import('node:stream').Duplex} socket
 * @param {Buffer} head What Node has read already.
 * @param {object} to
 * @param {(descriptor: number, head: Buffer) => T} to.socket Takes the connection over.
 * @param {(bridge: object, head: Buffer) => T} to.bridge Takes the bridge.
 * @param {(error: Error | null, taken?: T) => void} done Not called if the socket goes before.
 */
function handOver(socket, head, to, done) {
  // Its 'close' may have come already, and would be waited for in vain.
  if (socket.destroyed) return;
  const handle = plainHandle(socket);
  if (handle === null) {
    attempt(() => to.bridge(bridge().bridgeTo(socket), head), () => {}, socket, done);
    return;
  }
  const take = () => {
    // Bytes that Node read after the head belong to the peer's first frames. Reading them may
    // make Node ask for more, which must not come: from here on they are the addon's.
    const rest = socket.readableLength > 0 ? socket.read() : null;
    handle.readStop();
    const bytes = rest === null ? head : Buffer.concat([head, rest]);
    // Destroying closes Node's descriptor, not the connection.
    attempt(() => to.socket(handle.fd, bytes), () => socket.destroy(), socket, done);
  };
  handle.readStop();
  if (socket.writableLength === 0 && handle.writeQueueSize === 0) {
    take();
    return;
  }
  // Called behind everything that was written before.
  socket.write('', () => {
    if (!socket.destroyed) take();
  });
}

/** Keeps what `done` throws, which is a caller's, apart from what taking the socket throws. */
function attempt(take, after, socket, done) {
  let taken;
  try {
    taken = take();
  } catch (error) {
    socket.destroy();
    done(error);
    return;
  }
  after();
  done(null, taken);
}

/**
 * The handle of a socket whose descriptor carries exactly the bytes that the socket does. A TLS
 * socket has a descriptor too, but that one carries encrypted bytes.
 */
function plainHandle(socket) {
  const net = require('node:net'); // who has a socket has it loaded
  if (!(socket instanceof net.Socket) || socket.encrypted) return null;
  const handle = socket._handle;
  const kind = handle?.constructor?.name;
  if (kind !== 'TCP' && kind !== 'Pipe') return null;
  if (typeof handle.readStop !== 'function') return null;
  return hasDescriptor(handle) ? handle : null;
}

/** Handles of Windows have none, nor have those of listeners that a cluster shares. */
const hasDescriptor = (handle) => Number.isInteger(handle?.fd) && handle.fd >= 0;

/**
 * Tells the descriptor that an http server listens on, each time when it begins to listen and at
 * once if it does already. Where there is none, nothing is told.
 *
 * @param {import('node:http').Server} http
 * @param {(descriptor: number) => void} tell
 * @returns {() => void} Ends that.
 */
function whenListening(http, tell) {
  const told = () => {
    if (hasDescriptor(http._handle)) tell(http._handle.fd);
  };
  if (http.listening) told();
  // Before anybody connects to it.
  http.prependListener('listening', told);
  return () => http.off('listening', told);
}

module.exports = { handOver, whenListening };
