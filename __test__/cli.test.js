'use strict';

/** The command line, as a user types it. */

const assert = require('node:assert/strict');
const { once } = require('node:events');
const path = require('node:path');

const { uniqueSleep, useContainer } = require('./helpers/container');
const { until, within } = require('./helpers/deadline');
const { useFakeEngines } = require('./helpers/fake-engine');
const { pairing } = require('./helpers/implementations');
const { Program, node } = require('./helpers/program');
const { useScene } = require('./helpers/scene');

const DEW = path.join(__dirname, '..', 'bin', 'dew.js');

describe('the command line', () => {
  const container = useContainer();
  const scene = useScene(pairing('ours', 'ours'), container);
  const fake = useFakeEngines();

  function dew(args, options) {
    const program = node([DEW, ...args], options);
    scene.onEnd(() => program.child.kill('SIGKILL'));
    return program;
  }

  describe('dew exec', () => {
    it('exits with the exit code of the command', async () => {
      const { url } = await scene.serve();
      for (const code of [0, 7, 128, 255]) {
        assert.equal(await dew(['exec', '-T', url, 'sh', '-c', `exit ${code}`]).exit(), code);
      }
    });

    it('joins stdin, stdout and the end of input', async () => {
      const { url } = await scene.serve();
      const program = dew(['exec', '-T', url, 'sh', '-c', 'wc -c; echo done'], { input: 'x'.repeat(3_000_000) });
      assert.equal(await program.exit(), 0);
      assert.equal(program.output, '3000000\ndone\n');
    });

    it('exits with 125 and a code where there is no session', async () => {
      const { url } = await scene.serve();
      const program = dew(['exec', '-T', `${url}-not`, 'true']);
      assert.equal(await program.exit(), 125);
      assert.match(program.output, /^dew: Unexpected server response: 404 \[DEW_HANDSHAKE_REFUSED\]\n$/);
    });

    it('exits with 2 for a wrong command line', async () => {
      const program = dew(['exec', '--no-such-option']);
      assert.equal(await program.exit(), 2);
      assert.match(program.output, /--no-such-option/);
    });

    for (const [signal, status] of [['SIGTERM', 143], ['SIGINT', 130], ['SIGHUP', 129]]) {
      it(`ends on ${signal}, and the command with it`, async () => {
        const { url } = await scene.serve();
        const seconds = uniqueSleep();
        const program = dew(['exec', '-T', url, 'sleep', seconds], { input: null });
        await container.started(`sleep ${seconds}`, { transcript: program.transcript });
        program.child.kill(signal);
        assert.equal(await program.exit(), status);
        await container.quiet(`sleep ${seconds}`, { transcript: program.transcript });
      });
    }

    it('ends on a signal while it connects, and while nobody reads its output', async () => {
      const { port, server } = await scene.http();
      server.on('upgrade', (_, socket) => scene.onEnd(() => socket.destroy()));
      const asked = once(server, 'upgrade');
      const connecting = dew(['exec', '-T', '--connect-timeout', '60000', `ws://127.0.0.1:${port}/`, 'true'], { input: null });
      await asked;
      connecting.child.kill('SIGINT');
      assert.equal(await connecting.exit(), 130);
      const { server: ours, url } = await scene.serve();
      const unread = dew(['exec', '-T', url, 'head', '-c', '1000000', '/dev/zero']);
      unread.child.stdout.pause();
      const ended = once(unread.child, 'exit');
      await once(ours, 'session');
      await until('end of the session', () => ours.sessions.length === 0);
      unread.child.kill('SIGTERM');
      assert.deepEqual(await within('end', ended), [143, null]);
    });

    it('ends with the command when who reads its output goes away', async () => {
      const { url } = await scene.serve();
      const seconds = uniqueSleep();
      const line = `'${process.execPath}' '${DEW}' exec -T '${url}' sh -c 'while :; do echo y; done; sleep ${seconds}'`;
      const program = new Program('bash', ['-c', `${line} | head -n 1; echo "status $PIPESTATUS"`]);
      assert.equal(await program.exit(), 0);
      assert.equal(program.output, 'y\nstatus 141\n');
      await container.quiet(seconds);
    });

    it('fails when its output cannot be written', async () => {
      const { url } = await scene.serve();
      const line = `'${process.execPath}' '${DEW}' exec -T '${url}' echo lost > /dev/full`;
      const program = new Program('sh', ['-c', line]);
      assert.equal(await program.exit(), 125);
      assert.match(program.output, /^dew: cannot write to stdout: No space left/);
    });

    it('says when its stdin cannot be read', async () => {
      const { url } = await scene.serve();
      const program = new Program('sh', ['-c', `'${process.execPath}' '${DEW}' exec -T '${url}' cat < /`]);
      assert.equal(await program.exit(), 0);
      assert.match(program.output, /^dew: cannot read stdin: Is a directory/);
    });

    it('gives a command on a terminal the size of the terminal, and the terminal back', async () => {
      const { url } = await scene.serve();
      // `script` gives it a terminal; the second stty sees what is left of the settings.
      const sized = 'until [ "$(stty size)" = "41 97" ]; do sleep 0.05; done; echo sized';
      const inside = `stty rows 41 cols 97; '${process.execPath}' '${DEW}' exec '${url}' sh -c '${sized}'; echo "status $?"; stty -a`;
      const program = new Program('script', ['-qec', inside, '/dev/null']);
      assert.equal(await program.exit(), 0);
      assert.match(program.output, /sized\r\n/);
      assert.match(program.output, /status 0\r\n/);
      assert.match(program.output, /[^-]icanon.*[^-]echo /s);
    });
  });

  describe('dew serve', () => {
    it('serves a container on a secret path until it is interrupted', async () => {
      const server = dew(['serve', '--port', '0', container.id], { input: null });
      const url = (await server.firstLine()).match(/at (ws:\S+)$/)[1];
      assert.match(url, /^ws:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{32}$/);
      const seconds = uniqueSleep();
      const client = dew(['exec', '-T', url, 'sleep', seconds], { input: null });
      await container.started(`sleep ${seconds}`, { transcript: client.transcript });
      server.child.kill('SIGTERM');
      assert.equal(await server.exit(), 0);
      assert.equal(await client.exit(), 125);
      assert.deepEqual(await container.running(`sleep ${seconds}`), []);
    });

    it('serves on when nobody reads what it says', async () => {
      const server = dew(['serve', '--port', '0', container.id], { input: null });
      const url = (await server.firstLine()).match(/at (ws:\S+)$/)[1];
      server.child.stderr.destroy();
      for (let i = 0; i < 2; i += 1) assert.equal(await dew(['exec', '-T', url, 'sh', '-c', 'exit 3']).exit(), 3);
      server.child.kill('SIGTERM');
      assert.equal(await server.exit(), 0);
    });

    it('ends on a signal while the engine does not answer', async () => {
      const engine = await fake(() => {});
      const server = dew(['serve', '--port', '0', '--docker-host', `unix://${engine.socketPath}`, container.id], { input: null });
      await until('a question', () => engine.requests.length > 0);
      server.child.kill('SIGINT');
      assert.equal(await server.exit(), 0);
    });

    it('S6 does not serve where others come unless --allow-remote says so', async () => {
      const refused = dew(['serve', '--port', '0', '--host', '0.0.0.0', container.id]);
      assert.equal(await refused.exit(), 125);
      assert.match(refused.output, /^dew: not listening on 0\.0\.0\.0:0: .*--allow-remote.*\[DEW_LISTEN_EXPOSED\]\n$/);
      const server = dew(['serve', '--port', '0', '--host', '0.0.0.0', '--allow-remote', container.id], { input: null });
      assert.match(await server.firstLine(), /at ws:\/\/0\.0\.0\.0:\d+\/[0-9a-f]{32}$/);
      server.child.kill('SIGTERM');
      assert.equal(await server.exit(), 0);
    });

    it('says what is wrong with a container that is not there', async () => {
      const server = dew(['serve', '--port', '0', 'no-such-container']);
      assert.equal(await server.exit(), 125);
      assert.match(server.output, /no-such-container.*\[DEW_ENGINE_NOT_FOUND\]\n$/);
    });
  });
});
