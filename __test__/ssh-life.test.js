'use strict';

/** How long a connection through ssh lives, and that nothing is left of it. */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { Docker } = require('..');
const { withArgument } = require('../scripts/lib/processes');
const { engineSocket, uniqueSleep, useContainer } = require('./helpers/container');
const { stays, until, within } = require('./helpers/deadline');
const { pairing } = require('./helpers/implementations');
const { node } = require('./helpers/program');
const { useScene } = require('./helpers/scene');
const { useSshd } = require('./helpers/sshd');
const { CODE } = require('./helpers/wire');

const ROOT = path.join(__dirname, '..');
const dockerAt = (use, more) => new Docker({
  protocol: 'ssh', host: `engine${engineSocket()}`, sshOptions: use.current.options(more),
});

/** Processes of ssh that were given `text`. */
const sshWith = (text) => withArgument(text).filter(({ argv }) => path.basename(argv[0]) === 'ssh');

describe('a connection through ssh', () => {
  const container = useContainer();
  const sshd = useSshd();
  const processes = () => sshWith(sshd.current.at('config'));

  it('is made anew when its server was away', async () => {
    const docker = dockerAt(sshd);
    const exec = await docker.getContainer(container.id).exec({ Cmd: ['cat'], AttachStdin: true, AttachStdout: true });
    const stream = await exec.start({ hijack: true, stdin: true });
    const over = new Promise((resolve) => {
      stream.once('error', resolve);
      stream.once('end', resolve);
    });
    stream.resume();
    const waiting = docker.getContainer(container.id).wait();
    waiting.catch(() => {});
    await docker.ping();

    await sshd.current.kill();
    await within('end of the stream', over);
    await assert.rejects(waiting, { code: 'DEW_ENGINE_LOST' });
    await assert.rejects(docker.ping(), { code: /^DEW_(SSH_UNREACHABLE|ENGINE_LOST)$/ });

    await sshd.current.run();
    assert.equal(`${await docker.ping()}`, 'OK');
    await Promise.all(Array.from({ length: 20 }, () => docker.ping()));
    assert.equal(sshd.current.connections(), 1);
  });

  it('is made anew when its ssh was killed', async () => {
    const docker = dockerAt(sshd, { linger: 29_000 });
    await docker.ping();
    for (const { pid } of processes()) process.kill(pid, 'SIGKILL');
    assert.equal(`${await docker.ping()}`, 'OK');
  });

  it('ends some time after its last use, and not before', async () => {
    const docker = dockerAt(sshd, { linger: 200, identityFile: sshd.current.at('id') });
    const ours = () => sshWith(sshd.current.at('config')).filter(({ argv }) => argv.includes('-i'));
    const stream = await docker.getEvents();
    assert.equal(ours().length, 1);
    await stays('connected', () => ours().length === 1, 600);
    stream.destroy();
    await until('end of ssh', () => ours().length === 0);
    assert.equal(`${await docker.ping()}`, 'OK');
  });
});

describe('what is left of connections through ssh when the process ends', () => {
  const sshd = useSshd();
  let folder;

  beforeEach('have a folder for temporary files', () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dew-tmp-'));
  });
  afterEach('remove it', () => fs.rmSync(folder, { recursive: true, force: true }));

  const SCRIPT = `
    const { Docker } = require(${JSON.stringify(ROOT)});
    const [, host, configFile, end] = process.argv;
    new Docker({ protocol: 'ssh', host, sshOptions: { configFile } }).ping().then((answer) => {
      console.log(String(answer));
      if (end === 'exit') process.exit(3);
      if (end === 'throw') throw new Error('on purpose');
      if (end === 'wait') setInterval(() => {}, 1000);
    });`;

  function start(end, script = SCRIPT) {
    const env = { ...process.env, TMPDIR: folder };
    delete env.XDG_RUNTIME_DIR;
    return node(['-e', script, `engine${engineSocket()}`, sshd.current.at('config'), end], { env });
  }

  const left = () => [...fs.readdirSync(folder), ...withArgument(folder).map(({ argv }) => argv.join(' '))];

  for (const [how, status] of [['return', 0], ['exit', 3], ['throw', 1]]) {
    it(`is nothing after ${how}`, async () => {
      const program = start(how);
      assert.equal(await program.exit(), status, program.output);
      assert.match(program.output, /^OK\n/);
      assert.deepEqual(fs.readdirSync(folder), []);
      await until('end of all processes', () => withArgument(folder).length === 0);
    });
  }

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGKILL']) {
    it(`is nothing after ${signal}`, async () => {
      const program = start('wait');
      await program.sees('an answer', (output) => output.includes('OK'));
      assert.equal(fs.readdirSync(folder).length, 1);
      assert.ok(withArgument(folder).length > 0);
      program.child.kill(signal);
      assert.equal(await program.exit(), signal);
      await until('end of everything', () => left().length === 0);
    });
  }

  it('is nothing of a worker that used it', async () => {
    const worker = `
      const { Worker } = require('node:worker_threads');
      const argv = process.argv.slice(1);
      require(${JSON.stringify(ROOT)});
      new Worker(${JSON.stringify(SCRIPT.replace('process.argv', "['', ...require('node:worker_threads').workerData]"))},
        { eval: true, workerData: argv });`;
    const program = start('return', worker);
    assert.equal(await program.exit(), 0, program.output);
    assert.match(program.output, /^OK\n/);
    await until('end of everything', () => left().length === 0);
  });
});

describe('sessions in a container behind ssh', () => {
  const container = useContainer();
  const sshd = useSshd(['MaxSessions 1']);
  const scene = useScene(pairing('ours', 'ours'), container);
  const place = () => ({
    dockerSocket: undefined, dockerHost: `ssh://engine${engineSocket()}`, sshOptions: sshd.current.options(),
  });

  it('run commands', async () => {
    await scene.serve(place());
    const { code, stdout, stderr } = await scene.run(['sh', '-c', 'echo out; echo err >&2; exit 7']);
    assert.deepEqual([code, stdout, stderr], [7, 'out\n', 'err\n']);
    assert.equal(sshd.current.connections(), 1);
  });

  it('have terminals', async () => {
    await scene.serve(place());
    const { stdout } = await scene.run(['sh', '-c', 'test -t 0 && echo terminal'], { tty: true });
    assert.equal(stdout, 'terminal\r\n');
  });

  it('end the whole tree of a command when its peer goes', async () => {
    const mark = uniqueSleep();
    await scene.serve(place());
    const peer = await scene.peer({ command: ['sh', '-c', `trap "" HUP; ( sleep ${mark} & ); sleep ${mark}; :`] });
    await peer.waitFor(CODE.resume);
    await container.started(`sleep ${mark}`);
    peer.terminate();
    await container.quiet(mark);
  });

  it('are served by the command line', async () => {
    const program = node(
      [path.join(ROOT, 'bin', 'dew.js'), 'serve', '-p', '0', '--docker-host', `ssh://engine${engineSocket()}`, container.id],
      { env: sshd.current.environment() },
    );
    scene.onEnd(() => program.child.kill('SIGKILL'));
    const url = await program.sees('a URL', (output) => /at (ws:\S+)\n/.exec(output)?.[1]);
    const { code, stdout } = await scene.run(['echo', 'far away'], { url });
    assert.deepEqual([code, stdout], [0, 'far away\n']);
    const ours = () => withArgument('dew-ssh-').filter(({ argv }) => argv.includes(sshd.current.at('config')) && argv.includes('-M'));
    const before = ours().length;
    assert.ok(before > 0);
    assert.equal(await program.stop(), 0, program.output);
    assert.ok(ours().length < before, 'its ssh is still there');
  });
});
