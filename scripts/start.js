#!/usr/bin/env node
'use strict';
// npm start: a container, the server, and a page with a terminal in it, until Ctrl-C.
// PORT chooses the port (8080 or the next free one by default, 0 for any).

const { openEngine } = require('./engine');
const { startContainer } = require('./lib/containers');
const { pageServer, listen } = require('./lib/page-server');
const { setup, asProgram, SetupError } = require('./setup');

/** The port that PORT asks for; null if it asks for none. */
function wantedPort() {
  const { PORT } = process.env;
  if (!PORT) return null;
  const port = Number(PORT);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new SetupError(`PORT must be a number from 0 to 65535, not '${PORT}'`);
  return port;
}

/** What is open, closed in the opposite order, each part whether or not the one before failed. */
class Closers {
  #all = [];

  add(close) {
    this.#all.push(close);
  }

  async close() {
    for (const close of this.#all.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        console.error(`could not end in order: ${error.message}`);
      }
    }
  }
}

/** Brings everything up and resolves to the address of the page. */
async function bringUp(closers, port) {
  const { engine, end } = await openEngine();
  closers.add(end);
  const container = await startContainer(engine, 'demo');
  closers.add(() => container.remove());

  const { server, base } = pageServer({ container: container.name, engine: engine.private ? 'private engine' : engine.kind });
  closers.add(() => new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  }));
  const address = `127.0.0.1:${await listen(server, port ?? 8080, port !== null)}`;

  // Only now: the addon that it loads is built by the set-up.
  const { DockerServer } = require('..');
  const shells = new DockerServer({
    server, path: `${base}shell`, containerId: container.id, dockerHost: engine.host, origins: 'same',
  });
  closers.add(() => shells.close());
  shells.on('error', (error) => console.error(`${error.code}: ${error.message}`));
  await shells.execute();
  return { page: `http://${address}${base}`, shell: `ws://${address}${base}shell` };
}

async function main() {
  const port = wantedPort();
  await setup();
  const closers = new Closers();
  const asked = new Promise((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, resolve);
  });
  try {
    const { page, shell } = await bringUp(closers, port);
    console.log(`\n  page      ${page}\n  terminal  node bin/dew.js exec ${shell} sh\n\n  Ctrl-C ends it and removes the container.\n`);
    await asked;
    console.log('ending');
  } finally {
    await closers.close();
  }
  return 0;
}

asProgram(main);
