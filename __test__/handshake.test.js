'use strict';

/** How client and server find each other: https, authorities, headers, unix sockets, refusals. */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { selfSigned } = require('./helpers/certificate');
const { useContainer } = require('./helpers/container');
const { pairings } = require('./helpers/implementations');
const { useScene } = require('./helpers/scene');

for (const pair of pairings()) {
  describe(`handshake, ${pair.title}`, () => {
    const container = useContainer();
    const scene = useScene(pair, container);
    let tls;
    before(() => {
      tls = selfSigned();
    });

    it('works over https with rejectUnauthorized: false', async () => {
      await scene.serve({ tls });
      const { stdout } = await scene.run(['echo', 'secret'], { wsopts: { rejectUnauthorized: false } });
      assert.equal(stdout, 'secret\n');
    });

    for (const [what, authority] of [['that is marked as an authority', true], ['that is not', false]]) {
      it(`works over https with a self-signed certificate ${what} in ca`, async () => {
        const own = selfSigned({ authority });
        await scene.serve({ tls: own });
        const { stdout } = await scene.run(['echo', 'secret'], { wsopts: { ca: own.cert } });
        assert.equal(stdout, 'secret\n');
      });
    }

    it('moves 4 MiB each way over https', async () => {
      await scene.serve({ tls });
      const bytes = require('node:crypto').randomBytes(4 * 1024 * 1024);
      const talk = await scene.open({ command: ['cat'], wsopts: { ca: tls.cert } });
      talk.client.stdin.end(bytes);
      const { code, stdout } = await talk.end();
      assert.equal(code, 0);
      assert.ok(stdout.equals(bytes), `${stdout.length} bytes of ${bytes.length} came back, or changed ones`);
    });

    it('refuses a certificate of an unknown authority', async () => {
      await scene.serve({ tls });
      const talk = scene.client({ command: ['true'] });
      await assert.rejects(talk.client.execute(), (error) => /self-signed|self signed|certificate/i.test(error.message));
    });

    it('sends the headers in wsopts', async () => {
      const { server, port } = await scene.http();
      const seen = new Promise((resolve) => server.once('upgrade', (request, socket) => {
        resolve(request.headers);
        socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n');
      }));
      const talk = scene.client({
        url: `ws://127.0.0.1:${port}/shell`,
        command: ['true'],
        wsopts: { headers: { 'X-Task': 'abc', Authorization: 'Bearer t0ken' } },
      });
      await assert.rejects(talk.client.execute(), (error) => /\b401\b/.test(error.message));
      const headers = await seen;
      assert.equal(headers['x-task'], 'abc');
      assert.equal(headers.authorization, 'Bearer t0ken');
    });

    it('rejects execute() when nobody listens', async () => {
      const { port } = await scene.serve();
      const closed = await scene.http();
      await new Promise((resolve) => closed.server.close(resolve));
      const talk = scene.client({ url: `ws://127.0.0.1:${closed.port}/shell`, command: ['true'] });
      assert.notEqual(closed.port, port);
      await assert.rejects(talk.client.execute(), (error) => /ECONNREFUSED|connection refused/i.test(error.message));
    });

    it('rejects execute() on a path that no server has', async () => {
      const { url } = await scene.serve();
      const talk = scene.client({ url: `${url}-not`, command: ['true'] });
      await assert.rejects(talk.client.execute(), (error) => /\b40[04]\b/.test(error.message));
    });

    it('rejects execute() without a url', async () => {
      const talk = scene.client({ url: 'nonsense', command: ['true'] });
      await assert.rejects(talk.client.execute(), { message: 'url required or malformed url input' });
    });

    if (pair.client === 'ours') {
      for (const [form, make] of [
        ['ws+unix:/path', (socket) => `ws+unix:${socket}:/shell`],
        ['ws+unix:///path', (socket) => `ws+unix://${socket}:/shell`],
      ]) {
        it(`reaches a server on a unix socket by ${form}`, async () => {
          const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dew-test-'));
          scene.onEnd(() => fs.rmSync(folder, { recursive: true }));
          const socketPath = path.join(folder, 'web.sock');
          const { server: httpServer } = await scene.http({ socketPath });
          await scene.serve({ httpServer });
          const { stdout } = await scene.run(['echo', 'local'], { url: make(socketPath) });
          assert.equal(stdout, 'local\n');
        });
      }
    }
  });
}
