'use strict';

/** What ours has beyond dockerode: several calls as one, iterators, versions. */

const assert = require('node:assert/strict');
const { Readable } = require('node:stream');

const Dockerode = require('dockerode');

const { Docker } = require('..');
const { IMAGES, LABEL, runId } = require('../scripts/engine');
const { engineSocket, uniqueSleep, useContainer } = require('./helpers/container');
const { within } = require('./helpers/deadline');
const { useFakeEngines } = require('./helpers/fake-engine');

const docker = () => new Docker({ socketPath: engineSocket() });

describe('container.run', () => {
  const fake = useFakeEngines();
  const test = useContainer();
  const container = () => docker().getContainer(test.id);

  it('gives stdout, stderr and the exit code', async () => {
    const { stdout, stderr, exitCode } = await container().run(['sh', '-c', 'echo out; echo err >&2; exit 7']);
    assert.deepEqual([`${stdout}`, `${stderr}`, exitCode], ['out\n', 'err\n', 7]);
  });

  it('gives the command its input and its environment', async () => {
    const { stdout } = await container().run(['sh', '-c', 'echo $A; wc -c'], { input: 'abc', Env: ['A=b'] });
    assert.equal(`${stdout}`, 'b\n3\n');
    assert.equal((await container().run(['true'], { input: Buffer.alloc(4 << 20) })).exitCode, 0);
  });

  it('starts nothing with input that it cannot give', async () => {
    const engine = await fake((_, response) => response.end('{"Id":"e"}'));
    const run = new Docker({ socketPath: engine.socketPath }).getContainer('c').run(['cat'], { input: 5 });
    await assert.rejects(run, { code: 'DEW_BAD_OPTION' });
    assert.equal(engine.requests.length, 0);
  });

  it('ends a command that is given up, and what it has started', async () => {
    const mark = uniqueSleep();
    const controller = new AbortController();
    const running = container().run(['sh', '-c', `trap "" HUP TERM; sleep ${mark} & sleep ${mark}; sleep ${mark}`], {
      signal: controller.signal, Env: ['A=b'],
    });
    await test.started(mark);
    controller.abort();
    await assert.rejects(running, { name: 'AbortError' });
    await test.quiet(mark);
  });

  it('ends a command that is given up while it starts', async () => {
    const controller = new AbortController();
    const events = await docker().getEvents({ filters: { container: [test.id], event: ['exec_start', 'exec_die'] } });
    const ended = (async () => {
      for await (const chunk of events) {
        if (/exec_start/.test(chunk)) controller.abort();
        if (/exec_die/.test(chunk)) return;
      }
    })();
    const running = container().run(['sleep', uniqueSleep()], { signal: controller.signal });
    await assert.rejects(running, { name: 'AbortError' });
    await within('end of the command', ended);
  });

  it('ends a command that prints too much', async () => {
    const mark = uniqueSleep();
    const running = container().run(['sh', '-c', `yes; sleep ${mark}`], { outputLimit: 100_000 });
    await assert.rejects(running, { code: 'DEW_ENGINE_OUTPUT_LIMIT' });
    await test.quiet(mark);
  });

  it('has all of a long output', async () => {
    const { stdout } = await container().run(['head', '-c', String(20 << 20), '/dev/zero']);
    assert.equal(stdout.length, 20 << 20);
  });

  it('takes no more output than it may', async () => {
    await assert.rejects(container().run(['yes'], { outputLimit: 100_000 }), { code: 'DEW_ENGINE_OUTPUT_LIMIT' });
    await test.container.restart({ t: 0 });
  });

  it('waits for a command whose output ends before it does', async () => {
    let asked = 0;
    const engine = await fake((request, response) => {
      if (request.method === 'POST') return response.end('{"Id":"e"}');
      asked += 1;
      return response.end(JSON.stringify(asked < 3 ? { Running: true, ExitCode: null } : { Running: false, ExitCode: 4 }));
    });
    engine.server.on('upgrade', (_, socket) => socket.end('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n'));
    const { exitCode } = await new Docker({ socketPath: engine.socketPath }).getContainer('c').run(['true']);
    assert.deepEqual([exitCode, asked], [4, 3]);
  });

  it('ends with its signal', async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 300);
    await assert.rejects(container().run(['sleep', '5'], { signal: controller.signal }), { code: 'ABORT_ERR' });
  });
});

describe('iterators', () => {
  const test = useContainer({ main: ['sh', '-c', 'echo one; echo two >&2; exec sleep 100000'] });

  it('container.output gives what is printed, by stream', async () => {
    const seen = {};
    for await (const { name, bytes } of docker().getContainer(test.id).output()) {
      seen[name] = `${seen[name] ?? ''}${bytes}`;
      if (seen.stdout && seen.stderr) break;
    }
    assert.deepEqual(seen, { stdout: 'one\n', stderr: 'two\n' });
    const chunks = [];
    for await (const { name } of docker().getContainer(test.id).output({ follow: false, stderr: false })) chunks.push(name);
    assert.deepEqual(chunks, ['stdout']);
  });

  it('docker.events gives objects', async () => {
    const since = Math.floor(Date.now() / 1000) - 600;
    for await (const event of docker().events({ since, filters: { container: [test.id] } })) {
      assert.equal(event.Actor.ID, test.id);
      break;
    }
  });

  it('container.statistics gives objects', async () => {
    for await (const { id } of docker().getContainer(test.id).statistics()) {
      assert.equal(id, test.id);
      break;
    }
  });

  it('docker.progress throws when the work fails', async () => {
    const seen = [];
    const reading = async () => {
      for await (const event of docker().progress(Readable.from(['{"a":1}\n{"errorDetail":{"message":"no"},"error":"no"}']))) seen.push(event);
    };
    await assert.rejects(reading(), { code: 'DEW_ENGINE_WORK_FAILED', message: 'no' });
    assert.equal(seen.length, 2);
  });
});

describe('a version', () => {
  const fake = useFakeEngines();
  for (const [theirs, used] of [['1.41', 'v1.41'], ['1.60', 'v1.51'], [undefined, 'v1.51']]) {
    it(`of ${theirs ?? 'nothing'} is answered with ${used}`, async () => {
      const engine = await fake((_, response) => {
        if (theirs) response.setHeader('Api-Version', theirs);
        response.end('{}');
      });
      const one = new Docker({ socketPath: engine.socketPath, version: 'auto' });
      await Promise.all([one.info(), one.version()]);
      assert.deepEqual(engine.requests.map(({ url }) => url).sort(), ['/_ping', `/${used}/info`, `/${used}/version`]);
    });
  }
});

describe('followProgress of a build by BuildKit', () => {
  it('tells in words, as dockerode does', async () => {
    const { packTar } = require('../lib/docker/tar');
    const entry = {
      name: 'Dockerfile', type: 'file', mode: 0o644, mtime: new Date(),
      content: Buffer.from(`FROM ${IMAGES.busybox}\nRUN echo said ${Date.now()}\n`),
    };
    const archive = Buffer.concat(await Readable.from(packTar([entry])).toArray());
    const stream = await docker().buildImage(archive, { version: '2', networkmode: 'none', labels: { [LABEL]: runId() } });
    const report = Buffer.concat(await stream.toArray());
    const follow = (one) => new Promise((resolve, reject) => {
      one.followProgress(Readable.from([report]), (error, output) => (error ? reject(error) : resolve(output)));
    });
    const ours = await follow(docker());
    // dockerode 5.0.1 shows what the commands print in base64.
    const readable = ({ stream: text }) => ({ stream: /^[\w+/]{8,}=*\n$/.test(text) ? `${Buffer.from(text, 'base64')}` : text });
    assert.deepEqual(ours, (await follow(new Dockerode({ socketPath: engineSocket() }))).map(readable));
    assert.ok(ours.some((event) => /^said \d+\n$/.test(event.stream)));
    assert.ok(ours.some((event) => /RUN echo said/.test(event.stream)));
    assert.ok(ours.some((event) => /Built image: sha256:/.test(event.stream)));
  });
});
