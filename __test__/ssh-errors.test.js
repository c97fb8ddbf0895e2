'use strict';

/** Every way in which an engine behind ssh cannot be reached has a name of its own. */

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');

const { Docker, DockerError, DockerServer } = require('..');
const { engineSocket, useContainer } = require('./helpers/container');
const { stays, timed, until } = require('./helpers/deadline');
const { useSshd } = require('./helpers/sshd');

describe('an engine behind ssh that cannot be reached', () => {
  const container = useContainer();
  const sshd = useSshd();
  const docker = (more, socket = engineSocket()) =>
    new Docker({ protocol: 'ssh', host: `engine${socket}`, sshOptions: sshd.current.options(more) });

  afterEach('have the server known again', () => {
    sshd.current.know('host-key.pub');
    sshd.current.configure();
  });

  /** The error of a call, which is ours and says what ssh says. */
  async function failure(code, said, asked = docker()) {
    let failed;
    await assert.rejects(asked.ping(), (error) => {
      failed = error;
      return true;
    });
    assert.equal(failed.code, code, failed.stack);
    assert.ok(failed instanceof DockerError);
    assert.match(failed.message, /^[^A-Z].*[^.]$/);
    if (said) assert.match(failed.cause.message, said);
    return failed;
  }

  it('S37 says that its host key is not known, and does not add it', async () => {
    sshd.current.know(null);
    await failure('DEW_SSH_HOST_KEY_UNKNOWN', /Host key verification failed/);
    assert.equal(fs.readFileSync(sshd.current.at('known'), 'utf8'), '');
    assert.equal(sshd.current.connections(), 0);
  });

  it('S37 says that its host key has changed', async () => {
    sshd.current.know('other-host-key.pub');
    await failure('DEW_SSH_HOST_KEY_CHANGED', /IDENTIFICATION HAS CHANGED/);
  });

  it('says that our key is not accepted', async () => {
    sshd.current.configure([`IdentityFile ${sshd.current.at('wrong-id')}`]);
    await failure('DEW_SSH_DENIED', /Permission denied \(publickey\)/);
  });

  it('says that there is no ssh', async () => {
    const { PATH } = process.env;
    process.env.PATH = sshd.current.at('nowhere');
    try {
      await failure('DEW_SSH_MISSING');
    } finally {
      process.env.PATH = PATH;
    }
  });

  it('says that nobody answers, or nobody has that name', async () => {
    sshd.current.configure(['ProxyCommand false']);
    await failure('DEW_SSH_UNREACHABLE', /Connection closed|Broken pipe/);
    const nobody = new Docker({ protocol: 'ssh', host: 'engine.invalid', sshOptions: sshd.current.options() });
    await failure('DEW_SSH_UNREACHABLE', /Could not resolve hostname/, nobody);
  });

  it('says that it took too long', async () => {
    const silent = net.createServer(() => {});
    await new Promise((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const asked = new Docker({ protocol: 'ssh', host: '127.0.0.1', port: silent.address().port, sshOptions: { readyTimeout: 300 } });
    const { ms } = await timed(() => failure('DEW_SSH_TIMEOUT', null, asked));
    assert.ok(ms < 5000, `it took ${ms} ms`);
    silent.close();
  });

  it('says what ssh does not understand', async () => {
    sshd.current.configure(['NoSuchSetting yes']);
    await failure('DEW_SSH_FAILED', /Bad configuration option: nosuchsetting/);
  });

  it('says that there is no such socket', async () => {
    await failure('DEW_SSH_SOCKET_MISSING', /open failed/, docker({}, '/nonexistent/docker.sock'));
  });

  it('says that no engine answers at the socket', async () => {
    const socket = sshd.current.at('dead.sock');
    const closing = net.createServer((connection) => connection.destroy()).listen(socket);
    await failure('DEW_ENGINE_UNREACHABLE', null, docker({}, socket));
    closing.close();
  });

  it('tells a server the same', async () => {
    sshd.current.know(null);
    const server = new DockerServer({
      port: 0, path: '/', containerId: container.id, dockerHost: `ssh://engine${engineSocket()}`, sshOptions: sshd.current.options(),
    });
    await assert.rejects(server.execute(), { code: 'DEW_SSH_HOST_KEY_UNKNOWN' });
    sshd.current.know('host-key.pub');
    await server.execute();
    await server.close();
  });

  it('starts one ssh for all who wait, and another one for who comes later', async () => {
    const { PATH } = process.env;
    const [bin, starts, gate, open] = ['counting', 'starts', 'gate', 'open'].map((name) => sshd.current.at(name));
    fs.mkdirSync(bin);
    fs.writeFileSync(starts, '');
    // It fails when it is told to, so that nobody comes too late to wait for it.
    execFileSync('mkfifo', [gate]);
    fs.writeFileSync(path.join(bin, 'ssh'), `#!/bin/sh
echo start >> ${starts}
[ -e ${open} ] || cat ${gate}
echo 'Connection refused' >&2
exit 255
`, { mode: 0o755 });
    process.env.PATH = `${bin}${path.delimiter}${PATH}`;
    try {
      const count = () => fs.readFileSync(starts, 'utf8').split('start').length - 1;
      const asked = docker({ linger: 12_345 });
      const answered = Promise.allSettled(Array.from({ length: 20 }, () => asked.ping()));
      await until('the first ssh', () => count() > 0);
      await stays('only one', () => count() === 1, 500);
      fs.writeFileSync(open, '');
      await fs.promises.writeFile(gate, '');
      const answers = await answered;
      assert.deepEqual(new Set(answers.map(({ reason }) => reason.code)), new Set(['DEW_SSH_UNREACHABLE']));
      assert.equal(count(), 1);
      // After a failure it rests before it starts again.
      const { ms } = await timed(() => assert.rejects(asked.ping()));
      assert.equal(count(), 2);
      assert.ok(ms > 50, `it rested for ${ms} ms`);
    } finally {
      process.env.PATH = PATH;
    }
  });
});

describe('an ssh server that neither forwards nor runs anything', () => {
  const sshd = useSshd(['AllowStreamLocalForwarding no', 'ForceCommand /bin/false']);

  it('is said to do so', async () => {
    const docker = new Docker({ protocol: 'ssh', host: `engine${engineSocket()}`, sshOptions: sshd.current.options() });
    await assert.rejects(docker.ping(), { code: 'DEW_SSH_FORWARDING_REFUSED' });
  });
});

describe('a user at an ssh server who may not open the socket', () => {
  const sshd = useSshd([
    'AllowStreamLocalForwarding no',
    'ForceCommand setpriv --reuid=65534 --regid=65534 --clear-groups sh -c "$SSH_ORIGINAL_COMMAND"',
  ]);

  it('is told so', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dew-socket-'));
    fs.chmodSync(folder, 0o755);
    const socket = path.join(folder, 'docker.sock');
    const server = net.createServer().listen(socket);
    fs.chmodSync(socket, 0o600);
    try {
      const docker = new Docker({ protocol: 'ssh', host: `engine${socket}`, sshOptions: sshd.current.options() });
      await assert.rejects(docker.ping(), { code: 'DEW_SSH_SOCKET_DENIED' });
    } finally {
      server.close();
      fs.rmSync(folder, { recursive: true });
    }
  });
});
