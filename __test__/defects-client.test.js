'use strict';

/**
 * Defects of the 3.0.0 client. With DEW_TEST_IMPLEMENTATION=old these tests run against
 * that client, and fail.
 */

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { WebSocketServer } = require('ws');

const { runClient } = require('./helpers/clientchild');
const { useContainer } = require('./helpers/container');
const { within } = require('./helpers/deadline');
const { pairing, subject } = require('./helpers/implementations');
const { useScene } = require('./helpers/scene');
const { ServerChild } = require('./helpers/serverchild');
const { CODE } = require('./helpers/wire');

const implementation = subject();

describe(`defects of the client (${implementation})`, () => {
  const container = useContainer();
  const scene = useScene(pairing(implementation, implementation), container);

  for (const code of [128, 200, 255]) {
    it(`defect 15: exit code ${code} is ${code}`, async () => {
      const { client } = await scene.open({ command: ['sh', '-c', `exit ${code}`] });
      assert.deepEqual(await within("'exit'", once(client, 'exit')), [code]);
    });
  }

  it('defect 16: a lost server is an error, the streams close, and the client closes', async () => {
    const server = await ServerChild.start({ implementation, containerId: container.id, dockerSocket: container.socketPath });
    scene.onEnd(() => server.kill());
    const talk = await scene.open({ url: server.url, command: ['cat'] });
    talk.client.stdin.write('in');
    await talk.sees('in');
    const closed = talk.next('close');
    await server.kill();
    const error = await talk.error({ ms: 5000 });
    assert.match(error.code, /^DEW_/);
    await closed;
    await within('close of the streams', talk.cut, { transcript: talk.transcript });
    assert.equal(talk.client.stdout.readableEnded, false, 'output that was cut off ended as if it were whole');
    assert.ok(!talk.events.includes('exit'), `${talk.events}`);
  });

  it('defect 19: a url with a query keeps it', async () => {
    const { server, port } = await scene.http();
    const wss = new WebSocketServer({ server });
    scene.onEnd(() => wss.close());
    const asked = new Promise((resolve) => wss.once('connection', (socket, request) => {
      resolve(request.url);
      socket.send(Buffer.from([CODE.resume]));
      socket.send(Buffer.from([CODE.stopped, 0]));
    }));
    const talk = await scene.open({ url: `ws://127.0.0.1:${port}/shell?token=a%26b&x=1`, command: ['echo', 'hi'] });
    const query = new URL(await asked, 'http://host').searchParams;
    assert.equal(query.get('token'), 'a&b');
    assert.equal(query.get('x'), '1');
    assert.equal(query.get('tty'), 'false');
    assert.deepEqual(query.getAll('command'), ['echo', 'hi']);
    assert.equal((await talk.end()).code, 0);
  });

  it("defect 20: over the limit, a client without an 'error' listener does not end its process", async () => {
    const { url } = await scene.serve({ maxSessions: 1 });
    const first = await scene.open({ command: ['cat'] });
    first.client.stdin.write('in');
    await first.sees('in');
    const { code, lines, stderr } = await runClient({
      implementation,
      url,
      script: `
        const client = new Client({ url, tty: false, command: ['echo', 'hi'] });
        await client.execute();
        client.socket.once('close', () => say('closed'));
      `,
    });
    assert.deepEqual({ code, lines, stderr }, { code: 0, lines: ['closed'], stderr: '' });
  });

  it('defect 20: close() before execute() is allowed', () => {
    const { client } = scene.client({ url: 'ws://127.0.0.1:9/none', command: ['true'] });
    client.close();
  });

  it('defect 20: close() twice and then a write does no harm', async () => {
    const { url } = await scene.serve();
    const { code, lines, stderr } = await runClient({
      implementation,
      url,
      script: `
        const client = new Client({ url, tty: false, command: ['cat'] });
        await client.execute();
        client.on('resumed', () => {
          client.removeAllListeners('resumed');
          client.close();
          client.close();
          client.stdin.write('late');
          client.socket.once('close', () => say('closed'));
        });
      `,
    });
    assert.deepEqual({ code, lines, stderr }, { code: 0, lines: ['closed'], stderr: '' });
  });

  it("defect 20: tty: 'false' is no tty", async () => {
    const { stdout } = await scene.run(['sh', '-c', 'test -t 1 && echo tty || echo no tty'], { tty: 'false' });
    assert.equal(stdout, 'no tty\n');
  });
});
