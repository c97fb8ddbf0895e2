'use strict';

/** Engines that say of a command that it has ended only when they have closed its output, as dockerd does from 23 on. */

const assert = require('node:assert/strict');
const http = require('node:http');
const net = require('node:net');

const { useContainer } = require('./helpers/container');
const { until } = require('./helpers/deadline');
const { useFakeEngines } = require('./helpers/fake-engine');
const { pairing } = require('./helpers/implementations');
const { useScene } = require('./helpers/scene');
const { outputIsKept } = require('./helpers/unread');

describe('an engine that tells a command\'s end when it has closed its output', () => {
  const container = useContainer();
  const scene = useScene(pairing('ours', 'ours'), container);
  const fake = useFakeEngines();

  /**
   * The engine behind a proxy that holds such answers back until the engine says `exec_die`, where it does
   * not do that itself; `late` has the execs whose answers took longer than the server waits (500 ms).
   */
  async function lateEngine() {
    const late = new Set();
    const gone = new Set();
    const events = await container.docker.getEvents({ filters: { event: ['exec_die'], container: [container.id] } });
    scene.onEnd(() => events.destroy());
    events.on('data', (line) => gone.add(JSON.parse(line).Actor.Attributes.execID));

    const proxy = await fake((request, response) => {
      const { method, url, headers } = request;
      const began = performance.now();
      const asked = http.request({ socketPath: container.socketPath, method, path: url, headers }, async (answer) => {
        const exec = /\/exec\/(\w+)\/json$/.exec(url)?.[1];
        response.writeHead(answer.statusCode, answer.headers);
        if (!exec) return answer.pipe(response);
        const chunks = await answer.toArray();
        if (JSON.parse(Buffer.concat(chunks)).ExitCode !== null) await until('end of the output', () => gone.has(exec));
        if (performance.now() - began > 500) late.add(exec);
        return response.end(Buffer.concat(chunks));
      });
      asked.on('error', () => response.destroy());
      response.on('close', () => asked.destroy());
      request.pipe(asked);
    });
    proxy.server.on('upgrade', ({ method, url, rawHeaders }, socket, head) => {
      const engine = net.connect({ path: container.socketPath, allowHalfOpen: true });
      const fields = rawHeaders.map((text, index) => (index % 2 === 0 ? `\r\n${text}: ` : text)).join('');
      engine.write(`${method} ${url} HTTP/1.1${fields}\r\n\r\n`);
      engine.write(head);
      for (const [one, other] of [[socket, engine], [engine, socket]]) one.pipe(other).on('error', () => one.destroy());
    });
    return { socketPath: proxy.socketPath, late };
  }

  // What dockerd drops is 64 KiB behind what fits into its buffers, the sockets' and the proxy's.
  it('loses nothing of it for peers that take none at that time', async () => {
    const { socketPath, late } = await lateEngine();
    const sizes = Array.from({ length: 24 }, (_, index) => 1_180_000 + index * 30_000);
    await scene.serve({ container: { id: container.id, socketPath }, maxSessions: sizes.length });
    await outputIsKept(scene, container, sizes);
    assert.ok(late.size > 0, 'no answer was late');
  });
});
