'use strict';

/** An engine behind ssh: the same calls and streams, over one connection. */

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

const { Docker } = require('..');
const { engineSocket, useContainer } = require('./helpers/container');
const { stays, within } = require('./helpers/deadline');
const { useSshd } = require('./helpers/sshd');

const MIB = 1024 * 1024;

/** A `Docker` behind the ssh server of `use`. */
const dockerAt = (use, sshOptions) => new Docker({
  protocol: 'ssh', host: `engine${engineSocket()}`, sshOptions: use.current.options(sshOptions),
});

/** What `work` comes to with other variables in the environment. */
async function withVariables(variables, work) {
  const saved = Object.fromEntries(Object.keys(variables).map((name) => [name, process.env[name]]));
  const set = (values) => {
    for (const [name, value] of Object.entries(values)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
  set(variables);
  try {
    return await work();
  } finally {
    set(saved);
  }
}

async function bytesOf(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe('the address of an engine behind ssh', () => {
  const place = (options) => {
    const { protocol, host, port, username } = new Docker(options).modem;
    return { protocol, host, port, username };
  };

  it('is understood in all of its forms', () => {
    const expected = { protocol: 'ssh', host: 'engine', port: '2222', username: 'me' };
    assert.deepEqual(place('ssh://me@engine:2222'), expected);
    assert.deepEqual(place({ host: 'ssh://me@engine:2222/run/docker.sock' }), expected);
    assert.deepEqual(place({ protocol: 'ssh', host: 'engine', port: '2222', username: 'me' }), expected);
    assert.deepEqual(place({ protocol: 'ssh', host: 'x', sshOptions: { host: 'engine', port: '2222', username: 'me' } }), expected);
    assert.deepEqual(place('ssh://[::1]'), { protocol: 'ssh', host: '[::1]', port: undefined, username: undefined });
  });

  it('S22 is refused where it could mean something on a command line', async () => {
    for (const address of [
      'ssh://-oProxyCommand=id', 'ssh://-oProxyCommand=id@engine', 'ssh://me@-l', 'ssh://a b', 'ssh://a\n', 'ssh://a\u0007@engine',
      'ssh://me:secret@engine', 'ssh://$(id)', 'ssh://engine/run/$(id)', 'ssh://engine:22x', 'ssh://',
    ]) {
      await assert.rejects(async () => new Docker(address).ping(), { code: /^DEW_(HOST_INVALID|BAD_OPTION)$/ }, address);
    }
  });

  it('has no options that ssh would not obey', async () => {
    for (const sshOptions of [
      { password: 'secret' }, { hostVerifier: () => true }, { readyTimeout: 0 }, { channelLimit: 0 }, { linger: -1 }, { identityFile: 1 },
      { privateKey: 1 }, 'text',
    ]) {
      const docker = new Docker({ protocol: 'ssh', host: 'engine', sshOptions });
      await assert.rejects(docker.ping(), { code: 'DEW_BAD_OPTION' });
    }
  });
});

describe('an engine behind ssh', () => {
  const container = useContainer();
  const sshd = useSshd(['MaxSessions 1']);

  it('answers a hundred calls at once over one connection', async () => {
    const docker = dockerAt(sshd);
    const answers = await Promise.all(Array.from({ length: 100 }, () => docker.ping()));
    assert.deepEqual(new Set(answers.map(String)), new Set(['OK']));
    const another = dockerAt(sshd);
    assert.equal((await another.getContainer(container.id).inspect()).Id, container.id);
    assert.equal(sshd.current.connections(), 1);
  });

  it('is that of DOCKER_HOST', async () => {
    const { PATH } = sshd.current.environment();
    await withVariables({ PATH, DOCKER_HOST: `ssh://engine${engineSocket()}` }, async () => {
      assert.equal(`${await new Docker().ping()}`, 'OK');
    });
  });

  it('is that of a docker context', async () => {
    const { PATH } = sshd.current.environment();
    const folder = path.join(sshd.current.folder, 'docker');
    const id = crypto.createHash('sha256').update('far').digest('hex');
    const meta = path.join(folder, 'contexts', 'meta', id);
    fs.mkdirSync(meta, { recursive: true });
    const endpoint = { docker: { Host: `ssh://engine${engineSocket()}` } };
    fs.writeFileSync(path.join(meta, 'meta.json'), JSON.stringify({ Name: 'far', Endpoints: endpoint }));
    const variables = { PATH, DOCKER_HOST: undefined, DOCKER_CONFIG: folder, DOCKER_CONTEXT: 'far' };
    await withVariables(variables, async () => assert.equal(`${await new Docker().ping()}`, 'OK'));
  });

  it('takes a key that is given, and leaves it nowhere', async () => {
    sshd.current.configure([]);
    try {
      const privateKey = fs.readFileSync(sshd.current.at('id'));
      // A place of its own, since others may be at the same just now.
      const place = fs.mkdtempSync(path.join(sshd.current.folder, 'run-'));
      await withVariables({ XDG_RUNTIME_DIR: place }, async () => {
        assert.equal(`${await dockerAt(sshd, { privateKey }).ping()}`, 'OK');
      });
      const [folder, ...others] = fs.readdirSync(place);
      assert.match(folder, /^dew-ssh-/);
      assert.deepEqual(others, []);
      assert.equal(fs.statSync(path.join(place, folder)).mode & 0o777, 0o700);
      assert.ok(!fs.existsSync(path.join(place, folder, 'k')), `${folder} has a key`);
    } finally {
      sshd.current.configure();
    }
  });

  it('runs a command with input, output and an exit code', async () => {
    const { stdout, stderr, exitCode } = await dockerAt(sshd).getContainer(container.id)
      .run(['sh', '-c', 'cat; echo warning >&2; exit 7'], { input: 'said' });
    assert.deepEqual([`${stdout}`, `${stderr}`, exitCode], ['said', 'warning\n', 7]);
  });

  it('keeps the output of a hijacked connection whose input has ended', async () => {
    const exec = await dockerAt(sshd).getContainer(container.id)
      .exec({ Cmd: ['sh', '-c', 'wc -c; sleep 0.1; echo late'], AttachStdin: true, AttachStdout: true });
    const stream = await exec.start({ hijack: true, stdin: true });
    stream.end(Buffer.alloc(3 * MIB));
    const output = await within('end of the output', bytesOf(stream));
    assert.match(`${output}`, /3145728\n[^]*late\n/);
  });

  it('gives every byte of a long stream', async () => {
    const exec = await dockerAt(sshd).getContainer(container.id)
      .exec({ Cmd: ['head', '-c', String(20 * MIB), '/dev/zero'], AttachStdout: true });
    const stream = await exec.start({ hijack: true });
    let count = 0;
    let rest = Buffer.alloc(0);
    for await (const chunk of stream) {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 8 && rest.length >= 8 + rest.readUInt32BE(4)) {
        count += rest.readUInt32BE(4);
        rest = rest.subarray(8 + rest.readUInt32BE(4));
      }
    }
    assert.equal(count, 20 * MIB);
  });

  it('is not held up by a stream that nobody reads', async () => {
    const docker = dockerAt(sshd);
    const exec = await docker.getContainer(container.id).exec({ Cmd: ['yes'], AttachStdout: true });
    const stream = await exec.start({ hijack: true });
    let answers = 0;
    const asking = (async () => {
      for (; answers < 50; answers += 1) await docker.ping();
    })();
    await within('answers besides', asking);
    await stays('open', () => !stream.destroyed, 100);
    stream.destroy();
  });

  it('lets go of a call that is aborted', async () => {
    const docker = dockerAt(sshd);
    const controller = new AbortController();
    const waiting = docker.getContainer(container.id).wait({ abortSignal: controller.signal });
    await docker.ping();
    controller.abort();
    await assert.rejects(waiting, { code: 'ABORT_ERR' });
  });

  it('made one connection for all who asked for the same', () => {
    // Those with another key, or another configuration, have their own.
    assert.equal(sshd.current.connections(), 3);
  });
});
