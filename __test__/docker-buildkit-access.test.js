'use strict';

/** What else a build by BuildKit may ask for on a real engine: ssh agents, and credentials for registries. */

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');

const { Docker } = require('..');
const { IMAGES } = require('../scripts/engine');
const { build, contextOf, failing, order, print, stage, useBuilds, withLibraries } = require('./helpers/builds');
const { engineSocket } = require('./helpers/container');
const { ACCOUNT, startRegistry } = require('./helpers/registry');
const { useSshd } = require('./helpers/sshd');

let docker;
let folder;
const useClient = () => useBuilds((given) => { ({ docker, folder } = given); });

describe('ssh agents of a build', () => {
  useClient();
  let files;
  let agent;
  before('read ssh-add, which the image lacks', () => { files = withLibraries('ssh-add'); });
  beforeEach('start an agent with a key', async () => {
    const at = (name) => path.join(folder, name);
    const said = execFileSync('ssh-agent', ['-a', at('agent'), '-s'], { encoding: 'utf8' });
    agent = { socket: at('agent'), pid: Number(/SSH_AGENT_PID=(\d+)/.exec(said)[1]) };
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'key-of-the-test', '-f', at('key')]);
    execFileSync('ssh-add', ['-q', at('key')], { env: { ...process.env, SSH_AUTH_SOCK: agent.socket } });
  });
  afterEach('stop it', () => process.kill(agent.pid));

  const list = () => execFileSync('ssh-add', ['-l'], { encoding: 'utf8', env: { ...process.env, SSH_AUTH_SOCK: agent.socket } });
  const run = (lines, ssh) => build(docker, contextOf(['COPY root /', ...lines], { ...files, 'root/key.pub': fs.readFileSync(path.join(folder, 'key.pub'), 'utf8') }), { ssh });

  it('list their keys and sign', async () => {
    const { error, text } = await run(['RUN --mount=type=ssh,id=mine ssh-add -l && ssh-add -T /key.pub && echo signed'], { mine: agent.socket });
    assert.equal(error, null, text);
    assert.ok(text.includes(list().trim()), text);
    assert.match(text, /^signed$/m);
  });

  it('are that of the environment, by default', async () => {
    const { SSH_AUTH_SOCK } = process.env;
    process.env.SSH_AUTH_SOCK = agent.socket;
    try {
      const { error, text } = await run(['RUN --mount=type=ssh ssh-add -l'], true);
      assert.equal(error, null, text);
      assert.match(text, /key-of-the-test/);
    } finally {
      if (SSH_AUTH_SOCK === undefined) delete process.env.SSH_AUTH_SOCK;
      else process.env.SSH_AUTH_SOCK = SSH_AUTH_SOCK;
    }
  });

  it('keep their keys, whatever a build says', async () => {
    const { error, text } = await run(['RUN --mount=type=ssh for how in -D "-d /key.pub" -x; do echo word | ssh-add $how; echo "status:$?"; done; ssh-add -l'], { default: agent.socket });
    assert.equal(error, null, text);
    assert.deepEqual(text.match(/^status:\d$/gm), ['status:1', 'status:1', 'status:1']);
    assert.match(text, /key-of-the-test/);
    assert.match(list(), /key-of-the-test/);
  });

  it('that nobody offered are an error of the build', async () => {
    const { error } = await build(docker, ['RUN --mount=type=ssh,required=true true']);
    assert.equal(error.code, 'DEW_ENGINE_WORK_FAILED');
    assert.match(error.message, /ssh/i);
    const { error: other } = await build(docker, ['RUN --mount=type=ssh,id=other,required=true true'], { ssh: { mine: agent.socket } });
    assert.match(other.message, /there is no ssh agent "other"/);
  });

  it('that do not answer any more are an error of the build', async () => {
    const socket = path.join(folder, 'dead');
    const server = net.createServer().listen(socket);
    await new Promise((resolve) => server.once('listening', resolve));
    fs.renameSync(socket, `${socket}.kept`);
    await new Promise((resolve) => server.close(resolve));
    const { error } = await build(docker, ['RUN --mount=type=ssh,required=true true'], { ssh: { default: `${socket}.kept` } });
    assert.match(error.message, /the ssh agent "default" does not answer/);
  });

  for (const [what, ssh] of Object.entries({ text: '/socket', 'a file': { default: __filename }, 'nothing at all': { default: '/none' }, 'a number': { default: 7 } })) {
    it(`cannot be ${what}`, async () => {
      assert.equal((await failing(order(docker, [], { ssh }))).code, 'DEW_BAD_OPTION');
    });
  }
});

describe('credentials of a build', () => {
  useClient();
  let registry;
  let name;
  before('start a registry with an image', async () => {
    registry = await startRegistry({ secured: true });
    name = `${registry.address}/team/base`;
    await docker.getImage(IMAGES.busybox).tag({ repo: name, tag: 'latest' });
    const image = docker.getImage(name);
    const pushed = await image.push({ authconfig: ACCOUNT });
    await new Promise((resolve, reject) => {
      docker.modem.followProgress(pushed, (error) => (error ? reject(error) : resolve()));
    });
    await image.remove();
  });
  after('stop it', () => registry?.stop());

  /** What a build from that image says with `options`, by a client with `settings`. */
  const from = async (options, settings) => {
    fs.writeFileSync(path.join(folder, 'Dockerfile'), [...stage(name), 'RUN echo built', ''].join('\n'));
    const client = new Docker({ socketPath: engineSocket(), credentials: false, ...settings });
    return build(client, { context: folder }, options);
  };
  const isBuilt = ({ error, text }) => {
    assert.equal(error, null, text);
    assert.match(text, /^built$/m);
  };
  const isRefused = ({ error, text }) => assert.match(`${error?.message}`, /authorization|no basic auth|401|Unauthorized/i, text);

  it('come from authconfig, in all its forms', async () => {
    const { username, password } = ACCOUNT;
    const encoded = (value) => Buffer.from(value).toString('base64');
    for (const authconfig of [
      ACCOUNT, { ...ACCOUNT, serveraddress: registry.address }, { ...ACCOUNT, serveraddress: `https://${registry.address}/v1/` },
      { base64: encoded(JSON.stringify(ACCOUNT)) }, { key: encoded(JSON.stringify(ACCOUNT)) }, { auth: encoded(`${username}:${password}`) },
    ]) isBuilt(await from({ authconfig }));
  });

  it('come from registryconfig, by registry', async () => {
    const wrong = { username: 'nobody', password: 'nothing' };
    isBuilt(await from({ registryconfig: { 'https://index.docker.io/v1/': wrong, [registry.address]: ACCOUNT }, authconfig: wrong }));
    isRefused(await from({ registryconfig: { [registry.address]: wrong }, authconfig: ACCOUNT }));
  });

  it('come from what the docker CLI has, unless that is turned off', async () => {
    const { DOCKER_CONFIG } = process.env;
    process.env.DOCKER_CONFIG = folder;
    const auth = Buffer.from(`${ACCOUNT.username}:${ACCOUNT.password}`).toString('base64');
    fs.writeFileSync(path.join(folder, 'config.json'), JSON.stringify({ auths: { [registry.address]: { auth } } }));
    try {
      isBuilt(await from({}, { credentials: undefined }));
      isRefused(await from({}, { credentials: false }));
      isRefused(await from({ authconfig: false }, { credentials: undefined }));
    } finally {
      if (DOCKER_CONFIG === undefined) delete process.env.DOCKER_CONFIG;
      else process.env.DOCKER_CONFIG = DOCKER_CONFIG;
    }
  });

  it('of another registry are not given away', async () => {
    isRefused(await from({ authconfig: { ...ACCOUNT, serveraddress: 'elsewhere.example' } }));
    isRefused(await from({}));
  });
});

describe('a build on an engine behind ssh', () => {
  useClient();
  const sshd = useSshd();

  it('has its session, too', async () => {
    const client = new Docker({ protocol: 'ssh', host: `engine${engineSocket()}`, sshOptions: sshd.current.options(), credentials: false });
    const { error, text } = await build(client, [print('word')], { secrets: { word: Buffer.alloc(100_000, 'x') } });
    assert.equal(error, null, text);
    assert.match(text, /^word:x{1000}/m);
    const controller = new AbortController();
    const secrets = { word: () => { controller.abort(); return 'given'; } };
    const { error: given } = await build(client, [print('word')], { secrets, signal: controller.signal });
    assert.equal(given.code, 'ABORT_ERR');
  });
});
