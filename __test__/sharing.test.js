'use strict';

/** One http server, used by our servers and by others at the same time. */

const assert = require('node:assert/strict');
const express = require('express');
const WebSocket = require('ws');

const { useContainer } = require('./helpers/container');
const { within } = require('./helpers/deadline');
const { pairing } = require('./helpers/implementations');
const { useScene } = require('./helpers/scene');
const { refusal } = require('./helpers/wire');

describe('an http server shared', () => {
  const container = useContainer();
  const scene = useScene(pairing('ours', 'ours'), container);

  /** Another package's WebSocket server on a path of its own, which echoes in capitals. */
  function other(httpServer, path = '/other') {
    const server = new WebSocket.WebSocketServer({ server: httpServer, path });
    server.on('connection', (socket) => socket.on('message', (data) => socket.send(data.toString().toUpperCase())));
    scene.onEnd(() => server.close());
    return server;
  }

  function shout(url) {
    return within('answer of the other server', new Promise((resolve, reject) => {
      const socket = new WebSocket(url);
      socket.once('error', reject);
      socket.once('open', () => socket.send('hello'));
      socket.once('message', (data) => {
        socket.close();
        resolve(data.toString());
      });
    }));
  }

  /** Each server answers on its path, several times, and at once. */
  async function bothWork(url, base) {
    for (let round = 0; round < 3; round += 1) {
      const [run, answer] = await Promise.all([scene.run(['echo', `${round}`], { url }), shout(`${base}/other`)]);
      assert.equal(run.stdout, `${round}\n`);
      assert.equal(run.code, 0);
      assert.equal(answer, 'HELLO');
    }
  }

  for (const order of ['before', 'after']) {
    it(`with another WebSocket server made ${order} ours`, async () => {
      const { server: httpServer, port } = await scene.http();
      if (order === 'before') other(httpServer);
      const { url } = await scene.serve({ httpServer });
      if (order === 'after') other(httpServer);
      await bothWork(url, `ws://127.0.0.1:${port}`);
    });
  }

  it('with another WebSocket server over https', async () => {
    const tls = require('./helpers/certificate').selfSigned();
    const { server: httpServer } = await scene.http({ tls });
    const { url } = await scene.serve({ httpServer, tls });
    other(httpServer);
    for (let round = 0; round < 3; round += 1) {
      const run = await scene.run(['echo', 'tls'], { url, wsopts: { ca: tls.cert } });
      assert.equal(run.stdout, 'tls\n');
    }
    const socket = new WebSocket(url.replace('/shell', '/other'), { ca: tls.cert });
    const answer = within('answer', new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.once('message', (data) => resolve(data.toString()));
    }));
    socket.once('open', () => socket.send('hello'));
    assert.equal(await answer, 'HELLO');
    socket.close();
  });

  it('with an express app', async () => {
    const app = express();
    app.get('/hello', (request, response) => response.send('hello from express'));
    const { server: httpServer, port } = await scene.http({ handler: app });
    const { url } = await scene.serve({ httpServer });
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/hello`)).text(), 'hello from express');
    assert.equal((await scene.run(['echo', 'hi'], { url })).stdout, 'hi\n');
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/hello`)).text(), 'hello from express');
  });

  for (const secure of [false, true]) {
    it(`shows each upgrade to those who look on, who can do no harm${secure ? ', over https' : ''}`, async () => {
      const tls = secure ? require('./helpers/certificate').selfSigned() : undefined;
      const { server: httpServer } = await scene.http({ tls });
      const seen = [];
      const look = (request, socket, head) => {
        seen.push(new URL(request.url, 'http://host').pathname);
        assert.equal(head.length, 0);
        socket.write('HTTP/1.1 400 Bad Request\r\n\r\n');
        socket.destroy();
      };
      httpServer.on('upgrade', look);
      const { url } = await scene.serve({ httpServer, tls });
      httpServer.prependListener('upgrade', look);
      const { stdout, code } = await scene.run(['echo', 'hi'], { url, wsopts: { rejectUnauthorized: false } });
      assert.deepEqual([stdout, code, seen], ['hi\n', 0, ['/shell', '/shell']]);
    });
  }

  it('with five servers of ours and an application that upgrades by itself', async () => {
    const { server: httpServer, port } = await scene.http();
    const byHand = new WebSocket.WebSocketServer({ noServer: true });
    httpServer.on('upgrade', (request, socket, head) => {
      if (request.url !== '/byhand') return;
      byHand.handleUpgrade(request, socket, head, (one) => one.send('by hand'));
    });
    scene.onEnd(() => byHand.close());
    for (let number = 0; number < 5; number += 1) {
      await scene.serve({ httpServer, path: `/n${number}`, wrapperCommand: ['echo', `${number}`] });
    }
    for (let number = 4; number >= 0; number -= 1) {
      const { stdout } = await scene.run('x', { url: `ws://127.0.0.1:${port}/n${number}` });
      assert.equal(stdout, `${number} x\n`);
    }
    const socket = new WebSocket(`ws://127.0.0.1:${port}/byhand`);
    const said = await within('message', new Promise((resolve, reject) => {
      socket.once('message', (data) => resolve(data.toString()));
      socket.once('error', reject);
    }));
    assert.equal(said, 'by hand');
    socket.close();
  });

  it('an unknown path is 404 when there are only servers of ours', async () => {
    const first = await scene.serve({ path: '/one' });
    await scene.serve({ path: '/two', httpServer: first.httpServer });
    const { status } = await refusal(`ws://127.0.0.1:${first.port}/three`);
    assert.equal(status, 404);
    assert.equal((await refusal(`${first.url}/`)).status, 404);
  });

  it('an unknown path is left to others, who may take their time', async () => {
    const { server: httpServer, port } = await scene.http();
    await scene.serve({ httpServer });
    httpServer.on('upgrade', (request, socket) => {
      if (request.url.startsWith('/late')) {
        setImmediate(() => socket.end('HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n'));
      }
    });
    assert.equal((await refusal(`ws://127.0.0.1:${port}/late`)).status, 418);
  });

  it('goes on for the others when one of ours is closed', async () => {
    const first = await scene.serve({ path: '/one' });
    const second = await scene.serve({ path: '/two', httpServer: first.httpServer });
    await first.close();
    assert.equal((await scene.run(['echo', 'two'], { url: second.url })).stdout, 'two\n');
    assert.equal((await refusal(first.url)).status, 404);
  });
});
