'use strict';

/** Builds by BuildKit on a real engine, with secrets, and their ends. */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { inspect } = require('node:util');

const { Docker } = require('..');
const { ensureImage, startPrivateEngine } = require('../scripts/engine');
const { withArgument } = require('../scripts/lib/processes');
const { build, failing, order, print, secret, stage, useBuilds, without } = require('./helpers/builds');
const { engineSocket, uniqueSleep } = require('./helpers/container');
const { until, within } = require('./helpers/deadline');
const { fdCount, fdTargets } = require('./helpers/procs');
const { node } = require('./helpers/program');

const LIMIT = 500 * 1024;
const WORD = 'quite-a-secret-word';

let docker;
let folder;
const useClient = () => useBuilds((given) => { ({ docker, folder } = given); });

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
    without(WORD, [text, await image.inspect(), await image.history()]);
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
      without(WORD, unusable);
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
      without(WORD, error);
    });
  }

  it('cannot be in a file that is not there', async () => {
    const error = await failing(order(docker, [], { secrets: { word: { file: path.join(folder, 'missing') } } }));
    assert.equal(error.code, 'DEW_SECRET_FAILED');
    assert.equal(error.cause.code, 'ENOENT');
  });
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
