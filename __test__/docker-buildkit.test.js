'use strict';

/** Builds by BuildKit on a real engine, and the session in which a build asks for what it may have. */

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const http2 = require('node:http2');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { inspect } = require('node:util');

const { Docker } = require('..');
const { IMAGES, ensureImage, startPrivateEngine } = require('../scripts/engine');
const { withArgument } = require('../scripts/lib/processes');
const { build, contextOf, order, stage, useCache, withLibraries } = require('./helpers/builds');
const { engineSocket, uniqueSleep } = require('./helpers/container');
const { until, within } = require('./helpers/deadline');
const { useFakeEngines } = require('./helpers/fake-engine');
const { fdCount, fdTargets } = require('./helpers/procs');
const { node } = require('./helpers/program');
const { ACCOUNT, startRegistry } = require('./helpers/registry');
const { useSshd } = require('./helpers/sshd');

const LIMIT = 500 * 1024;
const WORD = 'quite-a-secret-word';

const secret = (id, command, more = '') => `RUN --mount=type=secret,id=${id}${more} ${command}`;
const print = (id) => secret(id, `echo "${id}:$(cat /run/secrets/${id})"`);
const failing = (promise) => promise.then(() => assert.fail('there is no error'), (error) => error);
const withoutWord = (value) => assert.doesNotMatch(inspect(value, { depth: 10 }), new RegExp(WORD));

let docker;
let folder;

/** A client of the engine, and a folder for each test, for the enclosing `describe`. */
function useClient() {
  before('a client', () => { docker = new Docker({ socketPath: engineSocket(), credentials: false }); });
  useCache(() => docker);
  beforeEach('make a folder', () => { folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dew-build-')); });
  afterEach('remove it', () => fs.rmSync(folder, { recursive: true, force: true }));
}

/** How the descriptors of this process were, for `settled` to wait until they are so again. */
const open = () => ({ count: fdCount(), targets: fdTargets() });
const settled = async (before) => {
  try {
    await until('end of the connections', () => fdCount() <= before.count);
  } catch (error) {
    assert.deepEqual(fdTargets(), before.targets, error.message);
  }
};

describe('a build by BuildKit', () => {
  useClient();
  it('tells of its progress, over several stages', async () => {
    const { error, text } = await build(docker, ['RUN echo "said $((6 * 7))"', ...stage(), 'COPY --from=0 /bin/busybox /copy', 'RUN echo two >&2']);
    assert.equal(error, null, text);
    assert.match(text, /RUN echo "said/);
    assert.match(text, /^said 42$/m);
    assert.match(text, /^two$/m);
    assert.match(text, /COPY --from=0/);
  });

  it('fails with the words of the builder', async () => {
    const before = open();
    const { error, text } = await build(docker, ['RUN echo almost; exit 7', 'RUN echo never']);
    assert.equal(error.code, 'DEW_ENGINE_WORK_FAILED');
    assert.match(error.message, /exit code: 7/);
    assert.match(text, /^almost$/m);
    assert.doesNotMatch(text, /^never$/m);
    await settled({ ...before, count: before.count + 1 }); // the connection that is kept for the next call
  });

  it('fails when it cannot be read', async () => {
    const { error } = await build(docker, ['NONSENSE']);
    assert.equal(error.code, 'DEW_ENGINE_WORK_FAILED');
    assert.match(error.message, /NONSENSE/i);
  });

  it('takes a folder, a callback, and names', async () => {
    fs.writeFileSync(path.join(folder, 'Dockerfile'), [...stage(), 'COPY said /', 'RUN cat /said', ''].join('\n'));
    fs.writeFileSync(path.join(folder, 'said'), 'in a file\n');
    const name = `dew-buildkit-${process.pid}`;
    const options = { version: '2', t: name, networkmode: 'none', nocache: true };
    const stream = await new Promise((resolve, reject) => {
      docker.buildImage({ context: folder }, options, (error, answer) => (error ? reject(error) : resolve(answer)));
    });
    const text = await new Promise((resolve, reject) => {
      docker.followProgress(stream, (error, output) => (error ? reject(error) : resolve(inspect(output))));
    });
    assert.match(text, /in a file/);
    assert.match(text, /Built image: sha256:/);
    await docker.getImage(name).remove();
  });

  it('leaves out what the Dockerfile\'s own list says', async () => {
    for (const name of ['a', 'b']) fs.writeFileSync(path.join(folder, name), name);
    fs.writeFileSync(path.join(folder, 'Other'), [...stage(), 'COPY . /context', 'RUN echo there: $(ls /context)', ''].join('\n'));
    fs.writeFileSync(path.join(folder, 'Other.dockerignore'), '*\n!a\n');
    const { error, text } = await build(docker, { context: folder }, { dockerfile: 'Other' });
    assert.equal(error, null, text);
    assert.match(text, /^there: Other a$/m);
  });

  it('lets the process end by itself', async () => {
    const scene = `
      const { Docker } = require(${JSON.stringify(path.join(__dirname, '..'))});
      const { build } = require(${JSON.stringify(require.resolve('./helpers/builds'))});
      const docker = new Docker({ socketPath: ${JSON.stringify(engineSocket())} });
      build(docker, [${JSON.stringify(print('word'))}], { secrets: { word: () => 'given' } })
        .then(({ error, text }) => console.log(error, text));`;
    const program = node(['-e', scene]);
    assert.equal(await program.exit(), 0, `${program.transcript}`);
    assert.match(program.output, /word:given/);
  });
});

describe('secrets of a build', () => {
  useClient();
  it('are given from text, bytes, the environment, a file and a function', async () => {
    fs.writeFileSync(path.join(folder, 'file'), 'of a file');
    process.env.DEW_TEST_WORD = 'of the environment';
    const ids = ['text', 'bytes', 'env', 'file', 'now', 'later'];
    const secrets = {
      text: 'of text',
      bytes: Buffer.from('of bytes'),
      env: { env: 'DEW_TEST_WORD' },
      file: { file: path.join(folder, 'file') },
      now: () => Buffer.from('of now'),
      later: async () => 'of later',
    };
    const given = Object.freeze({ ...secrets });
    const { error, text } = await build(docker, ids.map(print), { secrets: given });
    delete process.env.DEW_TEST_WORD;
    assert.equal(error, null, text);
    const values = ids.map((id) => new RegExp(`^${id}:(.*)$`, 'm').exec(text)[1]);
    assert.deepEqual(values, ['of text', 'of bytes', 'of the environment', 'of a file', 'of now', 'of later']);
  });

  it('make a build one by BuildKit', async () => {
    const { error, text } = await build(docker, [print('word')], { version: undefined, secrets: { word: 'given' } });
    assert.equal(error, null, text);
    assert.match(text, /^word:given$/m);
    const classic = await failing(order(docker, [], { version: '1', secrets: { word: WORD } }));
    assert.equal(classic.code, 'DEW_BAD_OPTION');
  });

  it('may be as long as builders take, and arrive whole', async () => {
    const value = Buffer.alloc(LIMIT, 'x');
    fs.writeFileSync(path.join(folder, 'file'), value);
    const count = (id) => secret(id, `echo "${id}:$(wc -c < /run/secrets/${id})"`);
    const { error, text } = await build(docker, [count('bytes'), count('file')], { secrets: { bytes: value, file: { file: path.join(folder, 'file') } } });
    assert.equal(error, null, text);
    assert.match(text, /^bytes:512000$/m);
    assert.match(text, /^file:512000$/m);
  });

  it('may be empty', async () => {
    const { error, text } = await build(docker, [print('word')], { secrets: { word: '' } });
    assert.equal(error, null, text);
    assert.match(text, /^word:$/m);
  });

  it('are in neither the image, nor the report, nor the engine\'s list of what was done', async () => {
    const t = `dew-secret-${process.pid}`;
    const { error, text } = await build(docker, [secret('word', 'cat /run/secrets/word > /dev/null')], { t, secrets: { word: WORD } });
    assert.equal(error, null, text);
    const image = docker.getImage(t);
    withoutWord([text, await image.inspect(), await image.history()]);
    await image.remove();
  });

  it('that nobody gave are the builder\'s to tell of', async () => {
    const { error } = await build(docker, [secret('other', 'true', ',required=true')], { secrets: { word: WORD } });
    assert.equal(error.code, 'DEW_ENGINE_WORK_FAILED');
    assert.match(error.message, /secret other.* not found/);
    const { error: none } = await build(docker, [secret('other', 'true', ',required=true')]);
    assert.match(none.message, /secret other.* not found/);
    const { error: fine, text } = await build(docker, [secret('other', '[ ! -e /run/secrets/other ] && echo without')]);
    assert.equal(fine, null, text);
    assert.match(text, /^without$/m);
  });

  it('of many builds at once do not mix', async () => {
    const numbers = Array.from({ length: 20 }, (_, index) => index);
    const outcomes = await Promise.all(numbers.map((number) =>
      build(docker, [print('word')], { secrets: { word: number % 2 ? `value ${number}` : async () => `value ${number}` } })));
    assert.deepEqual(outcomes.map(({ error, text }) => [error, /^word:(.*)$/m.exec(text)?.[1]]), numbers.map((number) => [null, `value ${number}`]));
  });

  it('that cannot be had end the build with their own error', async () => {
    const before = open();
    const cause = new Error('the vault is shut');
    const { error } = await build(docker, [print('word')], { secrets: { word: async () => { throw cause; } } });
    assert.equal(error.code, 'DEW_SECRET_FAILED');
    assert.match(error.message, /"word"/);
    assert.equal(error.cause, cause);
    for (const value of [`${WORD}${'x'.repeat(LIMIT)}`, null, { WORD }, 7]) {
      const { error: unusable } = await build(docker, [print('word')], { secrets: { word: () => value } });
      assert.equal(unusable.code, 'DEW_SECRET_FAILED');
      assert.equal(unusable.cause.code, 'DEW_BAD_OPTION');
      withoutWord(unusable);
    }
    await settled({ ...before, count: before.count + 1 });
  });

  for (const [what, secrets] of Object.entries({
    'a number': { word: 7 },
    null: { word: null },
    'a list': ['word'],
    text: 'word',
    'a variable that is not set': { word: { env: 'DEW_TEST_NOT_SET' } },
    'more bytes than builders take': { word: WORD + 'x'.repeat(LIMIT) },
    'a file with more bytes': { word: { file: '/dev/zero' } },
  })) {
    it(`cannot be ${what}`, async () => {
      const error = await failing(order(docker, [], { secrets }));
      assert.equal(error.code, 'DEW_BAD_OPTION');
      withoutWord(error);
    });
  }

  it('cannot be in a file that is not there', async () => {
    const error = await failing(order(docker, [], { secrets: { word: { file: path.join(folder, 'missing') } } }));
    assert.equal(error.code, 'DEW_SECRET_FAILED');
    assert.equal(error.cause.code, 'ENOENT');
  });
});

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

describe('the end of a build by BuildKit', () => {
  useClient();
  const running = (number) => withArgument(number).filter(({ argv }) => argv[0] === 'sleep');
  const waiting = async (number) => within('begin of the command', until('sleep', () => running(number).length > 0));

  it('comes by a signal, with its command and its session', async () => {
    const before = open();
    const number = uniqueSleep();
    const controller = new AbortController();
    const over = build(docker, [secret('word', `grep given /run/secrets/word && sleep ${number}`)], { secrets: { word: 'given' }, signal: controller.signal });
    await waiting(number);
    controller.abort();
    const { error } = await over;
    assert.equal(error.code, 'ABORT_ERR');
    await until('end of the command', () => running(number).length === 0);
    await settled(before);
  });

  it('comes by a signal while a secret is waited for', async () => {
    const before = open();
    const controller = new AbortController();
    const secrets = { word: () => { controller.abort(); return new Promise(() => {}); } };
    const { error } = await build(docker, [print('word')], { secrets, signal: controller.signal });
    assert.equal(error.code, 'ABORT_ERR');
    await settled(before);
  });

  it('comes by a signal before it has begun', async () => {
    const secrets = { word: () => assert.fail('the build has begun') };
    for (const early of [true, false]) {
      const controller = new AbortController();
      if (early) controller.abort();
      const rejected = failing(order(docker, [print('word')], { secrets, signal: controller.signal }));
      controller.abort();
      assert.equal((await rejected).code, 'ABORT_ERR');
    }
  });

  it('comes when its report is destroyed', async () => {
    const before = open();
    const number = uniqueSleep();
    const stream = await order(docker, [`RUN sleep ${number}`]);
    stream.resume();
    await waiting(number);
    stream.destroy();
    await until('end of the command', () => running(number).length === 0);
    await settled(before);
  });

  it('comes with the engine\'s', async () => {
    const engine = await startPrivateEngine();
    try {
      await ensureImage(engine);
      const before = open();
      const number = uniqueSleep();
      const over = build(new Docker({ socketPath: engine.socketPath }), [`RUN sleep ${number}`], { secrets: { word: 'given' } });
      await waiting(number);
      await engine.kill();
      const { error } = await within('end of the build', over);
      assert.ok(['DEW_ENGINE_LOST', 'DEW_ENGINE_PROTOCOL'].includes(error.code), inspect(error));
      await settled(before);
    } finally {
      await engine.stop();
    }
  });

  it('leaves no connection behind, however many there were', async () => {
    const once = () => build(docker, [print('word')], { secrets: { word: 'given' } });
    await once();
    const before = open();
    for (let count = 0; count < 10; count += 1) await once();
    await settled(before);
  });
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

describe('a build on an engine without sessions', () => {
  useClient();
  const fake = useFakeEngines();
  const answer = (request, response) => {
    request.resume();
    if (request.url.startsWith('/session')) response.writeHead(404).end('{"message":"page not found"}');
    else response.end('{"stream":"built"}\n');
  };

  it('is made, unless something needs a session', async () => {
    const engine = await fake(answer);
    const client = new Docker({ socketPath: engine.socketPath, credentials: false });
    const { error, text } = await build(client, []);
    assert.equal(error, null);
    assert.equal(text, 'built');
    const [, { url }] = engine.requests;
    assert.doesNotMatch(url, /session/);
    const refused = await failing(order(client, [], { secrets: { word: WORD } }));
    assert.equal(refused.code, 'DEW_ENGINE_NOT_FOUND');
    assert.match(refused.message, /no session for the build - page not found/);
    withoutWord([refused, engine.requests]);
  });

  it('says so when a proxy has removed the upgrade', async () => {
    const engine = await fake((request, response) => response.end());
    const error = await failing(order(new Docker({ socketPath: engine.socketPath }), []));
    assert.equal(error.code, 'DEW_ENGINE_PROTOCOL');
  });

  it('says so when nobody is there', async () => {
    const error = await failing(order(new Docker({ socketPath: path.join(folder, 'none') }), []));
    assert.equal(error.code, 'DEW_ENGINE_UNREACHABLE');
  });

  it('does not wait for one that says nothing', async () => {
    const engine = await fake(() => {});
    const client = new Docker({ socketPath: engine.socketPath, timeout: 100 });
    assert.equal((await failing(order(client, []))).code, 'DEW_ENGINE_IDLE_TIMEOUT');
    const controller = new AbortController();
    const rejected = failing(order(new Docker({ socketPath: engine.socketPath }), [], { signal: controller.signal }));
    await until('request', () => engine.requests.length === 2);
    controller.abort();
    assert.equal((await rejected).code, 'ABORT_ERR');
    await until('end of the connections', () => engine.sockets.size === 0);
  });
});

describe('a builder', () => {
  const fake = useFakeEngines();
  const frame = (message, { compressed = 0, length = message.length } = {}) => {
    const head = Buffer.alloc(5, compressed);
    head.writeUInt32BE(length, 1);
    return Buffer.concat([head, Buffer.from(message)]);
  };
  const named = (id) => Buffer.concat([Buffer.from([0x0a, id.length]), Buffer.from(id)]);

  /** Runs `work` with the connection on which an engine asks, while a build is under way; resolves to the build's error. */
  async function asking(options, work) {
    let answer = null;
    const engine = await fake((request, response) => {
      request.resume();
      answer = response;
      response.write('{"stream":"begun"}\n');
    });
    const turned = new Promise((resolve) => engine.server.on('upgrade', (request, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
      resolve({ request, socket });
    }));
    const over = build(new Docker({ socketPath: engine.socketPath, credentials: false }), [], options);
    await work(await within('session', turned));
    await until('request for the build', () => answer !== null);
    answer.end();
    const { error } = await over;
    await until('end of the connection', () => engine.sockets.size <= 1);
    return error;
  }

  /** Makes calls as builders do: `call(name, body)` resolves to status and message. */
  async function calling({ socket }, work) {
    const session = http2.connect('http://builder', { createConnection: () => socket });
    session.on('error', () => {});
    const call = (name, body) => within(name, new Promise((resolve, reject) => {
      const stream = session.request({ ':method': 'POST', ':path': name, 'content-type': 'application/grpc', te: 'trailers' });
      const chunks = [];
      const outcome = {};
      stream.on('trailers', (trailers) => Object.assign(outcome, { status: Number(trailers['grpc-status']), text: trailers['grpc-message'] }));
      stream.on('data', (chunk) => chunks.push(chunk));
      stream.on('end', () => resolve({ ...outcome, message: Buffer.concat(chunks).subarray(5) })).on('error', reject);
      stream.end(body);
    }));
    await work(call);
    session.close();
  }

  const SECRET = '/moby.buildkit.secrets.v1.Secrets/GetSecret';

  it('is told which calls there are, and who asks', () => asking({ secrets: { word: WORD } }, async ({ request, socket }) => {
    const { headers, rawHeaders } = request;
    assert.match(headers['x-docker-expose-session-uuid'], /^[0-9a-f-]{36}$/);
    assert.equal(headers.upgrade, 'h2c');
    const calls = rawHeaders.filter((_, index) => rawHeaders[index - 1]?.toLowerCase() === 'x-docker-expose-session-grpc-method');
    assert.deepEqual(calls, ['/grpc.health.v1.Health/Check', SECRET, '/moby.filesync.v1.Auth/Credentials']);
    withoutWord(rawHeaders);
    socket.resume().end();
  }));

  it('gets answers to good questions, and a status for the others', async () => {
    const error = await asking({ secrets: { word: 'given' } }, (turned) => calling(turned, async (call) => {
      assert.deepEqual(await call('/grpc.health.v1.Health/Check', frame('')), { status: 0, text: undefined, message: Buffer.from([8, 1]) });
      assert.deepEqual(await call(SECRET, frame(named('word'))), { status: 0, text: undefined, message: named('given') });
      const { status, text } = await call(SECRET, frame(named('other')));
      assert.deepEqual([status, text], [5, 'there is no secret "other"']);
      for (const [body, expected] of [
        [frame('\x0a\x05ab'), 3], [frame('\x0f'), 3], [frame('', { length: 2 ** 31 }), 3], [frame('', { compressed: 1 }), 12], [Buffer.alloc(0), 3],
        [frame('ab', { length: 7 }), 3],
      ]) assert.equal((await call(SECRET, body)).status, expected, inspect(body));
      for (const name of ['/moby.sshforward.v1.SSH/CheckAgent', '/moby.sshforward.v1.SSH/ForwardAgent', '/moby.filesync.v1.FileSync/DiffCopy', '/']) {
        assert.equal((await call(name, frame(''))).status, 12, name);
      }
    }));
    assert.equal(error, null);
  });

  it('that does not keep to the protocol loses the session, and the build decides', async () => {
    const error = await asking({ secrets: { word: WORD } }, async ({ socket }) => {
      const ended = new Promise((resolve) => socket.once('end', resolve).once('error', resolve).resume());
      socket.write(Buffer.alloc(4096, 'x'));
      await within('end of the session', ended);
      socket.destroy();
    });
    assert.equal(error, null);
  });
});
