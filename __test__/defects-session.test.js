'use strict';

/**
 * Defects of the 3.0.0 server in the life of a session. With DEW_TEST_IMPLEMENTATION=old
 * these tests run against that server, and fail.
 */

const assert = require('node:assert/strict');

const { TestContainer, uniqueSleep, useContainer } = require('./helpers/container');
const { until, stays, within } = require('./helpers/deadline');
const { pairing, subject } = require('./helpers/implementations');
const { useScene } = require('./helpers/scene');
const { RawConnection, frame, OPCODE } = require('./helpers/tcp');
const { CODE, refusal, withQuery } = require('./helpers/wire');

const implementation = subject();

/** A shell command for a tty that shows the next `count` bytes it gets, as they are, in hex. */
const hexOf = (count) => ['sh', '-c', `stty raw -echo; echo ready; head -c ${count} | od -An -tx1`];

describe(`defects in the life of a session (${implementation})`, () => {
  const container = useContainer();
  const scene = useScene(pairing(implementation, implementation), container);

  for (const [what, change] of [
    ['stopped', (one) => one.container.kill()],
    ['missing', (one) => one.remove()],
  ]) {
    it(`defect 10: a ${what} container is told to the peer, and frees the slot`, async () => {
      const other = await TestContainer.start();
      scene.onEnd(() => other.remove());
      await change(other);
      const { server } = await scene.serve({ container: other, maxSessions: 1 });
      const peer = await scene.peer({ command: 'true' });
      const { payload } = await peer.waitFor(CODE.error);
      assert.match(payload.toString(), /not running|no such container/i);
      assert.equal((await peer.close()).code, 1011);
      await until('free slot', () => server.sessions.length === 0);
      const second = await scene.peer({ command: 'true' });
      assert.doesNotMatch((await second.waitFor(CODE.error)).payload.toString(), /Too many/);
    });
  }

  for (const tty of [false, true]) {
    for (const [how, leave] of [
      ['close', (peer) => peer.socket.close()],
      ['terminate', (peer) => peer.terminate()],
    ]) {
      it(`defect 11: the command ends with its peer (${how}, ${tty ? 'tty' : 'no tty'})`, async () => {
        const mark = uniqueSleep();
        const peer = await scene.peer({ command: ['sleep', mark], tty });
        await container.started(mark);
        leave(peer);
        await container.quiet(mark, { ms: 10000 });
      });
    }
  }

  it('defect 11: a peer that leaves before its command has started leaves nothing behind', async () => {
    const { server } = await scene.serve({ maxSessions: 20 });
    const mark = uniqueSleep();
    for (let count = 0; count < 10; count += 1) {
      const peer = await scene.peer({ command: ['sleep', mark] });
      peer.terminate();
    }
    await until('end of the sessions', () => server.sessions.length === 0);
    await server.close();
    await stays('nothing left in the container', async () => (await container.running(mark)).length === 0, 1500);
  });

  it('defect 12: close() tells each of six sessions, and closes it', async () => {
    const { server } = await scene.serve();
    const peers = [];
    for (let count = 0; count < 6; count += 1) peers.push(await scene.peer({ command: 'cat' }));
    for (const peer of peers) await peer.waitFor(CODE.resume);
    await within('close()', Promise.resolve(server.close()));
    for (const peer of peers) {
      await peer.waitFor(CODE.shutdown, { ms: 5000 });
      assert.equal((await peer.close()).code, 1001);
    }
    assert.equal(server.sessions.length, 0);
  });

  it('defect 12: close() right after a connection does not throw', async () => {
    const { server } = await scene.serve();
    const closed = new Promise((resolve, reject) => {
      server.once('session', () => {
        try {
          resolve(server.close());
        } catch (error) {
          reject(error);
        }
      });
    });
    const peer = await scene.peer({ command: 'cat' });
    await within('close()', closed);
    assert.equal((await peer.close()).code, 1001);
  });

  it('defect 13: the end of stdin on a tty ends the command before its exit code is told', async () => {
    const mark = uniqueSleep();
    const peer = await scene.peer({ command: ['sh', '-c', `cat; echo after; exec sh -c 'exit 9' ${mark}`], tty: true });
    await peer.waitFor(CODE.resume);
    peer.stdin('line\n');
    await peer.sees('line');
    peer.end();
    assert.equal(await peer.exit(), 9);
    assert.match(peer.stdout, /after/);
    assert.deepEqual(await container.running(mark), []);
  });

  it('defect 13: Ctrl-P reaches the command at once', async () => {
    const peer = await scene.peer({ command: hexOf(1), tty: true });
    await peer.sees('ready');
    peer.stdin('\x10');
    await peer.sees('10', { ms: 5000 });
    assert.equal(await peer.exit(), 0);
  });

  it('defect 13: Ctrl-P Ctrl-Q reaches the command and does not end the session', async () => {
    const peer = await scene.peer({ command: hexOf(4), tty: true });
    await peer.sees('ready');
    for (const key of '\x10\x11ab') peer.stdin(key);
    await peer.sees('10 11 61 62', { ms: 5000 });
    assert.equal(await peer.exit(), 0);
  });

  it('defect 14: stdin that comes before the command runs is not lost', async () => {
    const { port, path } = await scene.serve();
    const connection = await RawConnection.connect(port);
    scene.onEnd(() => connection.destroy());
    // All in one packet: the input is there before the engine can have been asked.
    connection.write(Buffer.concat([
      Buffer.from(RawConnection.request(withQuery(path, { command: 'cat' }))),
      frame(OPCODE.binary, '\0early'), frame(OPCODE.binary, Buffer.from([CODE.end])),
    ]));
    const stopped = await connection.message(CODE.stopped, { ms: 8000 });
    assert.equal(stopped.payload[1], 0);
    assert.equal((await connection.message(CODE.stdout)).payload.toString(), '\x01early');
  });

  it('defect 17: a peer that no longer answers loses its slot', async () => {
    const { server } = await scene.serve({ keepAliveInterval: 200, keepAliveTimeout: 1000 });
    const mark = uniqueSleep();
    const peer = await scene.peer({ command: ['sleep', mark] });
    await container.started(mark);
    peer.socket.pause();
    await until('free slot', () => server.sessions.length === 0, { ms: 6000, transcript: peer.transcript });
    await container.quiet(mark);
  });

  it('defect 18: two servers with paths of their own share one http server', async () => {
    const first = await scene.serve({ path: '/first', wrapperCommand: ['echo', 'first'] });
    const second = await scene.serve({ path: '/second', httpServer: first.httpServer, wrapperCommand: ['echo', 'second'] });
    for (const [{ url }, word] of [[first, 'first'], [second, 'second']]) {
      const peer = await scene.peer({ url, command: 'x' });
      await peer.exit();
      assert.equal(peer.stdout, `${word} x\n`);
    }
  });

  it("defect 21: a command that takes no input brings one 'pause', not one for each frame", async () => {
    const peer = await scene.peer({ command: ['sleep', uniqueSleep()] });
    await peer.waitFor(CODE.resume);
    for (let frame = 0; frame < 400; frame += 1) peer.stdin(Buffer.alloc(64 * 1024));
    await peer.waitFor(CODE.pause);
    await stays("a single 'pause'", () => peer.of(CODE.pause).length === 1, 1500, peer);
  });

  it('defect 22: a session that ends well ends with close code 1000', async () => {
    const peer = await scene.peer({ command: 'true' });
    assert.equal((await peer.close()).code, 1000);
    assert.equal(peer.of(CODE.stopped).length, 1);
  });

  it('defect 23: an Origin that is not among `origins` is refused before the session', async () => {
    const { url, server } = await scene.serve({ origins: ['https://console.example'] });
    const { status } = await refusal(url, { ws: { origin: 'https://elsewhere.example' } });
    assert.equal(status, 403);
    assert.equal(server.sessions.length, 0);
    const peer = await scene.peer({ command: 'true', ws: { origin: 'https://console.example' } });
    assert.equal(await peer.exit(), 0);
  });
});
