'use strict';

/** What holds a process, what lets it go, and that it never crashes on its way out. */

const assert = require('node:assert/strict');

const { uniqueSleep, useContainer } = require('./helpers/container');
const { stays, until, within } = require('./helpers/deadline');
const { pairing } = require('./helpers/implementations');
const { useScene } = require('./helpers/scene');
const { runScript, startScript } = require('./helpers/script');
const { Peer, CODE } = require('./helpers/wire');

const CLEAN = { code: 0, signal: null, stderr: '' };

describe('the life of a process', () => {
  const container = useContainer();
  const scene = useScene(pairing('ours', 'ours'), container);
  const given = (more) => ({ containerId: container.id, dockerSocket: container.socketPath, url: scene.current && scene.current.url, ...more });

  async function endsWell(running, stdout, ms) {
    assert.deepEqual(await within('exit', running.exited, { ms, transcript: running.transcript }), { ...CLEAN, stdout });
  }

  function start(source, more) {
    const running = startScript(source, given(more));
    scene.onEnd(() => running.child.kill('SIGKILL'));
    return running;
  }

  function run(source, more, options) {
    return runScript(source, given(more), options);
  }

  describe('with a client', () => {
    it('ends by itself when the package is only loaded', async () => {
      assert.deepEqual(await run('console.log(typeof main.DockerClient);'), { ...CLEAN, stdout: 'function\n' });
    });

    it('ends by itself with a client that was never executed', async () => {
      await scene.serve();
      assert.deepEqual(await run('new main.DockerClient({ url: given.url }); console.log("made");'), { ...CLEAN, stdout: 'made\n' });
    });

    it('ends by itself when the session has ended, whether the output is read or not', async () => {
      await scene.serve();
      for (const read of ['client.stdout.resume(); client.stderr.resume();', '']) {
        const result = await run(`
          const client = new main.DockerClient({ url: given.url, tty: false, command: ['true'] });
          await client.execute();
          ${read}
          client.on('exit', (code) => console.log('exit', code));
        `);
        assert.deepEqual(result, { ...CLEAN, stdout: 'exit 0\n' });
      }
    });

    it('ends by itself when execute() is rejected', async () => {
      const result = await run(`
        const client = new main.DockerClient({ url: 'ws://127.0.0.1:1/none', tty: false, command: ['true'] });
        await client.execute().catch((error) => console.log(error.code));
      `);
      assert.equal(result.code, 0);
      assert.match(result.stdout, /^DEW_/);
    });

    it('lives as long as the session is open, and gets what comes late', async () => {
      await scene.serve();
      await container.exec(['mkfifo', '/tmp/late']);
      const running = start(`
        const client = new main.DockerClient({ url: given.url, tty: false, command: ['sh', '-c', 'echo first; cat /tmp/late'] });
        await client.execute();
        client.stdout.on('data', (chunk) => console.log(chunk.toString().trim()));
        client.stderr.resume();
        client.on('exit', (code) => console.log('exit', code));
      `);
      await until('first line', () => running.stdout.includes('first'), { transcript: running.transcript });
      await stays('a living process', () => running.child.exitCode === null, 300);
      await container.exec(['sh', '-c', 'echo second > /tmp/late']);
      await endsWell(running, 'first\nsecond\nexit 0\n');
    });

    it('may end by process.exit() in a handler of its events', async () => {
      await scene.serve();
      for (const [name, command] of [['open', 'yes'], ['resumed', 'yes'], ['exit', 'true']]) {
        const { code, signal, stderr } = await run(`
          const client = new main.DockerClient({ url: given.url, tty: false, command: ['${command}'] });
          client.on('${name}', () => process.exit(7));
          await client.execute();
          client.stdout.resume();
        `);
        assert.deepEqual({ code, signal, stderr }, { code: 7, signal: null, stderr: '' }, name);
      }
      const onData = await run(`
        const client = new main.DockerClient({ url: given.url, tty: false, command: ['yes'] });
        await client.execute();
        client.stdout.on('data', () => process.exit(8));
      `);
      assert.deepEqual({ ...onData, stdout: '' }, { code: 8, signal: null, stdout: '', stderr: '' });
    });

    it('may end by an exception in a handler, as with any emitter', async () => {
      await scene.serve();
      const { code, signal, stderr } = await run(`
        const client = new main.DockerClient({ url: given.url, tty: false, command: ['true'] });
        client.on('exit', () => { throw new Error('from the handler'); });
        await client.execute();
        client.stdout.resume();
      `);
      assert.deepEqual({ code, signal }, { code: 1, signal: null });
      assert.match(stderr, /from the handler/);
    });
  });

  describe('with a server', () => {
    const SERVER = `
      const server = new main.DockerServer({ port: 0, path: '/shell', containerId: given.containerId, dockerSocket: given.dockerSocket });
      await server.execute();
      console.log(server.address().port);
    `;

    async function portOf(running) {
      await until('port', () => /^\d+\n/.test(running.stdout), { transcript: running.transcript });
      return Number.parseInt(running.stdout, 10);
    }

    it('lives while it listens, and ends by itself after close()', async () => {
      const running = start(`${SERVER} process.stdin.once('data', async () => { await server.close(); process.stdin.destroy(); console.log('closed'); });
        process.stdin.unref();`);
      const port = await portOf(running);
      await stays('a living process', () => running.child.exitCode === null, 500);
      running.child.stdin.write('x');
      await endsWell(running, `${port}\nclosed\n`, 5000);
    });

    it('lives with an http server that was closed while a session is open, and ends after that session', async () => {
      const running = start(`
        const http = require('node:http').createServer();
        await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
        const server = new main.DockerServer({ server: http, path: '/shell', containerId: given.containerId, dockerSocket: given.dockerSocket });
        server.on('session added', () => http.close(() => console.log('http closed')));
        server.on('session removed', (left) => console.log('left', left));
        console.log(http.address().port);
      `);
      const port = await portOf(running);
      const peer = await Peer.open(`ws://127.0.0.1:${port}/shell`, { command: 'cat' });
      await peer.waitFor(CODE.resume);
      await until('closed http server', () => running.stdout.includes('http closed'), { transcript: running.transcript });
      await stays('a living process', () => running.child.exitCode === null, 500);
      peer.stdin('still');
      await peer.sees('still');
      peer.end();
      assert.equal(await peer.exit(), 0);
      await endsWell(running, `${port}\nhttp closed\nleft 0\n`, 10000);
    });

    it('may end by process.exit() with sessions open, and in a handler', async () => {
      const running = start(`${SERVER} server.on('session', () => setImmediate(() => process.exit(9)));`);
      const port = await portOf(running);
      const peer = await Peer.open(`ws://127.0.0.1:${port}/shell`, { command: ['yes'] });
      await peer.close();
      assert.deepEqual(await running.exited, { code: 9, signal: null, stderr: '', stdout: `${port}\n` });
    });

    it('ends a session that is busy when SIGTERM ends the process', async () => {
      const running = start(SERVER);
      const port = await portOf(running);
      const peer = await Peer.open(`ws://127.0.0.1:${port}/shell`, { command: ['yes'] });
      await peer.waitFor(CODE.stdout);
      running.child.kill('SIGTERM');
      assert.equal((await peer.close()).code, 1006);
      const { signal } = await running.exited;
      assert.equal(signal, 'SIGTERM');
    });
  });

  describe('with worker threads', () => {
    const WORKER = `
      const { Worker } = require('node:worker_threads');
      const work = (body, data) => new Promise((resolve, reject) => {
        const worker = new Worker(body, { eval: true, workerData: { ...given, ...data } });
        worker.once('error', reject);
        worker.once('exit', resolve);
        worker.on('message', (text) => { console.log(text); if (text === 'end me') worker.terminate(); });
      });
    `;
    const IN_WORKER = `
      const { parentPort, workerData: given } = require('node:worker_threads');
      const main = require(process.cwd());
    `;

    it('a client works in a worker, in several, and in the main thread as well', async () => {
      await scene.serve();
      const result = await run(`${WORKER}
        const body = ${JSON.stringify(`${IN_WORKER}
          (async () => {
            const client = new main.DockerClient({ url: given.url, tty: false, command: ['echo', 'from a worker'] });
            await client.execute();
            client.stdout.on('data', (chunk) => parentPort.postMessage(chunk.toString().trim()));
            client.stderr.resume();
            client.on('exit', (code) => parentPort.postMessage('exit ' + code));
          })();
        `)};
        const client = new main.DockerClient({ url: given.url, tty: false, command: ['echo', 'from the main thread'] });
        await client.execute();
        client.stdout.on('data', (chunk) => console.log(chunk.toString().trim()));
        client.stderr.resume();
        await Promise.all([work(body), work(body), work(body)]);
        console.log('all');
      `);
      assert.deepEqual({ ...result, stdout: result.stdout.split('\n').sort() }, {
        ...CLEAN,
        stdout: ['', 'all', 'exit 0', 'exit 0', 'exit 0', 'from a worker', 'from a worker', 'from a worker', 'from the main thread'],
      });
    });

    it('a worker may be terminated with a server and a session open', async () => {
      const result = await run(`${WORKER}
        const body = ${JSON.stringify(`${IN_WORKER}
          (async () => {
            const server = new main.DockerServer({ port: 0, path: '/s', containerId: given.containerId, dockerSocket: given.dockerSocket });
            await server.execute();
            const client = new main.DockerClient({ url: 'ws://127.0.0.1:' + server.address().port + '/s', tty: false, command: ['yes'] });
            await client.execute();
            client.stdout.once('data', () => parentPort.postMessage('end me'));
          })();
        `)};
        await work(body);
        await work(body);
        console.log('all');
      `);
      assert.deepEqual(result, { ...CLEAN, stdout: 'end me\nend me\nall\n' });
    });
  });

  it('S33 leaves no command behind when the server process is killed and a new one serves', async () => {
    const mark = uniqueSleep();
    const source = `
      const server = new main.DockerServer({ port: 0, path: '/shell', containerId: given.containerId, dockerSocket: given.dockerSocket });
      await server.execute();
      console.log(server.address().port);
    `;
    const first = start(source);
    await until('port', () => /^\d+\n/.test(first.stdout), { transcript: first.transcript });
    const peer = await Peer.open(`ws://127.0.0.1:${Number.parseInt(first.stdout, 10)}/shell`, { command: ['sleep', mark] });
    await container.started(mark);
    first.child.kill('SIGKILL');
    await peer.close();
    assert.equal((await container.running(mark)).length, 1);
    const second = start(source);
    await until('port', () => /^\d+\n/.test(second.stdout), { transcript: second.transcript });
    await container.quiet(mark);
  });
});
