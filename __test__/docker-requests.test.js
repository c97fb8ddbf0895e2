'use strict';

/** What ours sends and takes, on engines that answer as a test says. */

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { PassThrough, Readable } = require('node:stream');

const { Docker, DockerError } = require('..');
const { selfSigned } = require('./helpers/certificate');
const { bodyOf, useFakeEngines } = require('./helpers/fake-engine');
const { atRest, stall, until, within } = require('./helpers/deadline');

const ok = (_, response) => response.end('{}');
const json = (value, status = 200) => (_, response) => {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
};
const never = () => {};
const failing = (promise) => promise.then(() => assert.fail('there is no error'), (error) => error);
const MIB = 1024 * 1024;

describe('a request', () => {
  const fake = useFakeEngines();

  it('may be dialled without options, also for a hijacked connection', async () => {
    const engine = await fake(ok);
    const { modem } = new Docker({ socketPath: engine.socketPath });
    for (const hijack of [false, true]) {
      const wanted = { path: '/exec/e/start', method: 'POST', options: null, hijack, isStream: true, statusCodes: { 200: true } };
      const stream = await new Promise((resolve, reject) => {
        modem.dial(wanted, (error, answer) => (error ? reject(error) : resolve(answer)));
      });
      stream.resume();
      await within('end of the answer', once(stream, 'end'));
    }
    assert.equal(engine.requests.length, 2);
  });

  it('cannot come to mean another path by a name', async () => {
    const engine = await fake(ok);
    const docker = new Docker({ socketPath: engine.socketPath });
    await docker.getContainer('../images/json?x=').inspect();
    await docker.getImage('library/a b:1').inspect();
    await docker.getContainer('/by-its-listed-name').inspect();
    assert.deepEqual(engine.requests.map(({ url }) => url), [
      '/containers/..%2Fimages%2Fjson%3Fx%3D/json', '/images/library/a%20b%3A1/json', '/containers/by-its-listed-name/json',
    ]);
  });

  for (const [what, call] of Object.entries({
    '.. as an id': (docker) => docker.getContainer('..').inspect(),
    'no id': (docker) => docker.getContainer('').inspect(),
    '.. within an image\'s name': (docker) => docker.getImage('a/../b').inspect(),
  })) {
    it(`is not made for ${what}`, async () => {
      const engine = await fake(ok);
      const error = await failing(call(new Docker({ socketPath: engine.socketPath })));
      assert.equal(error.code, 'DEW_BAD_OPTION');
      assert.equal(engine.requests.length, 0);
    });
  }

  it('is not repeated elsewhere when it is redirected', async () => {
    const engine = await fake((_, response) => response.writeHead(301, { Location: 'http://images/json' }).end());
    const error = await failing(new Docker({ socketPath: engine.socketPath }).info());
    assert.equal(error.statusCode, 301);
    assert.equal(error.code, 'DEW_ENGINE_REFUSED');
    assert.match(error.message, /redirects to http:\/\/images\/json, which is not followed/);
    assert.equal(engine.requests.length, 1);
  });

  it('leaves the options of the caller alone', async () => {
    const engine = await fake(json({ Id: 'x' }, 201));
    const docker = new Docker({ socketPath: engine.socketPath });
    const { signal } = new AbortController();
    const options = Object.freeze({ name: 'n', Image: 'i', authconfig: Object.freeze({ username: 'u' }), abortSignal: signal });
    await docker.createContainer(options);
    await docker.createContainer(options);
    const [first, second] = engine.requests;
    assert.equal(first.headers['x-registry-auth'], Buffer.from('{"username":"u"}').toString('base64'));
    assert.deepEqual(second.headers, first.headers);
    assert.equal(second.url, '/containers/create?name=n');
  });

  it('has what the engine looks for in the query there, and the rest in the body only', async () => {
    const bodies = [];
    const engine = await fake(async (request, response) => {
      bodies.push((await bodyOf(request)).toString());
      response.writeHead(201).end('{"Id":"x","ID":"x"}');
    });
    const docker = new Docker({ socketPath: engine.socketPath });
    await docker.createContainer({ name: 'n', Image: 'i', Env: ['SECRET=1'] });
    await docker.getContainer('c').start({ detachKeys: 'ctrl-p' });
    await docker.getService('s').update({ version: 3, Name: 'n' });
    await docker.getContainer('c').update({ Memory: 1 });
    await docker.createVolume();
    await docker.getPlugin('p').configure(['A=1']);
    await docker.getNode('n').update({ _query: { version: 1 }, _body: { Role: 'worker' } });
    await docker.listContainers({ all: true, limit: undefined, filters: { label: ['a'] } });
    assert.deepEqual(engine.requests.map(({ url }, index) => [url, bodies[index]]), [
      ['/containers/create?name=n', '{"Image":"i","Env":["SECRET=1"]}'],
      ['/containers/c/start?detachKeys=ctrl-p', ''],
      ['/services/s/update?version=3', '{"Name":"n"}'],
      ['/containers/c/update', '{"Memory":1}'],
      ['/volumes/create', '{}'],
      ['/plugins/p/set', '["A=1"]'],
      ['/nodes/n/update?version=1', '{"Role":"worker"}'],
      ['/containers/json?all=true&filters=%7B%22label%22%3A%5B%22a%22%5D%7D', ''],
    ]);
  });

  it('has the version, the prefix and the headers that the caller has set', async () => {
    const engine = await fake(ok, { port: true });
    const docker = new Docker({ host: 'http://127.0.0.1/some/where', port: engine.port, version: 'v1.41', headers: { 'X-Own': 'y' } });
    await docker.info();
    assert.equal(engine.requests[0].url, '/some/where/v1.41/info');
    assert.equal(engine.requests[0].headers['x-own'], 'y');
    assert.equal(engine.requests[0].headers.host, `127.0.0.1:${engine.port}`);
  });

  it('uses a connection again, and a new one after the engine was away', async () => {
    const engine = await fake(ok);
    const docker = new Docker({ socketPath: engine.socketPath });
    for (let call = 0; call < 5; call += 1) await docker.info();
    assert.equal(engine.connections, 1);
    engine.cut();
    await docker.info();
    assert.equal(engine.connections, 2);
  });

  it('is refused here when it cannot be written', async () => {
    const docker = new Docker({ socketPath: '/nonexistent', headers: { 'X-Bad': 'a\nb' } });
    assert.equal((await failing(docker.info())).code, 'DEW_REQUEST_INVALID');
    const error = await failing(new Promise((resolve, reject) => {
      docker.modem.dial({ path: 'no slash', method: 'GET', statusCodes: {} }, (e) => (e ? reject(e) : resolve()));
    }));
    assert.equal(error.code, 'DEW_REQUEST_INVALID');
  });
});

describe('an engine that cannot be reached', () => {
  const fake = useFakeEngines();

  it('is told of with the system\'s code', async () => {
    const missing = await failing(new Docker({ socketPath: '/nonexistent/docker.sock' }).ping());
    assert.ok(missing instanceof DockerError);
    assert.deepEqual([missing.code, missing.cause.code], ['DEW_ENGINE_UNREACHABLE', 'ENOENT']);
    const engine = await fake(ok, { port: true });
    await engine.close();
    const refused = await failing(new Docker({ host: '127.0.0.1', port: engine.port }).ping());
    assert.deepEqual([refused.code, refused.cause.code], ['DEW_ENGINE_UNREACHABLE', 'ECONNREFUSED']);
  });

  it('is told of when its socket cannot be found out, and asked for again', async () => {
    const engine = await fake(ok);
    const answers = [() => Promise.reject(new Error('not yet')), () => engine.socketPath];
    const docker = new Docker({ socketPath: () => answers.shift()() });
    assert.equal((await failing(docker.info())).message, 'not yet');
    assert.deepEqual(await docker.info(), {});
    assert.deepEqual(await docker.info(), {});
  });

  it('has its own time for connecting', async () => {
    const engine = await fake(never, { raw: true, port: true });
    const docker = new Docker({ host: '127.0.0.1', port: engine.port, protocol: 'https', connectionTimeout: 100 });
    const error = await failing(docker.info());
    assert.equal(error.code, 'DEW_ENGINE_CONNECT_TIMEOUT');
    assert.match(error.message, /took longer than 100 ms/);
  });

  it('is told of when it leaves before its answer, within it, or speaks no HTTP', async () => {
    const scenes = [
      [(socket) => socket.once('data', () => socket.destroy()), 'DEW_ENGINE_LOST'],
      [(socket) => socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"a"')), 'DEW_ENGINE_LOST'],
      [(socket) => socket.once('data', () => socket.end('220 mail.example ESMTP\r\n')), 'DEW_ENGINE_PROTOCOL'],
    ];
    for (const [answer, code] of scenes) {
      const engine = await fake(answer, { raw: true });
      assert.equal((await failing(new Docker({ socketPath: engine.socketPath }).createNetwork({ Name: 'n' }))).code, code);
    }
  });
});

describe('an engine that is silent', () => {
  const fake = useFakeEngines();

  it('has `timeout` for its answer', async () => {
    const engine = await fake(never);
    const error = await failing(new Docker({ socketPath: engine.socketPath, timeout: 50 }).info());
    assert.equal(error.code, 'DEW_ENGINE_IDLE_TIMEOUT');
    assert.match(error.message, /was silent for 50 ms/);
    await until('end of the connection', () => engine.sockets.size === 0);
  });

  it('has `timeout` for each piece of a stream, and not for all of it', async () => {
    const engine = await fake(async (_, response) => {
      for (let piece = 0; piece < 6; piece += 1) {
        response.write('x');
        await stall(150);
      }
    });
    const stream = await new Docker({ socketPath: engine.socketPath, timeout: 600 }).getEvents();
    let seen = '';
    stream.on('data', (chunk) => { seen += chunk; });
    const [error] = await once(stream, 'error');
    assert.equal(error.code, 'DEW_ENGINE_IDLE_TIMEOUT');
    assert.equal(seen, 'xxxxxx');
  });

  it('may be so on a hijacked connection', async () => {
    const engine = await fake(never);
    engine.server.on('upgrade', (_, socket) => {
      socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
      setTimeout(() => socket.end('late'), 900);
    });
    const stream = await new Docker({ socketPath: engine.socketPath, timeout: 600 }).getExec('e').start({ hijack: true });
    assert.equal((await bodyOf(stream)).toString(), 'late');
  });
});

describe('an AbortSignal', () => {
  const fake = useFakeEngines();
  const upgrading = (engine, then) => engine.server.on('upgrade', (_, socket) => {
    socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
    then(socket);
  });

  for (const option of ['abortSignal', 'signal']) {
    it(`ends a call, as \`${option}\``, async () => {
      const engine = await fake(never);
      const docker = new Docker({ socketPath: engine.socketPath });
      const controller = new AbortController();
      const waiting = failing(docker.getContainer('c').wait({ condition: 'removed', [option]: controller.signal }));
      await until('the request', () => engine.requests.length === 1);
      controller.abort(new Error('why'));
      const error = await waiting;
      assert.deepEqual([error.name, error.code, error.cause.message], ['AbortError', 'ABORT_ERR', 'why']);
      assert.equal(engine.requests[0].url, '/containers/c/wait?condition=removed');
      await until('end of the connection', () => engine.sockets.size === 0);
    });
  }

  it('that was aborted before lets nothing be sent', async () => {
    const engine = await fake(ok);
    const error = await failing(new Docker({ socketPath: engine.socketPath }).info({ abortSignal: AbortSignal.abort() }));
    assert.equal(error.code, 'ABORT_ERR');
    assert.equal(engine.connections, 0);
  });

  it('gives null as the result to a callback', async () => {
    const docker = new Docker({ socketPath: '/nonexistent' });
    const args = await new Promise((resolve) => {
      docker.getContainer('c').wait({ abortSignal: AbortSignal.abort() }, (...all) => resolve(all));
    });
    assert.equal(args[0].code, 'ABORT_ERR');
    assert.equal(args[1], null);
  });

  it('ends a stream', async () => {
    const engine = await fake((_, response) => response.write('x'));
    const controller = new AbortController();
    const stream = await new Docker({ socketPath: engine.socketPath }).getEvents({ abortSignal: controller.signal });
    await once(stream, 'data');
    controller.abort();
    assert.equal((await once(stream, 'error'))[0].code, 'ABORT_ERR');
    await until('end of the connection', () => engine.sockets.size === 0);
  });

  it('ends a hijacked connection', async () => {
    const engine = await fake(never);
    upgrading(engine, (socket) => socket.on('end', () => socket.end()).resume().write('x'));
    const controller = new AbortController();
    const exec = new Docker({ socketPath: engine.socketPath }).getExec('e');
    const stream = await exec.start({ hijack: true, stdin: true, signal: controller.signal });
    await once(stream, 'data');
    controller.abort();
    assert.equal((await once(stream, 'error'))[0].code, 'ABORT_ERR');
    await until('end of the connection', () => engine.sockets.size === 0);
  });

  it('is told from the name of a signal', async () => {
    const engine = await fake(ok);
    await new Docker({ socketPath: engine.socketPath }).getContainer('c').kill({ signal: 'SIGHUP' });
    assert.equal(engine.requests[0].url, '/containers/c/kill?signal=SIGHUP');
  });
});

describe('what is sent', () => {
  const fake = useFakeEngines();
  const received = async (request, response) => response.end(`{"stream":"${(await bodyOf(request)).length}"}`);

  for (const [what, make] of Object.entries({
    bytes: () => Buffer.alloc(3 * MIB),
    'a stream': () => Readable.from([Buffer.alloc(MIB), Buffer.alloc(2 * MIB)]),
    'an async iterable': async function* chunks() { yield Buffer.alloc(2 * MIB); yield Buffer.alloc(MIB); },
    'a web stream': () => new Blob([Buffer.alloc(3 * MIB)]).stream(),
  })) {
    it(`may be ${what}`, async () => {
      const engine = await fake(received);
      const stream = await new Docker({ socketPath: engine.socketPath }).loadImage(make());
      assert.equal((await bodyOf(stream)).toString(), `{"stream":"${3 * MIB}"}`);
      assert.equal(engine.requests[0].headers['content-type'], 'application/tar');
    });
  }

  it('fails the call when it breaks', async () => {
    const engine = await fake(received);
    const docker = new Docker({ socketPath: engine.socketPath });
    const broken = new PassThrough();
    const call = failing(docker.loadImage(broken));
    await until('the request', () => engine.requests.length === 1);
    broken.destroy(new Error('disk on fire'));
    assert.equal((await call).message, 'disk on fire');
    assert.equal((await failing(docker.loadImage('/no/such/file.tar'))).code, 'ENOENT');
    assert.equal((await failing(docker.loadImage(12))).code, 'DEW_BAD_OPTION');
  });

  it('waits for an engine that does not read', async () => {
    const engine = await fake(never);
    let given = 0;
    const source = new Readable({
      read() {
        given += MIB;
        this.push(Buffer.alloc(MIB));
      },
    });
    const controller = new AbortController();
    const call = failing(new Docker({ socketPath: engine.socketPath }).loadImage(source, { abortSignal: controller.signal }));
    await until('the request', () => engine.requests.length === 1);
    await atRest('what is given', () => given);
    assert.ok(given < 8 * MIB, `${given} bytes were taken`);
    controller.abort();
    assert.equal((await call).code, 'ABORT_ERR');
    source.destroy();
  });
});

describe('an engine within TLS', () => {
  const fake = useFakeEngines();
  const server = selfSigned();
  const client = selfSigned();
  const serving = { key: server.key, cert: server.cert, ca: client.cert, requestCert: true, rejectUnauthorized: true };
  const options = (engine) => ({
    host: '127.0.0.1', port: engine.port, ca: server.cert, cert: client.cert, key: client.key,
  });

  it('gets and gives certificates, also for a hijacked connection', async () => {
    const engine = await fake(ok, { tls: serving });
    engine.server.on('upgrade', (_, socket) => {
      socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nfirst');
      socket.pipe(socket);
    });
    const docker = new Docker(options(engine));
    assert.equal(docker.modem.protocol, 'https');
    assert.deepEqual(await docker.info(), {});
    const stream = await docker.getContainer('c').attach({ stream: true, stdin: true, hijack: true });
    stream.end('second');
    assert.equal((await bodyOf(stream)).toString(), 'firstsecond');
  });

  it('S39 is not spoken to when it is not the one', async () => {
    const engine = await fake(ok, { tls: serving });
    const error = await failing(new Docker({ ...options(engine), ca: client.cert }).info());
    assert.equal(error.code, 'DEW_TLS_FAILED');
    assert.equal(engine.requests.length, 0);
  });

  it('refuses who has no certificate', async () => {
    const engine = await fake(ok, { tls: serving });
    const { host, port, ca } = options(engine);
    const error = await within('an answer', failing(new Docker({ host, port, ca, protocol: 'https' }).info()));
    assert.match(error.code, /^DEW_(TLS_FAILED|ENGINE_LOST)$/);
    assert.equal(engine.requests.length, 0);
  });
});
