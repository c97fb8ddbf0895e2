'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { Readable } = require('node:stream');
const zlib = require('node:zlib');

const { entryOf, toSlashes } = require('./files');
const { IgnorePatterns } = require('./ignore');
const { packTar } = require('./tar');

/**
 * What a build is to know, as a compressed archive: files and folders of `context`, without what
 * its `.dockerignore` says.
 *
 * @param {{ context: string, src?: string[] }} given `src` is relative to `context`; default all of it.
 * @param {string} [dockerfile] Sent whatever `.dockerignore` says, as is `.dockerignore` itself.
 * @returns {import('node:stream').Readable}
 */
function contextArchive({ context, src = ['.'] }, dockerfile = 'Dockerfile') {
  const archive = Readable.from(packTar(collect(context, src, dockerfile)), { objectMode: false });
  const gzip = zlib.createGzip();
  archive.once('error', (error) => gzip.destroy(error));
  gzip.once('close', () => archive.destroy());
  return archive.pipe(gzip);
}

async function* collect(context, src, dockerfile) {
  const patterns = await readPatterns(context);
  const always = new Set(['.dockerignore', path.posix.normalize(dockerfile)]);
  const seen = new Set();
  for (const one of src) yield* walk(path.posix.normalize(toSlashes(one)).replace(/\/$/, ''));

  async function* walk(name) {
    if (seen.has(name)) return;
    seen.add(name);
    const file = path.join(context, name);
    const stats = await fs.promises.lstat(file);
    const ignored = name !== '.' && !always.has(name) && patterns.ignores(name);
    const entry = ignored || name === '.' ? undefined : await entryOf(file, name, stats);
    if (entry) yield entry;
    if (!stats.isDirectory()) return;
    // What a folder holds is left out with it, but for exceptions and what is always sent.
    const within = (one) => one.startsWith(`${name}/`);
    if (ignored && !patterns.hasExceptions && ![...always].some(within)) return;
    const names = await fs.promises.readdir(file);
    for (const child of names.sort()) yield* walk(name === '.' ? child : `${name}/${child}`);
  }
}

async function readPatterns(context) {
  try {
    return new IgnorePatterns(await fs.promises.readFile(path.join(context, '.dockerignore'), 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return new IgnorePatterns('');
    throw error;
  }
}

module.exports = { contextArchive };
