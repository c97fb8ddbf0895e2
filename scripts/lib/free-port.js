'use strict';
// A port for a program that cannot choose one by itself, or whose port has to be known before.

const net = require('net');

/** Below the ports that systems give to connections and to who asks for any: nobody gets it by chance. */
const FIRST = 15_000, LAST = 32_000;

const isFree = (port) => new Promise((resolve) => {
  const server = net.createServer();
  server.once('error', () => resolve(false));
  server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
});

/** A port on the loopback address that was free a moment ago. */
async function freePort() {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (await isFree(port)) return port;
  }
}

module.exports = { freePort };
