'use strict';

/** The same calls by dockerode and by ours, on the same engine: results, errors, streams. */

const assert = require('node:assert/strict');
const { PassThrough } = require('node:stream');

const { IMAGES, LABEL, runId } = require('../scripts/engine');
const { kindOf } = require('../scripts/lib/engine-api');
const { both, bytesOf, containerOptions, twins } = require('./helpers/twins');
const { overState, useContainer } = require('./helpers/container');

/** What podman 4.3 does otherwise than Docker Engine, by the names of the tests: it fails, or it does not. */
const ON_PODMAN = {
  listPlugins: 'fails', // it has none
  'network.inspect': 'fails', // and none of the name `none`
  'container: rename, update': 'fails', // there is no update
  'image: import, load': 'fails', // what is imported gets no name
  'not in a swarm, secrets': 'works', // secrets are its own
  'already stopped': 'works',
};
/** dockerode sends its options as JSON on a connection that it wants hijacked; podman takes them for input. */
const THEIR_NOISE = /^\{"stream":true[^}]*\}/;

let kind;
before('look what the engine is', async () => { kind = await kindOf(process.env.DOCKER_HOST); });

const onPodman = (test) => (kind === 'podman' ? ON_PODMAN[test.test.title] : undefined);

/** The same from both, and not by both failing alike unless that is what is looked for. */
async function same(scene, { fails = false } = {}) {
  const { ours, theirs } = await both(scene);
  assert.deepEqual(ours, theirs);
  assert.equal('failed' in ours, fails, JSON.stringify(ours));
  return ours.result ?? ours.failed;
}

/** The frames of an output. The engine copies stdout and stderr side by side: their order means nothing. */
function framesOf(output) {
  const frames = [];
  for (let at = 0; at < output.length;) {
    const end = at + 8 + output.readUInt32BE(at + 4);
    frames.push(output.toString('latin1', at, end));
    at = end;
  }
  return frames.sort();
}

/** What `infoArchive` answers. Nothing follows it, and yet dockerode keeps its connection until that was read. */
async function headOf(container) {
  const answer = await container.infoArchive({ path: '/bin' });
  answer.resume();
  return answer;
}

/** One container for each client, removed in the end. */
const inContainer = (scene, more) => async (docker, name) => {
  const container = await docker.createContainer({ ...containerOptions(name, more), Image: IMAGES.busybox });
  try {
    return await scene(container, docker, name);
  } finally {
    await container.remove({ force: true, v: true }).catch(() => {});
  }
};

const running = (scene, more) => inContainer(async (container, docker, name) => {
  await container.start();
  return scene(container, docker, name);
}, more);

describe('ours and dockerode read the same', () => {
  const shared = useContainer();
  const readings = {
    version: (docker) => docker.version(),
    ping: (docker) => docker.ping(),
    listContainers: (docker) => docker.listContainers({ all: true, filters: { id: [shared.id] } }).then(([one]) => ({ ...one, Status: '' })),
    'listContainers with filters as text': (docker) =>
      docker.listContainers({ filters: JSON.stringify({ id: [shared.id] }) }).then((all) => all.length),
    listImages: (docker) => docker.listImages({ filters: { reference: [IMAGES.busybox] } }),
    listNetworks: (docker) => docker.listNetworks({ filters: { name: ['none'] } }),
    listVolumes: (docker) => docker.listVolumes({ filters: { name: ['no-such-volume'] } }),
    listPlugins: (docker) => docker.listPlugins(),
    'info, its names': async (docker) => Object.keys(await docker.info()),
    'df, its names': async (docker) => Object.keys(await docker.df()),
    'container.inspect': (docker) => docker.getContainer(shared.id).inspect(),
    'container.inspect with its size': (docker) => docker.getContainer(shared.id).inspect({ size: true }),
    'container.top': async (docker) => (await docker.getContainer(shared.id).top({ ps_args: '-eo pid,args' })).Titles,
    'container.logs': (docker) => docker.getContainer(shared.id).logs({ stdout: true, stderr: true }),
    'container.stats, once': async (docker) => Object.keys(await docker.getContainer(shared.id).stats({ stream: false })),
    'image.inspect': (docker) => docker.getImage(IMAGES.busybox).inspect(),
    'image.history': (docker) => docker.getImage(IMAGES.busybox).history(),
    'image.get, its size': async (docker) => (await bytesOf(await docker.getImage(IMAGES.busybox).get())).length,
    'getImages, its size': async (docker) => (await bytesOf(await docker.getImages({ names: [IMAGES.busybox] }))).length,
    'network.inspect': (docker) => docker.getNetwork('none').inspect().then((network) => ({ ...network, Containers: null })),
    'container.getArchive': async (docker) =>
      bytesOf(await docker.getContainer(shared.id).getArchive({ path: '/etc/passwd' })).catch((error) => error.message),
    'container.infoArchive': async (docker) =>
      (await headOf(docker.getContainer(shared.id))).headers['x-docker-container-path-stat'],
    'container.export, its beginning': async (docker) =>
      (await bytesOf(await docker.getContainer(shared.id).export())).subarray(257, 262),
  };
  for (const [name, scene] of Object.entries(readings)) {
    it(name, function test() { return same(scene, { fails: onPodman(this) === 'fails' }); });
  }

  it('container.inspect by callback', () => same((docker) => new Promise((resolve, reject) => {
    docker.getContainer(shared.id).inspect((error, data) => (error ? reject(error) : resolve(data)));
  })));

  it('container.inspect by options and callback', () => same((docker) => new Promise((resolve, reject) => {
    docker.getContainer(shared.id).inspect({ size: true }, (error, data) => (error ? reject(error) : resolve(data)));
  })));
});

describe('ours and dockerode change the same', () => {
  const state = async (container) => {
    const { State: { Status, Running, Paused, ExitCode } } = await container.inspect();
    return { Status, Running, Paused, ExitCode };
  };
  const changes = {
    'container: start, pause, unpause, restart, stop': inContainer(async (container) => {
      const steps = [];
      for (const step of ['start', 'pause', 'unpause', 'restart', 'stop']) {
        steps.push([step, `${await container[step]()}`, await state(container)]);
      }
      return steps;
    }),
    'container: kill with a signal, wait': running(async (container) => {
      const waiting = container.wait();
      await container.kill({ signal: 'SIGKILL' });
      return [await waiting, await state(container)];
    }),
    'container: rename, update': running(async (container, docker, name) => {
      await container.rename({ name: `${name}-renamed` });
      const updated = await container.update({ Memory: 64 * 1024 * 1024, MemorySwap: -1 });
      return [updated, (await container.inspect()).Name, (await container.inspect()).HostConfig.Memory];
    }),
    'container: commit, image: tag, remove': running(async (container, docker, name) => {
      const { Id } = await container.commit({ repo: name, tag: 'one', comment: 'why', changes: `LABEL ${LABEL}=1` });
      const { RepoTags, Comment } = await docker.getImage(Id).inspect();
      const tagged = await docker.getImage(Id).tag({ repo: name, tag: 'two' });
      const removed = await docker.getImage(`${name}:two`).remove();
      await docker.getImage(`${name}:one`).remove({ force: true });
      return [RepoTags, Comment, `${tagged}`, removed];
    }),
    'container: putArchive, getArchive': running(async (container, docker) => {
      const archive = await bytesOf(await container.getArchive({ path: '/bin/busybox' }));
      const put = await container.putArchive(archive, { path: '/tmp' }).catch((error) => error.message);
      const { statusCode } = await headOf(container);
      return [archive.length, `${put}`, statusCode, (await docker.ping()).toString()];
    }),
    'exec: inspect, start, resize': running(async (container) => {
      const exec = await container.exec({ Cmd: ['sh', '-c', 'echo out; exit 3'], AttachStdout: true });
      const before = await exec.inspect();
      const output = await bytesOf(await exec.start());
      const { ExitCode, Running } = await overState(exec);
      return [before.Running, before.ProcessConfig, output.toString('latin1'), ExitCode, Running];
    }),
    'exec: detached': running(async (container) => {
      const exec = await container.exec({ Cmd: ['true'] });
      return bytesOf(await exec.start({ Detach: true }));
    }),
    'volume: create, inspect, remove': async (docker, name) => {
      const volume = await docker.createVolume({ Name: name, Labels: { [LABEL]: runId() } });
      const { Name, Driver, Labels, Scope } = await volume.inspect();
      return [volume.name, Name, Driver, Labels, Scope, `${await volume.remove()}`];
    },
    'volume: without a name': async (docker) => {
      const volume = await docker.createVolume();
      const { Driver } = await volume.inspect();
      await volume.remove();
      return [typeof volume.name, Driver];
    },
    'prune: nothing that is not ours': async (docker, name) => {
      const filters = { label: [`${name}=nothing`] };
      const { SpaceReclaimed } = await docker.pruneContainers({ filters });
      return [SpaceReclaimed, await docker.pruneVolumes({ filters }), await docker.pruneNetworks({ filters })];
    },
    'image: import, load': async (docker, name) => {
      const tar = await bytesOf(await docker.getImage(IMAGES.bare).get());
      const loaded = (await bytesOf(await docker.loadImage(tar))).toString();
      const imported = await docker.importImage(Buffer.alloc(1024), { repo: name, tag: 'x', changes: `LABEL ${LABEL}=1` });
      const report = JSON.parse((await bytesOf(imported)).toString().trim().split('\n').at(-1));
      await docker.getImage(`${name}:x`).remove();
      return [loaded, Object.keys(report)];
    },
  };
  for (const [name, scene] of Object.entries(changes)) {
    it(name, function test() { return same(scene, { fails: onPodman(this) === 'fails' }); });
  }
});

describe('ours and dockerode fail the same', () => {
  const failures = {
    'no such container': (docker) => docker.getContainer('no-such').inspect(),
    'no such container, start': (docker) => docker.getContainer('no-such').start(),
    'no such image': (docker) => docker.getImage('no-such').inspect(),
    'no such image, remove': (docker) => docker.getImage('no/such:tag').remove(),
    'no such volume': (docker) => docker.getVolume('no-such').inspect(),
    'no such network': (docker) => docker.getNetwork('no-such').inspect(),
    'no such exec': (docker) => docker.getExec('no-such').inspect(),
    'no such plugin': (docker) => docker.getPlugin('no-such').inspect(),
    'no image to create from': (docker, name) => docker.createContainer(containerOptions(name, { Image: 'no-such' })),
    'bad parameter': (docker) => docker.listContainers({ filters: { nonsense: ['x'] } }),
    'not in a swarm': (docker) => docker.swarmInspect(),
    'not in a swarm, services': (docker) => docker.listServices(),
    'not in a swarm, nodes': (docker) => docker.listNodes(),
    'not in a swarm, tasks': (docker) => docker.listTasks(),
    'not in a swarm, secrets': (docker) => docker.listSecrets(),
    'not in a swarm, configs': (docker) => docker.listConfigs(),
    'not in a swarm, a service': (docker) => docker.getService('x').inspect(),
    'not in a swarm, a secret': (docker) => docker.createSecret({ Name: 'x', Data: '' }),
    'already started': running((container) => container.start()),
    'already stopped': inContainer((container) => container.stop()),
    'not paused': running((container) => container.unpause()),
    'name in use': running((container, docker, name) => docker.createContainer(containerOptions(name, { Image: IMAGES.busybox }))),
    'exec in a stopped container': inContainer((container) => container.exec({ Cmd: ['true'] })),
    'removal of a running container': running((container) => container.remove()),
    'a path that is not there': running((container) => container.getArchive({ path: '/no/such' }).then(bytesOf)),
  };
  const withoutJsonOfStreams = (failed) => ({ ...failed, json: null });
  for (const [name, scene] of Object.entries(failures)) {
    it(name, async function test() {
      const { ours, theirs } = await both(scene);
      assert.equal('failed' in theirs, onPodman(this) !== 'works', JSON.stringify(theirs));
      // What refuses a stream has its JSON with ours only.
      if (theirs.failed?.json === null) {
        assert.deepEqual(withoutJsonOfStreams(ours.failed), withoutJsonOfStreams(theirs.failed));
      } else {
        assert.deepEqual(ours, theirs);
      }
    });
  }

  it('by callback, with null for the result', async () => {
    for (const { docker } of twins()) {
      const [error, data] = await new Promise((resolve) => {
        docker.getContainer('no-such').inspect((...args) => resolve(args));
      });
      assert.equal(error.statusCode, 404);
      assert.equal(data, null);
    }
  });
});

describe('ours and dockerode stream the same', () => {
  const shared = useContainer();

  it('exec, hijacked, with a half-close', () => same(async (docker) => {
    const exec = await docker.getContainer(shared.id).exec({
      Cmd: ['sh', '-c', 'wc -c; echo late >&2; exit 5'], AttachStdin: true, AttachStdout: true, AttachStderr: true,
    });
    const stream = await exec.start({ hijack: true, stdin: true });
    stream.end('abc');
    return [framesOf(await bytesOf(stream)), (await overState(exec)).ExitCode];
  }));

  it('exec with a terminal', () => same(async (docker) => {
    const exec = await docker.getContainer(shared.id).exec({ Cmd: ['sh', '-c', 'test -t 1 && echo a terminal'], AttachStdout: true, Tty: true });
    return bytesOf(await exec.start({ hijack: true, Tty: true }));
  }));

  it('modem.demuxStream', () => same(async (docker) => {
    const exec = await docker.getContainer(shared.id).exec({
      Cmd: ['sh', '-c', 'for i in 1 2 3; do echo o$i; echo e$i >&2; done'], AttachStdout: true, AttachStderr: true,
    });
    const stream = await exec.start();
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    docker.modem.demuxStream(stream, stdout, stderr);
    stream.once('end', () => [stdout, stderr].forEach((one) => one.end()));
    return Promise.all([bytesOf(stdout), bytesOf(stderr)]).then((all) => all.map(String));
  }));

  it('logs that are followed', () => same(running(async (container) =>
    bytesOf(await container.logs({ follow: true, stdout: true })), { Cmd: ['sh', '-c', 'echo one; echo two'] })));

  it('attach without a hijack, and what comes before the end', () => same(inContainer(async (container) => {
    const stream = await container.attach({ stream: true, stdout: true, stderr: true });
    await container.start();
    return bytesOf(stream);
  }, { Cmd: ['sh', '-c', 'echo attached'] })));

  it('events', () => same(running(async (container, docker) => {
    const stream = await docker.getEvents({ since: 0, until: Math.floor(Date.now() / 1000) + 1, filters: { container: [container.id] } });
    const lines = (await bytesOf(stream)).toString().trim().split('\n').map((line) => JSON.parse(line));
    return lines.map(({ Type, Action }) => [Type, Action]);
  })));

  for (const [name, args] of Object.entries({
    'one stream': [['sh', '-c', 'echo a; echo b >&2'], 'one'],
    'two streams': [['sh', '-c', 'echo a; echo b >&2'], 'two', { Tty: false }],
  })) {
    it(`run() into ${name}`, () => same(async (docker) => {
      const [command, into, options] = args;
      const outputs = into === 'one' ? [new PassThrough()] : [new PassThrough(), new PassThrough()];
      const reading = Promise.all(outputs.map(bytesOf));
      const [data, container] = await docker.run(IMAGES.busybox, command, into === 'one' ? outputs[0] : outputs, {
        HostConfig: { NetworkMode: 'none' }, Labels: { [LABEL]: runId() }, ...options,
      });
      await container.remove();
      return [data.StatusCode, (await reading).map((text) => `${text}`.replace(kind === 'podman' ? THEIR_NOISE : '', ''))];
    }));
  }

  it('run() by callback, with its events', () => same((docker) => new Promise((resolve, reject) => {
    const seen = [];
    const output = new PassThrough();
    output.resume();
    const options = { HostConfig: { NetworkMode: 'none' }, Labels: { [LABEL]: runId() } };
    const hub = docker.run(IMAGES.busybox, ['true'], output, options, (error, data, container) => {
      if (error) reject(error);
      else container.remove().then(() => resolve([seen, data.StatusCode]));
    });
    for (const name of ['container', 'stream', 'start', 'data']) hub.on(name, () => seen.push(name));
  })));

  it('run() of an image that is not there', () => same((docker) => docker.run('no-such', ['true'], null), { fails: true }));
});
