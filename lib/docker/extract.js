'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { DockerError } = require('./errors');
const { entriesOf } = require('./untar');

/**
 * Writes archives to disk that cannot be trusted: nothing is written outside of the place that the
 * caller names, whatever names and links the archive has.
 */

const unsafe = (name, why) => new DockerError('DEW_ARCHIVE_UNSAFE', `the archive's entry ${JSON.stringify(name)} ${why}`);

/** The permissions that are kept. Not those to run as the owner: it would be another owner here. */
const permissions = (mode) => mode & 0o777;

const lstat = (file) => fs.promises.lstat(file).catch((error) => {
  if (error.code === 'ENOENT') return undefined;
  throw error;
});

/** The parts of a name; nothing that could lead elsewhere is among them. */
function partsOf(name) {
  if (name.startsWith('/')) throw unsafe(name, 'has an absolute name');
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  const isBad = (part) => part === '..' || part.includes('\0') || (path.sep === '\\' && /[\\:]/.test(part));
  if (parts.some(isBad)) throw unsafe(name, 'leads out of its folder');
  return parts;
}

class Extraction {
  copied = { entries: 0, bytes: 0, skipped: [] };
  #root;
  /** The name of the topmost entry in the archive, in parts; null until it comes. */
  #top;
  /** Folders that were seen to be folders, and not links to some. They are never replaced. */
  #folders = new Set();
  /** Permissions that folders get in the end: until then they have to be written to. */
  #late = [];

  /**
   * @param {string} root What the archive's topmost entry is to be called.
   * @param {string[] | null} top
   */
  constructor(root, top) {
    this.#root = root;
    this.#top = top;
  }

  async all(entries) {
    for await (const entry of entries) {
      this.#top ??= partsOf(entry.name);
      const parts = this.#below(entry.name, entry.name);
      const file = path.join(this.#root, ...parts);
      await this.#enter(parts, entry.name);
      if (await this.#write(entry, file)) this.copied.entries += 1;
      else this.copied.skipped.push(entry.name);
    }
    for (const { file, mode, mtime } of this.#late.reverse()) {
      await fs.promises.chmod(file, permissions(mode));
      await fs.promises.utimes(file, mtime, mtime);
    }
    return this.copied;
  }

  /** The parts of a name below the topmost entry, which comes first. */
  #below(name, entry) {
    const parts = partsOf(name);
    if (this.#top.some((part, index) => parts[index] !== part)) throw unsafe(entry, `does not belong to ${this.#top.join('/')}`);
    return parts.slice(this.#top.length);
  }

  /** Makes sure that what is above an entry, up to the topmost one, are folders. */
  async #enter(parts, name) {
    for (let depth = 0; depth < parts.length; depth += 1) {
      const folder = path.join(this.#root, ...parts.slice(0, depth));
      if (!this.#folders.has(folder)) await this.#folder(folder, name);
    }
  }

  /** A folder, made if need be. */
  async #folder(folder, name) {
    const there = await lstat(folder);
    if (there && !there.isDirectory()) throw unsafe(name, `would be written through ${folder}, which is no folder`);
    if (!there) await fs.promises.mkdir(folder, { mode: 0o700 });
    this.#folders.add(folder);
  }

  async #write(entry, file) {
    const { type, name, target, mode, mtime } = entry;
    if (type === 'other') return false;
    if (type === 'directory') {
      await this.#folder(file, name);
      // Until everything is in it, whatever it was before.
      await fs.promises.chmod(file, 0o700);
      this.#late.push({ file, mode, mtime });
      return true;
    }
    const there = await lstat(file);
    if (there?.isDirectory()) throw unsafe(name, `would replace the folder ${file}`);
    if (there) await fs.promises.unlink(file);
    if (type === 'symlink') await fs.promises.symlink(target, file);
    else if (type === 'link') await this.#link(entry, file);
    else await this.#content(entry, file);
    return true;
  }

  /** A second name of a file that came before. */
  async #link({ name, target }, file) {
    const parts = this.#below(target, name);
    const other = path.join(this.#root, ...parts);
    await this.#enter(parts, name);
    if (!(await lstat(other))?.isFile()) throw unsafe(name, `is a link to ${JSON.stringify(target)}, which is no file of it`);
    await fs.promises.link(other, file);
  }

  async #content({ content, mode, mtime }, file) {
    // Fails if somebody has put something there meanwhile: no link is followed.
    const handle = await fs.promises.open(file, 'wx', 0o600);
    try {
      for await (const bytes of content()) {
        this.copied.bytes += bytes.length;
        for (let at = 0; at < bytes.length;) at += (await handle.write(bytes, at)).bytesWritten;
      }
      await handle.chmod(permissions(mode));
      await handle.utimes(mtime, mtime);
    } finally {
      await handle.close();
    }
  }
}

/**
 * Writes what is in an archive, whose topmost entry becomes `place`.
 *
 * @param {string} place The folder above it is there.
 * @param {() => Promise<import('node:stream').Readable>} open Gives the archive.
 * @param {{ isRoot?: boolean }} [options] `isRoot`: the entries have no common top.
 * @returns {Promise<{ entries: number, bytes: number, skipped: string[] }>} `skipped` are devices and the like.
 */
async function extract(place, open, { isRoot = false } = {}) {
  const whole = path.resolve(place);
  const folder = await fs.promises.realpath(path.dirname(whole));
  const stream = await open();
  try {
    return await new Extraction(path.join(folder, path.basename(whole)), isRoot ? [] : null).all(entriesOf(stream));
  } finally {
    // An engine holds a container as long as somebody may read on.
    stream.destroy();
  }
}

module.exports = { extract };
