'use strict';

/**
 * Every documented feature of the 3.0.0 packages, over each pairing of our server and
 * client with the originals and with each other.
 */

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { once } = require('node:events');

const { useContainer } = require('./helpers/container');
const { until } = require('./helpers/deadline');
const { pairings } = require('./helpers/implementations');
const { useScene } = require('./helpers/scene');
const { CODE } = require('./helpers/wire');

/** Runs in a shell with a tty: prints its size when told that it has changed, then ends. */
const SIZE_ON_CHANGE = 'trap "stty size; kill %1; exit 7" WINCH; sleep 1000 & echo ready; wait';

for (const pair of pairings()) {
  describe(`features, ${pair.title}`, () => {
    const container = useContainer();
    const scene = useScene(pair, container);

    describe('streams', () => {
      it('echoes stdin through cat and ends it by a half-close', async () => {
        const talk = await scene.open({ command: ['cat'] });
        talk.client.stdin.write('hello ');
        await talk.sees('hello ');
        talk.client.stdin.end('world');
        assert.deepEqual(await talk.text(), { code: 0, stdout: 'hello world', stderr: '' });
      });

      it('gives the output that comes after the end of stdin', async () => {
        const talk = await scene.open({ command: ['sh', '-c', 'wc -c; echo late >&2; exit 7'] });
        talk.client.stdin.end('abc');
        assert.deepEqual(await talk.text(), { code: 7, stdout: '3\n', stderr: 'late\n' });
      });

      it('keeps stderr apart from stdout without a tty', async () => {
        const result = await scene.run(['sh', '-c', 'echo out; echo err >&2']);
        assert.deepEqual(result, { code: 0, stdout: 'out\n', stderr: 'err\n' });
      });

      it('merges stderr into stdout with a tty, and stderr ends empty', async () => {
        const result = await scene.run(['sh', '-c', 'echo out; echo err >&2'], { tty: true });
        assert.deepEqual(result, { code: 0, stdout: 'out\r\nerr\r\n', stderr: '' });
      });

      it('runs a terminal with TERM=xterm', async () => {
        const result = await scene.run(['sh', '-c', 'echo $TERM; test -t 0 && echo terminal'], { tty: true });
        assert.equal(result.stdout, 'xterm\r\nterminal\r\n');
      });

      it('takes a string per key stroke on a tty', async () => {
        const talk = await scene.open({ command: ['sh'], tty: true });
        for (const key of 'echo $((6*7))\n') talk.client.stdin.write(key);
        await talk.sees(/^42\r$/m);
        talk.client.stdin.write('exit 3\n');
        assert.equal((await talk.end()).code, 3);
      });

      it('takes a Uint8Array and a Buffer on stdin', async () => {
        const talk = await scene.open({ command: ['cat'] });
        talk.client.stdin.write(new Uint8Array([0x61, 0x62]));
        talk.client.stdin.write(Buffer.from('c'));
        talk.client.stdin.end();
        assert.equal((await talk.text()).stdout, 'abc');
      });

      it('sends 1 MiB of random bytes, written in one call right after execute(), through cat', async () => {
        const bytes = crypto.randomBytes(1024 * 1024);
        const talk = await scene.open({ command: ['cat'] });
        talk.client.stdin.write(bytes);
        talk.client.stdin.end();
        const { code, stdout } = await talk.end();
        assert.equal(code, 0);
        assert.equal(stdout.length, bytes.length);
        assert.ok(stdout.equals(bytes), 'the bytes came back changed');
      });

      it('pipes a stream in and a stream out', async () => {
        const { PassThrough } = require('node:stream');
        const talk = await scene.open({ command: ['tr', 'a-z', 'A-Z'], collect: false });
        const source = new PassThrough();
        const sink = new PassThrough();
        source.pipe(talk.client.stdin);
        talk.client.stderr.resume();
        talk.client.stdout.pipe(sink);
        source.end('piped through');
        const chunks = [];
        for await (const chunk of sink) chunks.push(chunk);
        assert.equal(Buffer.concat(chunks).toString(), 'PIPED THROUGH');
      });

      it('gives Buffers', async () => {
        const talk = await scene.open({ command: ['echo', 'hi'] });
        await talk.end();
        assert.ok(Buffer.isBuffer(talk.out[0]));
      });
    });

    describe('commands', () => {
      it('runs a command array with its words in order and untouched', async () => {
        const words = ['a b', '', 'c&d=e', 'é€', '%41', '+', '$HOME', '"\'', ';#?'];
        const { stdout } = await scene.run(['printf', '%s\n', ...words]);
        assert.equal(stdout, `${words.join('\n')}\n`);
      });

      it('runs a single string as one word', async () => {
        const { code, stdout } = await scene.run('hostname');
        assert.equal(code, 0);
        assert.equal(stdout.trim(), container.id.slice(0, 12));
      });

      it("runs 'sh' with a tty when nothing is said", async () => {
        const talk = await scene.open({ tty: undefined, command: undefined, Client: class extends pair.Client {
          constructor({ url }) {
            super({ url });
          }
        } });
        talk.client.stdin.write('test -t 1 && echo is a $0 on a terminal; exit\n');
        await talk.sees(/^is a sh on a terminal\r$/m);
      });

      it('puts wrapperCommand before the command', async () => {
        await scene.serve({ wrapperCommand: ['sh', '-c', 'echo wrapped "$#"; exec "$@"', '--'] });
        const { stdout } = await scene.run(['echo', 'x y', 'z']);
        assert.equal(stdout, 'wrapped 3\nx y z\n');
      });

      for (const code of [0, 1, 7, 126, 127, 128, 200, 255]) {
        it(`gives exit code ${code}`, async () => {
          assert.equal((await scene.run(['sh', '-c', `exit ${code}`])).code, code);
        });
      }

      it('gives exit code 137 for a command that was killed', async () => {
        assert.equal((await scene.run(['sh', '-c', 'kill -9 $$'])).code, 137);
      });

      it("gives the engine's text and 126 or 127 for a command that does not exist", async () => {
        const { code, stdout, stderr } = await scene.run(['/no/such/command']);
        assert.ok([126, 127].includes(code), `code ${code}`);
        assert.match(stdout + stderr, /no such file or directory|not found/);
      });

      it("gives the engine's text and 126 for a file that is not executable", async () => {
        const { code, stdout, stderr } = await scene.run(['/etc/passwd']);
        assert.equal(code, 126);
        assert.match(stdout + stderr, /permission denied/);
      });
    });

    describe('resize', () => {
      it('changes the size of the terminal', async () => {
        const talk = await scene.open({ command: ['sh', '-c', SIZE_ON_CHANGE], tty: true });
        await talk.sees('ready');
        talk.client.resize(31, 117);
        const { code, stdout } = await talk.text();
        assert.match(stdout, /^31 117\r$/m);
        assert.equal(code, 7);
      });

      it('can be taken off the client and called with it', async () => {
        const talk = await scene.open({ command: ['sh', '-c', SIZE_ON_CHANGE], tty: true });
        await talk.sees('ready');
        const { resize } = talk.client;
        resize.call(talk.client, 17, 201);
        assert.match((await talk.text()).stdout, /^17 201\r$/m);
      });

      it('of a client without a tty throws', async () => {
        const talk = await scene.open({ command: ['cat'] });
        assert.throws(() => talk.client.resize(10, 10), { message: 'cannot resize, not a tty instance' });
        talk.client.stdin.end('still here');
        assert.equal((await talk.text()).stdout, 'still here');
      });

      it('throws a RangeError for more than 65535 rows', async () => {
        const talk = await scene.open({ command: ['cat'], tty: true });
        assert.throws(() => talk.client.resize(65536, 10), RangeError);
      });

      it('without a tty is answered with an error by the server, and the session lives on', async () => {
        const peer = await scene.peer({ command: 'cat' });
        await peer.waitFor(CODE.resume);
        peer.resize(10, 20);
        const { payload } = await peer.waitFor(CODE.error);
        assert.equal(payload.toString(), 'cannot resize, not a tty instance');
        peer.stdin('alive');
        await peer.sees('alive');
      });
    });

    describe('events and counts', () => {
      it('come in the order open, resumed, data, exit', async () => {
        const talk = await scene.open({ command: ['echo', 'hi'] });
        await talk.end();
        const order = ['open', 'resumed', 'data', 'exit'].map((name) => talk.events.indexOf(name));
        assert.ok(!order.includes(-1), `${talk.events}`);
        assert.deepEqual(order, [...order].sort((a, b) => a - b), `${talk.events}`);
      });

      it("of a server are 'session', 'session added' and 'session removed', with counts", async () => {
        const { server } = await scene.serve();
        const seen = [];
        server.on('session', (session) => seen.push(`session ${typeof session}, ${server.sessions.length} in sessions`));
        server.on('session added', (count) => seen.push(`added ${count}`));
        server.on('session removed', (count) => seen.push(`removed ${count}`));
        const first = await scene.open({ command: ['cat'] });
        await until('first session', () => seen.length === 2);
        const second = await scene.open({ command: ['cat'] });
        await until('second session', () => seen.length === 4);
        assert.equal(server.sessions.length, 2);
        first.client.stdin.end();
        await first.end();
        await until('first one removed', () => seen.length === 5);
        second.client.stdin.end();
        await second.end();
        await until('second one removed', () => seen.length === 6);
        assert.equal(server.sessions.length, 0);
        assert.deepEqual(seen, [
          'session object, 1 in sessions', 'added 1',
          'session object, 2 in sessions', 'added 2',
          'removed 1', 'removed 0',
        ]);
      });

      it('tell a client of the server over its limit, and only that one is refused', async () => {
        await scene.serve({ maxSessions: 1 });
        const first = await scene.open({ command: ['cat'] });
        first.client.stdin.write('in');
        await first.sees('in');
        const second = await scene.open({ command: ['cat'] });
        assert.equal(String(await second.error()), 'Too many sessions active!');
        await until('end of the refused connection', () => second.client.socket.readyState === 3);
        first.client.stdin.end();
        assert.equal((await first.end()).code, 0);
        await until('free slot', () => scene.current.server.sessions.length === 0);
        assert.equal((await scene.run(['echo', 'again'])).stdout, 'again\n');
      });

      it("tell a client of the server's end by 'shutdown'", async () => {
        const { server } = await scene.serve();
        const talk = await scene.open({ command: ['cat'] });
        talk.client.stdin.write('in');
        await talk.sees('in');
        const told = talk.next('shutdown');
        server.close();
        await told;
        assert.ok(!talk.events.includes('exit'), `${talk.events}`);
      });

      it("include the socket's own 'close'", async () => {
        const talk = await scene.open({ command: ['true'] });
        await once(talk.client.socket, 'close');
        assert.equal((await talk.end()).code, 0);
      });
    });

    describe('lower-level calls of the client', () => {
      it('strbuf.write() sends a frame as it is', async () => {
        const talk = await scene.open({ command: ['cat'] });
        talk.client.strbuf.write(Buffer.from('\0frame'));
        await talk.sees('frame');
        talk.client.strbuf.write(Buffer.from([102]));
        assert.equal((await talk.end()).code, 0);
      });

      it('sendMessage() and sendCode() send one message each', async () => {
        const talk = await scene.open({ command: ['cat'] });
        talk.client.sendMessage(0, Buffer.from('message'));
        await talk.sees('message');
        talk.client.sendCode(102);
        assert.equal((await talk.end()).code, 0);
      });

      it('close() ends the session', async () => {
        const { server } = await scene.serve();
        const removed = once(server, 'session removed');
        const talk = await scene.open({ command: ['cat'] });
        talk.client.stdin.write('in');
        await talk.sees('in');
        talk.client.close();
        assert.deepEqual(await removed, [0]);
      });

      it('has url, socket, stdin, stdout, stderr and strbuf after execute()', async () => {
        const talk = await scene.open({ command: ['echo', 'a b'] });
        assert.equal(talk.client.url, `${scene.current.url}?tty=false&command=echo&command=a%20b`);
        for (const name of ['socket', 'stdin', 'stdout', 'stderr', 'strbuf']) {
          assert.equal(typeof talk.client[name].on, 'function', name);
        }
        assert.equal(talk.client.stdout.draining, false);
        await talk.end();
      });
    });
  });
}
