'use strict';

/** Credentials for registries: which are sent with what, and where they come from. */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { Readable } = require('node:stream');

const { Docker } = require('..');
const { askHelper, registryOf } = require('../lib/docker/credentials');
const { event } = require('./helpers/deadline');
const { useFakeEngines } = require('./helpers/fake-engine');

const SECRET = 'p:ä?>~hunter';
const base64 = (text) => Buffer.from(text).toString('base64');
const decoded = (header) => (header === undefined ? undefined : JSON.parse(Buffer.from(header, 'base64url')));
const failing = (promise) => promise.then(() => assert.fail('there is no error'), (error) => error);

describe('credentials for a registry', () => {
  const fake = useFakeEngines();
  let saved;
  let folder;

  beforeEach('have settings of our own', () => {
    saved = { DOCKER_CONFIG: process.env.DOCKER_CONFIG, PATH: process.env.PATH };
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dew-config-'));
    Object.assign(process.env, { DOCKER_CONFIG: folder, PATH: `${folder}${path.delimiter}${saved.PATH}` });
  });

  afterEach('have the settings back', () => {
    if (saved.DOCKER_CONFIG === undefined) delete process.env.DOCKER_CONFIG;
    else process.env.DOCKER_CONFIG = saved.DOCKER_CONFIG;
    process.env.PATH = saved.PATH;
    fs.rmSync(folder, { recursive: true, force: true });
  });

  const settings = (content) => fs.writeFileSync(path.join(folder, 'config.json'), JSON.stringify(content));
  /** A helper program, of shell words that have `$action` and `$registry`. */
  const helper = (name, body) => fs.writeFileSync(path.join(folder, `docker-credential-${name}`),
    `#!/bin/sh\naction=$1\nregistry=$(cat)\necho "$action $registry" >> "${folder}/${name}.log"\n${body}\n`, { mode: 0o755 });
  const asked = (name) => {
    const file = path.join(folder, `${name}.log`);
    return fs.existsSync(file) ? fs.readFileSync(file, 'utf8').trim().split('\n').map((line) => line.trim()) : [];
  };

  /** What the engine gets of a call: the decoded headers. */
  async function sentBy(call, options = {}) {
    // No session for builds: they have their credentials otherwise.
    const engine = await fake(({ url }, response) => response.writeHead(url.startsWith('/session') ? 404 : 200).end('{}'));
    await call(new Docker({ socketPath: engine.socketPath, ...options }));
    const { headers } = engine.requests.at(-1);
    return { auth: decoded(headers['x-registry-auth']), config: decoded(headers['x-registry-config']) };
  }

  const AUTHS = { 'reg.example:5000': { auth: base64(`user:${SECRET}`) } };
  const OURS = { username: 'user', password: SECRET, serveraddress: 'reg.example:5000' };
  const IMAGE = 'reg.example:5000/team/app';

  for (const [what, call] of Object.entries({
    pull: (docker) => docker.pull(`${IMAGE}:1`),
    'pull with options': (docker) => docker.pull(IMAGE, { platform: 'linux/amd64' }),
    pullAll: (docker) => docker.pullAll(IMAGE),
    createImage: (docker) => docker.createImage({ fromImage: IMAGE, tag: '1' }),
    'image.push': (docker) => docker.getImage(IMAGE).push(),
    'image.distribution': (docker) => docker.getImage(IMAGE).distribution(),
    'plugin.privileges': (docker) => docker.getPlugin('p', IMAGE).privileges(),
    'plugin.pull': (docker) => docker.getPlugin('p', IMAGE).pull({ _body: [] }),
    'plugin.push': (docker) => docker.getPlugin(IMAGE).push(),
    'plugin.upgrade': (docker) => docker.getPlugin('p').upgrade({ remote: IMAGE, _body: [] }),
  })) {
    it(`are sent by ${what}, as auths has them`, async () => {
      settings({ auths: AUTHS });
      assert.deepEqual(await sentBy(call), { auth: OURS, config: undefined });
      const none = what === 'image.push' ? {} : undefined;
      assert.deepEqual(await sentBy(call, { credentials: false }), { auth: none, config: undefined });
      settings({});
      assert.deepEqual(await sentBy(call), { auth: none, config: undefined });
    });
  }

  it('are the caller\'s, whatever the settings are', async () => {
    fs.writeFileSync(path.join(folder, 'config.json'), 'no JSON');
    const mine = { username: 'me', password: 'mine' };
    assert.deepEqual((await sentBy((docker) => docker.pull(IMAGE, { authconfig: mine }))).auth, mine);
    assert.deepEqual((await sentBy((docker) => docker.pull(IMAGE, {}, undefined, mine))).auth, mine);
    assert.deepEqual((await sentBy((docker) => docker.createImage(mine, { fromImage: IMAGE }))).auth, mine);
    assert.equal((await sentBy((docker) => docker.pull(IMAGE, { authconfig: false }))).auth, undefined);
    assert.equal((await sentBy((docker) => docker.pull(IMAGE, {}, undefined, false))).auth, undefined);
    assert.deepEqual((await sentBy((docker) => docker.getImage(IMAGE).push({ authconfig: false }))).auth, {});
  });

  it('are sent to nobody else', async () => {
    settings({ auths: AUTHS });
    for (const name of ['busybox', 'reg.example/app', 'reg.example:5001/app', 'x/reg.example:5000/app']) {
      assert.equal((await sentBy((docker) => docker.pull(name))).auth, undefined, name);
    }
    assert.equal((await sentBy((docker) => docker.importImage(Buffer.alloc(1), { repo: IMAGE }))).auth, undefined);
    assert.equal((await sentBy((docker) => docker.createService({ Name: 's' }))).auth, undefined);
  });

  it('are found whichever way their registry is written', async () => {
    for (const address of ['https://reg.example:5000/v2/', 'http://reg.example:5000']) {
      settings({ auths: { [address]: AUTHS['reg.example:5000'] } });
      assert.deepEqual((await sentBy((docker) => docker.pull(IMAGE))).auth, OURS, address);
    }
    for (const address of ['https://index.docker.io/v1/', 'docker.io', 'index.docker.io', 'registry-1.docker.io', 'HTTPS://Index.Docker.io']) {
      settings({ auths: { [address]: { username: 'u', password: 'p' } } });
      for (const name of ['busybox', 'library/busybox:1', 'docker.io/library/busybox']) {
        const { auth } = await sentBy((docker) => docker.pull(name));
        assert.deepEqual(auth, { username: 'u', password: 'p', serveraddress: 'https://index.docker.io/v1/' });
      }
    }
    assert.equal(registryOf('localhost/app'), 'localhost');
    assert.equal(registryOf('team/app.x'), 'https://index.docker.io/v1/');
  });

  it('may be tokens', async () => {
    settings({ auths: { 'reg.example:5000': { auth: base64('user:'), identitytoken: 'T' } } });
    const { auth } = await sentBy((docker) => docker.pull(IMAGE));
    assert.deepEqual(auth, { identitytoken: 'T', username: 'user', password: '', serveraddress: 'reg.example:5000' });
    settings({ credsStore: 'one' });
    helper('one', 'echo \'{"Username":"<token>","Secret":"T2"}\'');
    const token = await sentBy((docker) => docker.pull(IMAGE));
    assert.deepEqual(token.auth, { identitytoken: 'T2', serveraddress: 'reg.example:5000' });
  });

  it('come from the helper of their registry, or from that of all', async () => {
    settings({ auths: AUTHS, credsStore: 'all', credHelpers: { 'https://other.example': 'one' } });
    helper('all', `echo '{"ServerURL":"x","Username":"user","Secret":"${SECRET}"}'`);
    helper('one', 'echo \'{"Username":"one","Secret":"1"}\'');
    assert.deepEqual((await sentBy((docker) => docker.pull(IMAGE))).auth, OURS);
    assert.equal((await sentBy((docker) => docker.pull('other.example/app'))).auth.username, 'one');
    assert.deepEqual([asked('all'), asked('one')], [['get reg.example:5000'], ['get other.example']]);
  });

  it('are none where a helper knows none, or is not there', async () => {
    settings({ credsStore: 'all' });
    helper('all', 'echo credentials not found in native keychain; exit 1');
    assert.equal((await sentBy((docker) => docker.pull(IMAGE))).auth, undefined);
    settings({ credsStore: 'missing' });
    const warning = event(process, 'warning');
    assert.equal((await sentBy((docker) => docker.pull(IMAGE))).auth, undefined);
    const { code, message } = await warning;
    assert.equal(code, 'DEW_CREDENTIALS_FAILED');
    assert.match(message, /docker-credential-missing/);
  });

  for (const [what, body] of Object.entries({
    'a helper that fails': `echo '${SECRET}'; echo '${SECRET}' >&2; exit 1`,
    'a helper that says what is no JSON': `echo '${SECRET}'`,
    'a helper that says no object': `echo '"${SECRET}"'`,
    'a helper that says too much': 'yes secret',
    'a helper that is killed': 'kill -9 $$',
  })) {
    it(`fail the call for ${what}, and no secret is told`, async () => {
      settings({ credsStore: 'all' });
      helper('all', body);
      const error = await failing(sentBy((docker) => docker.pull(IMAGE)));
      assert.equal(error.code, 'DEW_CREDENTIALS_FAILED');
      assert.match(error.message, /docker-credential-all/);
      assert.doesNotMatch(`${error.stack} ${JSON.stringify(error)} ${error.cause}`, /hunter|secret/);
    });
  }

  it('fail the call for settings that cannot be read', async () => {
    for (const content of ['no JSON', JSON.stringify({ auths: { 'reg.example:5000': { auth: base64('nonsense') } } }),
      JSON.stringify({ credsStore: '../evil' }), JSON.stringify({ credsStore: '-x' })]) {
      fs.writeFileSync(path.join(folder, 'config.json'), content);
      const error = await failing(sentBy((docker) => docker.pull(IMAGE)));
      assert.equal(error.code, 'DEW_CREDENTIALS_FAILED', content);
      assert.doesNotMatch(error.message, /nonsense/);
    }
    const engine = await fake((_, response) => response.end('{}'));
    const called = new Promise((resolve) => {
      new Docker({ socketPath: engine.socketPath }).pull(IMAGE, (...args) => resolve(args));
    });
    assert.deepEqual((await called).map((value) => value?.code), ['DEW_CREDENTIALS_FAILED', undefined]);
    assert.equal(engine.requests.length, 0);
  });

  it('are waited for only so long, and not after an abort', async () => {
    settings({ credsStore: 'all' });
    helper('all', 'exec sleep 1000');
    await assert.rejects(askHelper('all', 'get', 'x', { ms: 50 }), { code: 'DEW_CREDENTIALS_FAILED' });
    const controller = new AbortController();
    const call = failing(sentBy((docker) => docker.pull(IMAGE, { signal: controller.signal })));
    setTimeout(() => controller.abort(), 50);
    assert.equal((await call).code, 'ABORT_ERR');
  });

  it('are all sent by a build, but for those of helpers that fail', async () => {
    settings({ auths: { ...AUTHS, 'stored.example': {} }, credsStore: 'all', credHelpers: { 'broken.example': 'broken', 'one.example': 'one' } });
    helper('all', `if [ $action = list ]; then echo '{"stored.example":"user"}'
      else echo '{"Username":"'$registry'","Secret":"${SECRET}"}'; fi`);
    helper('one', 'echo \'{"Username":"one","Secret":"1"}\'');
    helper('broken', `echo '${SECRET}'; exit 1`);
    const warning = event(process, 'warning');
    const build = (docker, options) => docker.buildImage(Readable.from([Buffer.alloc(1024)]), { t: 'x', ...options });
    const { auth, config } = await sentBy((docker) => build(docker));
    const by = (username, serveraddress, password = SECRET) => ({ username, password, serveraddress });
    assert.equal(auth, undefined);
    assert.deepEqual(config, {
      'reg.example:5000': by('reg.example:5000', 'reg.example:5000'),
      'stored.example': by('stored.example', 'stored.example'),
      'one.example': by('one', 'one.example', '1'),
    });
    assert.match((await warning).message, /docker-credential-broken/);
    const mine = { 'reg.example': { username: 'u', password: 'ÿ?>' } };
    assert.deepEqual((await sentBy((docker) => build(docker, { registryconfig: mine }))).config, mine);
    assert.equal((await sentBy((docker) => build(docker, { authconfig: false }))).config, undefined);
  });
});
