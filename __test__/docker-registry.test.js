'use strict';

/** Pulls and pushes: a registry of the test's own, by ours and by dockerode, on an engine of the test's own. */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { Readable } = require('node:stream');

const Dockerode = require('dockerode');

const { Docker } = require('..');
const { IMAGES, ensureImage, startPrivateEngine } = require('../scripts/engine');
const { packTar } = require('../lib/docker/tar');
const { ACCOUNT, startRegistry } = require('./helpers/registry');
const { outcomeOf } = require('./helpers/twins');

const WRONG = { ...ACCOUNT, password: 'another' };

describe('a registry', () => {
  let engine;
  let open;
  let secured;
  let clients;

  before('start an engine and two registries', async () => {
    engine = await startPrivateEngine();
    await ensureImage(engine);
    [open, secured] = await Promise.all([startRegistry(), startRegistry({ secured: true })]);
    const { socketPath } = engine;
    clients = { ours: new Docker({ socketPath, credentials: false }), theirs: new Dockerode({ socketPath }) };
  });

  after('stop them', () => Promise.all([engine, open, secured].map((one) => one?.stop())));

  const finished = (docker, stream) => new Promise((resolve, reject) => {
    docker.modem.followProgress(stream, (error, output) => {
      // dockerode knows no error of a pull or push that failed within its report.
      const failed = error ?? (output.at(-1)?.error && new Error(output.at(-1).error));
      if (failed) reject(new Error(failed.message));
      else resolve(output);
    });
  });

  /** The image under the name `name`, which `work` may push; nothing of it stays in the engine. */
  async function tagged(docker, name, work) {
    const [repo, tag = 'latest'] = name.split(/:(?!\d+\/)/);
    await docker.getImage(IMAGES.busybox).tag({ repo, tag });
    try {
      return await work(docker.getImage(name));
    } finally {
      await docker.getImage(name).remove();
    }
  }

  const push = (docker, name, options = {}) =>
    tagged(docker, name, async (image) => finished(docker, await image.push({ authconfig: ACCOUNT, ...options })));
  const pull = async (docker, name, options = {}) => finished(docker, await docker.pull(name, options));
  const exists = (docker, name) => docker.getImage(name).inspect().then(() => true, () => false);
  const remove = (docker, name) => docker.getImage(name).remove();

  /** What both say of the same scene; `name` is the same for both. */
  async function same(scene) {
    const outcomes = {};
    for (const [side, docker] of Object.entries(clients)) outcomes[side] = await outcomeOf(() => scene(docker));
    const { ours, theirs } = outcomes;
    // What refuses a stream has its JSON with ours only.
    if (ours.failed && theirs.failed?.json === null) ours.failed.json = null;
    assert.deepEqual(ours, theirs);
    return ours;
  }

  it('gets an image by push and gives it by pull, with a report of progress', async () => {
    const name = `${open.address}/team/app:one`;
    const reports = [];
    const { result } = await same(async (docker) => {
      const pushed = await push(docker, name);
      assert.equal(await exists(docker, name), false);
      const pulled = await pull(docker, name);
      assert.equal(await exists(docker, name), true);
      await remove(docker, name);
      reports.push(pushed, pulled);
      return [pushed.at(-1), pulled.map(({ status }) => status).filter((status) => /^(Digest|Status|Pulling from)/.test(status))];
    });
    const [{ aux }, statuses] = result;
    assert.equal(aux.Tag, 'one');
    assert.match(aux.Digest, /^sha256:/);
    assert.equal(statuses.length, 3);
    assert.ok(reports.flat().some(({ progressDetail }) => progressDetail?.total > 0));
  });

  it('gives all tags by pullAll, and one by its digest', async () => {
    const name = `${open.address}/team/many`;
    let digest;
    for (const tag of ['one', 'two']) digest = (await push(clients.ours, `${name}:${tag}`)).at(-1).aux.Digest;
    await same(async (docker) => {
      await finished(docker, await docker.pullAll(name));
      const [{ RepoTags }] = await docker.listImages({ filters: { reference: [`${name}:*`] } });
      // One by one: two of one image at once may be told that the other is not there.
      for (const tag of RepoTags.filter((one) => one.startsWith(name))) await remove(docker, tag);
      await pull(docker, `${name}@${digest}`);
      const isThere = await exists(docker, `${name}@${digest}`);
      await remove(docker, `${name}@${digest}`);
      return [RepoTags.filter((tag) => tag.startsWith(name)).sort(), isThere];
    });
  });

  it('tells by distribution what it has', async () => {
    const name = `${open.address}/team/known:1`;
    const digest = (await push(clients.ours, name)).at(-1).aux.Digest;
    const { result } = await same((docker) => docker.getImage(name).distribution());
    assert.equal(result.Descriptor.digest, digest);
  });

  it('that has no such image says so', async () => {
    const { failed } = await same((docker) => pull(docker, `${open.address}/no/such:1`));
    assert.equal(failed.statusCode, 404);
  });

  it('lets in who has its password: push, pull, distribution, checkAuth', async () => {
    const name = `${secured.address}/team/secret:1`;
    const { result } = await same(async (docker) => {
      await push(docker, name);
      await pull(docker, name, { authconfig: ACCOUNT });
      await remove(docker, name);
      const { Status } = await docker.checkAuth({ ...ACCOUNT, serveraddress: secured.address });
      return Status;
    });
    assert.equal(result, 'Login Succeeded');
    // dockerode has no way to send credentials with this call.
    const { Descriptor } = await clients.ours.getImage(name).distribution({ authconfig: ACCOUNT });
    assert.match(Descriptor.digest, /^sha256:/);
  });

  for (const [what, auth] of Object.entries({ 'a wrong password': WRONG, 'no password': undefined })) {
    it(`lets nobody in with ${what}`, async () => {
      const name = `${secured.address}/team/secret:1`;
      await push(clients.ours, name);
      const { failed } = await same((docker) => pull(docker, name, { authconfig: auth }));
      assert.match(failed.message, /no basic auth credentials|unauthorized|denied/);
      assert.doesNotMatch(JSON.stringify(failed), /another|word/);
      const { failed: pushing } = await same((docker) => push(docker, name, { authconfig: auth ?? {} }));
      assert.match(pushing.message, /no basic auth credentials|unauthorized|denied/);
    });
  }

  it('lets nobody log in with a wrong password', async () => {
    const { failed } = await same((docker) => docker.checkAuth({ ...WRONG, serveraddress: secured.address }));
    assert.match(failed.message, /401 Unauthorized/);
  });

  it('lets in with what the docker CLI knows: push, pull, distribution, build', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dew-config-'));
    const saved = process.env.DOCKER_CONFIG;
    process.env.DOCKER_CONFIG = folder;
    const auth = Buffer.from(`${ACCOUNT.username}:${ACCOUNT.password}`).toString('base64');
    fs.writeFileSync(path.join(folder, 'config.json'), JSON.stringify({ auths: { [secured.address]: { auth } } }));
    const docker = new Docker({ socketPath: engine.socketPath });
    const name = `${secured.address}/team/known:1`;
    try {
      await push(docker, name, { authconfig: undefined });
      await pull(docker, name);
      await remove(docker, name);
      await docker.getImage(name).distribution();
      const entry = { name: 'Dockerfile', type: 'file', mode: 0o644, mtime: new Date(0), content: Buffer.from(`FROM ${name}\nLABEL a=b\n`) };
      await finished(docker, await docker.buildImage(Readable.from(packTar([entry])), { t: 'built', pull: true }));
      await remove(docker, 'built');
    } finally {
      if (saved === undefined) delete process.env.DOCKER_CONFIG;
      else process.env.DOCKER_CONFIG = saved;
      fs.rmSync(folder, { recursive: true });
    }
  });
});
