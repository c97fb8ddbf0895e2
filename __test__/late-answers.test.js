'use strict';

/** Engines that are late: with the news that a command has ended, or with the last of its output. */

const assert = require('node:assert/strict');
const http = require('node:http');
const net = require('node:net');
const { Transform } = require('node:stream');

const { useContainer } = require('./helpers/container');
const { stall, until } = require('./helpers/deadline');
const { useFakeEngines } = require('./helpers/fake-engine');
const { pairing } = require('./helpers/implementations');
const { useScene } = require('./helpers/scene');
const { outputIsKept } = require('./helpers/unread');

describe('an engine that is late', () => {
  const container = useContainer();
  const scene = useScene(pairing('ours', 'ours'), container);
  const fake = useFakeEngines();

  /** Ids of the execs whose end the engine has told of. */
  async function ended() {
    const gone = new Set();
    const events = await container.docker.getEvents({ filters: { event: ['exec_die'], container: [container.id] } });
    scene.onEnd(() => events.destroy());
    events.on('data', (line) => gone.add(JSON.parse(line).Actor.Attributes.execID));
    return gone;
  }

  /**
   * The engine behind a proxy, as the container of a server; `tell(exec, state, began)` and
   * `print(exec, chunk)` are waited for before it says how an exec is, of which it was asked at that
   * time, and before it hands on some of its output.
   */
  async function proxied({ tell = async () => {}, print = async () => {} }) {
    const proxy = await fake((request, response) => {
      const { method, url, headers } = request;
      const began = performance.now();
      const asked = http.request({ socketPath: container.socketPath, method, path: url, headers }, async (answer) => {
        const exec = /\/exec\/(\w+)\/json$/.exec(url)?.[1];
        response.writeHead(answer.statusCode, answer.headers);
        if (!exec) return answer.pipe(response);
        const state = Buffer.concat(await answer.toArray());
        await tell(exec, JSON.parse(state), began);
        return response.end(state);
      });
      asked.on('error', () => response.destroy());
      response.on('close', () => asked.destroy());
      request.pipe(asked);
    });
    proxy.server.on('upgrade', ({ method, url, rawHeaders }, socket, head) => {
      const exec = /\/exec\/(\w+)\/start$/.exec(url)[1];
      const engine = net.connect({ path: container.socketPath, allowHalfOpen: true });
      const fields = rawHeaders.map((text, index) => (index % 2 === 0 ? `\r\n${text}: ` : text)).join('');
      engine.write(`${method} ${url} HTTP/1.1${fields}\r\n\r\n`);
      engine.write(head);
      const late = new Transform({
        transform: (chunk, _, done) => print(exec, chunk).then(() => done(null, chunk), done),
      });
      for (const [one, other] of [[socket, engine], [engine, late], [late, socket]]) one.pipe(other).on('error', () => one.destroy());
    });
    return { id: container.id, socketPath: proxy.socketPath };
  }

  // As dockerd is from 23 on. What it drops is 64 KiB behind what fits into its buffers, the sockets' and the proxy's.
  it('and tells a command\'s end when it has closed its output: peers that take none at that time lose nothing', async () => {
    const gone = await ended();
    const late = new Set();
    const tell = async (exec, { ExitCode }, began) => {
      if (ExitCode !== null) await until('end of the output', () => gone.has(exec));
      // Longer than the server waits.
      if (performance.now() - began > 500) late.add(exec);
    };
    const sizes = Array.from({ length: 24 }, (_, index) => 1_180_000 + index * 30_000);
    await scene.serve({ container: await proxied({ tell }), maxSessions: sizes.length });
    await outputIsKept(scene, container, sizes);
    assert.ok(late.size > 0, 'no answer was late');
  });

  it('and tells a command\'s end before the last of its output comes: it is waited for', async () => {
    const gone = await ended();
    const print = async (exec, chunk) => {
      if (!chunk.includes('last')) return;
      await until('end of the command', () => gone.has(exec));
      await stall(2500);
    };
    await scene.serve({ container: await proxied({ print }) });
    const { stdout, code } = await scene.run(['sh', '-c', 'echo first; sleep 0.1; echo last; exit 7']);
    assert.deepEqual([stdout, code], ['first\nlast\n', 7]);
  });
});
