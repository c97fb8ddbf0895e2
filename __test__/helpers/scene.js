'use strict';

/**
 * Servers, clients and raw peers of one test, in this process, ended after the test.
 */

const http = require('node:http');
const https = require('node:https');

const { Conversation } = require('./conversation');
const { Transcript, within } = require('./deadline');
const { Peer } = require('./wire');

function listen(server, ...where) {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(...(where.length > 0 ? where : [0, '127.0.0.1']), () => {
      server.off('error', reject);
      resolve(server.address());
    });
  });
}

class Scene {
  constructor(pair, container) {
    this.pair = pair;
    this.container = container;
    this.endings = [];
  }

  /** Something to do after the test; last in, first done. */
  onEnd(ending) {
    this.endings.push(ending);
  }

  /** An http (or with `tls` https) server on a free port that the scene closes. */
  async http({ tls, handler, socketPath } = {}) {
    const server = tls ? https.createServer(tls, handler) : http.createServer(handler);
    const address = await listen(server, ...(socketPath ? [socketPath] : []));
    this.onEnd(async () => {
      server.closeAllConnections();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    });
    return { server, port: address.port, address };
  }

  /**
   * A DockerServer on an http server, as with the original packages.
   * Gives { server, httpServer, url, transcript }; the last one is `this.current`.
   */
  async serve({ tls, httpServer, path = '/shell', container = this.container, ...options } = {}) {
    const transcript = new Transcript(`server ${path}`);
    const web = httpServer || (await this.http({ tls })).server;
    const server = new this.pair.Server({
      server: web,
      path,
      containerId: container.id,
      dockerSocket: container.socketPath,
      ...options,
    });
    for (const name of ['session', 'session added', 'session removed', 'error']) {
      server.on(name, (value) => transcript.note(`${name} ${typeof value === 'object' ? value && value.message : value}`));
    }
    const { port } = web.address();
    const url = `${tls ? 'wss' : 'ws'}://127.0.0.1:${port}${path}`;
    const close = async () => within('server.close()', Promise.resolve(server.close()), { transcript });
    this.onEnd(async () => {
      // The original throws when a session is not ready yet; the test is over then.
      if (this.pair.server === 'old') await close().catch(() => {});
      else await close();
    });
    this.current = { server, httpServer: web, url, path, port, transcript, close };
    return this.current;
  }

  /** A client that is not executed yet. */
  client({ url = this.current.url, collect, kind = this.pair.client, Client = this.pair.Client, ...options } = {}) {
    const client = new Client({ url, tty: false, ...options });
    const title = `${options.tty ? 'tty ' : ''}${JSON.stringify(options.command)}`;
    const talk = new Conversation(kind, client, { collect, title });
    this.onEnd(() => talk.leave());
    return talk;
  }

  /** A client, connected. */
  async open(options) {
    if (!this.current) await this.serve();
    return this.client(options).open();
  }

  /** One command from start to end: { code, stdout, stderr } as text. */
  async run(command, options) {
    const talk = await this.open({ command, ...options });
    return talk.text();
  }

  /** A raw peer that speaks the protocol by hand. */
  async peer(options = {}) {
    if (!this.current) await this.serve();
    const peer = await Peer.open(options.url || this.current.url, options);
    this.onEnd(() => peer.terminate());
    return peer;
  }

  async end() {
    const problems = [];
    while (this.endings.length > 0) {
      try {
        await this.endings.pop()();
      } catch (error) {
        problems.push(error);
      }
    }
    this.current = undefined;
    if (problems.length > 0) throw problems[0];
  }
}

/** A scene for the tests of the enclosing `describe`; everything in it ends after each test. */
function useScene(pair, container) {
  const scene = new Scene(pair, container);
  afterEach('end servers and clients', () => scene.end());
  return scene;
}

module.exports = { Scene, useScene, listen };
