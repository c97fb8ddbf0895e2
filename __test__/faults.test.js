'use strict';

/** The engine and the container fail under a session: a clear error to the one concerned, no harm to others. */

const assert = require('node:assert/strict');

const { startPrivateEngine, ensureImage } = require('../scripts/engine');
const { TestContainer, uniqueSleep, useContainer } = require('./helpers/container');
const { stays, until, within } = require('./helpers/deadline');
const { pairing } = require('./helpers/implementations');
const { useScene } = require('./helpers/scene');
const { CODE } = require('./helpers/wire');

/** The peer was told of the loss in words, got no exit code, and a close frame that says "error". */
async function isLost(peer) {
  const { code } = await peer.close();
  const { payload } = await peer.waitFor(CODE.error);
  assert.ok(payload.length > 10, `'${payload}' explains nothing`);
  assert.equal(peer.of(CODE.stopped).length, 0, `an exit code was invented\n${peer.transcript}`);
  assert.equal(code, 1011);
}

/**
 * The session is over: the engine killed its command first and could still say so (137), or
 * was gone before it could be asked.
 */
async function isKilledOrLost(peer) {
  const { code } = await peer.close();
  if (peer.of(CODE.stopped).length === 0) {
    await isLost(peer);
    return;
  }
  assert.deepEqual([...peer.of(CODE.stopped)[0].payload], [137], `${peer.transcript}`);
  assert.equal(code, 1000);
}

describe('faults of the container', () => {
  const scene = useScene(pairing('ours', 'ours'));
  const standing = useContainer();
  let bystander;

  /** A container that the test may destroy, a server for it, and a session elsewhere to watch. */
  async function victim(options) {
    const container = await TestContainer.start();
    scene.onEnd(() => container.remove());
    await scene.serve({ container: standing });
    bystander = await scene.peer({ command: 'cat' });
    await bystander.waitFor(CODE.resume);
    const served = await scene.serve({ container, ...options });
    const peer = await scene.peer({ command: 'cat' });
    peer.stdin('in');
    await peer.sees('in');
    return { container, peer, ...served };
  }

  async function others() {
    bystander.stdin('unharmed');
    await bystander.sees('unharmed');
  }

  it('killed: the session ends with 137, and serves again when the container is started again', async () => {
    const { container, peer } = await victim();
    await container.container.kill();
    assert.equal(await peer.exit(), 137);
    assert.equal((await peer.close()).code, 1000);
    await others();
    const refused = await scene.peer({ command: 'true' });
    await isLost(refused);
    await container.container.start();
    assert.equal((await scene.run(['echo', 'again'])).stdout, 'again\n');
  });

  it('removed: the session ends, and new ones are refused with an error', async () => {
    const { container, peer, server } = await victim();
    await container.remove();
    await isKilledOrLost(peer);
    await until('free slot', () => server.sessions.length === 0);
    await isLost(await scene.peer({ command: 'true' }));
    await others();
  });

  it('restarted: the session ends, and the next one works', async () => {
    const { container, peer } = await victim();
    await container.container.restart({ t: 0 });
    assert.equal(await peer.exit(), 137);
    assert.equal((await scene.run(['echo', 'again'])).stdout, 'again\n');
    await others();
  });

  it('paused: the session waits and goes on', async () => {
    const { container, peer } = await victim();
    await container.container.pause();
    peer.stdin('while paused');
    await stays('an open session', () => !peer.isClosed, 500);
    assert.ok(!peer.stdout.includes('while'));
    await others();
    await container.container.unpause();
    await peer.sees('while paused');
    peer.end();
    assert.equal(await peer.exit(), 0);
  });

  it('paused: a new session is refused with an error', async () => {
    const { container } = await victim();
    await container.container.pause();
    const refused = await scene.peer({ command: 'true' });
    await isLost(refused);
    assert.match(refused.of(CODE.error)[0].payload.toString(), /paused/);
    await others();
    await container.container.unpause();
  });

  it('paused: a peer that leaves frees its slot, and its command ends with the pause', async () => {
    const { container, server } = await victim();
    const mark = uniqueSleep();
    const leaver = await scene.peer({ command: ['sleep', mark] });
    await container.started(mark);
    await container.container.pause();
    leaver.terminate();
    await until('free slot', () => server.sessions.length === 1);
    await others();
    await container.container.unpause();
    await container.quiet(mark);
  });

  it('paused: close() of the server does not hang', async () => {
    const { container, server } = await victim({ killGrace: 300 });
    await container.container.pause();
    await within('close()', server.close(), { ms: 30000 });
    await others();
    await container.container.unpause();
  });
});

describe('faults of the engine', () => {
  const scene = useScene(pairing('ours', 'ours'));
  const standing = useContainer();
  let engine;
  let container;

  before('start an engine of our own', async () => {
    engine = await startPrivateEngine({ name: 'faults' });
    await ensureImage(engine);
    container = await TestContainer.start({ socketPath: engine.socketPath });
  });
  after('end it', async () => {
    if (engine) await engine.stop();
  });

  async function runningAgain() {
    await engine.restart();
    if (!(await container.container.inspect()).State.Running) await container.container.start();
  }

  for (const signal of ['SIGKILL', 'SIGTERM']) {
    it(`${signal}: sessions are told, other servers go on, and the same server serves when it is back`, async () => {
      await scene.serve({ container: standing });
      const bystander = await scene.peer({ command: 'cat' });
      await bystander.waitFor(CODE.resume);
      const { server } = await scene.serve({ container });
      const errors = [];
      server.on('error', (error) => errors.push(error));
      const peers = [];
      for (const tty of [false, true]) peers.push(await scene.peer({ command: 'cat', tty }));
      for (const peer of peers) {
        peer.stdin('in\n');
        await peer.sees('in');
      }
      await engine.kill(signal);
      for (const peer of peers) await (signal === 'SIGKILL' ? isLost(peer) : isKilledOrLost(peer));
      await until('free slots', () => server.sessions.length === 0);

      const during = await scene.peer({ command: 'true' });
      await isLost(during);
      bystander.stdin('unharmed');
      await bystander.sees('unharmed');

      await runningAgain();
      assert.deepEqual(await scene.run(['echo', 'back']), { code: 0, stdout: 'back\n', stderr: '' });
      for (const error of errors) assert.match(error.code, /^DEW_/);
    });
  }

  it("a client hears of a lost engine by 'error' with the server's words, then 'close', and no 'exit'", async () => {
    await scene.serve({ container });
    const talk = await scene.open({ command: ['cat'] });
    talk.client.stdin.write('in');
    await talk.sees('in');
    const closed = talk.next('close');
    await engine.kill('SIGKILL');
    try {
      await closed;
      assert.match(talk.errors[0].code, /^DEW_/);
      assert.ok(String(talk.errors[0]).length > 10, String(talk.errors[0]));
      assert.ok(!talk.events.includes('exit'), `${talk.events}`);
    } finally {
      await runningAgain();
    }
  });

  it('close() resolves while the engine is gone', async () => {
    const { server } = await scene.serve({ container });
    const peer = await scene.peer({ command: 'cat' });
    await peer.waitFor(CODE.resume);
    await engine.kill('SIGKILL');
    try {
      await within('close()', server.close(), { ms: 30000 });
      await peer.close();
    } finally {
      await runningAgain();
    }
  });

  it('what an engine that was killed leaves behind ends with the next server', async () => {
    const { server } = await scene.serve({ container });
    const mark = uniqueSleep();
    const peer = await scene.peer({ command: ['sleep', mark] });
    await container.started(mark);
    await engine.kill('SIGKILL');
    await isLost(peer);
    await runningAgain();
    await within('close()', server.close());
    await container.quiet(mark);
  });
});
