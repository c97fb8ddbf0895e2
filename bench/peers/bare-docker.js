'use strict';

const net = require('net');

/**
 * The least that a Node.js program can do for a call: a fixed text on a socket of its own, and the JSON behind
 * the first empty line of whatever comes. It understands nothing else of HTTP, and is the limit for those who do.
 */
module.exports = class BareDocker {
  #path;
  #idle = [];

  constructor({ socketPath }) {
    this.#path = socketPath;
  }

  getContainer(id) {
    const request = `GET /containers/${id}/json HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    return { inspect: () => this.#call(request) };
  }

  #call(request) {
    const connection = this.#idle.pop() ?? this.#connect();
    return new Promise((resolve) => {
      connection.resolve = resolve;
      connection.socket.write(request, 'latin1');
    });
  }

  #connect() {
    const connection = { socket: net.connect(this.#path), resolve: null };
    connection.socket.on('data', (bytes) => {
      const text = bytes.latin1Slice();
      this.#idle.push(connection);
      connection.resolve(JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)));
    });
    return connection;
  }
};
