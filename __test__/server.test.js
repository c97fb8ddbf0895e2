'use strict';

/** Our server on its own: options, listening, sessions, closing. */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { once } = require('node:events');

const { DockerServer, DockerClient } = require('..');
const { TestContainer, uniqueSleep, useContainer, engineSocket } = require('./helpers/container');
const { until, within } = require('./helpers/deadline');
const { pairing } = require('./helpers/implementations');
const { useScene } = require('./helpers/scene');
const { outputIsKept } = require('./helpers/unread');
const { Peer, CODE, refusal } = require('./helpers/wire');

describe('constructor', () => {
  let web;
  before(() => {
    web = http.createServer();
  });
  const given = (options) => ({ server: web, containerId: 'c', path: '/p', dockerSocket: engineSocket(), ...options });

  for (const [title, options, expected] of [
    ['no server', { server: undefined }, { message: 'options.server is required' }],
    ['no containerId', { containerId: undefined }, { message: 'options.containerId is required' }],
    ['no path', { path: undefined }, { message: 'options.path is required' }],
    ['a path with a query', { path: '/p?a' }, { code: 'DEW_BAD_OPTION' }],
    ['a wrapperCommand that is no array', { wrapperCommand: 'sh -c' }, { message: 'options.wrapperCommand must be an array!' }],
    ['a dockerSocket that is not there', { dockerSocket: '/no/such.sock' }, { code: 'ENOENT', syscall: 'stat' }],
    ['a dockerSocket that is no socket', { dockerSocket: __filename }, { message: 'Are you sure that docker is running?' }],
    ['a dockerSocket that is a named pipe', { dockerSocket: '//./pipe/docker_engine' }, { code: 'DEW_HOST_UNSUPPORTED' }],
    ['a dockerHost that is one', { dockerSocket: undefined, dockerHost: 'npipe://' }, { code: 'DEW_HOST_UNSUPPORTED' }],
  ]) {
    it(`throws at once for ${title}`, () => {
      assert.throws(() => new DockerServer(given(options)), expected);
      assert.equal(web.listenerCount('upgrade'), 0, 'a failed constructor left a listener behind');
    });
  }

  for (const [name, wrong] of [
    ['maxSessions', -1], ['keepAliveInterval', 'soon'], ['keepAliveTimeout', -5], ['maxMessageSize', -1],
    ['handshakeTimeout', NaN], ['allowRemote', 'yes'], ['onDisconnect', 'ignore'], ['port', 70000], ['port', '80a'],
  ]) {
    it(`throws a TypeError or RangeError that names ${name} for ${wrong}`, () => {
      const options = name === 'port' ? given({ server: undefined, port: wrong }) : given({ [name]: wrong });
      assert.throws(() => new DockerServer(options), (error) =>
        (error instanceof TypeError || error instanceof RangeError) && error.message.includes(name));
    });
  }

  it('prepares the http server whenever that begins to listen, until it is closed', async () => {
    const { NativeServer } = require('../lib/native');
    const { prepareListener } = NativeServer.prototype;
    const prepared = [];
    NativeServer.prototype.prepareListener = (descriptor) => prepared.push(descriptor);
    const own = http.createServer();
    const listen = async () => {
      await new Promise((resolve) => own.listen(0, '127.0.0.1', resolve));
      return own._handle.fd;
    };
    const end = () => new Promise((resolve) => own.close(resolve));
    try {
      const early = new DockerServer(given({ server: own }));
      assert.deepEqual(prepared, []);
      const first = await listen();
      assert.deepEqual(prepared.splice(0), [first]);
      const late = new DockerServer(given({ server: own, path: '/q' }));
      assert.deepEqual(prepared.splice(0), [first]);
      await early.close();
      await end();
      const second = await listen();
      assert.deepEqual(prepared.splice(0), [second]);
      await late.close();
    } finally {
      NativeServer.prototype.prepareListener = prepareListener;
      await end();
    }
  });

  it('does not change the options it is given', () => {
    const options = Object.freeze(given({ wrapperCommand: Object.freeze(['env']) }));
    const server = new DockerServer(options);
    return server.close();
  });
});

describe('server', () => {
  const container = useContainer();
  const scene = useScene(pairing('ours', 'ours'), container);

  /** A server with a listener of its own. */
  async function listening(options = {}) {
    const server = new DockerServer({
      port: 0, path: '/shell', containerId: container.id, dockerSocket: container.socketPath, ...options,
    });
    scene.onEnd(() => within('close()', server.close()));
    await within('execute()', server.execute());
    return { server, url: `ws://127.0.0.1:${server.address().port}/shell` };
  }

  describe('with a port', () => {
    it('listens on 127.0.0.1 and a free port, and serves', async () => {
      const { server, url } = await listening();
      const { address, port, family } = server.address();
      assert.equal(address, '127.0.0.1');
      assert.equal(family, 'IPv4');
      assert.ok(port > 0);
      assert.deepEqual(await scene.run(['echo', 'hi'], { url }), { code: 0, stdout: 'hi\n', stderr: '' });
    });

    it('listens on the host that is asked for', async () => {
      const { server } = await listening({ host: '::1' });
      assert.equal(server.address().address, '::1');
      const { stdout } = await scene.run(['echo', 'six'], { url: `ws://[::1]:${server.address().port}/shell` });
      assert.equal(stdout, 'six\n');
    });

    it('S6 does not listen where others come unless it is told to', async () => {
      for (const host of ['0.0.0.0', '::']) {
        const server = new DockerServer({ port: 0, host, path: '/shell', containerId: container.id, dockerSocket: container.socketPath });
        scene.onEnd(() => server.close());
        await assert.rejects(server.execute(), (error) => {
          assert.equal(error.code, 'DEW_LISTEN_EXPOSED');
          assert.ok(error.message.startsWith(`not listening on ${host}:0: `), error.message);
          assert.match(error.message, /allowRemote/);
          return true;
        });
        assert.equal(server.address(), null);
      }
      const { server } = await listening({ host: '0.0.0.0', allowRemote: true });
      assert.equal(server.address().address, '0.0.0.0');
      const { stdout } = await scene.run(['echo', 'told'], { url: `ws://127.0.0.1:${server.address().port}/shell` });
      assert.equal(stdout, 'told\n');
      for (const host of ['localhost', '127.0.0.2', '::ffff:127.0.0.1']) await listening({ host });
    });

    it('has the example of the readme working', async () => {
      const { url } = await listening();
      const client = new DockerClient({ url, tty: false, command: ['wc', '-c'] });
      await client.execute();
      const output = [];
      client.stdout.on('data', (chunk) => output.push(chunk));
      client.stdin.end('abc');
      assert.deepEqual(await within("'exit'", once(client, 'exit')), [0]);
      assert.equal(Buffer.concat(output).toString(), '3\n');
    });

    it('answers 404 for another path and 426 without an upgrade', async () => {
      const { server, url } = await listening();
      assert.equal((await refusal(`${url}s`)).status, 404);
      const response = await fetch(`http://127.0.0.1:${server.address().port}/shell`);
      assert.equal(response.status, 426);
    });

    it('refuses a port in use with an error that has a code', async () => {
      const { server } = await listening();
      const second = new DockerServer({
        port: server.address().port, path: '/shell', containerId: container.id, dockerSocket: container.socketPath,
      });
      await assert.rejects(second.execute(), (error) => {
        assert.equal(error.code, 'DEW_LISTEN_FAILED');
        assert.match(`${error.message} ${error.cause}`, new RegExp(`${server.address().port}.* in use`, 'i'));
        return true;
      });
      await second.close();
    });

    it('refuses a page from another origin unless it is allowed', async () => {
      const { url } = await listening();
      assert.equal((await refusal(url, { ws: { origin: 'http://elsewhere.example' } })).status, 403);
    });
  });

  describe('execute()', () => {
    it('rejects with a code when the container does not exist', async () => {
      const server = new DockerServer({ port: 0, path: '/p', containerId: 'dew-no-such', dockerSocket: container.socketPath });
      await assert.rejects(server.execute(), (error) => /^DEW_/.test(error.code) && /dew-no-such/.test(error.message));
      await server.close();
    });

    it('rejects with a code when no engine answers', async () => {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dew-test-'));
      const deaf = net.createServer((socket) => socket.destroy());
      await new Promise((resolve) => deaf.listen(path.join(folder, 'docker.sock'), resolve));
      try {
        const server = new DockerServer({
          port: 0, path: '/p', containerId: container.id, dockerSocket: path.join(folder, 'docker.sock'),
        });
        await assert.rejects(server.execute(), (error) => /^DEW_ENGINE/.test(error.code) && /docker\.sock/.test(error.message));
        await server.close();
      } finally {
        await new Promise((resolve) => deaf.close(resolve));
        fs.rmSync(folder, { recursive: true });
      }
    });

    it('can be awaited with an http server too, and checks the container', async () => {
      const { server } = await scene.serve();
      await server.execute();
      const { server: missing } = await scene.serve({ container: { id: 'dew-no-such', socketPath: container.socketPath } });
      await assert.rejects(missing.execute(), (error) => /^DEW_/.test(error.code));
    });
  });

  describe('sessions', () => {
    it('have id, command, tty and remoteAddress', async () => {
      const { server, url } = await listening();
      const added = once(server, 'session');
      await scene.peer({ url, command: ['cat', '-'], tty: true });
      const [session] = await added;
      assert.equal(server.sessions.length, 1);
      assert.equal(server.sessions[0], session);
      assert.equal(typeof session.id, 'number');
      assert.deepEqual(session.command, ['cat', '-']);
      assert.equal(session.tty, true);
      assert.match(session.remoteAddress, /127\.0\.0\.1/);
    });

    it('have ids of their own, later ones larger', async () => {
      const { server, url } = await listening();
      await scene.peer({ url, command: 'cat' });
      await scene.peer({ url, command: 'cat' });
      await until('two sessions', () => server.sessions.length === 2);
      assert.ok(server.sessions[0].id < server.sessions[1].id);
    });

    it('close() of one ends its process and its connection, and no other', async () => {
      const { server } = await scene.serve();
      const mark = uniqueSleep();
      const peer = await scene.peer({ command: ['sleep', mark] });
      await container.started(mark);
      const other = await scene.peer({ command: 'cat' });
      await other.waitFor(CODE.resume);
      const session = server.sessions.find((one) => one.command.includes(mark));
      session.close();
      assert.equal((await peer.close()).code, 1001);
      assert.equal(peer.messages[peer.messages.length - 1].code, CODE.shutdown);
      await container.quiet(mark);
      await until('end of the session', () => server.sessions.length === 1);
      other.stdin('unharmed');
      await other.sees('unharmed');
    });

    it('end with 200, the exit code and close code 1000', async () => {
      const peer = await scene.peer({ command: ['sh', '-c', 'echo out; exit 200'] });
      assert.equal((await peer.close()).code, 1000);
      assert.deepEqual(peer.messages.map(({ code }) => code), [CODE.resume, CODE.stdout, CODE.stopped]);
      assert.deepEqual([...peer.messages[2].payload], [200]);
    });

    it('tell the exit code in time although a background process holds the output', async () => {
      const mark = uniqueSleep();
      const peer = await scene.peer({ command: ['sh', '-c', `echo started; sleep ${mark} & exit 4`] });
      assert.equal(await peer.exit({ ms: 10000 }), 4);
      assert.equal(peer.stdout, 'started\n');
    });

    // What dockerd drops is 64 KiB behind about 1.3 MB that fit into its buffers and the socket's.
    it('keep the last of their output for peers that take none for longer than the engine keeps it', async () => {
      const sizes = Array.from({ length: 12 }, (_, index) => 1_180_000 + index * 30_000);
      await scene.serve({ maxSessions: sizes.length });
      await outputIsKept(scene, container, sizes);
    });

    it('without a command are refused without harm', async () => {
      const { url } = await scene.serve();
      const peer = new Peer(new (require('ws'))(url));
      scene.onEnd(() => peer.terminate());
      const end = await Promise.race([peer.close(), peer.opened.then(() => peer.close(), (error) => error)]);
      assert.ok(end);
      assert.equal((await scene.run(['echo', 'fine'])).stdout, 'fine\n');
    });
  });

  describe('close()', () => {
    it('tells every session, ends every process, and then resolves', async () => {
      const { server } = await scene.serve();
      const mark = uniqueSleep();
      const peers = [];
      for (let count = 0; count < 5; count += 1) {
        peers.push(await scene.peer({ command: ['sleep', mark], tty: count % 2 === 0 }));
      }
      await until('five processes', async () => (await container.running(mark)).length === 5);
      await within('close()', server.close());
      assert.deepEqual(await container.running(mark), []);
      assert.equal(server.sessions.length, 0);
      for (const peer of peers) {
        assert.equal((await peer.close()).code, 1001);
        assert.equal(peer.messages[peer.messages.length - 1].code, CODE.shutdown);
      }
    });

    it('is clean when the http server was closed first', async () => {
      const { server, httpServer } = await scene.serve();
      const mark = uniqueSleep();
      const peer = await scene.peer({ command: ['sleep', mark] });
      await container.started(mark);
      const webClosed = new Promise((resolve) => httpServer.close(resolve));
      await within('close()', server.close());
      await within('close of the http server', webClosed);
      assert.deepEqual(await container.running(mark), []);
      assert.equal((await peer.close()).code, 1001);
    });

    it('frees the port, may be called twice, and leaves no listener on the http server', async () => {
      const { server, url } = await listening();
      await server.close();
      await server.close();
      await assert.rejects(Peer.open(url), /ECONNREFUSED/);
      const second = await scene.serve();
      const counts = () => ['upgrade', 'listening'].map((name) => second.httpServer.listenerCount(name));
      const before = counts();
      assert.ok(before[0] > 0);
      await second.server.close();
      assert.deepEqual(counts(), [0, before[1] - 1]);
    });

    it('is what Symbol.asyncDispose does', async () => {
      const { server, url } = await listening();
      await server[Symbol.asyncDispose]();
      await assert.rejects(Peer.open(url), /ECONNREFUSED/);
    });
  });

  describe('onDisconnect', () => {
    it("'leave' leaves the process", async () => {
      const { server } = await scene.serve({ onDisconnect: 'leave' });
      const mark = uniqueSleep();
      const peer = await scene.peer({ command: ['sleep', mark] });
      await container.started(mark);
      peer.terminate();
      await until('free slot', () => server.sessions.length === 0);
      await within('close()', server.close());
      assert.equal((await container.running(mark)).length, 1);
    });
  });

  it('works with a container given by name', async () => {
    const named = await TestContainer.start({ name: `dew-test-name-${process.pid}` });
    scene.onEnd(() => named.remove());
    await scene.serve({ container: { id: `dew-test-name-${process.pid}`, socketPath: named.socketPath } });
    assert.equal((await scene.run(['hostname'])).stdout.trim(), named.id.slice(0, 12));
  });
});
