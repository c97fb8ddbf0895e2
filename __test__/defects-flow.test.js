'use strict';

/**
 * Defects of the 3.0.0 packages when one side is slower than the other. With
 * DEW_TEST_IMPLEMENTATION=old these tests run against those packages, and fail.
 */

const assert = require('node:assert/strict');

const { uniqueSleep, useContainer } = require('./helpers/container');
const { useChildScene } = require('./helpers/child-scene');
const { startClient } = require('./helpers/clientchild');
const { stall, stays, until, within } = require('./helpers/deadline');
const { pairing, subject } = require('./helpers/implementations');
const { useScene } = require('./helpers/scene');
const { ServerChild } = require('./helpers/serverchild');
const { CODE } = require('./helpers/wire');

const MIB = 1024 * 1024;
const implementation = subject();

/** The most that `numbers` prints. */
const MOST = 40 * MIB;
const BLOCK = 64 * 1024;

/** A command that prints `size` bytes, whole blocks, which can be told from one another: lines of numbers. */
const numbers = (size) => ['sh', '-c', `dd if=/tmp/numbers bs=${BLOCK} count=${size / BLOCK} 2>/dev/null; exit 3`];

/** What `numbers(size)` prints. */
function expected(size) {
  const lines = [];
  for (let number = 1000000, length = 0; length < size; number += 1) {
    lines.push(number);
    length += 8;
  }
  return Buffer.from(`${lines.join('\n')}\n`).subarray(0, size);
}

async function isComplete(peer, size) {
  assert.equal(await peer.exit({ ms: 40000 }), 3);
  const stdout = peer.bytes(CODE.stdout);
  assert.equal(stdout.length, size, `${peer.transcript}`);
  assert.ok(stdout.equals(expected(size)), 'the output has changed on its way');
  assert.equal(peer.messages[peer.messages.length - 1].code, CODE.stopped, 'output came after the exit code');
}

/** Reads from the peer's socket at no more than `rate` bytes a second. */
function readAt(peer, rate) {
  const started = Date.now();
  let received = 0;
  peer.socket.on('message', (data) => {
    received += data.length;
    const ahead = (received / rate) * 1000 - (Date.now() - started);
    if (ahead > 10 && !peer.socket.isPaused) {
      peer.socket.pause();
      setTimeout(() => peer.socket.resume(), ahead);
    }
  });
}

describe(`defects of flow control (${implementation})`, () => {
  const container = useContainer();
  const scene = useScene(pairing(implementation, implementation), container);
  const children = useChildScene();

  before('have the numbers ready', async () => {
    const { code } = await container.exec(['sh', '-c', `seq 1000000 ${1000000 + MOST / 8} | head -c ${MOST} >/tmp/numbers`]);
    assert.equal(code, 0);
  });

  for (const [number, size] of [[6, 6], [7, 40]]) {
    it(`defect ${number}: ${size} MiB and the exit code arrive at a reader that stalls for 2.5 s`, async () => {
      const peer = await scene.peer({ command: numbers(size * MIB) });
      await peer.waitFor(CODE.resume);
      peer.socket.pause();
      await stall(2500);
      peer.socket.resume();
      await isComplete(peer, size * MIB);
    });

    it(`defect ${number}: ${size} MiB and the exit code arrive after 'pause' and 'resume'`, async () => {
      const peer = await scene.peer({ command: numbers(size * MIB) });
      await peer.waitFor(CODE.resume);
      peer.send(CODE.pause);
      await stall(1500);
      peer.send(CODE.resume);
      await isComplete(peer, size * MIB);
    });
  }

  for (const [number, size, rate] of [[6, 7, 2], [7, 24, 4]]) {
    it(`defect ${number}: ${size} MiB and the exit code arrive at a reader of ${rate} MiB/s`, async () => {
      const peer = await scene.peer({ command: numbers(size * MIB) });
      readAt(peer, rate * MIB);
      await isComplete(peer, size * MIB);
    });
  }

  it("defect 6: a consumer that takes 5 ms for each chunk gets everything, then 'exit'", async () => {
    const size = 2 * MIB;
    const talk = await scene.open({ command: numbers(size), collect: false });
    const { stdout, stderr } = talk.client;
    const chunks = [];
    let exitAfter = null;
    talk.client.once('exit', () => {
      exitAfter = chunks.length;
    });
    stderr.resume();
    const read = (async () => {
      for await (const chunk of stdout) {
        chunks.push(chunk);
        await stall(5);
      }
    })();
    await within('end of stdout', read, { ms: 40000, transcript: talk.transcript });
    assert.ok(Buffer.concat(chunks).equals(expected(size)), `${Buffer.concat(chunks).length} of ${size} bytes arrived`);
    assert.equal(await within("'exit'", talk.exited, { transcript: talk.transcript }), 3);
    assert.notEqual(exitAfter, 0);
  });

  it('defect 8: a paused peer stops the command, and the server keeps its size', async () => {
    const child = await children.start({ implementation, container });
    const peer = await child.peer({ command: ['head', '-c', '900000001', '/dev/zero'] });
    await peer.waitFor(CODE.resume);
    peer.send(CODE.pause);
    await container.started('900000001');
    const before = child.server.rss();
    await stays('a blocked command and a server of the same size', async () => {
      const grown = child.server.rss() - before;
      assert.ok(grown < 32, `the server has grown by ${grown.toFixed()} MiB`);
      return (await container.running('900000001')).length === 1;
    }, 3000, peer);
  });

  it('S28 defect 8: a peer that does not read stops the command, and the server keeps its size and serves others', async () => {
    const child = await children.start({ implementation, container });
    const peer = await child.peer({ command: ['head', '-c', '900000002', '/dev/zero'] });
    peer.socket.pause();
    const other = await child.peer({ command: 'cat' });
    await other.waitFor(CODE.resume);
    let word = 0;
    await container.started('900000002');
    const before = child.server.rss();
    await stays('a blocked command and a server of the same size', async () => {
      const grown = child.server.rss() - before;
      assert.ok(grown < 32, `the server has grown by ${grown.toFixed()} MiB`);
      word += 1;
      other.stdin(`word-${word}.`);
      await other.sees(`word-${word}.`);
      return (await container.running('900000002')).length === 1;
    }, 3000, peer);
  });

  it('defect 9: stdin pushes back when the command takes nothing', async () => {
    const talk = await scene.open({ command: ['sleep', uniqueSleep()] });
    await within("'resumed'", talk.resumed, { transcript: talk.transcript });
    const chunk = Buffer.alloc(MIB);
    let written = 0;
    const { stdin } = talk.client;
    // A caller that heeds write(): goes on at 'drain', and a second without one means that it is held back.
    while (written < 64 * MIB) {
      const more = stdin.write(chunk);
      written += chunk.length;
      if (more) {
        await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      const drained = await Promise.race([
        new Promise((resolve) => stdin.once('drain', () => resolve(true))),
        stall(1000).then(() => false),
      ]);
      if (!drained) break;
    }
    assert.ok(written < 64 * MIB, `write() took ${written / MIB} MiB for a command that reads nothing`);
  });

  it('defect of bulk output: 300 MiB reach a client in another process, three times', async function bulk() {
    this.timeout(240_000); // a hang never ends, and others may be at work
    const server = await ServerChild.start({ implementation, containerId: container.id, dockerSocket: container.socketPath });
    try {
      for (let round = 0; round < 3; round += 1) {
        const client = startClient({
          implementation,
          url: server.url,
          script: `
            const client = new Client({ url, tty: false, command: ['dd', 'if=/dev/zero', 'bs=1M', 'count=300'] });
            let bytes = 0;
            await client.execute();
            client.stdout.on('data', (chunk) => { bytes += chunk.length; });
            client.stderr.resume();
            client.stdout.on('end', () => say('bytes ' + bytes));
            client.on('exit', (code) => say('exit ' + code));
          `,
        });
        try {
          await within('end of the client', client.exited, { ms: 60_000, transcript: client.transcript });
        } finally {
          client.child.kill('SIGKILL');
        }
        assert.deepEqual(client.lines.sort(), [`bytes ${300 * MIB}`, 'exit 0'], client.stderr);
        await until('free slot', async () => await server.sessions() === 0);
      }
      assert.ok(server.rss() < 200, `the server has ${server.rss().toFixed()} MiB`);
    } finally {
      await server.kill();
    }
  });
});
