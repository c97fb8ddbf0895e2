'use strict';

/** Our client on its own: what it adds to the original's ways. */

const assert = require('node:assert/strict');
const http = require('node:http');
const { once } = require('node:events');
const { pipeline } = require('node:stream/promises');
const { Readable, Writable, PassThrough } = require('node:stream');
const WebSocket = require('ws');

const { DockerClient } = require('..');
const { uniqueSleep, useContainer } = require('./helpers/container');
const { stall, stays, until, within } = require('./helpers/deadline');
const { pairing } = require('./helpers/implementations');
const { useScene } = require('./helpers/scene');
const { CODE } = require('./helpers/wire');

const MIB = 1024 * 1024;

describe('client', () => {
  const container = useContainer();
  const scene = useScene(pairing('ours', 'ours'), container);

  /** A server of the test's own, which plays `script(socket, request)`. */
  async function scripted(script) {
    const { server, port } = await scene.http();
    const wss = new WebSocket.WebSocketServer({ server });
    wss.on('connection', script);
    scene.onEnd(() => {
      for (const socket of wss.clients) socket.terminate();
      wss.close();
    });
    return `ws://127.0.0.1:${port}/x`;
  }

  const message = (code, payload = '') => Buffer.concat([Buffer.from([code]), Buffer.from(payload)]);

  describe('events', () => {
    it("'close' comes last, after 'exit' and the ends of the streams", async () => {
      const talk = scene.client({ command: ['echo', 'hi'], url: (await scene.serve()).url });
      const order = [];
      talk.client.on('close', () => order.push('close'));
      // Who asks for the end only now still gets it, as in version 3.0.0.
      talk.client.on('exit', () => {
        order.push('exit');
        for (const name of ['stdout', 'stderr']) talk.client[name].on('end', () => order.push('end'));
      });
      await talk.open();
      await talk.end();
      await until("'close'", () => order.includes('close'), { transcript: talk.transcript });
      assert.deepEqual(order, ['exit', 'end', 'end', 'close']);
    });

    it("'exit' comes after the last byte of output was given, although the reader is slow", async () => {
      const { client } = await scene.open({ command: ['head', '-c', '3000000', '/dev/zero'], collect: false });
      let bytes = 0;
      client.stderr.resume();
      const exited = once(client, 'exit').then(() => bytes);
      for await (const chunk of client.stdout) {
        bytes += chunk.length;
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.equal(bytes, 3000000);
      await within("'exit'", exited);
    });

    it("'pause' and 'resume' come beside 'paused' and 'resumed'", async () => {
      const url = await scripted((socket) => {
        socket.send(message(CODE.resume));
        socket.send(message(CODE.pause));
        socket.send(message(CODE.resume));
        socket.send(message(CODE.stopped, '\0'));
      });
      const talk = await scene.open({ url, command: ['x'] });
      await talk.end();
      for (const name of ['pause', 'paused', 'resume', 'resumed']) {
        assert.ok(talk.events.includes(name), `${name} in ${talk.events}`);
      }
    });

    it("an 'error' with the server's text is an Error whose string is that text", async () => {
      const url = await scripted((socket) => socket.send(message(CODE.error, 'Something went wrong: é')));
      const talk = await scene.open({ url, command: ['x'] });
      const error = await talk.error();
      assert.ok(error instanceof Error);
      assert.equal(String(error), 'Something went wrong: é');
      assert.match(error.message, /Something went wrong: é/);
      assert.match(error.code, /^DEW_/);
      assert.ok(!talk.events.includes('close'), 'an error alone ended the session');
    });

    for (const [what, end] of [
      ['a dropped connection', (socket) => socket.terminate()],
      ['a close frame without an exit code', (socket) => socket.close(1000)],
      ['a close frame with 1011', (socket) => socket.close(1011, 'engine lost')],
      ['a broken frame', (socket) => socket._socket.write(Buffer.from([0xf2, 0x01, 0x00]))],
    ]) {
      it(`${what} is an error with a code, then the streams close, then 'close'`, async () => {
        const url = await scripted((socket) => {
          socket.send(message(CODE.resume));
          socket.send(message(CODE.stdout, 'some output'), () => end(socket));
        });
        const talk = await scene.open({ url, command: ['x'] });
        assert.match((await talk.error()).code, /^DEW_/);
        await within('close of the streams', talk.cut, { transcript: talk.transcript });
        await until("'close'", () => talk.events.includes('close'), { transcript: talk.transcript });
        assert.equal(talk.stdout.toString(), 'some output');
        assert.equal(talk.client.stdout.readableEnded, false, 'output that was cut off ended as if it were whole');
        assert.ok(!talk.events.includes('exit'));
      });
    }

    it("'shutdown' is followed by 'close', without an error", async () => {
      const url = await scripted((socket) => {
        socket.send(message(CODE.resume));
        socket.send(message(CODE.shutdown));
        socket.close(1001);
      });
      const talk = await scene.open({ url, command: ['x'] });
      await until("'close'", () => talk.events.includes('close'), { transcript: talk.transcript });
      assert.ok(talk.events.includes('shutdown'));
      assert.deepEqual(talk.errors, []);
    });

    it('unknown codes, empty messages and text messages are taken as they are meant', async () => {
      const url = await scripted((socket) => {
        socket.send(message(CODE.resume));
        socket.send(message(77, 'from the future'));
        socket.send(Buffer.alloc(0));
        socket.send('\x01text');
        socket.send(message(CODE.stopped, Buffer.from([254])));
      });
      const talk = await scene.open({ url, command: ['x'] });
      assert.deepEqual(await talk.text(), { code: 254, stdout: 'text', stderr: '' });
    });
  });

  describe('execute()', () => {
    it('rejects with an Error and a code when the server refuses with a status', async () => {
      for (const status of [400, 403, 404, 500, 503]) {
        const { server, port } = await scene.http();
        server.on('upgrade', (request, socket) => socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 4\r\n\r\nwhy?`));
        const { client } = scene.client({ url: `ws://127.0.0.1:${port}/x`, command: ['true'] });
        await assert.rejects(client.execute(), (error) => {
          assert.ok(error instanceof Error);
          assert.match(error.code, /^DEW_/);
          assert.ok(error.message.includes(String(status)), error.message);
          return true;
        });
      }
    });

    it('rejects when the server is no WebSocket server, or says nothing and goes', async () => {
      const plain = await scene.http({ handler: (request, response) => response.end('hello') });
      const silent = require('node:net').createServer((socket) => socket.once('data', () => socket.destroy()));
      await new Promise((resolve) => silent.listen(0, '127.0.0.1', resolve));
      scene.onEnd(() => new Promise((resolve) => silent.close(resolve)));
      for (const port of [plain.port, silent.address().port]) {
        const { client } = scene.client({ url: `ws://127.0.0.1:${port}/x`, command: ['true'] });
        await assert.rejects(within('rejection', client.execute()), (error) => /^DEW_/.test(error.code));
      }
    });

    it('called twice makes one session', async () => {
      const { server } = await scene.serve();
      const talk = await scene.open({ command: ['cat'] });
      await talk.client.execute();
      assert.equal(server.sessions.length, 1);
      talk.client.stdin.end('well');
      assert.equal((await talk.text()).stdout, 'well');
    });

    it('is ended by an AbortSignal, before and after it has connected', async () => {
      const never = require('node:net').createServer((socket) => socket.on('error', () => {}).resume());
      await new Promise((resolve) => never.listen(0, '127.0.0.1', resolve));
      scene.onEnd(() => new Promise((resolve) => never.close(resolve)));
      const early = new AbortController();
      const { client } = scene.client({ url: `ws://127.0.0.1:${never.address().port}/x`, command: ['true'], signal: early.signal });
      const connecting = client.execute();
      early.abort();
      await assert.rejects(within('rejection', connecting), { name: 'AbortError' });

      const { server } = await scene.serve();
      const late = new AbortController();
      const mark = uniqueSleep();
      const talk = await scene.open({ command: ['sleep', mark], signal: late.signal });
      await container.started(mark);
      const closed = talk.next('close');
      late.abort();
      await closed;
      await until('free slot', () => server.sessions.length === 0);
      await container.quiet(mark);
    });
  });

  describe('the terminal', () => {
    /**
     * A command that ends well when it sees the size: at its first look where the engine takes the
     * size with the command (API 1.42), as soon as it changes before that.
     */
    async function lookingFor(size) {
      const { ApiVersion } = await container.docker.version();
      const [major, minor] = ApiVersion.split('.').map(Number);
      const atOnce = major > 1 || minor >= 42;
      return ['sh', '-c', `${atOnce ? 'if' : 'while'} [ "$(stty size)" != "${size}" ]; ${atOnce ? 'then exit 1; fi' : 'do sleep 0.05; done'}`];
    }

    it('has its first size by rows and cols', async () => {
      for (let round = 0; round < 3; round += 1) {
        assert.equal((await scene.run(await lookingFor('41 133'), { tty: true, rows: 41, cols: 133 })).code, 0);
      }
    });

    it('gets a resize that is made right after execute()', async () => {
      const talk = await scene.open({
        command: ['sh', '-c', 'until [ "$(stty size)" = "33 99" ]; do sleep 0.05; done; echo sized'], tty: true,
      });
      talk.client.resize(33, 99);
      assert.match((await talk.text()).stdout, /sized/);
    });

    it('gets a resize that is made before execute()', async () => {
      const { url } = await scene.serve();
      const talk = scene.client({ url, command: await lookingFor('34 98'), tty: true });
      talk.client.resize(34, 98);
      await talk.open();
      assert.equal((await talk.end()).code, 0);
    });

    it('ends its command by the end of stdin', async () => {
      const talk = await scene.open({ command: ['cat'], tty: true });
      talk.client.stdin.end('line\n');
      const { code, stdout } = await talk.text();
      assert.equal(code, 0);
      assert.equal(stdout.replaceAll('\r\n', '\n'), 'line\nline\n');
    });
  });

  describe('flow control', () => {
    it('pause() stops the output of the command and resume() lets it go on', async () => {
      const talk = await scene.open({ command: ['yes'] });
      await talk.sees('y\n');
      talk.client.pause();
      let last = -1;
      await until('silence', async () => {
        const before = last;
        last = talk.outBytes;
        await stays('nothing new', () => true, 200);
        return before === last && last === talk.outBytes;
      });
      await stays('silence', () => talk.outBytes === last, 500);
      talk.client.resume();
      await until('more output', () => talk.outBytes > last);
    });

    it('a Readable that nobody reads stops the command', async () => {
      const talk = await scene.open({ command: ['dd', 'if=/dev/zero', 'bs=1000003', 'count=200'], collect: false });
      await container.started('1000003');
      await stays('a blocked command', async () => (await container.running('1000003')).length === 1, 1500);
      let bytes = 0;
      talk.client.stderr.resume();
      talk.client.stdout.on('data', (chunk) => {
        bytes += chunk.length;
      });
      assert.equal(await within("'exit'", talk.exited, { ms: 60000 }), 0);
      assert.equal(bytes, 200 * 1000003);
    });

    it('pipeline() into stdin ends when all is taken, and out of stdout when all is given', async () => {
      const talk = await scene.open({ command: ['wc', '-c'], collect: false });
      talk.client.stderr.resume();
      const out = [];
      await Promise.all([
        pipeline(Readable.from(Array(64).fill(Buffer.alloc(256 * 1024))), talk.client.stdin),
        pipeline(talk.client.stdout, new Writable({
          write(chunk, encoding, done) {
            out.push(chunk);
            setImmediate(done);
          },
        })),
      ]);
      assert.equal(Buffer.concat(out).toString().trim(), String(16 * MIB));
      assert.equal(await talk.exited, 0);
    });

    it("strbuf tells 'drain' behind a single message that is over its limit", async () => {
      const { url } = await scene.serve({ maxMessageSize: 10 * MIB });
      const talk = await scene.open({ url, command: ['wc', '-c'] });
      const { strbuf, stdin } = talk.client;
      let sent = 0;
      do sent += 9 * MIB - 1; while (strbuf.write(Buffer.alloc(9 * MIB)));
      await within("'drain'", once(strbuf, 'drain'), { transcript: talk.transcript });
      stdin.end();
      assert.equal((await talk.text()).stdout.trim(), String(sent));
    });

    it('strbuf lets go of who waits for it when the connection is gone', async () => {
      const talk = await scene.open({ command: ['sleep', uniqueSleep()] });
      const { strbuf } = talk.client;
      while (strbuf.write(Buffer.alloc(64 * 1024)));
      const drained = once(strbuf, 'drain');
      talk.client.close();
      await within("'drain'", drained);
      await within('callback', new Promise((resolve) => { strbuf.write(Buffer.from([0]), resolve); }));
      strbuf.end();
      await within('callback after end()', new Promise((resolve) => { strbuf.write(Buffer.from([0]), resolve); }));
    });

    it('cork() and many small writes keep their order', async () => {
      const talk = await scene.open({ command: ['cat'] });
      const words = Array.from({ length: 5000 }, (_, number) => `${number},`);
      talk.client.stdin.cork();
      for (const word of words.slice(0, 2500)) talk.client.stdin.write(word);
      talk.client.stdin.uncork();
      for (const word of words.slice(2500)) talk.client.stdin.write(word);
      talk.client.stdin.end();
      assert.equal((await talk.text()).stdout, words.join(''));
    });

    it('keys and pastes keep their order, whether they come alone or together', async () => {
      const talk = await scene.open({ command: ['cat'] });
      const { stdin } = talk.client;
      const sizes = [1, 1, 3, 900, 1, 1500, 2, 70_000, 1, 1, 300_000, 1];
      const written = [];
      for (let number = 0; number < 600; number++) {
        written.push(Buffer.alloc(sizes[number % sizes.length], `${number},`));
        // Alone: so that the client is at rest by then. Every other one comes right behind it.
        if (number % 2 === 0) await stall(number % 3);
        stdin.write(written[number]);
      }
      stdin.end();
      const { stdout } = await talk.text();
      assert.ok(stdout === Buffer.concat(written).toString());
    });

    it('input for a command that has ended is no error, and stdin finishes', async () => {
      const talk = await scene.open({ command: ['true'] });
      const source = new PassThrough();
      source.pipe(talk.client.stdin);
      source.write('x');
      await talk.end();
      source.end(Buffer.alloc(MIB));
      await until('end of stdin', () => talk.client.stdin.writableFinished || talk.client.stdin.destroyed);
      assert.deepEqual(talk.errors, []);
    });
  });

  it('runs another session with the same client when the first is over', async () => {
    const { url } = await scene.serve();
    const client = new DockerClient({ url, tty: false, command: ['cat'] });
    for (const word of ['first', 'second']) {
      await within('execute()', client.execute());
      const output = [];
      client.stdout.on('data', (chunk) => output.push(chunk));
      client.stderr.resume();
      const closed = once(client, 'close');
      client.stdin.end(word);
      assert.deepEqual(await within("'exit'", once(client, 'exit')), [0]);
      assert.equal(Buffer.concat(output).toString(), word);
      await within("'close'", closed);
    }
  });

  it('leaves by close(): the command ends, the streams close, and there is no error', async () => {
    const mark = uniqueSleep();
    const talk = await scene.open({ command: ['sh', '-c', `echo ready; sleep ${mark}`] });
    await talk.sees('ready');
    const closed = talk.next('close');
    talk.client.close();
    await closed;
    await within('close of the streams', talk.cut, { transcript: talk.transcript });
    assert.deepEqual(talk.errors, []);
    assert.ok(!talk.events.includes('exit'));
    await container.quiet(mark);
  });

  it('leaves by Symbol.asyncDispose', async () => {
    const talk = await scene.open({ command: ['sleep', uniqueSleep()] });
    await within('dispose', talk.client[Symbol.asyncDispose]());
    assert.ok(talk.events.includes('close'));
  });

  it('follows no redirect', async () => {
    let asked = 0;
    const other = http.createServer();
    other.on('upgrade', (request, socket) => {
      asked += 1;
      socket.destroy();
    });
    await new Promise((resolve) => other.listen(0, '127.0.0.1', resolve));
    scene.onEnd(() => other.close());
    const { server, port } = await scene.http();
    server.on('upgrade', (request, socket) =>
      socket.end(`HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:${other.address().port}/x\r\nContent-Length: 0\r\n\r\n`));
    const client = new DockerClient({ url: `ws://127.0.0.1:${port}/x`, command: ['true'] });
    await assert.rejects(client.execute(), /302/);
    assert.equal(asked, 0);
  });
});
