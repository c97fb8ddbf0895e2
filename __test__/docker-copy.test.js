'use strict';

/** container.copyTo and container.copyFrom, and archives that want to be written elsewhere. */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { Readable } = require('node:stream');

const { Docker } = require('..');
const { kindOf } = require('../scripts/lib/engine-api');
const { packTar } = require('../lib/docker/tar');
const { entriesOf } = require('../lib/docker/untar');
const { engineSocket, useContainer } = require('./helpers/container');
const { useFakeEngines } = require('./helpers/fake-engine');

const MIB = 1024 * 1024;
const LONG = `${'long-'.repeat(30)}ünd`;

/** A folder of the test's own, as `folder.at(...names)`. */
function useFolder() {
  let root;
  beforeEach('make a folder', () => { root = fs.mkdtempSync(path.join(os.tmpdir(), 'dew-copy-')); });
  afterEach('remove the folder', () => fs.rmSync(root, { recursive: true, force: true }));
  return { at: (...names) => path.join(root, ...names) };
}

/** What a folder has: names with their modes, and contents or targets. */
function tree(folder, prefix = '') {
  return Object.assign({}, ...fs.readdirSync(folder).sort().map((name) => {
    const file = path.join(folder, name);
    const stats = fs.lstatSync(file);
    const mode = (stats.mode & 0o7777).toString(8);
    if (stats.isSymbolicLink()) return { [`${prefix}${name}`]: `-> ${fs.readlinkSync(file)}` };
    if (stats.isDirectory()) return { [`${prefix}${name}/`]: mode, ...tree(file, `${prefix}${name}/`) };
    return { [`${prefix}${name}`]: `${mode} ${fs.readFileSync(file)}` };
  }));
}

describe('copies', () => {
  const test = useContainer();
  const folder = useFolder();
  const container = () => new Docker({ socketPath: engineSocket() }).getContainer(test.id);
  const shell = async (script) => {
    const { stdout, stderr, exitCode } = await container().run(['sh', '-c', script]);
    assert.equal(exitCode, 0, `${stderr}`);
    return `${stdout}`.trim();
  };

  /** A folder with one of everything. */
  function make(root) {
    fs.mkdirSync(path.join(root, 'sub', 'empty'), { recursive: true });
    fs.writeFileSync(path.join(root, 'run.sh'), '#!/bin/sh\n', { mode: 0o755 });
    fs.writeFileSync(path.join(root, 'sub', LONG), 'long name');
    fs.symlinkSync('../run.sh', path.join(root, 'sub', 'link'));
    fs.symlinkSync('/no/such', path.join(root, 'broken'));
    fs.chmodSync(path.join(root, 'sub'), 0o555);
    fs.utimesSync(path.join(root, 'run.sh'), 1000, 1000);
  }

  it('of a folder go there and back', async () => {
    make(folder.at('one'));
    await container().copyTo(folder.at('one'), '/tmp/there');
    assert.equal(await shell('cd /tmp/there; stat -c "%a %u %Y" run.sh; readlink sub/link; stat -c %a sub; ls sub | wc -l'),
      ['755 0 1000', '../run.sh', '555', '3'].join('\n'));
    const copied = await container().copyFrom('/tmp/there', folder.at('two'));
    assert.deepEqual(copied, { entries: 7, bytes: 19, skipped: [] });
    assert.deepEqual(tree(folder.at('two')), tree(folder.at('one')));
    assert.equal(fs.statSync(folder.at('two', 'run.sh')).mtimeMs, 1_000_000);
    // Again, over what is there.
    await container().copyFrom('/tmp/there', folder.at('two'));
    await container().copyTo(folder.at('two'), '/tmp/there');
    assert.deepEqual(tree(folder.at('two')), tree(folder.at('one')));
  });

  it('are called what the path says, or go into the folder that it says', async () => {
    fs.writeFileSync(folder.at('name'), 'x');
    await shell('mkdir /tmp/into; ln -s /tmp/into /tmp/to-into');
    await container().copyTo(folder.at('name'), '/tmp/into/other');
    await container().copyTo(folder.at('name'), '/tmp/into/');
    fs.mkdirSync(folder.at('dir'));
    fs.writeFileSync(folder.at('dir', 'in-it'), 'y');
    await container().copyTo(folder.at('dir'), '/tmp/to-into');
    await container().copyTo(folder.at('dir'), '/tmp/to-into/', { uid: 7, gid: 8 });
    assert.equal(await shell('ls /tmp/into; stat -c "%u %g" /tmp/into/dir/in-it; readlink /tmp/to-into'),
      ['dir', 'in-it', 'name', 'other', '7 8', '/tmp/into'].join('\n'));
    await container().copyFrom('/tmp/into/other', folder.at('back'));
    await container().copyFrom('/tmp/into/other', `${folder.at('dir')}/`);
    assert.deepEqual(fs.readdirSync(folder.at('dir')), ['in-it', 'other']);
    assert.equal(fs.readFileSync(folder.at('back'), 'utf8'), 'x');
  });

  it('of bytes and streams get there', async () => {
    await container().copyTo(Buffer.from('abc'), '/tmp/bytes', { mode: 0o600, uid: 5 });
    await container().copyTo(Readable.from([Buffer.alloc(3 * MIB, 'a'), Buffer.alloc(2 * MIB, 'b')]), '/tmp/stream', { size: 5 * MIB });
    assert.equal(await shell('cat /tmp/bytes; echo; stat -c "%a %u" /tmp/bytes; stat -c %s /tmp/stream'), `abc\n600 5\n${5 * MIB}`);
    await assert.rejects(container().copyTo(Readable.from(['a']), '/tmp/x'), { code: 'DEW_BAD_OPTION' });
    await assert.rejects(container().copyTo(Readable.from([Buffer.alloc(3)]), '/tmp/x', { size: 5 }), /changed its size/);
  });

  it('belong to whom the caller says, however large the number', async () => {
    await container().copyTo(Buffer.from('x'), '/tmp-owned', { uid: 1_234_567_890, gid: 3_000_000 });
    assert.equal(await shell('stat -c "%u %g" /tmp-owned'), '1234567890 3000000');
    for (const uid of [-1, 1.5, 'root']) {
      await assert.rejects(container().copyTo(Buffer.from('x'), '/tmp-owned', { uid }), { code: 'DEW_BAD_OPTION' });
    }
  });

  it('fail where there is no such place, and never replace a folder by a file', async () => {
    await shell('mkdir /tmp/stays; touch /tmp/stays/a');
    await assert.rejects(container().copyTo(Buffer.from('x'), '/tmp/stays'), { code: 'DEW_BAD_OPTION' });
    assert.equal(await shell('ls /tmp/stays'), 'a');
    const copying = container().copyTo(Buffer.from('x'), '/tmp/no/such');
    if (await kindOf(process.env.DOCKER_HOST) === 'podman') await copying; // makes the folder
    else await assert.rejects(copying, { code: 'DEW_ENGINE_NOT_FOUND' });
    await assert.rejects(container().copyTo('/no/such', '/tmp/x'), { code: 'ENOENT' });
    await assert.rejects(container().copyTo(Buffer.from('x'), 'relative'), { code: 'DEW_BAD_OPTION' });
    await assert.rejects(container().copyFrom('/no/such', folder.at('x')), { code: 'DEW_ENGINE_NOT_FOUND' });
    await assert.rejects(container().copyFrom('/tmp', folder.at('no', 'such')), { code: 'ENOENT' });
    fs.mkdirSync(folder.at('dir'));
    await shell('touch /tmp/file');
    await assert.rejects(container().copyFrom('/tmp/file', folder.at('dir')), { code: 'DEW_ARCHIVE_UNSAFE' });
  });

  it('of all that is there have it all, but for pipes and devices', async () => {
    await shell('mkfifo /tmp/pipe; touch /tmp/suid; chmod 4777 /tmp/suid; ln /tmp/suid /tmp/twin');
    const { entries, skipped } = await container().copyFrom('/', folder.at('root'));
    assert.ok(entries > 10);
    assert.ok(skipped.some((name) => name.endsWith('tmp/pipe')));
    assert.equal(fs.statSync(folder.at('root', 'tmp', 'suid')).mode & 0o7777, 0o777);
    assert.equal(fs.statSync(folder.at('root', 'tmp', 'suid')).ino, fs.statSync(folder.at('root', 'tmp', 'twin')).ino);
  });

  it('of a large file need little memory', async function large() {
    this.timeout(240_000); // 300 MiB through the engine twice, and others may be at work
    await shell('dd if=/dev/zero of=/tmp/large bs=1M count=300 2>&1');
    const { rss } = process.memoryUsage();
    let peak = 0;
    const timer = setInterval(() => { peak = Math.max(peak, process.memoryUsage().rss); }, 20);
    try {
      await container().copyFrom('/tmp/large', folder.at('large'));
      await container().copyTo(folder.at('large'), '/tmp/again');
    } finally {
      clearInterval(timer);
      await shell('rm /tmp/large');
    }
    assert.equal(await shell('stat -c %s /tmp/again; rm /tmp/again'), String(300 * MIB));
    assert.ok(peak - rss < 100 * MIB, `${Math.round((peak - rss) / MIB)} MiB more`);
  });
});

describe('an archive that cannot be trusted', () => {
  const fake = useFakeEngines();
  const folder = useFolder();

  const entry = (name, more) => ({ name, type: 'file', mode: 0o644, mtime: new Date(0), content: Buffer.from('evil'), ...more });
  const directory = (name) => entry(name, { type: 'directory', content: undefined });
  const link = (name, target, type = 'symlink') => entry(name, { type, target, content: undefined });

  /** What becomes of an archive of these entries. */
  async function extracted(entries) {
    const archive = Buffer.concat(await Readable.from(packTar(entries)).toArray());
    const engine = await fake((_, response) => response.end(archive));
    return new Docker({ socketPath: engine.socketPath }).getContainer('c').copyFrom('/d', folder.at('inner', 'd'));
  }

  beforeEach('have something to protect', () => {
    fs.mkdirSync(folder.at('inner'));
    fs.mkdirSync(folder.at('outside'));
    fs.writeFileSync(folder.at('outside', 'precious'), 'mine');
  });

  for (const [what, entries] of Object.entries({
    'a name with ..': () => [directory('d/'), entry('d/../../outside/precious')],
    'a name with .. at its beginning': () => [entry('../outside/precious')],
    'an absolute name': () => [directory('d/'), entry(folder.at('outside', 'precious'))],
    'another top': () => [directory('d/'), entry('e/f')],
    'a file below a link': () => [directory('d/'), link('d/out', folder.at('outside')), entry('d/out/precious')],
    'a folder in place of a link': () => [directory('d/'), link('d/out', folder.at('outside')), directory('d/out/'), entry('d/out/precious')],
    'a top that is a link': () => [link('d', folder.at('outside')), entry('d/precious')],
    'a link in place of a folder': () => [directory('d/'), directory('d/out/'), link('d/out', folder.at('outside')), entry('d/out/precious')],
    'a hard link to elsewhere': () => [directory('d/'), link('d/h', folder.at('outside', 'precious'), 'link'), entry('d/h')],
    'a hard link by ..': () => [directory('d/'), link('d/h', 'd/../../outside/precious', 'link'), entry('d/h')],
    'a hard link through a link': () => [directory('d/'), link('d/s', folder.at('outside')), link('d/h', 'd/s/precious', 'link')],
    'a hard link to a link': () => [directory('d/'), link('d/s', folder.at('outside', 'precious')), link('d/h', 'd/s', 'link')],
  })) {
    it(`writes nothing elsewhere by ${what}`, async () => {
      await assert.rejects(extracted(entries()), { code: 'DEW_ARCHIVE_UNSAFE' });
      assert.deepEqual(tree(folder.at('outside')), { precious: '644 mine' });
      assert.deepEqual(fs.readdirSync(folder.at()).sort(), ['inner', 'outside']);
    });
  }

  it('writes nothing through links that were there before', async () => {
    fs.mkdirSync(folder.at('inner', 'd'));
    fs.symlinkSync(folder.at('outside'), folder.at('inner', 'd', 'sub'));
    fs.symlinkSync(folder.at('outside', 'precious'), folder.at('inner', 'd', 'file'));
    await assert.rejects(extracted([directory('d/'), entry('d/file'), entry('d/sub/precious')]), { code: 'DEW_ARCHIVE_UNSAFE' });
    assert.deepEqual(tree(folder.at('outside')), { precious: '644 mine' });
    assert.equal(fs.readFileSync(folder.at('inner', 'd', 'file'), 'utf8'), 'evil');
  });

  it('may have a link in place of a file, and a file in place of a link', async () => {
    await extracted([directory('d/'), link('d/a', folder.at('outside', 'precious')), entry('d/a'), entry('d/b'), link('d/b', 'a')]);
    assert.deepEqual(tree(folder.at('inner', 'd')), { a: '644 evil', b: '-> a' });
    assert.deepEqual(tree(folder.at('outside')), { precious: '644 mine' });
  });

  it('is read only as far as it makes sense', async () => {
    const whole = Buffer.concat(await Readable.from(packTar([entry('a', { content: Buffer.alloc(2000) })])).toArray());
    const read = async (bytes) => {
      for await (const { content } of entriesOf(Readable.from([bytes]))) for await (const piece of content()) void piece;
    };
    await read(whole);
    const spoilt = Buffer.from(whole);
    spoilt[0] ^= 1;
    const tooLong = Buffer.from(whole);
    tooLong.write('x', 156);
    tooLong.write('77777777777', 124);
    tooLong.write(`${(tooLong.subarray(0, 512).reduce((sum, byte, at) => sum + (at >= 148 && at < 156 ? 32 : byte), 0)).toString(8).padStart(6, '0')}\0 `, 148);
    for (const bytes of [whole.subarray(0, 100), whole.subarray(0, 1500), spoilt, tooLong, Buffer.alloc(700, 1)]) {
      await assert.rejects(read(bytes), { code: 'DEW_ENGINE_PROTOCOL' });
    }
  });

  it('is passed over where nobody reads it', async () => {
    const archive = Buffer.concat(await Readable.from(packTar([entry('a', { content: Buffer.alloc(70_000, 'a') }), entry('b')])).toArray());
    const names = [];
    for await (const one of entriesOf(Readable.from([archive.subarray(0, 1000), archive.subarray(1000)]))) {
      names.push(one.name);
      for await (const piece of one.content()) if (piece.length > 0) break;
    }
    assert.deepEqual(names, ['a', 'b']);
  });
});
