'use strict';

/** Streams of ours where they are to be more than those of dockerode. */

const assert = require('node:assert/strict');
const { randomBytes } = require('node:crypto');
const { once } = require('node:events');
const { Duplex, PassThrough, Readable, Writable } = require('node:stream');
const { pipeline } = require('node:stream/promises');

const { Docker, DockerError } = require('..');
const { IMAGES, LABEL, runId } = require('../scripts/engine');
const { engineSocket, useContainer } = require('./helpers/container');
const { atRest, stays, until, within } = require('./helpers/deadline');
const { useFakeEngines } = require('./helpers/fake-engine');
const { startScript } = require('./helpers/script');
const { bytesOf, containerOptions } = require('./helpers/twins');

const MIB = 1024 * 1024;
const frame = (stream, payload) => {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(Buffer.byteLength(payload), 4);
  return Buffer.concat([header, Buffer.from(payload)]);
};
const docker = () => new Docker({ socketPath: engineSocket() });
const modem = new Docker({ socketPath: '/nonexistent' }).modem;

/** Takes nothing until told to. */
class Slow extends Writable {
  taken = 0;
  #go = null;

  constructor() {
    super({ highWaterMark: 64 * 1024 });
  }

  _write(chunk, _, callback) {
    this.taken += chunk.length;
    this.#go = callback;
  }

  go() {
    this.#go?.();
  }
}

describe('a body that nobody reads', () => {
  const fake = useFakeEngines();

  it('stays with the engine', async () => {
    let written = 0;
    const engine = await fake((_, response) => {
      const write = () => {
        while (!response.destroyed) {
          written += 64 * 1024;
          if (!response.write(Buffer.alloc(64 * 1024))) break;
        }
      };
      response.on('drain', write);
      write();
    });
    const stream = await new Docker({ socketPath: engine.socketPath }).getContainer('c').export();
    await atRest('what is written', () => written);
    assert.ok(written < 8 * MIB, `${written} bytes were written`);
    stream.destroy();
    await until('end of the connection', () => engine.sockets.size === 0);
  });

  it('does not hold the process when it is short', async () => {
    const engine = await fake((_, response) => response.end(Buffer.alloc(MIB / 2)));
    const { exited } = startScript(`
      const stream = await new main.Docker(given).getEvents();
      console.log(stream.statusCode);
    `, { socketPath: engine.socketPath });
    const { code, stdout } = await within('end of the process', exited);
    assert.deepEqual([code, stdout], [0, '200\n']);
  });

  it('tells its headers as Node does', async () => {
    const engine = await fake((_, response) => response.writeHead(200, 'Fine', { 'X-A': ['1', '2'], 'Set-Cookie': ['a', 'b'] }).end('x'));
    const stream = await new Docker({ socketPath: engine.socketPath }).getEvents();
    assert.deepEqual([stream.statusCode, stream.statusMessage], [200, 'Fine']);
    assert.deepEqual([stream.headers['x-a'], stream.headers['set-cookie']], ['1, 2', ['a', 'b']]);
    assert.equal((await bytesOf(stream)).toString(), 'x');
  });

  it('is an error when it breaks off', async () => {
    const engine = await fake((_, response) => {
      response.writeHead(200, { 'Content-Length': 10 }).write('abc');
      setTimeout(() => response.destroy(), 50);
    });
    const stream = await new Docker({ socketPath: engine.socketPath }).getEvents();
    await assert.rejects(bytesOf(stream), { code: 'DEW_ENGINE_LOST' });
  });

  it('can be the output of a hijack whose upgrade was lost on the way', async () => {
    const engine = await fake((_, response) => response.end('output'));
    engine.server.on('upgrade', (_, socket) => socket.end('HTTP/1.1 200 OK\r\n\r\noutput'));
    const stream = await new Docker({ socketPath: engine.socketPath }).getExec('e').start({ hijack: true, stdin: true });
    assert.ok(stream instanceof Duplex);
    const [error] = await Promise.all([once(stream, 'error').then(([one]) => one), stream.write('input')]);
    assert.equal(error.code, 'DEW_ENGINE_PROTOCOL');
    assert.match(error.message, /HTTP 200 and not 101/);
  });
});

describe('a body that is longer than what may wait to be read', () => {
  const fake = useFakeEngines();
  const content = randomBytes(5 * MIB + 1234);
  const PIECES = [1, 70_000, 3, 1000, 300_000, 17];
  const framings = {
    'the last of its chunks'(response) {
      let at = 0;
      for (let turn = 0; at < content.length; turn++) {
        const next = at + PIECES[turn % PIECES.length];
        response.write(content.subarray(at, next));
        at = next;
      }
      response.end();
    },
    'its length': (response) => response.setHeader('Content-Length', content.length).end(content),
    'the end of the connection': ({ socket }) => socket.end(Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), content])),
  };
  const opened = async (respond, options) => {
    const engine = await fake((_, response) => respond(response));
    const client = new Docker({ socketPath: engine.socketPath, ...options });
    return { engine, stream: await client.getContainer('c').logs({ follow: true, stdout: true }) };
  };
  /** Sends 2 MiB of twice as many, and then what `then` does. */
  const half = (then) => (response) => {
    response.writeHead(200, { 'Content-Length': 4 * MIB }).write(Buffer.alloc(2 * MIB), () => then(response));
  };

  for (const [title, respond] of Object.entries(framings)) {
    it(`comes as it is, up to ${title}`, async () => {
      const { engine, stream } = await opened(respond);
      assert.ok(content.equals(await bytesOf(stream)));
      await until('end of the connection', () => engine.sockets.size === 0);
    });
  }

  it('comes at the pace of its reader', async () => {
    const { stream } = await opened(framings['the last of its chunks']);
    let taken = 0;
    const slow = new Writable({
      highWaterMark: 64 * 1024,
      write(chunk, _, callback) {
        taken += chunk.length;
        setImmediate(callback);
      },
    });
    await pipeline(stream, slow);
    assert.equal(taken, content.length);
  });

  it('is an error when it breaks off', async () => {
    const { stream } = await opened(half((response) => response.destroy()));
    await assert.rejects(bytesOf(stream), { code: 'DEW_ENGINE_LOST' });
  });

  it('is an error when what comes is no chunk', async () => {
    const { stream } = await opened((response) => {
      response.write(Buffer.alloc(2 * MIB), () => response.socket.write('no chunk at all\r\n'));
    });
    await assert.rejects(bytesOf(stream), { code: 'DEW_ENGINE_PROTOCOL' });
  });

  it('is an error when nothing comes for too long', async () => {
    const { engine, stream } = await opened(half(() => {}), { timeout: 100 });
    await assert.rejects(bytesOf(stream), { code: 'DEW_ENGINE_IDLE_TIMEOUT' });
    await until('end of the connection', () => engine.sockets.size === 0);
  });

  it('ends with its connection when it is destroyed', async () => {
    const { engine, stream } = await opened(half(() => {}));
    let taken = 0;
    for await (const chunk of stream) {
      taken += chunk.length;
      if (taken === 2 * MIB) break;
    }
    await until('end of the connection', () => engine.sockets.size === 0);
  });
});

describe('a hijacked connection', () => {
  const fake = useFakeEngines();
  const container = useContainer();
  const exec = async (command, options) => docker().getContainer(container.id).exec({
    Cmd: command, AttachStdin: true, AttachStdout: true, AttachStderr: true, ...options,
  });

  it('carries as much input as there is, at the pace of the command', async () => {
    const stream = await (await exec(['sh', '-c', 'sleep 0.3; wc -c'])).start({ hijack: true, stdin: true });
    Readable.from(Array.from({ length: 64 }, () => Buffer.alloc(MIB / 4))).pipe(stream);
    assert.equal((await bytesOf(stream)).subarray(8).toString(), `${16 * MIB}\n`);
  });

  it('is made for `stdin` alone, too', async () => {
    const stream = await (await exec(['cat'])).start({ stdin: true });
    stream.end('abc');
    assert.equal((await bytesOf(stream)).subarray(8).toString(), 'abc');
  });

  it('takes what comes from a command that does not read', async () => {
    const stream = await (await exec(['sh', '-c', 'head -c 1; echo done'])).start({ hijack: true, stdin: true });
    stream.on('error', () => {});
    const writing = new Promise((resolve) => stream.write(Buffer.alloc(8 * MIB), resolve));
    assert.match((await bytesOf(stream)).toString('latin1'), /done/);
    await within('end of the write', writing);
  });

  /** A hijacked stream of an engine that does `hold` with the socket, and its first output. */
  async function hijacked(hold) {
    const engine = await fake(() => {});
    engine.server.on('upgrade', (_, socket) => {
      hold(socket);
      socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nx');
    });
    const stream = await new Docker({ socketPath: engine.socketPath }).getExec('e').start({ hijack: true });
    await once(stream, 'data');
    return { engine, stream };
  }

  it('is closed at once when it is destroyed', async () => {
    const { engine, stream } = await hijacked((socket) => socket.on('end', () => socket.end()).resume());
    stream.destroy();
    await until('end of the connection', () => engine.sockets.size === 0);
  });

  it('fails what is being written when it is destroyed', async () => {
    const { stream } = await hijacked((socket) => socket.pause());
    const outcomes = [8 * MIB, 1].map((size) => new Promise((resolve) => stream.write(Buffer.alloc(size), resolve)));
    stream.destroy();
    const errors = await within('outcomes of the writes', Promise.all(outcomes));
    assert.deepEqual(errors.map(({ code }) => code), ['ERR_STREAM_DESTROYED', 'ERR_STREAM_DESTROYED']);
  });

  it('fails what is being written with the error that it is destroyed with', async () => {
    const { stream } = await hijacked((socket) => socket.pause());
    const failed = once(stream, 'error');
    const outcome = new Promise((resolve) => stream.write(Buffer.alloc(8 * MIB), resolve));
    const reason = new Error('enough');
    stream.destroy(reason);
    assert.deepEqual([await within('outcome of the write', outcome), ...await failed], [reason, reason]);
  });
});

describe('run()', () => {
  const fake = useFakeEngines();

  for (const [name, streamsOf] of [['one stream', () => new PassThrough()], ['two', () => [new PassThrough(), new PassThrough()].map((one) => one.on('error', () => {}))]]) {
    it(`fails when the output breaks off, with ${name}`, async () => {
      let output;
      const engine = await fake((request, response) => {
        if (request.url.endsWith('/create')) response.writeHead(201).end('{"Id":"c"}');
        else if (request.url.includes('/attach')) (output = response.writeHead(200, { 'Content-Length': 100 })).write('abc');
        else if (request.url.endsWith('/start')) response.writeHead(204).end();
        else {
          output.once('close', () => response.end('{"StatusCode":0}'));
          output.destroy();
        }
      });
      const running = new Docker({ socketPath: engine.socketPath }).run('image', ['true'], streamsOf());
      await assert.rejects(within('the end of the run', running), { code: 'DEW_ENGINE_LOST' });
    });
  }

  it("leaves the output to whoever hears of its 'stream', for as long as they like", async () => {
    let taken;
    await new Promise((resolve, reject) => {
      const options = { HostConfig: { NetworkMode: 'none' }, Labels: { [LABEL]: runId() } };
      const running = docker().run(IMAGES.busybox, ['echo', 'out'], null, options, (error, _, container) => {
        if (error) reject(error);
        else container.remove().then(resolve, reject);
      });
      running.on('stream', (stream) => { taken = stream; });
    });
    assert.equal((await bytesOf(taken)).toString(), 'out\r\n');
  });

  it('tells of its end when its streams have been given the last byte of output', async () => {
    let written = 0;
    const output = new Writable({
      highWaterMark: 16 * 1024,
      write(chunk, _, callback) {
        setTimeout(() => {
          written += chunk.length;
          callback();
        }, 5);
      },
    });
    const options = { Tty: false, HostConfig: { NetworkMode: 'none' }, Labels: { [LABEL]: runId() } };
    // No more than is written well within the two seconds for which dockerd keeps what a container has left behind.
    const command = ['dd', 'if=/dev/zero', 'bs=64k', 'count=16'];
    const [result, container] = await docker().run(IMAGES.busybox, command, [output, new PassThrough().resume()], options);
    await container.remove();
    assert.equal(result.StatusCode, 0);
    assert.equal(written + output.writableLength, MIB);
    assert.ok(written > 0 && output.writableEnded);
  });
});

describe('run() with an engine that goes', () => {
  const fake = useFakeEngines();

  for (const [what, make] of [
    ['no stream', () => null], ['one stream', () => new PassThrough()], ['two streams', () => [new PassThrough(), new PassThrough()]],
  ]) {
    it(`rejects, and throws nothing, for ${what}`, async () => {
      const engine = await fake((request, response) => {
        request.resume();
        response.setHeader('content-type', 'application/json');
        if (request.url.includes('/create')) response.writeHead(201).end('{"Id":"x"}');
        else if (request.url.includes('/start')) response.writeHead(204).end();
        else if (request.url.includes('/attach')) response.writeHead(200).write(frame(1, 'abc'));
        else engine.cut();
      });
      const running = new Docker({ socketPath: engine.socketPath }).run('image', ['x'], make());
      await assert.rejects(within('the end', running), { code: 'DEW_ENGINE_LOST' });
    });
  }

  it('waits for no reader where nobody wants the output', async () => {
    const command = ['head', '-c', String(20 * MIB), '/dev/zero'];
    const options = { Tty: false, Labels: { [LABEL]: runId() }, HostConfig: { NetworkMode: 'none' } };
    const [{ StatusCode }, container] = await within('the end', docker().run(IMAGES.busybox, command, null, options));
    await container.remove();
    assert.equal(StatusCode, 0);
  });
});

describe('a body of a request', () => {
  const fake = useFakeEngines();

  it('that is neither bytes nor text fails the request', async () => {
    const engine = await fake((request) => request.resume());
    const container = new Docker({ socketPath: engine.socketPath }).getContainer('x');
    for (const wrong of [1, { a: 1 }]) {
      const sent = container.putArchive(Readable.from([wrong]), { path: '/' });
      await assert.rejects(within('an error', sent), { code: 'DEW_BAD_OPTION' });
    }
  });
});

describe('a stream that is over', () => {
  it('is over for demuxStream and followProgress, too', async () => {
    const ended = Readable.from([]).resume();
    const broken = new PassThrough().on('error', () => {});
    broken.destroy(new Error('broke'));
    await until('close', () => ended.closed && broken.closed);
    await within('the end', modem.demuxStream(ended, new PassThrough(), new PassThrough()));
    await assert.rejects(within('the end', modem.demuxStream(broken, new PassThrough(), new PassThrough())), /broke/);
    const told = (stream) => within('the end', new Promise((resolve) => { modem.followProgress(stream, resolve); }));
    assert.equal(await told(ended), null);
    assert.equal((await told(broken)).message, 'broke');
  });
});

describe('demuxStream', () => {
  it('waits for the slower output', async () => {
    const slow = new Slow();
    const source = new PassThrough({ highWaterMark: 64 * 1024 });
    let given = 0;
    const endless = new Readable({
      read() {
        given += MIB;
        this.push(given > 32 * MIB ? null : frame(1, Buffer.alloc(MIB)));
      },
    });
    const done = modem.demuxStream(endless.pipe(source), slow, new PassThrough());
    await until('a pause', () => slow.writableNeedDrain);
    await stays('waiting', () => given < 4 * MIB, 100);
    assert.ok(given < 4 * MIB, `${given} bytes were read`);
    const going = setInterval(() => slow.go(), 0);
    await done.finally(() => clearInterval(going));
    assert.ok(slow.taken + slow.writableLength >= 32 * MIB);
  });

  it('takes a large frame in small pieces in linear time', async () => {
    const payload = Buffer.alloc(30 * MIB, 'x');
    const whole = frame(1, payload);
    const source = new PassThrough();
    const stdout = new PassThrough();
    const reading = bytesOf(stdout);
    const done = modem.demuxStream(source, stdout, new PassThrough(), { end: true });
    const started = process.cpuUsage();
    Readable.from((function* pieces() {
      for (let at = 0; at < whole.length; at += 64 * 1024) yield whole.subarray(at, at + 64 * 1024);
    })()).pipe(source);
    await done;
    assert.equal((await reading).length, payload.length);
    const { user, system } = process.cpuUsage(started);
    // The quadratic way takes seconds.
    assert.ok(user + system < 1_500_000, `${(user + system) / 1000} ms`);
  });

  it('passes on pieces of a frame before all of it is there', async () => {
    const source = new PassThrough();
    const stdout = new PassThrough();
    modem.demuxStream(source, stdout, new PassThrough());
    source.write(frame(1, 'abcdef').subarray(0, 11));
    assert.equal((await once(stdout, 'data'))[0].toString(), 'abc');
  });

  it('gives the same wherever frames are cut', async () => {
    const whole = Buffer.concat([frame(1, 'one'), frame(2, 'two'), frame(1, ''), frame(1, 'three')]);
    for (let at = 1; at < whole.length; at += 1) {
      const [stdout, stderr] = [new PassThrough(), new PassThrough()];
      const source = Readable.from([whole.subarray(0, at), whole.subarray(at)]);
      await modem.demuxStream(source, stdout, stderr, { end: true });
      assert.deepEqual((await Promise.all([stdout, stderr].map(bytesOf))).map(String), ['onethree', 'two'], `cut at ${at}`);
    }
  });

  it('passes a terminal\'s output on as it is', async () => {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const done = modem.demuxStream(Readable.from([Buffer.from('plain'), Buffer.from('text')]), stdout, stderr, { end: true });
    await done;
    assert.deepEqual((await Promise.all([stdout, stderr].map(bytesOf))).map(String), ['plaintext', '']);
  });

  it('tells when its source breaks, also to the outputs that it is to end', async () => {
    const source = new PassThrough();
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const broken = Promise.all([stdout, stderr].map(async (one) => (await once(one, 'error'))[0].message));
    const done = modem.demuxStream(source, stdout, stderr, { end: true });
    source.destroy(new Error('gone'));
    await assert.rejects(done, /gone/);
    assert.deepEqual(await broken, ['gone', 'gone']);
  });

  it('tells at once of a source that is over', async () => {
    const over = Readable.from([]).resume();
    await once(over, 'close');
    const stdout = new PassThrough().resume();
    await within('end', modem.demuxStream(over, stdout, new PassThrough(), { end: true }));
    assert.ok(stdout.writableEnded);
    const broken = new PassThrough().on('error', () => {}).destroy(new Error('gone'));
    await until('the end of it', () => broken.closed);
    await assert.rejects(within('end', modem.demuxStream(broken, stdout, new PassThrough())), /gone/);
  });

  it('goes on when one of the outputs is gone', async () => {
    const stdout = new Slow();
    const stderr = new PassThrough();
    const reading = bytesOf(stderr);
    const source = Readable.from([frame(1, Buffer.alloc(MIB)), frame(2, 'still there')]);
    const done = modem.demuxStream(source, stdout, stderr);
    await until('a pause', () => stdout.writableNeedDrain);
    stdout.destroy();
    await within('end of the source', done);
    stderr.end();
    assert.equal((await reading).toString(), 'still there');
  });
});

describe('followProgress', () => {
  const follow = (stream, onProgress) => new Promise((resolve) => {
    modem.followProgress(stream, (error, output) => resolve({ error, output }), onProgress);
  });

  it('fails when the work fails', async () => {
    const image = `FROM ${IMAGES.busybox}\nRUN exit 3\n`;
    const { packTar } = require('../lib/docker/tar');
    const context = Readable.from(packTar([{
      name: 'Dockerfile', type: 'file', mode: 0o644, mtime: new Date(), content: Buffer.from(image),
    }]), { objectMode: false });
    const stream = await docker().buildImage(context, { networkmode: 'none', labels: { [LABEL]: runId() }, forcerm: true });
    const { error, output } = await follow(stream);
    assert.ok(error instanceof DockerError);
    assert.equal(error.code, 'DEW_ENGINE_WORK_FAILED');
    assert.match(error.message, /returned a non-zero code: 3/);
    assert.equal(error.json.errorDetail.code, 3);
    assert.match(output[0].stream, /^Step 1/);
  });

  it('reads lines whatever they are cut into', async () => {
    const text = '{"stream":"ünï"}\r\n\n{"n":1}\n{"last":true}';
    const bytes = Buffer.from(text);
    const seen = [];
    const { error, output } = await follow(Readable.from([...bytes].map((byte) => Buffer.from([byte]))), (event) => seen.push(event));
    assert.equal(error, null);
    assert.deepEqual(output, [{ stream: 'ünï' }, { n: 1 }, { last: true }]);
    assert.deepEqual(seen, output);
  });

  it('tells that a stream broke, or what it says is no JSON', async () => {
    const broken = new PassThrough();
    const waiting = follow(broken);
    broken.destroy(new Error('gone'));
    assert.equal((await waiting).error.message, 'gone');
    assert.equal((await follow(Readable.from(['no json\n']))).error.code, 'DEW_ENGINE_PROTOCOL');
  });

  it('tells in a turn of its own of a stream that is over', async () => {
    const over = Readable.from([]).resume();
    await once(over, 'close');
    assert.deepEqual(await within('end', follow(over)), { error: null, output: [] });
    const broken = new PassThrough().on('error', () => {}).destroy(new Error('gone'));
    await until('the end of it', () => broken.closed);
    let told = false;
    const waiting = new Promise((resolve) => modem.followProgress(broken, (error) => resolve(told = error)));
    assert.equal(told, false);
    assert.equal((await within('end', waiting)).message, 'gone');
  });

  it('ends without an error when the stream is destroyed without one', async () => {
    const stream = new PassThrough();
    const waiting = follow(stream);
    stream.destroy();
    assert.deepEqual(await waiting, { error: null, output: [] });
  });
});

describe('logs of a terminal', () => {
  for (const printed of ['123', '{"a":1}', 'null']) {
    it(`are bytes, also when they say ${printed}`, async () => {
      const engine = docker();
      const options = containerOptions(`dew-logs-${process.pid}`, { Cmd: ['echo', printed], Tty: true });
      const container = await engine.createContainer({ ...options, Image: IMAGES.busybox });
      try {
        await container.start();
        await container.wait();
        assert.equal((await container.logs({ stdout: true })).toString(), `${printed}\r\n`);
      } finally {
        await container.remove({ force: true });
      }
    });
  }
});
