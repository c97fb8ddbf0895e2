'use strict';

/** Where an engine is: options, the environment, docker contexts. */

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { Docker } = require('..');
const { findDefaultSocket } = require('../lib/docker/address');
const { useFakeEngines } = require('./helpers/fake-engine');
const { node } = require('./helpers/program');

const VARIABLES = [
  'DOCKER_HOST', 'DOCKER_TLS_VERIFY', 'DOCKER_CERT_PATH', 'DOCKER_CLIENT_TIMEOUT', 'DOCKER_PATH_PREFIX', 'DOCKER_CONTEXT',
  'DOCKER_CONFIG', 'XDG_RUNTIME_DIR', 'HOME',
];

describe('the place of an engine', () => {
  const fake = useFakeEngines();
  let saved;
  let folder;

  beforeEach('have an environment of our own', () => {
    saved = Object.fromEntries(VARIABLES.map((name) => [name, process.env[name]]));
    for (const name of VARIABLES) delete process.env[name];
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dew-home-'));
    process.env.HOME = folder;
  });

  afterEach('have the environment back', () => {
    for (const [name, value] of Object.entries(saved)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    fs.rmSync(folder, { recursive: true, force: true });
  });

  /** What a modem has of its place. */
  const place = (options) => {
    const { host, port, protocol, socketPath, ca, cert, timeout, pathPrefix } = new Docker(options).modem;
    const known = { host, port, protocol, socketPath, ca: ca && `${ca}`, cert: cert && `${cert}`, timeout, pathPrefix };
    return Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined));
  };

  const write = (name, content) => {
    const file = path.join(folder, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  };

  it('is what the options say, whatever the environment does', () => {
    process.env.DOCKER_HOST = 'tcp://elsewhere:1';
    assert.deepEqual(place({ socketPath: '/a' }), { protocol: 'http', socketPath: '/a' });
    assert.deepEqual(place({ host: 'h', port: 1 }), { host: 'h', port: 1, protocol: 'http', pathPrefix: '/' });
    assert.deepEqual(place({ host: 'http://h:5/p' }), { host: 'http://h:5/p', port: '5', protocol: 'http', pathPrefix: '/p' });
    assert.equal(place({ host: 'https://h' }).protocol, 'https');
    assert.equal(place({ host: 'h', ca: 'a', cert: 'b', key: 'c' }).protocol, 'https');
    assert.equal(place({ host: 'h', ca: 'a', cert: 'b', key: 'c', protocol: 'http' }).protocol, 'http');
  });

  it('is that of DOCKER_HOST otherwise', () => {
    process.env.DOCKER_HOST = 'unix:///a.sock';
    assert.equal(place().socketPath, '/a.sock');
    assert.equal(place({ Promise, timeout: 5 }).socketPath, '/a.sock');
    process.env.DOCKER_HOST = 'tcp://h:2375';
    assert.deepEqual(place(), { host: 'h', port: '2375', protocol: 'http', pathPrefix: '/' });
    process.env.DOCKER_HOST = 'h:2376';
    assert.equal(place().protocol, 'https');
    process.env.DOCKER_HOST = 'tcp://h:1';
    Object.assign(process.env, { DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: path.join(folder, 'certs'), DOCKER_CLIENT_TIMEOUT: '7', DOCKER_PATH_PREFIX: '/x' });
    for (const name of ['ca', 'cert', 'key']) write(`certs/${name}.pem`, name);
    assert.deepEqual(place(), { host: 'h', port: '1', protocol: 'https', ca: 'ca', cert: 'cert', timeout: 7, pathPrefix: '/x' });
  });

  const context = (name, docker, tls = {}) => {
    const id = crypto.createHash('sha256').update(name).digest('hex');
    write(`.docker/contexts/meta/${id}/meta.json`, { Name: name, Endpoints: { docker } });
    for (const [file, content] of Object.entries(tls)) write(`.docker/contexts/tls/${id}/docker/${file}.pem`, content);
  };

  it('is that of the docker context, without DOCKER_HOST', () => {
    context('one', { Host: 'unix:///one.sock' });
    context('two', { Host: 'tcp://two:2376' }, { ca: 'ca', cert: 'cert', key: 'key' });
    write('.docker/config.json', { currentContext: 'one' });
    assert.equal(place().socketPath, '/one.sock');
    process.env.DOCKER_CONTEXT = 'two';
    assert.deepEqual(place(), { host: 'two', port: '2376', protocol: 'https', ca: 'ca', cert: 'cert' });
    process.env.DOCKER_HOST = 'unix:///host.sock';
    assert.equal(place().socketPath, '/host.sock');
    delete process.env.DOCKER_HOST;
    process.env.DOCKER_CONTEXT = 'default';
    assert.equal(place().socketPath, findDefaultSocket);
  });

  it('is refused when it makes no sense', () => {
    const cases = [
      () => { process.env.DOCKER_HOST = 'tcp://['; return new Docker(); },
      () => { process.env.DOCKER_CONTEXT = 'missing'; return new Docker(); },
      () => { context('bare', {}); process.env.DOCKER_CONTEXT = 'bare'; return new Docker(); },
      () => { context('loose', { Host: 'tcp://h:1', SkipTLSVerify: true }); process.env.DOCKER_CONTEXT = 'loose'; return new Docker(); },
      () => { write('.docker/config.json', 'no json'); return new Docker(); },
      () => new Docker({ host: 'a:b:c' }),
      () => new Docker({ host: 'h', checkServerIdentity: () => {} }),
      () => new Docker({ socketPath: '/a', agent: {} }),
      () => new Docker({ socketPath: '/a', timeout: -1 }),
      () => new Docker({ socketPath: '/a', connectionTimeout: 'soon' }),
    ];
    for (const construct of cases) {
      delete process.env.DOCKER_HOST;
      delete process.env.DOCKER_CONTEXT;
      assert.throws(construct, { code: 'DEW_BAD_OPTION' }, `${construct}`);
    }
  });

  it('may be a named pipe, which is refused at the first call where there are none', async () => {
    const pipe = '//./pipe/docker_engine';
    for (const host of [`npipe://${pipe}`, 'npipe://', pipe]) {
      process.env.DOCKER_HOST = host;
      assert.equal(place().socketPath, pipe);
      await assert.rejects(new Docker().ping(), { code: 'DEW_HOST_UNSUPPORTED', message: /named pipes are served on Windows only/ });
    }
    delete process.env.DOCKER_HOST;
    context('desktop', { Host: 'npipe:////./pipe/dockerDesktopLinuxEngine' });
    process.env.DOCKER_CONTEXT = 'desktop';
    assert.equal(place().socketPath, '//./pipe/dockerDesktopLinuxEngine');
    const backslashes = new Docker({ socketPath: '\\\\.\\pipe\\docker_engine' });
    await assert.rejects(backslashes.ping(), { code: 'DEW_HOST_UNSUPPORTED', message: /"npipe:\/\/\/\/\.\/pipe\/docker_engine"/ });
  });

  it('is no named pipe of another machine, which would be given the credentials of this user', () => {
    for (const host of ['npipe:////other/pipe/docker_engine', 'npipe://docker_engine']) {
      process.env.DOCKER_HOST = host;
      assert.throws(() => new Docker(), { code: 'DEW_BAD_OPTION' });
    }
  });

  it('is a named pipe on Windows if nothing says otherwise', async () => {
    const program = `
      require('./native');
      Object.defineProperty(process, 'platform', { value: 'win32' });
      const { Docker, DockerServer } = require('.');
      assert.throws(() => new DockerServer({ port: 0, path: '/', containerId: 'c' }), { code: 'DEW_HOST_UNSUPPORTED', message: /docker_engine/ });
      new Docker().modem.getSocketPath().then((socketPath) => assert.equal(socketPath, '//./pipe/docker_engine'));
    `;
    const child = node(['-e', `const assert = require('node:assert/strict');${program}`], { cwd: path.join(__dirname, '..') });
    assert.equal(await child.exit(), 0, child.output);
  });

  it('is looked for where engines keep their sockets', async () => {
    assert.equal(await findDefaultSocket(), '/var/run/docker.sock');
    write('runtime/docker.sock', '');
    process.env.XDG_RUNTIME_DIR = path.join(folder, 'runtime');
    if (!fs.existsSync('/var/run/docker.sock')) assert.equal(await findDefaultSocket(), path.join(folder, 'runtime/docker.sock'));
    write('.docker/run/docker.sock', '');
    assert.equal(await findDefaultSocket(), path.join(folder, '.docker/run/docker.sock'));
  });

  it('may be told by a function, which is asked once', async () => {
    const engine = await fake((_, response) => response.end('{}'));
    let asked = 0;
    const docker = new Docker({
      socketPath: () => {
        asked += 1;
        return engine.socketPath;
      },
    });
    await Promise.all([docker.info(), docker.info()]);
    await docker.info();
    assert.equal(asked, 1);
    assert.equal(await docker.modem.getSocketPath(), engine.socketPath);
  });

  it('needs no `new`, and has promises of the library that is asked for', async () => {
    const engine = await fake((_, response) => response.end('{}'));
    class Library extends Promise {}
    const docker = Docker({ socketPath: engine.socketPath, Promise: Library });
    assert.ok(docker instanceof Docker);
    assert.ok(docker.info() instanceof Library);
    const running = docker.run('i', ['c'], null);
    assert.ok(running instanceof Library);
    await running.catch(() => {});
    const shared = new Docker({ modem: docker.modem });
    assert.equal(shared.modem, docker.modem);
  });
});
