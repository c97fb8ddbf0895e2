'use strict';
// A process that is a server and nothing else; its argument says of which kind and for what.

const http = require('http');
const { monitorEventLoopDelay } = require('perf_hooks');
const { serveJobs } = require('../lib/child');

const { kind, engine, container } = JSON.parse(process.argv[2]);

/** More than any measurement opens at once. */
const MAX_SESSIONS = 10_000;
const PATH = '/bench';

const listen = (server) => new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));

const START = {
  async original() {
    const { DockerExecServer } = require('docker-exec-websocket-server');
    const server = http.createServer();
    new DockerExecServer({
      server, path: PATH, containerId: container, maxSessions: MAX_SESSIONS, dockerSocket: engine.host.replace('unix://', ''),
    });
    return listen(server);
  },
  /** On a Node http server that is given to it, as the original. */
  async adopted() {
    const { DockerServer } = require('../..');
    const server = http.createServer();
    const ours = new DockerServer({ server, path: PATH, containerId: container, maxSessions: MAX_SESSIONS, dockerHost: engine.host });
    await ours.execute();
    return listen(server);
  },
  /** On a listener of its own. */
  async port() {
    const { DockerServer } = require('../..');
    const ours = new DockerServer({
      port: 0, path: PATH, containerId: container, maxSessions: MAX_SESSIONS, dockerHost: engine.host,
    });
    await ours.execute();
    return ours.address().port;
  },
};

const delay = monitorEventLoopDelay({ resolution: 1 });

serveJobs({
  /** Collects garbage, all of it; needs the flag --expose-gc. */
  async collect() {
    // What only finalizers let go of is garbage of the second turn.
    for (let turn = 0; turn < 3; turn++) {
      globalThis.gc();
      await new Promise(setImmediate);
    }
  },
  /** From here on the event loop's delay is watched. */
  async watchLoop() {
    delay.reset();
    delay.enable();
  },
  /** How late timers of 1 ms were since then, in milliseconds. */
  async loopDelay() {
    delay.disable();
    const ms = (nanoseconds) => nanoseconds / 1e6;
    return { p50: ms(delay.percentile(50)), p99: ms(delay.percentile(99)), max: ms(delay.max) };
  },
  async listen() {
    return { url: `ws://127.0.0.1:${await START[kind]()}${PATH}` };
  },
});
