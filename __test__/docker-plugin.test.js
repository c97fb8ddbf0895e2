'use strict';

/** A plugin through its life, by ours and by dockerode, on an engine and registries of the test's own. */

const assert = require('node:assert/strict');

const Dockerode = require('dockerode');

const { Docker } = require('..');
const { startPrivateEngine } = require('../scripts/engine');
const { pluginArchive } = require('./helpers/plugin');
const { ACCOUNT, startRegistry } = require('./helpers/registry');
const { bytesOf } = require('./helpers/twins');

describe('a plugin', () => {
  let engine;
  let open;
  let secured;
  let docker;

  before('start an engine and two registries', async () => {
    engine = await startPrivateEngine();
    [open, secured] = await Promise.all([startRegistry(), startRegistry({ secured: true })]);
    docker = new Docker({ socketPath: engine.socketPath, credentials: false });
  });

  after('stop them', () => Promise.all([engine, open, secured].map((one) => one?.stop())));

  const PRIVILEGES = [{ Name: 'network', Description: 'permissions to access a network', Value: ['host'] }];
  const settings = async (plugin) => (await plugin.inspect()).Settings.Env;
  const isEnabled = async (plugin) => (await plugin.inspect()).Enabled;

  /** A plugin of its own that `work` may use; removed after that. */
  async function made(name, work, change) {
    const plugin = await docker.createPlugin(await pluginArchive(change), { name });
    try {
      return await work(plugin);
    } finally {
      await plugin.remove({ force: true });
    }
  }

  it('is created, configured, enabled, disabled and removed', async () => {
    await made('dew/life:1', async (plugin) => {
      assert.equal(plugin.name, 'dew/life:1');
      assert.deepEqual(await settings(plugin), ['LEVEL=1']);
      await plugin.configure(['LEVEL=5']);
      assert.deepEqual(await settings(plugin), ['LEVEL=5']);
      await plugin.enable({ timeout: 10 });
      assert.equal(await isEnabled(plugin), true);
      assert.deepEqual((await docker.listPlugins()).map(({ Name, Enabled }) => [Name, Enabled]), [['dew/life:1', true]]);
      await assert.rejects(plugin.configure(['LEVEL=6']), { code: 'DEW_ENGINE_REFUSED', statusCode: 500 });
      await assert.rejects(plugin.remove(), { code: 'DEW_ENGINE_CONFLICT' });
      await plugin.disable();
      assert.equal(await isEnabled(plugin), false);
    });
    assert.deepEqual(await docker.listPlugins(), []);
  });

  it('that nobody listens in cannot be enabled', () => made('dew/broken:1', async (plugin) => {
    await assert.rejects(plugin.enable({ timeout: 1 }), { code: 'DEW_ENGINE_REFUSED' });
  }, { entrypoint: ['/no-such-program'] }));

  it('goes to a registry and comes from it, and is upgraded', async () => {
    const [one, two] = ['one', 'two'].map((tag) => `${open.address}/team/plugin:${tag}`);
    for (const [name, description] of [[one, 'first'], [two, 'second']]) {
      const report = await made(name, (plugin) => plugin.push(), { description });
      assert.match(report.toString(), /"aux":\{"Tag":"\w+","Digest":"sha256:/);
    }
    const plugin = docker.getPlugin('dew/pulled:latest', one);
    assert.deepEqual(await plugin.privileges(), PRIVILEGES);
    for await (const event of docker.progress(await plugin.pull({ _body: PRIVILEGES }))) assert.ok(event.status);
    const pulled = await plugin.inspect();
    assert.deepEqual([pulled.Name, pulled.PluginReference, pulled.Config.Description], ['dew/pulled:latest', one, 'first']);
    await plugin.upgrade({ remote: two, _body: PRIVILEGES });
    const { PluginReference, Config } = await plugin.inspect();
    assert.deepEqual([PluginReference, Config.Description], [two, 'second']);
    await plugin.remove();
  });

  it('is not pulled with fewer privileges than it wants', async () => {
    const name = `${open.address}/team/greedy:1`;
    await made(name, (plugin) => plugin.push());
    const pulling = async () => {
      for await (const event of docker.progress(await docker.getPlugin('dew/greedy:1', name).pull({ _body: [] }))) assert.ok(event);
    };
    await assert.rejects(pulling(), /incorrect privileges/);
    assert.deepEqual(await docker.listPlugins(), []);
  });

  it('is let into a registry by its password, and a failure within the report is one', async () => {
    await made(`${secured.address}/team/plugin:1`, async (plugin) => {
      await assert.rejects(plugin.push(), { code: 'DEW_ENGINE_WORK_FAILED' });
      await plugin.push({ authconfig: ACCOUNT });
      const remote = docker.getPlugin('dew/secured:1', plugin.name);
      assert.deepEqual(await remote.privileges({ authconfig: ACCOUNT }), PRIVILEGES);
      await bytesOf(await remote.pull({ _body: PRIVILEGES, authconfig: ACCOUNT }));
      await remote.remove();
    });
  });

  it('looks the same to dockerode', async () => {
    const theirs = new Dockerode({ socketPath: engine.socketPath });
    // dockerode's own createPlugin throws once the engine answers.
    const scene = (client) => made('dew/same:1', async ({ name }) => {
      const plugin = client.getPlugin(name);
      const { Name, Enabled, Settings, Config } = await plugin.inspect();
      const steps = [await plugin.configure({ _body: ['LEVEL=2'] }), await plugin.enable({ timeout: 10 }), await plugin.disable()];
      return [Name, Enabled, Settings, { ...Config, rootfs: null }, steps.map(String)];
    });
    assert.deepEqual(await scene(docker), await scene(theirs));
  });
});
