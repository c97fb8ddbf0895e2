'use strict';

/** container.waitFor, and what is removed at the end of a block. */

const assert = require('node:assert/strict');

const { Docker } = require('..');
const { IMAGES, LABEL, runId } = require('../scripts/engine');
const { engineSocket } = require('./helpers/container');
const { until } = require('./helpers/deadline');

/** The engine of the run. */
let docker;
before('find the engine', () => { docker = new Docker({ socketPath: engineSocket() }); });

const DISPOSE = Symbol.asyncDispose;

describe('container.waitFor', () => {
  const made = [];
  afterEach('remove the containers', () => Promise.all(made.splice(0).map((container) => container[DISPOSE]())));

  /** A container of the test's own that runs `script`. */
  async function create(script, more) {
    const container = await docker.createContainer({
      Image: IMAGES.busybox, Cmd: ['sh', '-c', script], Labels: { [LABEL]: runId() }, HostConfig: { NetworkMode: 'none' }, StopTimeout: 0, ...more,
    });
    made.push(container);
    return container;
  }
  async function start(script, more) {
    const container = await create(script, more);
    await container.start();
    return container;
  }

  const seconds = (count) => count * 1e9;
  const health = (script, Retries = 3) => ({ Healthcheck: { Test: ['CMD-SHELL', script], Interval: seconds(1), Timeout: seconds(5), Retries } });

  it('resolves when it is healthy', async () => {
    const container = await start('sleep 0.5; touch /tmp/up; exec sleep 100000', health('test -e /tmp/up'));
    await container.waitFor({ healthy: true });
    assert.equal((await container.inspect()).State.Health.Status, 'healthy');
  });

  it('rejects with what the check said when it is not', async () => {
    const container = await start('exec sleep 100000', health('echo because of this; false', 1));
    await assert.rejects(container.waitFor({ healthy: true }), (error) => {
      assert.equal(error.code, 'DEW_WAIT_FAILED');
      assert.match(error.message, /unhealthy.*because of this/);
      assert.equal(error.json.State.Health.Status, 'unhealthy');
      return true;
    });
  });

  it('rejects where there is no check', async () => {
    const container = await start('exec sleep 100000');
    await assert.rejects(container.waitFor({ healthy: true }), { code: 'DEW_WAIT_FAILED', message: /no health check/ });
  });

  it('resolves when somebody listens on the port, and not before', async () => {
    const container = await start('while [ ! -e /tmp/go ]; do sleep 0.1; done; exec nc -ll -p 8080 -e cat');
    await assert.rejects(container.waitFor({ port: 8080 }, { timeout: 500 }), { code: 'DEW_WAIT_TIMEOUT', message: /port 8080 within 500 ms/ });
    const waiting = container.waitFor({ port: 8080 });
    await container.run(['touch', '/tmp/go']);
    await waiting;
    await assert.rejects(container.waitFor({ port: 80 }, { timeout: 300 }), { code: 'DEW_WAIT_TIMEOUT' });
  });

  it('rejects where nobody can tell the ports', async () => {
    const container = await start('rm /bin/cat; echo gone; exec sleep 100000');
    await container.waitFor({ log: 'gone' });
    await assert.rejects(container.waitFor({ port: 1 }), { code: 'DEW_WAIT_FAILED', message: /cat/ });
  });

  it('resolves to what has matched of the log, on both streams', async () => {
    const container = await start('echo first; echo second: 42 >&2; exec sleep 100000');
    const found = await container.waitFor({ log: /second: (?<number>\d+)/g });
    assert.deepEqual({ ...found.groups }, { number: '42' });
    assert.equal((await container.waitFor({ log: 'first' }))[0], 'first');
    await assert.rejects(container.waitFor({ log: 'f.rst' }, { timeout: 1500 }), { code: 'DEW_WAIT_TIMEOUT', message: /the last that it said: (first|second: 42)$/ });
  });

  it('looks at the log of the present life only', async () => {
    const container = await start('[ -e /tmp/before ] || echo once; touch /tmp/before; echo up; exec sleep 100000');
    await container.waitFor({ log: 'once' });
    await container.restart({ t: 0 });
    await container.waitFor({ log: 'up' });
    await assert.rejects(container.waitFor({ log: 'once' }, { timeout: 300 }), { code: 'DEW_WAIT_TIMEOUT' });
  });

  it('finds what a container has said that is over', async () => {
    const container = await start('echo done');
    await container.wait();
    assert.equal((await container.waitFor({ log: /done/ })).index, 0);
    await assert.rejects(container.waitFor({ log: /more/ }), { code: 'DEW_WAIT_FAILED', message: /exited, with exit code 0/ });
  });

  for (const condition of [{ healthy: true }, { port: 8080 }, { log: 'never' }]) {
    it(`rejects as soon as the container is over: ${Object.keys(condition)}`, async () => {
      const container = await start('while [ ! -e /tmp/go ]; do sleep 0.1; done; exit 9', health('false', 1000));
      const waiting = assert.rejects(container.waitFor(condition), { code: 'DEW_WAIT_FAILED', message: /exited, with exit code 9/ });
      await container.run(['touch', '/tmp/go']);
      await waiting;
    });

    it(`waits for a container that is to be started: ${Object.keys(condition)}`, async () => {
      const container = await create('echo never; exec nc -ll -p 8080 -e cat', health('true'));
      const waiting = container.waitFor(condition);
      await container.start();
      await waiting;
    });

    it(`ends with its signal, and leaves nothing behind: ${Object.keys(condition)}`, async () => {
      const container = await start('exec sleep 100000', health('false', 1000));
      const controller = new AbortController();
      const waiting = assert.rejects(container.waitFor(condition, { signal: controller.signal }), { code: 'ABORT_ERR' });
      controller.abort();
      await waiting;
      await assert.rejects(container.waitFor(condition, { signal: controller.signal }), { code: 'ABORT_ERR' });
      await until('end of all processes', async () => (await container.top()).Processes.length === 1);
    });
  }

  it('rejects for a container that is not there', async () => {
    await assert.rejects(docker.getContainer('no-such').waitFor({ port: 1 }), { code: 'DEW_ENGINE_NOT_FOUND' });
  });

  it('takes one condition, and one that makes sense', async () => {
    const container = docker.getContainer('c');
    for (const condition of [undefined, {}, { healthy: false }, { port: 0 }, { port: '80' }, { log: 1 }, { port: 1, log: 'x' }, { toString: 1 }]) {
      await assert.rejects(container.waitFor(condition), { code: 'DEW_BAD_OPTION' });
    }
    await assert.rejects(container.waitFor({ port: 1 }, { timeout: -1 }), { code: 'DEW_BAD_OPTION' });
  });
});

describe('at the end of a block', () => {
  const gone = (entity) => assert.rejects(entity.inspect(), { code: 'DEW_ENGINE_NOT_FOUND' });
  const Labels = { [LABEL]: runId() };

  it('a container that was created is removed, with its volumes', async () => {
    const container = await docker.createContainer({ Image: IMAGES.busybox, Cmd: ['sleep', '100000'], Volumes: { '/v': {} }, Labels, HostConfig: { NetworkMode: 'none' } });
    await container.start();
    const { Mounts: [{ Name }] } = await container.inspect();
    await docker.getContainer(container.id)[DISPOSE]();
    assert.equal((await container.inspect()).State.Running, true);
    await container[DISPOSE]();
    await gone(container);
    await gone(docker.getVolume(Name));
    await container[DISPOSE]();
  });

  it('a volume and a network that were created are removed, and no others', async () => {
    const volume = await docker.createVolume({ Labels });
    await docker.getVolume(volume.name)[DISPOSE]();
    await volume.inspect();
    await volume[DISPOSE]();
    await gone(volume);
    await docker.getNetwork('none')[DISPOSE]();
    await docker.getNetwork('none').inspect();
  });

  it('what is gone already is no error', async () => {
    const volume = await docker.createVolume({ Labels });
    await volume.remove();
    await volume[DISPOSE]();
  });
});
