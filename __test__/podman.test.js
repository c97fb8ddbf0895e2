'use strict';

// Sessions on podman's Docker-compatible API, on a service of the test's own: it frames output by other
// rules than dockerd does, and says otherwise when an exec has ended.

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { once } = require('node:events');
const { DockerClient, DockerServer } = require('..');
const { ensureImage, startPrivatePodman } = require('../scripts/engine');
const { startContainer } = require('../scripts/lib/containers');
const { until, withArgument } = require('../scripts/lib/processes');

describe('on podman', function suite() {
  this.timeout(120_000);
  let podman, server;

  before(async () => {
    podman = await startPrivatePodman({ name: 'podman test' });
    await ensureImage(podman);
    const { id } = await startContainer(podman, 'podman-test');
    server = new DockerServer({ port: 0, path: '/podman', containerId: id, dockerSocket: podman.socketPath });
    await server.execute();
  });

  after(async () => {
    if (server) await server.close();
    if (podman) await podman.stop();
  });

  /** Opens a session and collects what it says; `ended` resolves to `{ code, stdout, stderr }`, both Buffers. */
  async function open(command, tty = false) {
    const client = new DockerClient({ url: `ws://127.0.0.1:${server.address().port}/podman`, command, tty });
    const output = { stdout: [], stderr: [] };
    const exit = once(client, 'exit');
    await client.execute();
    const ends = Object.entries(output).map(([name, chunks]) => {
      client[name].on('data', (chunk) => chunks.push(chunk));
      return once(client[name], 'end');
    });
    const collected = (name) => Buffer.concat(output[name]);
    const ended = Promise.all([exit, ...ends]).then(([[code]]) =>
      ({ code, stdout: collected('stdout'), stderr: collected('stderr') }));
    return { client, ended, stdout: () => collected('stdout').toString() };
  }

  const text = async ({ ended }) => {
    const { code, stdout, stderr } = await ended;
    return { code, stdout: String(stdout), stderr: String(stderr) };
  };

  it('keeps stdout and stderr apart, half-closes stdin, and tells the exit code', async () => {
    const session = await open(['sh', '-c', 'wc -c; echo late >&2; exit 7']);
    session.client.stdin.end('abc');
    assert.deepEqual(await text(session), { code: 7, stdout: '3\n', stderr: 'late\n' });
  });

  it('tells a command that does not exist by 127 and the engine\'s own words', async () => {
    const { code, stdout, stderr } = await text(await open(['no-such-command']));
    assert.equal(code, 127);
    assert.match(stdout + stderr, /no-such-command/);
  });

  it('guesses nothing of the bytes of a terminal: output that looks like a frame arrives whole', async () => {
    const { code, stdout } = await text(await open(['printf', '\\001\\000\\000\\000\\020\\000\\000\\000hello'], true));
    assert.equal(code, 0);
    assert.equal(stdout, '\x01\0\0\0\x10\0\0\0hello');
  });

  it('runs a shell on a terminal of the size that it is told', async () => {
    const session = await open(['sh'], true);
    session.client.resize(33, 111);
    session.client.stdin.write('until stty size | grep -q "^33 111$"; do sleep 0.1; done; echo si""ze is right; exit 5\n');
    const { code, stdout } = await text(session);
    assert.equal(code, 5);
    assert.match(stdout, /^size is right\r$/m);
  });

  it('carries 16 MiB there and back unchanged', async () => {
    const data = crypto.randomBytes(16 * 1024 * 1024);
    const session = await open(['cat']);
    session.client.stdin.end(data);
    const { code, stdout } = await session.ended;
    assert.equal(code, 0);
    assert.ok(stdout.equals(data), `${stdout.length} bytes came back of ${data.length}`);
  });

  it('ends the command when its client goes, with what it has started', async () => {
    const seconds = String(700_000 + (process.pid % 100_000));
    const session = await open(['sh', '-c', `setsid sleep ${seconds} & trap "" HUP; sleep ${seconds}; :`]);
    session.ended.catch(() => { /* it is cut short, as it should be */ });
    const running = () => withArgument(seconds).filter(({ argv }) => argv[0] === 'sleep');
    assert.ok(await until(() => running().length === 2, 10_000), 'both came up');
    session.client.close();
    assert.ok(await until(() => running().length === 0, 10_000), `still running: ${JSON.stringify(running())}`);
  });
});
