'use strict';

/** Small calls over connections of Node's own: what they do when the engine, or the caller, goes its own way. */

const assert = require('node:assert/strict');
const { AsyncLocalStorage } = require('node:async_hooks');

const { Docker } = require('..');
const { stall, until } = require('./helpers/deadline');
const { bodyOf, useFakeEngines } = require('./helpers/fake-engine');
const { runScript, startScript } = require('./helpers/script');

const failing = (promise) => promise.then(() => assert.fail('there is no error'), (error) => error);
const turn = () => new Promise((resolve) => setImmediate(resolve));
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}';

/** An engine without a server of HTTP: `answer(socket, text, number)` for each piece of a request. */
const speaking = (answer) => {
  let number = 0;
  return (socket) => socket.on('data', (text) => answer(socket, text.toString(), number += 1));
};

describe('a small call', () => {
  const fake = useFakeEngines();
  const dockerOn = async (answer, options = { raw: true }) => {
    const engine = await fake(answer, options);
    return { engine, docker: new Docker({ socketPath: engine.socketPath }) };
  };

  it('has its answer in whatever pieces it comes', async () => {
    const texts = [
      'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{"a":"é"}',
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{"a":"\r\n4;x\r\né"}\r\n0\r\nT: x\r\n\r\n',
    ];
    for (const text of texts) {
      const bytes = Buffer.from(text);
      const { docker, engine } = await dockerOn(speaking(async (socket, _, number) => {
        socket.write(bytes.subarray(0, number));
        await turn();
        socket.write(bytes.subarray(number));
      }));
      for (let cut = 1; cut < bytes.length; cut += 1) assert.deepEqual(await docker.info(), { a: 'é' });
      assert.equal(engine.connections, 1);
    }
  });

  it('may have an answer that ends with the connection', async () => {
    const { docker, engine } = await dockerOn(speaking((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n{"a":1}')));
    assert.deepEqual([await docker.info(), await docker.info()], [{ a: 1 }, { a: 1 }]);
    assert.equal(engine.connections, 2);
  });

  it('has long answers, bytes and text as they are', async () => {
    const long = JSON.stringify({ text: 'é'.repeat(1024 * 1024) });
    const answers = [long, Buffer.from([0xff, 0xfe]), 'OK'];
    const { docker } = await dockerOn((_, response) => response.end(answers.shift()), {});
    assert.deepEqual(await docker.info(), JSON.parse(long));
    assert.deepEqual(await docker.info(), Buffer.from([0xff, 0xfe]));
    assert.deepEqual(await docker.ping(), Buffer.from('OK'));
  });

  it('is sent whole, and long ones too', async () => {
    const bodies = [];
    const { docker } = await dockerOn(async (request, response) => {
      bodies.push((await bodyOf(request)).toString());
      response.writeHead(201).end('{}');
    }, {});
    for (const length of [3, 70_000]) await docker.createVolume({ Name: 'é'.repeat(length) });
    assert.deepEqual(bodies.map((body) => JSON.parse(body).Name.length), [3, 70_000]);
  });

  it('is not sent twice if it may have been heard', async () => {
    const heard = [];
    const { docker } = await dockerOn(speaking((socket, text, number) => {
      heard.push(text.split(' HTTP')[0]);
      if (number === 1) socket.write(OK);
      else socket.destroy();
    }));
    await docker.info();
    const error = await failing(docker.getContainer('c').start());
    assert.equal(error.code, 'DEW_ENGINE_LOST');
    assert.deepEqual(heard, ['GET /info', 'POST /containers/c/start']);
  });

  it('is sent again if nobody heard it', async () => {
    const { docker, engine } = await dockerOn((_, response) => response.end('{}'), {});
    await docker.info();
    // Closed, and not told of: only the system knows when the next one is written.
    const [socket] = engine.sockets;
    socket.destroy();
    await docker.getContainer('c').start();
    assert.deepEqual(engine.requests.map(({ url }) => url), ['/info', '/containers/c/start']);
  });

  it('that only asks is made again when its answer breaks off before it says anything', async () => {
    const { docker, engine } = await dockerOn(speaking((socket, _, number) => {
      if (number === 1) socket.end('HTTP/1.1 200 OK\r\nConte');
      else socket.write(OK);
    }));
    assert.deepEqual(await docker.info(), {});
    assert.equal(engine.connections, 2);
  });

  it('fails when its answer breaks off within its body', async () => {
    const { docker, engine } = await dockerOn(speaking((socket) => socket.end(OK.slice(0, -1))));
    assert.equal((await failing(docker.info())).code, 'DEW_ENGINE_LOST');
    assert.equal(engine.connections, 1);
  });

  it('is not fooled by what comes unasked', async () => {
    const { docker, engine } = await dockerOn(speaking((socket, _, number) => {
      socket.write(number === 1 ? `${OK}${OK.replace('{}', '[]')}` : OK);
    }));
    assert.deepEqual(await docker.info(), {});
    assert.deepEqual(await docker.info(), {});
    for (const socket of engine.sockets) socket.write(OK.replace('{}', '[]'));
    await until('end of the connections', () => engine.sockets.size === 0);
    assert.deepEqual(await docker.info(), {});
  });

  it('is refused when its answer is not surely one', async () => {
    for (const text of [
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n',
      'HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n',
    ]) {
      const { docker, engine } = await dockerOn(speaking((socket) => socket.write(text)));
      assert.equal((await failing(docker.getContainer('c').start())).code, 'DEW_ENGINE_PROTOCOL');
      await until('end of the connection', () => engine.sockets.size === 0);
    }
  });

  it('that is given up leaves the connection to nobody', async () => {
    const { docker, engine } = await dockerOn(speaking((socket, text) => {
      if (text.includes('/info')) socket.write(OK.slice(0, 20));
      else socket.write(OK);
    }));
    const controller = new AbortController();
    const call = failing(docker.info({ abortSignal: controller.signal }));
    await until('the request', () => engine.sockets.size === 1 && [...engine.sockets][0].bytesWritten > 0);
    controller.abort();
    assert.equal((await call).code, 'ABORT_ERR');
    assert.deepEqual(await docker.version(), {});
    await until('end of the connection', () => engine.sockets.size === 1);
  });

  it('has its time anew on a kept connection, and none while that rests', async () => {
    const { engine } = await dockerOn(speaking((socket, _, number) => { if (number !== 2) socket.write(OK); }));
    const docker = new Docker({ socketPath: engine.socketPath, timeout: 400 });
    await docker.info();
    const error = await failing(docker.getContainer('c').start());
    assert.equal(error.code, 'DEW_ENGINE_IDLE_TIMEOUT');
    assert.match(error.message, /was silent for 400 ms/);
    await docker.info();
    await stall(600);
    await docker.info();
    assert.equal(engine.connections, 2);
  });

  it('tells a callback in the context of the call', async () => {
    const { docker } = await dockerOn(speaking((socket, _, number) => {
      if (number === 3) socket.destroy();
      else socket.write(OK);
    }));
    const storage = new AsyncLocalStorage();
    const seen = [];
    for (const name of ['first', 'on the same connection', 'made again']) {
      await storage.run(name, () => new Promise((resolve) => {
        docker.info(() => resolve(seen.push(storage.getStore())));
      }));
    }
    assert.deepEqual(seen, ['first', 'on the same connection', 'made again']);
  });

  it('keeps 32 connections and no more', async () => {
    const waiting = [];
    const { docker, engine } = await dockerOn((_, response) => waiting.push(response), {});
    const calls = Array.from({ length: 40 }, () => docker.info());
    await until('all requests', () => waiting.length === 40);
    for (const response of waiting) response.end('{}');
    await Promise.all(calls);
    await until('end of the rest', () => engine.sockets.size === 32);
  });

  it('keeps the process until its answer, and its connection does not', async () => {
    const { engine } = await dockerOn((_, response) => setTimeout(() => response.end('{}'), 100), {});
    const script = `
      const docker = new main.Docker({ socketPath: given });
      docker.info(() => docker.info((error, info) => console.log(JSON.stringify(info))));`;
    const { code, stdout } = await runScript(script, engine.socketPath);
    assert.deepEqual([code, stdout.trim()], [0, '{}']);
    assert.equal(engine.connections, 1);
  });

  it('lets go of a connection that nobody has used for 20 s', async () => {
    const { engine } = await dockerOn((_, response) => response.end('{}'), {});
    // Its time runs 200 times as fast.
    const script = `
      const [timeout, now] = [setTimeout, performance.now.bind(performance)];
      globalThis.setTimeout = (work, ms) => timeout(work, ms / 200);
      performance.now = () => now() * 200;
      const docker = new main.Docker({ socketPath: given });
      await Promise.all([docker.info(), docker.info()]);
      setInterval(() => {}, 1000);`;
    const running = startScript(script, engine.socketPath);
    try {
      await until('two connections', () => engine.connections === 2);
      await until('end of the connections', () => engine.sockets.size === 0);
      assert.equal(running.child.exitCode, null);
    } finally {
      running.child.kill('SIGKILL');
      await running.exited;
    }
  });

  it('that may not be made twice goes over a connection of the last second, or over a new one', async () => {
    const { docker, engine } = await dockerOn(speaking((socket) => socket.write(OK)));
    const { now } = performance;
    await docker.info();
    try {
      await docker.getContainer('c').start();
      assert.equal(engine.connections, 1);
      performance.now = () => now.call(performance) + 1000;
      await docker.info();
      assert.equal(engine.connections, 1);
      performance.now = () => now.call(performance) + 2000;
      await docker.getContainer('c').start();
      assert.equal(engine.connections, 2);
    } finally {
      performance.now = now;
    }
  });

  it('that is not to ask is told of an engine that is not there', async () => {
    const error = await failing(new Docker({ socketPath: '/nonexistent/docker.sock' }).createNetwork({ Name: 'n' }));
    assert.deepEqual([error.code, error.cause.code], ['DEW_ENGINE_UNREACHABLE', 'ENOENT']);
  });
});
