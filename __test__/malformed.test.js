'use strict';

/**
 * What no honest client sends: broken handshakes and frames, floods, half requests. Each
 * ends by itself or is answered; a session that is open meanwhile does not notice.
 */

const assert = require('node:assert/strict');
const crypto = require('node:crypto');

const { ChildScene } = require('./helpers/child-scene');
const { useContainer } = require('./helpers/container');
const { until, within } = require('./helpers/deadline');
const { RawConnection, frame, OPCODE } = require('./helpers/tcp');
const { CODE } = require('./helpers/wire');

const MIB = 1024 * 1024;
const PATH = '/shell?tty=false&command=cat';

/** Handshakes, with the status that answers them on a listener of our own (null: closed without an answer). */
const HANDSHAKES = {
  'no upgrade': [426, RawConnection.request(PATH, { headers: { Connection: 'close', Upgrade: null } })],
  'another upgrade': [426, RawConnection.request(PATH, { headers: { Upgrade: 'h2c' } })],
  'no version': [426, RawConnection.request(PATH, { headers: { 'Sec-WebSocket-Version': null } })],
  'an old version': [426, RawConnection.request(PATH, { headers: { 'Sec-WebSocket-Version': '8' } })],
  'no key': [400, RawConnection.request(PATH, { headers: { 'Sec-WebSocket-Key': null } })],
  'a key that is no key': [400, RawConnection.request(PATH, { headers: { 'Sec-WebSocket-Key': 'short' } })],
  'a POST': [405, RawConnection.request(PATH, { method: 'POST' })],
  'an unknown path': [404, RawConnection.request('/nothing')],
  'a path with an escape': [404, RawConnection.request('/%2e%2e/shell')],
};

/** Bytes that are no request at all. */
const GARBAGE = {
  'random bytes': () => Buffer.concat([crypto.randomBytes(2000), Buffer.from('\r\n\r\n')]),
  'a TLS hello': () => Buffer.from('160301020001000001fc0303', 'hex'),
  'an endless header': () => Buffer.from(`GET ${PATH} HTTP/1.1\r\nX: ${'x'.repeat(200000)}`),
  'ten thousand headers': () => Buffer.from(`GET ${PATH} HTTP/1.1\r\n${'A: b\r\n'.repeat(10000)}\r\n`),
  'a header line without a colon': () => Buffer.from(`GET ${PATH} HTTP/1.1\r\nnonsense\r\n\r\n`),
};

/** Frames after a good handshake, with the close code that answers them. */
const FRAMES = {
  'an unmasked frame': [1002, [frame(OPCODE.binary, '\0x', { mask: false })]],
  'a reserved bit': [1002, [frame(OPCODE.binary, '\0x', { rsv: 4 })]],
  'an unknown opcode': [1002, [frame(3, 'x')]],
  'an unknown control opcode': [1002, [frame(11, 'x')]],
  'a ping of 126 bytes': [1002, [frame(OPCODE.ping, Buffer.alloc(126))]],
  'a fragmented ping': [1002, [frame(OPCODE.ping, 'x', { fin: false })]],
  'a continuation of nothing': [1002, [frame(OPCODE.continuation, 'x')]],
  'a message inside of a message': [1002, [frame(OPCODE.binary, '\0x', { fin: false }), frame(OPCODE.binary, '\0y')]],
  'a close frame of one byte': [1002, [frame(OPCODE.close, 'x')]],
  'a close code that must not be sent': [1002, [frame(OPCODE.close, Buffer.from([3, 0xee]))]],
  'a text message that is not UTF-8': [1007, [frame(OPCODE.text, Buffer.from([0, 0xc3, 0x28]))]],
  'a frame longer than the limit': [1009, [frame(OPCODE.binary, '\0x', { length: 200 * MIB })]],
  'a frame with the longest length there is': [null, [Buffer.from('82ffffffffffffffffff00000000', 'hex')]],
  'fragments that add up to more than the limit': [1009, [
    frame(OPCODE.binary, Buffer.alloc(MIB), { fin: false }),
    ...Array(120).fill(frame(OPCODE.continuation, Buffer.alloc(MIB), { fin: false })),
  ]],
};

for (const [how, options] of [['an http server', {}], ['its own listener', { port: 0 }]]) {
  describe(`malformed input on ${how}`, () => {
    const container = useContainer();
    const connections = [];
    let scene;

    before(async () => {
      scene = await ChildScene.start({
        implementation: 'ours', container, maxSessions: 200, ...options,
      });
    });
    after(async () => {
      if (scene) await scene.end();
    });
    afterEach(() => {
      for (const connection of connections.splice(0)) connection.destroy();
    });

    async function connect() {
      const connection = await RawConnection.connect(scene.server.port);
      connections.push(connection);
      return connection;
    }

    async function session(request = {}) {
      const connection = await connect();
      assert.equal(await connection.upgrade('/shell', request), 101);
      return connection;
    }

    /** No session but the bystander's is left, and that one is well. */
    async function unharmed() {
      await scene.unharmed();
      await until('free slots', async () => await scene.server.sessions() === 1);
    }

    for (const [what, [status, request]] of Object.entries(HANDSHAKES)) {
      it(`handshake: ${what}`, async () => {
        const connection = await connect();
        connection.write(request);
        const answer = await scene.orCrash(connection.status());
        // A Node http server answers requests without an upgrade by itself.
        if (options.port === 0) assert.equal(answer, status);
        else assert.ok(answer >= 400, `status ${answer}`);
        await unharmed();
      });
    }

    for (const [what, make] of Object.entries(GARBAGE)) {
      it(`instead of a handshake: ${what}`, async () => {
        const connection = await connect();
        connection.write(make());
        await scene.orCrash(within('end of the connection', connection.gone, { transcript: connection.transcript }));
        await unharmed();
      });
    }

    it('a handshake that is cut off', async () => {
      for (const length of [1, 20, 100]) {
        const connection = await connect();
        connection.write(RawConnection.request(PATH).slice(0, length));
        connection.destroy();
      }
      await unharmed();
    });

    it('a handshake in single bytes is good', async () => {
      const connection = await connect();
      connection.socket.setNoDelay(true);
      for (const byte of Buffer.from(RawConnection.request(PATH))) {
        await new Promise((resolve) => connection.socket.write(Buffer.from([byte]), resolve));
      }
      assert.equal(await connection.status(), 101);
      connection.frame(OPCODE.binary, '\0slow');
      await connection.message(CODE.stdout);
      connection.destroy();
      await unharmed();
    });

    it('a handshake, input and its end in one packet are good', async () => {
      const connection = await connect();
      connection.write(Buffer.concat([
        Buffer.from(RawConnection.request(PATH)),
        frame(OPCODE.binary, '\0together'), frame(OPCODE.binary, Buffer.from([CODE.end])),
      ]));
      const stopped = await scene.orCrash(connection.message(CODE.stopped));
      assert.deepEqual([...stopped.payload], [CODE.stopped, 0]);
      assert.equal((await connection.message(CODE.stdout)).payload.toString(), '\x01together');
      await unharmed();
    });

    for (const [what, [code, frames]] of Object.entries(FRAMES)) {
      it(`frame: ${what}`, async () => {
        const connection = await session();
        for (const one of frames) connection.write(one);
        const closeCode = await scene.orCrash(connection.closeCode());
        if (code !== null) assert.equal(closeCode, code, `${connection.transcript}`);
        await unharmed();
      });
    }

    it('frames in single bytes, in fragments, and pings between fragments are good', async () => {
      const connection = await session();
      connection.socket.setNoDelay(true);
      const bytes = Buffer.concat([
        frame(OPCODE.binary, '\0frag', { fin: false }),
        frame(OPCODE.ping, 'are you there'),
        frame(OPCODE.continuation, '', { fin: false }),
        frame(OPCODE.continuation, 'ments'),
        frame(OPCODE.binary, ''),
        frame(OPCODE.text, '\0 and text é'),
        frame(OPCODE.binary, Buffer.from([77, 1, 2, 3])),
        frame(OPCODE.binary, Buffer.from([CODE.end])),
      ]);
      for (const byte of bytes) await new Promise((resolve) => connection.socket.write(Buffer.from([byte]), resolve));
      await scene.orCrash(connection.message(CODE.stopped));
      const stdout = connection.frames.filter((one) => one.opcode === OPCODE.binary && one.payload[0] === CODE.stdout)
        .map((one) => one.payload.subarray(1).toString()).join('');
      assert.equal(stdout, 'fragments and text é');
      assert.ok(connection.frames.some((one) => one.opcode === OPCODE.pong && one.payload.toString() === 'are you there'));
      assert.equal(await connection.farewell(), 1000);
      await unharmed();
    });

    it('a flood of pings', async () => {
      const connection = await session();
      const flood = Buffer.concat(Array(20000).fill(frame(OPCODE.ping, 'x'.repeat(100))));
      const before = scene.server.rss();
      connection.socket.pause();
      connection.write(flood);
      await scene.unharmed();
      connection.socket.resume();
      connection.frame(OPCODE.binary, '\0still here');
      await scene.orCrash(connection.message(CODE.stdout));
      assert.ok(scene.server.rss() - before < 32, `the server grew by ${scene.server.rss() - before} MiB`);
      connection.destroy();
      await unharmed();
    });

    it('a flood of empty and unknown messages', async () => {
      const connection = await session();
      const pair = Buffer.concat([frame(OPCODE.binary, ''), frame(OPCODE.binary, Buffer.from([99])), frame(OPCODE.text, '')]);
      connection.write(Buffer.concat(Array(20000).fill(pair)));
      connection.frame(OPCODE.binary, '\0still here');
      await scene.orCrash(connection.message(CODE.stdout));
      connection.destroy();
      await unharmed();
    });

    it('a flood of resizes, pauses and resumes', async () => {
      const connection = await session({ command: 'cat', tty: true });
      const some = Buffer.concat([
        frame(OPCODE.binary, Buffer.from([CODE.resize, 24, 0, 80, 0])),
        frame(OPCODE.binary, Buffer.from([CODE.pause])), frame(OPCODE.binary, Buffer.from([CODE.resume])),
      ]);
      connection.write(Buffer.concat(Array(5000).fill(some)));
      connection.frame(OPCODE.binary, '\0still here\n');
      await scene.orCrash(connection.message(CODE.stdout));
      connection.destroy();
      await unharmed();
    });

    it('a close frame is answered with the same code, and ends the command', async () => {
      const connection = await session();
      connection.frame(OPCODE.close, Buffer.from([0x03, 0xe8]));
      assert.equal(await scene.orCrash(connection.closeCode()), 1000);
      await unharmed();
    });

    it('fifty peers that leave in the middle of a frame', async () => {
      await Promise.all(Array.from({ length: 50 }, async () => {
        const connection = await session({ command: 'true' });
        connection.write(frame(OPCODE.binary, Buffer.alloc(1000)).subarray(0, 500));
        connection.destroy();
      }));
      await unharmed();
    });
  });
}
