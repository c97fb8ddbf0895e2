'use strict';

/** A swarm and what is in it, by ours, on an engine of its own. */

const assert = require('node:assert/strict');

const { Docker } = require('..');
const { IMAGES, ensureImage, startPrivateEngine } = require('../scripts/engine');
const { until } = require('./helpers/deadline');

/** Changes what the engine may change by itself meanwhile: then its version is an old one, and it is read again. */
const inSequence = (change) => until('a change in sequence', () => change().then(() => true, (error) => {
  if (!/out of sequence/.test(error.message)) throw error;
  return false;
}));

describe('a swarm', () => {
  let engine;
  let docker;

  before('start an engine', async () => {
    engine = await startPrivateEngine();
    await ensureImage(engine);
    docker = new Docker({ socketPath: engine.socketPath });
    await docker.swarmInit({ ListenAddr: '127.0.0.1:0', AdvertiseAddr: '127.0.0.1' });
  });

  after('stop the engine', () => engine?.stop());

  it('is inspected, updated, and has its keys', async () => {
    const { ID, JoinTokens } = await docker.swarmInspect();
    assert.match(ID, /^\w{25}$/);
    await inSequence(async () => {
      const { Version, Spec } = await docker.swarmInspect();
      await docker.swarmUpdate({ version: Version.Index, rotateWorkerToken: true, ...Spec });
    });
    assert.notEqual((await docker.swarmInspect()).JoinTokens.Worker, JoinTokens.Worker);
    assert.equal((await docker.swarmUnlockKey()).UnlockKey, '');
  });

  it('is told of when it is there already', async () => {
    await assert.rejects(docker.swarmInit({ ListenAddr: '127.0.0.1:0', AdvertiseAddr: '127.0.0.1' }), {
      name: 'DockerError', statusCode: 503, code: 'DEW_ENGINE_REFUSED',
    });
  });

  it('has nodes', async () => {
    const [{ ID }] = await docker.listNodes();
    const node = docker.getNode(ID);
    await inSequence(async () => {
      const { Version, Spec } = await node.inspect();
      await node.update({ version: Version.Index, ...Spec, Labels: { a: 'b' } });
    });
    assert.deepEqual((await node.inspect()).Spec.Labels, { a: 'b' });
    await assert.rejects(node.remove(), (error) => error.statusCode >= 400);
  });

  it('has a service through its life, with tasks and logs', async () => {
    const spec = {
      Name: 'web',
      TaskTemplate: {
        ContainerSpec: { Image: IMAGES.busybox, Command: ['sh', '-c', 'echo served; exec sleep 100000'] },
        Networks: [{ Target: 'host' }],
      },
      Mode: { Replicated: { Replicas: 1 } },
    };
    const service = await docker.createService(spec);
    assert.deepEqual((await docker.listServices()).map(({ ID }) => ID), [service.id]);
    const filters = { service: ['web'], 'desired-state': ['running'] };
    const [running] = await until('a task that runs', async () => {
      const tasks = await docker.listTasks({ filters });
      return tasks.length > 0 && tasks.every(({ Status }) => Status.State === 'running') && tasks;
    }, { ms: 40_000 });
    assert.equal((await docker.getTask(running.ID).inspect()).ServiceID, service.id);
    await until('its output', async () => /served/.test(await docker.getTask(running.ID).logs({ stdout: true })));
    const followed = await service.logs({ stdout: true, follow: true });
    for await (const chunk of followed) {
      assert.match(`${chunk}`, /served/);
      break;
    }
    await inSequence(async () => {
      const { Version, Spec } = await service.inspect();
      await service.update({ version: Version.Index, ...Spec, Labels: { changed: 'yes' } });
    });
    assert.deepEqual((await service.inspect()).Spec.Labels, { changed: 'yes' });
    await service.remove();
    await assert.rejects(service.inspect(), { code: 'DEW_ENGINE_NOT_FOUND', reason: 'no such service' });
  });

  it('has secrets and configs', async () => {
    const Data = Buffer.from('value').toString('base64');
    for (const kind of ['Secret', 'Config']) {
      const one = await docker[`create${kind}`]({ Name: 'one', Data });
      const { Version, Spec } = await one.inspect();
      assert.equal(Spec.Name, 'one');
      await one.update({ version: Version.Index, ...Spec, Labels: { a: 'b' } });
      assert.deepEqual((await docker[`list${kind}s`]())[0].Spec.Labels, { a: 'b' });
      await assert.rejects(docker[`create${kind}`]({ Name: 'one', Data }), {
        code: 'DEW_ENGINE_CONFLICT', reason: 'name conflicts with an existing object',
      });
      await one.remove();
      await assert.rejects(one.inspect(), { statusCode: 404 });
    }
  });

  it('is left', async () => {
    await docker.swarmLeave({ force: true });
    await assert.rejects(docker.swarmInspect(), { statusCode: 503 });
  });
});
