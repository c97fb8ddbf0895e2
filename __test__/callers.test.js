'use strict';

/** What callers and peers do that nobody expects of them: nothing waits for ever because of it. */

const assert = require('node:assert/strict');
const net = require('node:net');
const { once } = require('node:events');
const { WebSocketServer } = require('ws');

const { DockerClient, DockerServer } = require('..');
const { uniqueSleep, useContainer } = require('./helpers/container');
const { until, within } = require('./helpers/deadline');
const { pairing } = require('./helpers/implementations');
const { useScene } = require('./helpers/scene');

const UPGRADE = [
  'Host: x', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', '', '',
].join('\r\n');

describe('callers and peers', () => {
  const container = useContainer();
  const scene = useScene(pairing('ours', 'ours'), container);

  /** What is thrown in handlers, which would end the process. */
  function useThrown() {
    const thrown = [];
    let others;
    const take = (error) => thrown.push(error.message);
    beforeEach('take what is thrown', () => {
      thrown.length = 0;
      others = process.rawListeners('uncaughtException');
      process.removeAllListeners('uncaughtException').on('uncaughtException', take);
    });
    afterEach('give it back', () => {
      process.removeListener('uncaughtException', take);
      for (const listener of others) process.on('uncaughtException', listener);
    });
    return thrown;
  }

  function clientOf(options) {
    const client = new DockerClient({ url: scene.current?.url, tty: false, ...options });
    scene.onEnd(() => client.close());
    return client;
  }

  const closeOf = (client) => within("'close'", once(client, 'close'));

  /** Holds this thread: what happens meanwhile elsewhere is told behind what it does next. */
  const hold = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

  describe('a listener that throws', () => {
    const thrown = useThrown();
    const throws = (text) => () => { throw new Error(text); };

    it("for 'open' does not keep execute() from resolving", async () => {
      await scene.serve();
      const client = clientOf({ command: ['true'] }).on('open', throws('open'));
      const closed = closeOf(client);
      await within('execute()', client.execute());
      await closed;
      assert.deepEqual(thrown, ['open']);
    });

    it("for 'exit' does not keep 'close' from coming", async () => {
      await scene.serve();
      const client = clientOf({ command: ['echo', 'x'] }).on('exit', throws('exit'));
      client.stdout.on('data', () => {}).pause();
      await client.execute();
      // `exit` waits for the reader, beyond the end of the connection.
      await until('end of the connection', () => client.stdin.destroyed);
      const closed = closeOf(client);
      client.stdout.resume();
      await closed;
      assert.deepEqual(thrown, ['exit']);
    });

    it("for 'error' does not keep 'close' from coming", async () => {
      const { server, port } = await scene.http();
      const ws = new WebSocketServer({ server });
      ws.on('connection', (socket) => socket.terminate());
      scene.onEnd(() => ws.close());
      const client = new DockerClient({ url: `ws://127.0.0.1:${port}/`, tty: false }).on('error', throws('error'));
      const closed = closeOf(client);
      await client.execute();
      await closed;
      assert.deepEqual(thrown, ['error']);
      assert.ok(client.stdout.destroyed);
    });

    it('for events of its socket keeps none of its own from coming', async () => {
      await scene.serve();
      const client = clientOf({ command: ['true'] });
      const events = [];
      for (const name of ['open', 'close']) client.on(name, () => events.push(name));
      const closed = closeOf(client);
      const executed = client.execute();
      for (const name of ['open', 'close']) client.socket.on(name, throws(name));
      await executed;
      await closed;
      assert.deepEqual([events, thrown], [['open', 'close'], ['open', 'close']]);
      const refused = new DockerClient({ url: `${scene.current.url}-not`, tty: false });
      const rejected = assert.rejects(within('execute()', refused.execute()), { code: 'DEW_HANDSHAKE_REFUSED' });
      refused.socket.on('error', throws('error'));
      await rejected;
    });

    it("for 'data' gets what comes behind it", async () => {
      await scene.serve();
      const client = clientOf({ command: ['sh', '-c', 'echo a; sleep 0.2; echo b'] });
      const got = [];
      client.stdout.on('data', (chunk) => {
        got.push(String(chunk));
        if (got.length === 1) throw new Error('data');
      });
      client.stderr.resume();
      const closed = closeOf(client);
      await client.execute();
      await closed;
      assert.deepEqual([got.join(''), thrown], ['a\nb\n', ['data']]);
    });

    it("for 'data' that comes with the connection gets what follows, and execute() resolves", async () => {
      const server = new DockerServer({ port: 0, path: '/x', containerId: container.id, dockerSocket: container.socketPath });
      scene.onEnd(() => server.close());
      await server.execute();
      const client = clientOf({ url: `ws://127.0.0.1:${server.address().port}/x`, command: ['echo', 'a'] });
      const events = [];
      client.on('open', () => events.push('open'));
      client.stdout.on('data', () => { events.push('data'); throw new Error('data'); });
      client.stderr.resume();
      const closed = closeOf(client);
      const executed = client.execute();
      // When this thread goes on, it is told of all at once.
      hold(500);
      await within('execute()', executed);
      await closed;
      assert.deepEqual([events, thrown], [['open', 'data'], ['data']]);
    });

    it('does not keep an AbortSignal from ending the session', async () => {
      await scene.serve();
      const abort = new AbortController();
      const client = clientOf({ command: ['cat'], signal: abort.signal }).on('error', throws('error'));
      await client.execute();
      const closed = closeOf(client);
      abort.abort();
      await closed;
      assert.deepEqual(thrown, ['error']);
    });
  });

  describe('a client', () => {
    it('does not wait with close() for a reader that has stopped', async () => {
      await scene.serve();
      const client = clientOf({ command: ['echo', 'x'] });
      const events = [];
      for (const name of ['exit', 'close']) client.on(name, () => events.push(name));
      client.stdout.on('data', () => {}).pause();
      await client.execute();
      await until('end of the connection', () => client.stdin.destroyed);
      assert.deepEqual(events, []);
      await within('disposal', client[Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')]());
      assert.deepEqual(events, ['exit', 'close']);
      assert.equal(String(client.stdout.read()), 'x\n');
    });

    it('closes although the server has stopped reading in the middle of a message', async () => {
      await scene.serve({ stdinLimit: 65_536, closeTimeout: 500 });
      const client = clientOf({ command: ['sleep', '1000'], closeTimeout: 500 });
      const closed = closeOf(client);
      await client.execute();
      client.strbuf.write(Buffer.alloc(15 * 1024 * 1024));
      await within("'paused'", once(client, 'paused'));
      client.close();
      const [{ code }] = await closed;
      assert.equal(code, 1006);
    });

    it('that is executed again hears nothing of its former connection', async () => {
      await scene.serve();
      const free = net.createServer().listen(0, '127.0.0.1');
      await once(free, 'listening');
      const { port } = free.address();
      await new Promise((resolve) => free.close(resolve));
      const client = clientOf({ url: `ws://127.0.0.1:${port}/`, command: ['true'] });
      const first = assert.rejects(client.execute(), { code: 'DEW_CLIENT_CLOSED' });
      // The refusal is on its way to us by now.
      hold(300);
      client.close();
      client.options.url = scene.current.url;
      const exited = within("'exit'", once(client, 'exit'));
      await within('execute()', client.execute());
      await first;
      assert.deepEqual(await exited, [0]);
    });

    describe('that follows redirects', () => {
      /** A server that redirects to `location`. */
      async function redirecting(location) {
        const { server, port } = await scene.http();
        server.on('upgrade', (_, socket) => socket.end(`HTTP/1.1 302 Found\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`));
        return `ws://127.0.0.1:${port}/`;
      }

      const wsopts = { followRedirects: true, auth: 'me:secret', headers: { Cookie: 'a=b', 'X-Other': 'kept' } };

      it('does not take them where no WebSocket can be', async () => {
        for (const location of ['http://[', 'file:///x']) {
          const client = new DockerClient({ url: await redirecting(location), wsopts });
          await assert.rejects(within('execute()', client.execute()), { code: 'DEW_HANDSHAKE_FAILED' });
        }
      });

      for (const [what, place, credentials] of [
        ['takes no credentials to another server', '127.0.0.1', [undefined, undefined]],
        ['takes its credentials to the same server', undefined, ['a=b', 'Basic bWU6c2VjcmV0']],
      ]) {
        it(what, async () => {
          const { server, port } = await scene.http();
          const asked = new Promise((resolve) => {
            server.on('upgrade', ({ url, headers }, socket) => {
              if (!url.startsWith('/first')) resolve(headers);
              socket.end('HTTP/1.1 302 Found\r\nLocation: /second\r\nContent-Length: 0\r\n\r\n');
            });
          });
          const url = place ? await redirecting(`http://${place}:${port}/there`) : `ws://127.0.0.1:${port}/first`;
          const client = new DockerClient({ url, wsopts: { ...wsopts, maxRedirects: 1 } });
          await assert.rejects(within('execute()', client.execute()));
          const headers = await asked;
          assert.deepEqual([headers.cookie, headers.authorization, headers['x-other']], [...credentials, 'kept']);
        });
      }
    });

    it('calls back for a message that is never sent', async () => {
      await scene.serve();
      const client = clientOf({ command: ['cat'] });
      await client.execute();
      client.strbuf.end();
      await within('callback', new Promise((resolve) => { client.strbuf.write(Buffer.from([50]), resolve); }));
    });
  });

  describe('a server', () => {
    it('forgets a session whose client is gone before it is answered', async () => {
      const { server, port } = await scene.serve();
      const counts = { session: 0, 'session removed': 0 };
      for (const name of Object.keys(counts)) server.on(name, () => { counts[name] += 1; });
      for (let i = 0; i < 20; i += 1) {
        const socket = net.connect(port, '127.0.0.1').on('error', () => {});
        await once(socket, 'connect');
        socket.write(`GET /shell?command=true HTTP/1.1\r\n${UPGRADE}`);
        socket.resetAndDestroy();
      }
      await until('requests', () => counts.session > 0);
      await until('end of every session', () => server.sessions.length === 0 && counts.session === counts['session removed']);
    });

    it('that is closed cannot be executed again', async () => {
      const server = new DockerServer({ port: 0, path: '/x', containerId: container.id, dockerSocket: container.socketPath });
      await server.execute();
      await server.close();
      await assert.rejects(server.execute(), { code: 'DEW_SERVER_CLOSED' });
    });

    it('drops a request whose socket was closed while others looked at it', async () => {
      const { server, httpServer, port } = await scene.serve();
      const { emit } = httpServer;
      let held;
      httpServer.emit = function hold(name, ...rest) {
        if (name !== 'upgrade') return Reflect.apply(emit, this, [name, ...rest]);
        held = rest;
        return true;
      };
      const seconds = uniqueSleep();
      const socket = net.connect(port, '127.0.0.1').on('error', () => {});
      scene.onEnd(() => socket.destroy());
      socket.write(`GET /shell?command=sleep&command=${seconds} HTTP/1.1\r\n${UPGRADE}`);
      await until('upgrade', () => held);
      const closed = once(held[1], 'close');
      held[1].destroy();
      await closed;
      httpServer.emit = emit;
      httpServer.emit('upgrade', ...held);
      assert.equal(server.sessions.length, 0);
    });
  });
});
