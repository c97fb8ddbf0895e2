'use strict';

/** Archives of build contexts, against tar and against the tools that others use. */

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { Readable } = require('node:stream');

const dockerIgnore = require('@balena/dockerignore');

const { Docker } = require('..');
const { contextArchive } = require('../lib/docker/context');
const { IgnorePatterns } = require('../lib/docker/ignore');
const { packTar } = require('../lib/docker/tar');
const { IMAGES, LABEL, runId } = require('../scripts/engine');
const { engineSocket } = require('./helpers/container');
const { bytesOf } = require('./helpers/twins');

let folder;
beforeEach('make a folder', () => { folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dew-context-')); });
afterEach('remove the folder', () => fs.rmSync(folder, { recursive: true, force: true }));

function write(name, content = name) {
  fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
  fs.writeFileSync(path.join(folder, name), content);
}

/** The names in an archive, as tar lists them. */
const list = (archive) => execFileSync('tar', ['tzf', '-', '--quoting-style=literal'], { input: archive, encoding: 'utf8' })
  .split('\n').filter(Boolean);

describe('an archive', () => {
  it('is what tar takes: names of every length, links, modes, sizes, times', async () => {
    const long = `${'d'.repeat(90)}/${'e'.repeat(90)}/${'f'.repeat(99)}`;
    const longest = `${'g'.repeat(200)}/${'h'.repeat(120)}`;
    for (const name of ['a', 'empty', 'ünï cödé', long, longest, 'x'.repeat(101)]) write(name, name === 'empty' ? '' : name);
    write('block', 'b'.repeat(512));
    fs.symlinkSync('a', path.join(folder, 'link'));
    fs.symlinkSync('t'.repeat(150), path.join(folder, 'long-link'));
    fs.chmodSync(path.join(folder, 'a'), 0o751);
    fs.utimesSync(path.join(folder, 'a'), 1e9, 1e9);
    const target = fs.mkdtempSync(path.join(os.tmpdir(), 'dew-unpacked-'));
    try {
      execFileSync('tar', ['xzf', '-', '-C', target], { input: await bytesOf(contextArchive({ context: folder })) });
      assert.equal(execFileSync('diff', ['-r', '--no-dereference', folder, target], { encoding: 'utf8' }), '');
      const stats = fs.statSync(path.join(target, 'a'));
      assert.deepEqual([stats.mode & 0o7777, stats.mtimeMs], [0o751, 1e12]);
    } finally {
      fs.rmSync(target, { recursive: true, force: true });
    }
  });

  it('fails when a file changes its size while it is read', async () => {
    const content = async function* chunks() { yield Buffer.from('abc'); };
    for (const size of [2, 4]) {
      const entry = { name: 'f', type: 'file', mode: 0o644, mtime: new Date(), size, content };
      await assert.rejects(bytesOf(Readable.from(packTar([entry]))), /f changed its size/);
    }
  });

  it('fails when there is no such file', async () => {
    await assert.rejects(bytesOf(contextArchive({ context: folder, src: ['missing'] })), { code: 'ENOENT' });
  });
});

describe('a context', () => {
  it('has what it is asked for, once, and leaves the caller\'s array alone', async () => {
    for (const name of ['Dockerfile', 'src/a', 'src/b', 'other']) write(name);
    const src = Object.freeze(['Dockerfile', './src/', 'src/a']);
    assert.deepEqual(list(await bytesOf(contextArchive({ context: folder, src }))), ['Dockerfile', 'src/', 'src/a', 'src/b']);
  });

  it('leaves out what .dockerignore says, but never the Dockerfile', async () => {
    for (const name of ['Dockerfile', 'docker/Other', 'keep', 'node_modules/x/y', 'logs/a.log', 'logs/b.txt', 'logs/deep/c.log']) write(name);
    write('.dockerignore', '# all\nnode_modules\n**/*.log\n!logs/deep/c.log\nDockerfile\ndocker\n');
    assert.deepEqual(list(await bytesOf(contextArchive({ context: folder }, 'docker/Other'))), [
      '.dockerignore', 'docker/Other', 'keep', 'logs/', 'logs/b.txt', 'logs/deep/', 'logs/deep/c.log',
    ]);
    assert.ok(list(await bytesOf(contextArchive({ context: folder }))).includes('Dockerfile'));
  });

  it('goes by the Dockerfile\'s own list instead, for builders that do', async () => {
    for (const name of ['Dockerfile', 'docker/Other', 'a', 'b']) write(name);
    write('.dockerignore', 'a\n');
    write('docker/Other.dockerignore', 'b\n');
    const of = async (dockerfile, options) => list(await bytesOf(contextArchive({ context: folder, src: ['a', 'b'] }, dockerfile, options)));
    assert.deepEqual(await of('docker/Other', { ownPatterns: true }), ['a']);
    assert.deepEqual(await of('Dockerfile', { ownPatterns: true }), ['b']);
    assert.deepEqual(await of('docker/Other'), ['b']);
  });
});

describe('.dockerignore', () => {
  const PATHS = [
    'a', 'a/b', 'a/b/c', 'b', 'x.md', 'README.md', 'docs/x.md', 'docs/deep/x.md', 'a.b', 'ab', 'file[1]', 'foo/bar/baz', '.git',
    '.git/config', 'src/.env', 'temp1', 'temp12', 'q?', 'tempa/x',
  ];
  const CASES = [
    'a', '/a', 'a/', './a', 'a/b', '*', '*.md', '**/*.md', '*/*.md', 'docs/**', '**', '*\n!README.md', '*.md\n!README.md\nREADME*',
    'temp?', '*/b*', '# a comment\nb', '.git', '**/.env', 'a.b', '[ab]', '[!a]', '[^a]', 'foo/**/baz', '!a', '\n\n  a  \n', 'a\n!a/b', 'a/../b',
    '**/b', 'foo/*/baz', 'q\\?',
  ];
  for (const text of CASES) {
    it(`means the same to us as to others: ${JSON.stringify(text)}`, () => {
      const theirs = dockerIgnore({ ignorecase: false }).add(text);
      const patterns = new IgnorePatterns(text);
      for (const one of PATHS) assert.equal(patterns.ignores(one), theirs.ignores(one), one);
    });
  }
});

describe('buildImage', () => {
  let docker;
  before('a client', () => { docker = new Docker({ socketPath: engineSocket() }); });
  const labels = { [LABEL]: runId() };
  const build = (file, options) => docker.buildImage(file, { networkmode: 'none', nocache: true, labels, ...options }).then((stream) => new Promise((resolve) => {
    docker.followProgress(stream, (error, output) => resolve({ error, text: output.map(({ stream: line }) => line ?? '').join('') }));
  }));

  beforeEach('write a context', () => {
    write('Dockerfile', `FROM ${IMAGES.busybox}\nCOPY . /context\nRUN find /context -type f && id=$WORD && echo "word:$id"\n`);
    write('sub/file');
  });

  it('builds from a folder, with progress', async () => {
    const { error, text } = await build({ context: folder, src: ['Dockerfile', 'sub'] });
    assert.equal(error, null);
    assert.match(text, /\/context\/sub\/file/);
    assert.match(text, /Successfully built/);
  });

  it('builds from an archive: a file, a stream, bytes', async () => {
    const archive = await bytesOf(contextArchive({ context: folder }));
    const file = path.join(folder, 'archive.tar.gz');
    fs.writeFileSync(file, archive);
    for (const one of [file, Readable.from([archive]), archive]) {
      assert.match((await build(one)).text, /Successfully built/);
    }
  });

  it('passes what it is given: tags, arguments, another Dockerfile', async () => {
    write('Other', `FROM ${IMAGES.busybox}\nARG WORD\nRUN echo "word:$WORD"\n`);
    const tags = [`dew-build-${process.pid}:a`, `dew-build-${process.pid}:b`];
    const { error, text } = await build({ context: folder }, {
      t: tags, dockerfile: 'Other', buildargs: { WORD: 'said' }, cachefrom: [IMAGES.busybox],
    });
    assert.equal(error, null, text);
    assert.match(text, /word:said/);
    const { RepoTags } = await docker.getImage(tags[0]).inspect();
    assert.deepEqual(RepoTags.sort(), tags);
    for (const tag of tags) await docker.getImage(tag).remove();
  });

  it('fails for a context that cannot be read', async () => {
    await assert.rejects(docker.buildImage({ context: path.join(folder, 'missing') }), { code: 'ENOENT' });
  });
});
