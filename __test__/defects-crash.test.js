'use strict';

/**
 * Defects of the 3.0.0 server that end the whole process, and with it every session in it.
 * With DEW_TEST_IMPLEMENTATION=old these tests run against that server, and fail.
 */

const assert = require('node:assert/strict');
const { Readable } = require('node:stream');

const { startPrivateEngine, ensureImage } = require('../scripts/engine');
const { useChildScene } = require('./helpers/child-scene');
const { TestContainer, useContainer } = require('./helpers/container');
const { Conversation } = require('./helpers/conversation');
const { until } = require('./helpers/deadline');
const { implementations, subject } = require('./helpers/implementations');
const { RawConnection, OPCODE } = require('./helpers/tcp');
const { CODE } = require('./helpers/wire');

const MIB = 1024 * 1024;
const implementation = subject();

describe(`defects that end the server process (${implementation})`, () => {
  const container = useContainer();
  const scenes = useChildScene();
  const start = (options) => scenes.start({ implementation, container, ...options });

  it('defect 1: stdin after the end of stdin does no harm', async () => {
    const scene = await start();
    const peer = await scene.peer({ command: 'cat' });
    await peer.waitFor(CODE.resume);
    peer.stdin('before');
    peer.end();
    peer.stdin('after');
    peer.end();
    peer.stdin('after that');
    assert.equal(await scene.orCrash(peer.exit()), 0);
    assert.equal(peer.stdout, 'before');
    await scene.unharmed();
  });

  it('defect 2: stdin for a command that has ended does no harm', async () => {
    const scene = await start();
    for (let round = 0; round < 8; round += 1) {
      const peer = await scene.peer({ command: ['head', '-c', '10'] });
      await peer.waitFor(CODE.resume);
      // Input all the time, so that some of it comes in each moment of the command's end.
      for (let frame = 0; frame < 20000 && peer.isOpen && scene.server.alive; frame += 1) {
        peer.stdin(Buffer.alloc(1024, 'x'));
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.equal(await scene.orCrash(peer.exit()), 0);
      assert.equal(peer.stdout, 'xxxxxxxxxx');
    }
    await scene.unharmed();
  });

  it('defect 2: a client that pipes 5 MB into `head -c 10` gets its 10 bytes', async () => {
    const scene = await start();
    const { Client } = implementations[implementation];
    const client = new Client({ url: scene.server.url, tty: false, command: ['head', '-c', '10'] });
    const talk = await new Conversation(implementation, client).open();
    try {
      Readable.from(Array(80).fill(Buffer.alloc(64 * 1024, 'x'))).pipe(client.stdin);
      assert.deepEqual(await scene.orCrash(talk.text()), { code: 0, stdout: 'xxxxxxxxxx', stderr: '' });
    } finally {
      talk.leave();
    }
    await scene.unharmed();
  });

  it('defect 3: resizing while the shell ends does no harm', async () => {
    const scene = await start();
    for (let round = 0; round < 3; round += 1) {
      const peer = await scene.peer({ command: 'sh', tty: true });
      await peer.sees('#');
      peer.stdin('exit 5\n');
      for (let size = 1; size < 5000 && peer.isOpen && scene.server.alive; size += 1) {
        peer.resize(20 + (size % 50), 80);
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.equal(await scene.orCrash(peer.exit()), 5);
    }
    await scene.unharmed();
  });

  const malformed = {
    'an unmasked frame': { code: 1002, send: (peer) => peer.frame(OPCODE.binary, '\0abc', { mask: false }) },
    'a frame of more than 100 MiB': { code: 1009, send: (peer) => peer.frame(OPCODE.binary, '\0abc', { length: 101 * MIB }) },
    'a text message that is not UTF-8': { code: 1007, send: (peer) => peer.frame(OPCODE.text, Buffer.from([0, 0xff, 0xfe])) },
  };
  for (const [what, { code, send }] of Object.entries(malformed)) {
    it(`defect 4: ${what} ends that connection with ${code} and does no harm`, async () => {
      const scene = await start();
      const peer = await RawConnection.connect(scene.server.port);
      try {
        assert.equal(await peer.upgrade(scene.server.path), 101);
        send(peer);
        assert.equal(await scene.orCrash(peer.closeCode()), code);
      } finally {
        peer.destroy();
      }
      await scene.unharmed();
      await until('free slot', async () => await scene.server.sessions() === 1);
    });
  }

  // An engine that is asked to end kills its containers first: 137 is what the command ended with.
  for (const [signal, codes] of [['SIGTERM', [137]], ['SIGKILL', []]]) {
    it(`defect 5: the server lives on when the engine gets ${signal}, and serves again when it is back`, async () => {
      const engine = await startPrivateEngine({ name: 'defect5' });
      try {
        await ensureImage(engine);
        const own = await TestContainer.start({ socketPath: engine.socketPath });
        const scene = await scenes.start({ implementation, container: own });
        const peer = await scene.peer({ command: 'cat' });
        await peer.waitFor(CODE.resume);
        peer.stdin('running');
        await peer.sees('running');
        await engine.kill(signal);
        await scene.orCrash(peer.close());
        await scene.orCrash(scene.bystander.close());
        for (const { payload } of peer.of(CODE.stopped)) {
          assert.ok(codes.includes(payload[0]), `an exit code was invented\n${peer.transcript}`);
        }
        await engine.restart();
        if (!(await own.container.inspect()).State.Running) await own.container.start();
        const again = await scene.peer({ command: ['echo', 'back'] });
        assert.equal(await scene.orCrash(again.exit()), 0);
        assert.equal(again.stdout, 'back\n');
      } finally {
        await engine.stop();
      }
    });
  }

  it('defect 21: a resize that is too short is answered with an error, and the session lives on', async () => {
    const scene = await start();
    const peer = await scene.peer({ command: 'cat', tty: true });
    await peer.waitFor(CODE.resume);
    peer.send(CODE.resize, Buffer.from([10, 0, 20]));
    peer.stdin('alive\n');
    await scene.orCrash(peer.sees('alive'));
    const { payload } = await scene.orCrash(peer.waitFor(CODE.error));
    assert.match(payload.toString(), /resize/);
    peer.send(CODE.resize);
    await until('second error', () => peer.of(CODE.error).length === 2, { transcript: peer.transcript });
    await scene.unharmed();
  });
});
