'use strict';

/** Claims of docs/security.md about what a client may ask for, and how often. */

const assert = require('node:assert/strict');

const { DockerServer } = require('..');
const { useContainer } = require('./helpers/container');
const { stays, within } = require('./helpers/deadline');
const { useFakeEngines } = require('./helpers/fake-engine');
const { pairing } = require('./helpers/implementations');
const { useScene } = require('./helpers/scene');
const { RawConnection, OPCODE, frame } = require('./helpers/tcp');
const { Peer, CODE } = require('./helpers/wire');

/** What makes an engine's answer do for every call that a server makes at its start. */
const ANYTHING = { ApiVersion: '1.41', Version: '1', Id: 'c'.repeat(64), State: { Running: true, Pid: 0 } };

const PATH = '/shell?tty=false&command=true';

describe('claims', () => {
  const container = useContainer();
  const scene = useScene(pairing('ours', 'ours'), container);
  const fakeEngine = useFakeEngines();

  /** A server on a port of its own; answers the port. */
  async function listening(options) {
    const server = new DockerServer({
      port: 0, path: '/shell', containerId: container.id, dockerSocket: container.socketPath, ...options,
    });
    scene.onEnd(() => within('close()', server.close()));
    await within('execute()', server.execute());
    return server.address().port;
  }

  async function connect(port) {
    const connection = await RawConnection.connect(port);
    scene.onEnd(() => connection.destroy());
    return connection;
  }

  /** The status that answers a request, whose connection is let go. */
  async function status(port, request) {
    const connection = await connect(port);
    connection.write(request);
    const answer = await connection.status();
    connection.destroy();
    return answer;
  }

  const WAYS = {
    'an http server': async (options) => (await scene.serve(options)).port,
    'its own listener': (options) => listening(options),
  };

  for (const [how, serve] of Object.entries(WAYS)) {
    describe(`on ${how}`, () => {
      it('S7 who is refused gets no 101, and the engine is not called', async () => {
        const engine = await fakeEngine((request, response) => {
          response.setHeader('Content-Type', 'application/json');
          response.end(JSON.stringify(ANYTHING));
        });
        const port = await serve({
          container: { id: 'web', socketPath: engine.socketPath }, containerId: 'web', dockerSocket: engine.socketPath,
          origins: ['https://mine.example'], onDisconnect: 'leave',
        });
        const before = engine.requests.length;
        const headers = (more) => ({ headers: { Origin: 'https://mine.example', ...more } });
        for (const [expected, request] of [
          [403, RawConnection.request(PATH, headers({ Origin: 'https://other.example' }))],
          [403, RawConnection.request(PATH, headers({ Origin: 'null' }))],
          [405, RawConnection.request(PATH, { ...headers(), method: 'POST' })],
          [426, RawConnection.request(PATH, headers({ 'Sec-WebSocket-Version': '8' }))],
          [400, RawConnection.request(PATH, headers({ 'Sec-WebSocket-Key': 'short' }))],
        ]) {
          assert.equal(await status(port, request), expected);
        }
        assert.deepEqual(engine.requests.slice(before), []);
        // Who is let in is what the engine hears of.
        const peer = await connect(port);
        peer.write(RawConnection.request(PATH, headers()));
        assert.equal(await peer.status(), 101);
        await peer.farewell();
        assert.ok(engine.requests.slice(before).some(({ url }) => url.endsWith('/containers/web/exec')));
      });

      it('S27 an offer of compression is not taken, and what is compressed is not read', async () => {
        const port = await serve();
        const connection = await connect(port);
        const offer = { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' };
        assert.equal(await connection.upgrade('/shell', { command: 'cat', headers: offer }), 101);
        assert.doesNotMatch(connection.head, /sec-websocket-extensions/i);
        connection.write(frame(OPCODE.binary, '\0x', { rsv: 4 }));
        assert.equal(await connection.closeCode(), 1002);
      });
    });
  }

  it('S17 a client cannot ask for privileges, a user, a folder or an environment', async () => {
    const { url } = await scene.serve();
    // The variables without the one that marks the session.
    const command = ['sh', '-c', 'id; pwd; env | grep -v DOCKER_EXEC | sort; grep Cap /proc/self/status'];
    const asked = new URLSearchParams();
    for (const [name, value] of [['user', '65534:65534'], ['workdir', '/tmp'], ['env', 'ASKED=1'], ['privileged', 'true']]) {
      const engine = { user: 'User', workdir: 'WorkingDir', env: 'Env', privileged: 'Privileged' }[name];
      for (const form of [name, engine, `${name}[]`]) asked.append(form, value);
    }
    const [plain, asking] = [await Peer.open(url, { command }), await Peer.open(`${url}?${asked}`, { command })];
    assert.equal(await plain.exit(), 0);
    assert.equal(await asking.exit(), 0);
    assert.match(plain.stdout, /^uid=0.*\n\/\n/);
    assert.equal(asking.stdout, plain.stdout);
  });

  it('S25 headers are bounded in number and in bytes', async () => {
    const port = await listening();
    // A request of its own has five headers.
    const many = (count) => ({ headers: Object.fromEntries(Array.from({ length: count }, (_, at) => [`X-${at}`, 'y'])) });
    assert.equal(await status(port, RawConnection.request(PATH, many(59))), 101);
    assert.equal(await status(port, RawConnection.request(PATH, many(60))), 431);
    assert.equal(await status(port, RawConnection.request(PATH, { headers: { X: 'y'.repeat(7000) } })), 101);
    assert.equal(await status(port, RawConnection.request(PATH, { headers: { X: 'y'.repeat(9000) } })), 431);
  });

  it('S25 no more than maxHandshakes connections are in their handshake at once', async () => {
    const port = await listening({ maxHandshakes: 2, handshakeTimeout: 60_000 });
    const silent = [await connect(port), await connect(port)];
    const third = await connect(port);
    third.write(RawConnection.request(PATH));
    await stays('no answer while the others are in theirs', () => third.head === null, 300);
    silent[0].destroy();
    assert.equal(await third.status(), 101);
    await third.message(CODE.stopped);
    // A session is no handshake any more: its place is free although the other one holds its own.
    assert.equal(await status(port, RawConnection.request(PATH)), 101);
  });
});
