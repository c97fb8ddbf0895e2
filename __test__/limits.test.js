'use strict';

/** What a user can set: keep-alive, sizes, times, origins, number of sessions. */

const assert = require('node:assert/strict');

const { DockerServer } = require('..');
const { startClient } = require('./helpers/clientchild');
const { uniqueSleep, useContainer } = require('./helpers/container');
const { stays, timed, until, within } = require('./helpers/deadline');
const { pairing } = require('./helpers/implementations');
const { useScene } = require('./helpers/scene');
const { RawConnection } = require('./helpers/tcp');
const { CODE, refusal } = require('./helpers/wire');

describe('limits', () => {
  const container = useContainer();
  const scene = useScene(pairing('ours', 'ours'), container);

  async function listening(options) {
    const server = new DockerServer({
      port: 0, path: '/shell', containerId: container.id, dockerSocket: container.socketPath, ...options,
    });
    scene.onEnd(() => within('close()', server.close()));
    await within('execute()', server.execute());
    const { port } = server.address();
    return { server, port, url: `ws://127.0.0.1:${port}/shell` };
  }

  async function connect(port) {
    const connection = await RawConnection.connect(port);
    scene.onEnd(() => connection.destroy());
    return connection;
  }

  describe('keep-alive', () => {
    const quick = { keepAliveInterval: 100, keepAliveTimeout: 1000 };

    it('leaves a silent peer that answers pings alone', async () => {
      const { server } = await scene.serve(quick);
      const peer = await scene.peer({ command: 'cat' });
      await peer.waitFor(CODE.resume);
      let pings = 0;
      peer.socket.on('ping', () => {
        pings += 1;
      });
      await until('pings for longer than it may be silent', () => pings >= 12);
      assert.equal(server.sessions.length, 1);
      peer.stdin('here');
      await peer.sees('here');
    });

    it('frees the slot of a client whose process is stopped, and ends its command', async () => {
      const { server, url } = await scene.serve(quick);
      const mark = uniqueSleep();
      const client = startClient({
        implementation: 'ours',
        url,
        script: `
          const client = new Client({ url, tty: false, command: ['sleep', '${mark}'] });
          await client.execute();
          client.on('error', (error) => say('error ' + error.code));
          client.on('close', () => say('close'));
        `,
      });
      scene.onEnd(() => client.child.kill('SIGKILL'));
      await container.started(mark);
      client.child.kill('SIGSTOP');
      await until('free slot', () => server.sessions.length === 0, { ms: 5000 });
      await container.quiet(mark);
      client.child.kill('SIGCONT');
      const { lines } = await within('end of the client', client.exited, { transcript: client.transcript });
      assert.match(lines[0], /^error DEW_/);
      assert.equal(lines[1], 'close');
    });

    it('keepAliveInterval 0 sends no ping', async () => {
      await scene.serve({ keepAliveInterval: 0 });
      const peer = await scene.peer({ command: 'cat' });
      await peer.waitFor(CODE.resume);
      let pings = 0;
      peer.socket.on('ping', () => {
        pings += 1;
      });
      await stays('no ping', () => pings === 0, 600);
    });
  });

  describe('sizes', () => {
    it('a message over maxMessageSize ends that session with 1009', async () => {
      await scene.serve({ maxMessageSize: 1024 });
      const peer = await scene.peer({ command: 'cat' });
      await peer.waitFor(CODE.resume);
      peer.stdin(Buffer.alloc(1023, 'x'));
      await until('the message at the limit', () => peer.stdout.length === 1023, { transcript: peer.transcript });
      peer.stdin(Buffer.alloc(1024, 'y'));
      assert.equal((await peer.close()).code, 1009);
      assert.ok(!peer.stdout.includes('y'));
    });

    it('S31 maxSessions sessions run, one more is told so, and each end makes room', async () => {
      await scene.serve({ maxSessions: 3 });
      const peers = [];
      for (let count = 0; count < 3; count += 1) peers.push(await scene.peer({ command: 'cat' }));
      for (const peer of peers) await peer.waitFor(CODE.resume);
      for (let count = 0; count < 3; count += 1) {
        const refused = await scene.peer({ command: 'cat' });
        assert.equal((await refused.waitFor(CODE.error)).payload.toString(), 'Too many sessions active!');
        const { code } = await refused.close();
        assert.equal(code, 1013);
      }
      peers[0].end();
      await peers[0].close();
      const next = await scene.peer({ command: 'cat' });
      await next.waitFor(CODE.resume);
    });
  });

  describe('time', () => {
    for (const [what, say] of [
      ['says nothing', () => {}],
      ['stops in the middle of its request', (connection) => connection.write('GET /shell?command=cat HTTP/1.1\r\nHost: x\r\n')],
    ]) {
      it(`S25 a connection that ${what} is closed after handshakeTimeout`, async () => {
        const { port } = await listening({ handshakeTimeout: 300 });
        // Its time begins before we know that we are connected.
        const { ms } = await timed(async () => {
          const connection = await connect(port);
          say(connection);
          await within('end of the connection', connection.gone, { ms: 5000, transcript: connection.transcript });
        });
        assert.ok(ms > 200, `closed after ${ms} ms`);
      });
    }

    it('a peer that does not answer a close is cut off after closeTimeout when the server closes', async () => {
      const { server, port, path } = await scene.serve({ closeTimeout: 300 });
      const [ended, open] = [await connect(port), await connect(port)];
      await ended.upgrade(path, { command: 'true' });
      await ended.message(CODE.stopped);
      await open.upgrade(path, { command: 'cat' });
      await open.message(CODE.resume);
      const { ms } = await timed(() => within('close()', server.close()));
      for (const connection of [ended, open]) {
        await within('end of the connection', connection.gone, { ms: 1000, transcript: connection.transcript });
      }
      assert.ok(ms > 250, `cut off after ${ms} ms`);
    });

    it('S25 a request that comes one byte at a time does not last longer', async () => {
      const { port, url } = await listening({ handshakeTimeout: 500 });
      const connection = await connect(port);
      let open = true;
      const gone = connection.gone.then(() => {
        open = false;
      });
      const drip = setInterval(() => open && connection.socket.write('G'), 50);
      try {
        await within('end of the connection', gone, { ms: 5000 });
      } finally {
        clearInterval(drip);
      }
      assert.equal((await scene.run(['echo', 'others'], { url })).stdout, 'others\n');
    });
  });

  describe('origins', () => {
    const from = (origin) => ({ ws: { origin } });

    it('are not checked on an http server unless asked for', async () => {
      await scene.serve();
      const peer = await scene.peer({ command: 'true', ...from('https://anywhere.example') });
      assert.equal(await peer.exit(), 0);
    });

    it("'same' lets in the server's own pages and programs without an Origin", async () => {
      const { url, port } = await scene.serve({ origins: 'same' });
      const page = await scene.peer({ command: 'true', ...from(`http://127.0.0.1:${port}`) });
      assert.equal(await page.exit(), 0);
      const program = await scene.peer({ command: 'true' });
      assert.equal(await program.exit(), 0);
      for (const origin of [`http://127.0.0.1:${port + 1}`, `https://127.0.0.1:${port}`, 'null', 'http://127.0.0.1', 'x']) {
        assert.equal((await refusal(url, from(origin))).status, 403, origin);
      }
    });

    it('given as a list let in only these, and no session is made for others', async () => {
      const { url, server } = await scene.serve({ origins: ['https://a.example', 'https://b.example:8443'] });
      let sessions = 0;
      server.on('session', () => {
        sessions += 1;
      });
      for (const origin of ['https://b.example', 'https://a.example.evil', 'http://a.example', 'null']) {
        assert.equal((await refusal(url, from(origin))).status, 403, origin);
      }
      assert.equal(sessions, 0);
      const peer = await scene.peer({ command: 'true', ...from('https://b.example:8443') });
      assert.equal(await peer.exit(), 0);
    });
  });
});
