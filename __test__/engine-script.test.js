'use strict';

// scripts/engine.js: the engine of every command and test, and what it leaves behind, which is nothing.

const assert = require('node:assert');
const { spawn, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { ask, call, cannotStart, ensureImage, reapEngines, startPrivateEngine, IMAGES, LABEL } = require('../scripts/engine');
const { startContainer } = require('../scripts/lib/containers');
const { withArgument } = require('../scripts/lib/processes');

const SCRIPT = path.join(__dirname, '../scripts/engine.js');

/** The environment of a run that knows the engine but is not part of our run. */
const outside = () => {
  const env = { ...process.env };
  delete env.DEW_RUN;
  return env;
};

const runScript = (args, env = outside()) => spawnSync(process.execPath, [SCRIPT, ...args], { env, encoding: 'utf8' });

/** The id of a run whose process has ended. */
const deadRun = () => spawnSync(process.execPath,
  ['-e', `process.stdout.write(require('${path.join(__dirname, '../scripts/lib/run-id')}').ownId())`], { encoding: 'utf8' }).stdout;

describe('the engine script', () => {
  const engine = { get host() { return process.env.DOCKER_HOST; } };

  it('gives a command an engine and passes on its exit status', () => {
    const { status, stdout } = runScript(['run', '--', 'sh', '-c', 'echo "$DOCKER_HOST"; exit 7']);
    assert.strictEqual(stdout.trim(), engine.host);
    assert.strictEqual(status, 7);
  });

  it('passes on the signal that ended a command as 128 + its number', () => {
    assert.strictEqual(runScript(['run', '--', 'sh', '-c', 'kill -KILL $$']).status, 137);
  });

  it('removes what a dead run has left, and nothing of a living one', async () => {
    const create = async (label) => (await ask(engine, 'POST', '/containers/create', {
      json: { Image: IMAGES.busybox, Cmd: ['true'], Labels: label },
    })).Id;
    const dead = await create({ [LABEL]: deadRun() });
    const alive = await create({ [LABEL]: process.env.DEW_RUN });
    const foreign = await create({});
    try {
      assert.strictEqual(runScript(['run', '--', 'true']).status, 0);
      const status = async (id) => (await call(engine, 'GET', `/containers/${id}/json`)).status;
      assert.deepStrictEqual([await status(dead), await status(alive), await status(foreign)], [404, 200, 200]);
      assert.strictEqual((await call(engine, 'GET', `/images/${IMAGES.busybox}/json`)).status, 200, 'our images are still in use');
    } finally {
      for (const id of [alive, foreign]) await ask(engine, 'DELETE', `/containers/${id}?force=1`);
    }
  });

  const reason = cannotStart();
  if (reason) {
    console.warn(`not tested here: private engines (${reason})`);
    return;
  }

  describe('when it starts one of its own', () => {
    it('keeps its socket and its containers over a kill and a restart', async () => {
      const own = await startPrivateEngine({ name: 'script test' });
      try {
        await ensureImage(own);
        const { pid, socketPath } = own;
        const { id } = await startContainer(own, 'script-test');
        await own.kill('SIGKILL');
        assert.strictEqual(own.pid, null);
        await own.restart();
        assert.notStrictEqual(own.pid, pid);
        assert.strictEqual(own.socketPath, socketPath);
        assert.strictEqual((await ask(own, 'GET', `/containers/${id}/json`)).Id, id);
      } finally {
        await own.stop();
      }
      assert.deepStrictEqual(withArgument(path.dirname(own.socketPath)), []);
      assert.ok(!fs.existsSync(path.dirname(own.socketPath)));
    });

    it('is cleared up by the next run when its owner was killed', async () => {
      const owner = spawn(process.execPath, ['-e', `
        const { startPrivateEngine, ensureImage } = require('${SCRIPT}');
        const { startContainer } = require('${path.join(__dirname, '../scripts/lib/containers')}');
        startPrivateEngine({ name: 'left behind' }).then(async (engine) => {
          await ensureImage(engine);
          await startContainer(engine, 'left-behind');
          process.stdout.write(engine.socketPath);
          setInterval(() => {}, 1000);
        });`], { stdio: ['ignore', 'pipe', 'inherit'] });
      const [socketPath] = await once(owner.stdout, 'data');
      const folder = path.dirname(String(socketPath));
      owner.kill('SIGKILL');
      await once(owner, 'exit');
      assert.notDeepStrictEqual(withArgument(folder), [], 'dockerd outlives its owner');
      await reapEngines();
      assert.deepStrictEqual(withArgument(folder), []);
      assert.ok(!fs.existsSync(folder));
      assert.ok(!fs.readFileSync('/proc/self/mountinfo', 'utf8').includes(folder));
    });
  });
});
