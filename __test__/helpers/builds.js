'use strict';

/** Builds for tests: a context in memory, the report as text. */

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { randomUUID } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { Readable } = require('node:stream');
const { inspect } = require('node:util');

const { Docker } = require('../..');
const { packTar } = require('../../lib/docker/tar');
const { IMAGES, LABEL, runId } = require('../../scripts/engine');
const { find } = require('../../scripts/lib/tools');
const { engineSocket } = require('./container');

/**
 * The first lines of a stage whose steps are those of no other: equal steps at the same time are one to the builder, whoever
 * asked for it, and only one of the builds is told of it.
 */
const stage = (image = IMAGES.busybox) => [`FROM ${image}`, `ENV BUILD=${randomUUID()}`];

/** A context with a stage of `lines`, and with `files` by name: contents, or `{ content, mode }`. */
function contextOf(lines, files = {}) {
  const dockerfile = [...stage(), ...lines, ''].join('\n');
  const entries = Object.entries({ Dockerfile: dockerfile, ...files }).map(([name, given]) => {
    const { content, mode = 0o644 } = typeof given === 'string' ? { content: given } : given;
    const bytes = Buffer.from(content);
    return {
      name, type: 'file', mode, mtime: new Date(0), size: bytes.length, content: async function* chunks() { yield bytes; },
    };
  });
  return Readable.from(packTar(entries), { objectMode: false });
}

/** Orders a build by BuildKit, of which nothing is taken from a cache. */
function order(docker, context, options) {
  return docker.buildImage(Array.isArray(context) ? contextOf(context) : context, {
    version: '2', networkmode: 'none', nocache: true, labels: { [LABEL]: runId() }, ...options,
  });
}

/** The same to its end: `{ error, text }`, also if it ends before there is a report. */
async function build(docker, context, options) {
  let stream;
  try {
    stream = await order(docker, context, options);
  } catch (error) {
    return { error, text: '' };
  }
  return new Promise((resolve) => {
    docker.followProgress(stream, (error, output) => {
      resolve({ error, text: output.map(({ stream: line }) => line ?? '').join('') });
    });
  });
}

/** A program of this machine with the libraries that it needs, as files of a context. */
function withLibraries(name) {
  const program = find(name);
  const libraries = execFileSync('ldd', [program], { encoding: 'utf8' }).match(/\/\S+/g);
  const files = [program, ...libraries].map((file) => [`root${file}`, { content: fs.readFileSync(file), mode: 0o755 }]);
  return Object.fromEntries(files);
}

/** Removes, after the enclosing `describe`, what builds have left in the builder's cache meanwhile. */
function useCache(clientOf) {
  let start;
  before('look at the engine\'s clock', async () => {
    start = (await clientOf().info()).SystemTime;
  });
  after('empty the cache', async () => {
    const docker = clientOf();
    const left = async () => ((await docker.df({ type: 'build-cache' })).BuildCache ?? [])
      .filter(({ InUse, CreatedAt }) => !InUse && Date.parse(CreatedAt) >= Date.parse(start)).map(({ ID }) => ID);
    for (let ids = await left(), before = Infinity; ids.length > 0 && ids.length < before; ids = await left()) {
      before = ids.length;
      await docker.pruneBuilder({ all: true, filters: { id: [`"${ids.join('|')}"`] } });
    }
  });
}

/**
 * For each test of the enclosing `describe` a client of the engine, and a folder.
 *
 * @param {(given: { docker: Docker, folder: string }) => void} give Called before each test.
 */
function useBuilds(give) {
  let docker;
  let folder;
  before('a client', () => { docker = new Docker({ socketPath: engineSocket(), credentials: false }); });
  useCache(() => docker);
  beforeEach('make a folder', () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dew-build-'));
    give({ docker, folder });
  });
  afterEach('remove it', () => fs.rmSync(folder, { recursive: true, force: true }));
}

/** The step of a build that runs `command` with a secret. */
const secret = (id, command, more = '') => `RUN --mount=type=secret,id=${id}${more} ${command}`;

/** The step that prints a secret. */
const print = (id) => secret(id, `echo "${id}:$(cat /run/secrets/${id})"`);

/** The error of what has to fail. */
const failing = (promise) => promise.then(() => assert.fail('there is no error'), (error) => error);

/** Looks for a word where none of it may be. */
const without = (word, value) => assert.doesNotMatch(inspect(value, { depth: 10 }), new RegExp(word));

module.exports = { build, contextOf, failing, order, print, secret, stage, useBuilds, withLibraries, without };
