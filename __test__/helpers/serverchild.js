'use strict';

/**
 * A server in a process of its own, so that a test can see whether the process lives,
 * what it holds, and how it ends.
 *
 * Required, it gives `ServerChild`; run, it is that process.
 */

const http = require('node:http');
const { fork } = require('node:child_process');

const { Transcript, within } = require('./deadline');
const procs = require('./procs');

class ServerChild {
  /**
   * @param {object} setup implementation: 'ours' or 'old'; options for the DockerServer, where
   *   `port: 0` means its own listener and no `port` means a Node http server.
   */
  static async start({ implementation, ...options }) {
    const child = new ServerChild(fork(__filename, [], {
      env: { ...process.env, DEW_TEST_SETUP: JSON.stringify({ implementation, options }) },
      silent: true,
      serialization: 'advanced',
    }), options.path || '/shell');
    const first = await within('listening server', Promise.race([child.ready, child.exited]), { transcript: child.transcript });
    if (!first.port) throw new Error(`the server process did not start\n${child.transcript}`);
    child.port = first.port;
    return child;
  }

  constructor(child, path) {
    this.child = child;
    this.path = path;
    this.transcript = new Transcript(`server process ${child.pid}`);
    this.waiting = new Map();
    this.asked = 0;
    this.alive = true;
    this.events = [];
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => this.transcript.note(chunk.toString().trimEnd()));
    }
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.alive = false;
        this.transcript.note(`exit ${code} ${signal}`);
        for (const { reject } of this.waiting.values()) reject(new Error(`the server process is gone\n${this.transcript}`));
        resolve({ code, signal });
      });
    });
    this.ready = new Promise((resolve) => {
      child.on('message', (message) => {
        if (message.port) resolve(message);
        if (message.event) this.events.push(message.event);
        const waiter = this.waiting.get(message.answer);
        if (waiter) {
          this.waiting.delete(message.answer);
          if (message.error) waiter.reject(new Error(message.error));
          else waiter.resolve(message.value);
        }
      });
    });
  }

  get url() {
    return `ws://127.0.0.1:${this.port}${this.path}`;
  }

  get pid() {
    return this.child.pid;
  }

  /** Asks the process: 'sessions' (count), 'close', 'collect' (garbage, where node has --expose-gc). */
  ask(question) {
    if (!this.alive) return Promise.reject(new Error(`the server process is gone\n${this.transcript}`));
    this.asked += 1;
    const id = this.asked;
    const answer = new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
    this.child.send({ id, question });
    return within(`answer to '${question}'`, answer, { transcript: this.transcript });
  }

  sessions() {
    return this.ask('sessions');
  }

  rss() {
    return procs.rssMiB(this.pid);
  }

  fds() {
    return procs.fdCount(this.pid);
  }

  /** Ends the process at once and waits until it is gone. */
  async kill(signal = 'SIGKILL') {
    if (this.alive) this.child.kill(signal);
    return within('exit of the server process', this.exited, { transcript: this.transcript });
  }
}

async function serve() {
  const { implementations } = require('./implementations');
  const { implementation, options } = JSON.parse(process.env.DEW_TEST_SETUP);
  const { Server } = implementations[implementation];
  let web;
  let server;
  let port;
  if (options.port === undefined) {
    web = http.createServer((request, response) => response.writeHead(404).end());
    await new Promise((resolve) => web.listen(0, '127.0.0.1', resolve));
    server = new Server({ path: '/shell', ...options, server: web });
    ({ port } = web.address());
  } else {
    server = new Server({ path: '/shell', ...options });
    await server.execute();
    ({ port } = server.address());
  }
  // An 'error' listener is what a careful caller has; the original has no such event.
  server.on('error', (error) => process.send({ event: { name: 'error', code: error.code, message: error.message } }));
  const answers = {
    sessions: () => server.sessions.length,
    collect: () => global.gc && global.gc(),
    close: async () => {
      await server.close();
      if (web) web.close();
    },
  };
  process.on('message', async ({ id, question }) => {
    try {
      process.send({ answer: id, value: await answers[question]() });
    } catch (error) {
      process.send({ answer: id, error: error.stack });
    }
  });
  process.on('disconnect', () => process.exit());
  process.send({ port });
}

if (require.main === module) serve();

module.exports = { ServerChild };
