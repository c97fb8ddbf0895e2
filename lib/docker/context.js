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
 * @param {{ ownPatterns?: boolean }} [options] Whether the Dockerfile's own `<name>.dockerignore` counts instead, if there is one.
 * @returns {import('node:stream').Readable}
 */
function contextArchive({ context, src = ['.'] }, dockerfile = 'Dockerfile', { ownPatterns = false } = {}) {
  const own = ownPatterns ? [`${dockerfile}.dockerignore`] : [];
  const archive = Readable.from(packTar(collect(context, src, dockerfile, own)), { objectMode: false });
  const gzip = zlib.createGzip();
  archive.once('error', (error) => gzip.destroy(error));
  gzip.once('close', () => archive.destroy());
  return archive.pipe(gzip);
}

async function* collect(context, src, dockerfile, own) {
  const patterns = await readPatterns(context, [...own, '.dockerignore']);
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

/** The patterns of the first of `names` that is there. */
async function readPatterns(context, names) {
  for (const name of names) {
    try {
      return new IgnorePatterns(await fs.promises.readFile(path.join(context, name), 'utf8'));
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
  }
  return new IgnorePatterns('');
}

module.exports = { contextArchive };
