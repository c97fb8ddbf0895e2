'use strict';

/** The session of a build by BuildKit, on engines that do as a test says. */

const assert = require('node:assert/strict');
const http2 = require('node:http2');
const path = require('node:path');
const { inspect } = require('node:util');

const { Docker } = require('..');
const { build, failing, order, useBuilds, without } = require('./helpers/builds');
const { until, within } = require('./helpers/deadline');
const { useFakeEngines } = require('./helpers/fake-engine');

const WORD = 'quite-a-secret-word';

let folder;
const useClient = () => useBuilds((given) => { ({ folder } = given); });

describe('a build on an engine without sessions', () => {
  useClient();
  const fake = useFakeEngines();
  const answer = (request, response) => {
    request.resume();
    if (request.url.startsWith('/session')) response.writeHead(404).end('{"message":"page not found"}');
    else response.end('{"stream":"built"}\n');
  };

  it('is made, unless something needs a session', async () => {
    const engine = await fake(answer);
    const client = new Docker({ socketPath: engine.socketPath, credentials: false });
    const { error, text } = await build(client, []);
    assert.equal(error, null);
    assert.equal(text, 'built');
    const [, { url }] = engine.requests;
    assert.doesNotMatch(url, /session/);
    const refused = await failing(order(client, [], { secrets: { word: WORD } }));
    assert.equal(refused.code, 'DEW_ENGINE_NOT_FOUND');
    assert.match(refused.message, /no session for the build - page not found/);
    without(WORD, [refused, engine.requests]);
  });

  it('says so when a proxy has removed the upgrade', async () => {
    const engine = await fake((request, response) => response.end());
    const error = await failing(order(new Docker({ socketPath: engine.socketPath }), []));
    assert.equal(error.code, 'DEW_ENGINE_PROTOCOL');
  });

  it('says so when nobody is there', async () => {
    const error = await failing(order(new Docker({ socketPath: path.join(folder, 'none') }), []));
    assert.equal(error.code, 'DEW_ENGINE_UNREACHABLE');
  });

  it('does not wait for one that says nothing', async () => {
    const engine = await fake(() => {});
    const client = new Docker({ socketPath: engine.socketPath, timeout: 100 });
    assert.equal((await failing(order(client, []))).code, 'DEW_ENGINE_IDLE_TIMEOUT');
    const controller = new AbortController();
    const rejected = failing(order(new Docker({ socketPath: engine.socketPath }), [], { signal: controller.signal }));
    await until('request', () => engine.requests.length === 2);
    controller.abort();
    assert.equal((await rejected).code, 'ABORT_ERR');
    await until('end of the connections', () => engine.sockets.size === 0);
  });
});

describe('a builder', () => {
  const fake = useFakeEngines();
  const frame = (message, { compressed = 0, length = message.length } = {}) => {
    const head = Buffer.alloc(5, compressed);
    head.writeUInt32BE(length, 1);
    return Buffer.concat([head, Buffer.from(message)]);
  };
  const named = (id) => Buffer.concat([Buffer.from([0x0a, id.length]), Buffer.from(id)]);

  /** Runs `work` with the connection on which an engine asks, while a build is under way; resolves to the build's error. */
  async function asking(options, work) {
    let answer = null;
    const engine = await fake((request, response) => {
      request.resume();
      answer = response;
      response.write('{"stream":"begun"}\n');
    });
    const turned = new Promise((resolve) => engine.server.on('upgrade', (request, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
      resolve({ request, socket });
    }));
    const over = build(new Docker({ socketPath: engine.socketPath, credentials: false }), [], options);
    await work(await within('session', turned));
    await until('request for the build', () => answer !== null);
    answer.end();
    const { error } = await over;
    await until('end of the connection', () => engine.sockets.size <= 1);
    return error;
  }

  /** Makes calls as builders do: `call(name, body)` resolves to status and message. */
  async function calling({ socket }, work) {
    const session = http2.connect('http://builder', { createConnection: () => socket });
    session.on('error', () => {});
    const call = (name, body) => within(name, new Promise((resolve, reject) => {
      const stream = session.request({ ':method': 'POST', ':path': name, 'content-type': 'application/grpc', te: 'trailers' });
      const chunks = [];
      const outcome = {};
      stream.on('trailers', (trailers) => Object.assign(outcome, { status: Number(trailers['grpc-status']), text: trailers['grpc-message'] }));
      stream.on('data', (chunk) => chunks.push(chunk));
      stream.on('end', () => resolve({ ...outcome, message: Buffer.concat(chunks).subarray(5) })).on('error', reject);
      stream.end(body);
    }));
    await work(call);
    session.close();
  }

  const SECRET = '/moby.buildkit.secrets.v1.Secrets/GetSecret';

  it('is told which calls there are, and who asks', () => asking({ secrets: { word: WORD } }, async ({ request, socket }) => {
    const { headers, rawHeaders } = request;
    assert.match(headers['x-docker-expose-session-uuid'], /^[0-9a-f-]{36}$/);
    assert.equal(headers.upgrade, 'h2c');
    const calls = rawHeaders.filter((_, index) => rawHeaders[index - 1]?.toLowerCase() === 'x-docker-expose-session-grpc-method');
    assert.deepEqual(calls, ['/grpc.health.v1.Health/Check', SECRET, '/moby.filesync.v1.Auth/Credentials']);
    without(WORD, rawHeaders);
    socket.resume().end();
  }));

  it('gets answers to good questions, and a status for the others', async () => {
    const error = await asking({ secrets: { word: 'given' } }, (turned) => calling(turned, async (call) => {
      assert.deepEqual(await call('/grpc.health.v1.Health/Check', frame('')), { status: 0, text: undefined, message: Buffer.from([8, 1]) });
      assert.deepEqual(await call(SECRET, frame(named('word'))), { status: 0, text: undefined, message: named('given') });
      const { status, text } = await call(SECRET, frame(named('other')));
      assert.deepEqual([status, text], [5, 'there is no secret "other"']);
      for (const [body, expected] of [
        [frame('\x0a\x05ab'), 3], [frame('\x0f'), 3], [frame('', { length: 2 ** 31 }), 3], [frame('', { compressed: 1 }), 12], [Buffer.alloc(0), 3],
        [frame('ab', { length: 7 }), 3],
      ]) assert.equal((await call(SECRET, body)).status, expected, inspect(body));
      for (const name of ['/moby.sshforward.v1.SSH/CheckAgent', '/moby.sshforward.v1.SSH/ForwardAgent', '/moby.filesync.v1.FileSync/DiffCopy', '/']) {
        assert.equal((await call(name, frame(''))).status, 12, name);
      }
    }));
    assert.equal(error, null);
  });

  it('that does not keep to the protocol loses the session, and the build decides', async () => {
    const error = await asking({ secrets: { word: WORD } }, async ({ socket }) => {
      const ended = new Promise((resolve) => socket.once('end', resolve).once('error', resolve).resume());
      socket.write(Buffer.alloc(4096, 'x'));
      await within('end of the session', ended);
      socket.destroy();
    });
    assert.equal(error, null);
  });
});
