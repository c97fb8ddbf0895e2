'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { Readable } = require('node:stream');

const { badOption } = require('../errors');
const { extract } = require('./extract');
const { entryOf } = require('./files');
const { packTar } = require('./tar');
const { bodyOf } = require('./upload');

/** Copies into a container and out of it. */

// Permissions of a file that is made of bytes or of a stream, unless `mode` says otherwise.
const FILE_MODE = 0o644;

/** In a mode as engines give it: what folders have. */
const GO_DIRECTORY = 0x8000_0000;

/** What engines take for the number of a user or a group. */
const LARGEST_ID = 0xffff_fffe;

function checkOwner(owner) {
  for (const [name, id] of Object.entries(owner)) {
    if (id === undefined || (Number.isInteger(id) && id >= 0 && id <= LARGEST_ID)) continue;
    throw badOption(`options.${name} must be a whole number from 0 to ${LARGEST_ID}`);
  }
}

function checkPath(place) {
  if (typeof place !== 'string' || !place.startsWith('/')) throw badOption('the path in the container must begin with a slash');
}

/**
 * Copies a file or a folder of this machine, bytes, or a stream, to `place` in the container.
 *
 * @param {object} container
 * @param {string | Uint8Array | AsyncIterable<Uint8Array>} source
 * @param {string} place What the copy is called; with a slash at its end: the folder that it goes to.
 * @param {object} [options] `uid`, `gid`; for bytes and streams `mode`, for streams `size`; `signal`.
 */
async function copyTo(container, source, place, { signal, abortSignal, uid, gid, mode = FILE_MODE, size } = {}) {
  checkPath(place);
  const giveUp = signal ?? abortSignal;
  const owner = { uid, gid };
  checkOwner(owner);
  if (typeof source !== 'string') {
    if (place.endsWith('/')) throw badOption('bytes and streams have no name of their own: the path must not end with a slash');
    await checkNoFolder(container, place, giveUp);
    const entry = { ...owner, ...contentOf(source, size), name: path.posix.basename(place), mode, mtime: new Date(), type: 'file' };
    return send(container, [entry], path.posix.dirname(place), giveUp);
  }
  const stats = await fs.promises.lstat(source);
  const whole = place.endsWith('/') ? `${place}${path.basename(path.resolve(source))}` : place;
  if (!stats.isDirectory()) await checkNoFolder(container, whole, giveUp);
  // What is in a folder goes into the folder that is there, whose own owner and mode stay.
  const isThere = stats.isDirectory() && await statOf(container, whole, giveUp) !== null;
  const entries = isThere ? below(source, '', owner) : walk(source, path.posix.basename(whole), owner);
  return send(container, entries, isThere ? whole : path.posix.dirname(whole), giveUp);
}

async function send(container, entries, folder, abortSignal) {
  const archive = Readable.from(packTar(entries), { objectMode: false });
  try {
    await container.putArchive(archive, { path: folder, noOverwriteDirNonDir: '1', abortSignal });
  } finally {
    archive.destroy();
  }
}

function contentOf(source, size) {
  const { bytes, source: stream } = bodyOf(source);
  if (bytes) return { content: bytes };
  if (!Number.isSafeInteger(size) || size < 0) throw badOption('the size of what a stream gives must be known: give `size`, in bytes');
  return { size, content: () => stream };
}

/** What is at a place in the container; null for nothing. */
async function statOf(container, place, abortSignal) {
  try {
    const answer = await container.infoArchive({ path: place, abortSignal });
    answer.destroy();
    return JSON.parse(Buffer.from(answer.headers['x-docker-container-path-stat'] ?? '', 'base64').toString() || '{}');
  } catch (error) {
    if (error.statusCode === 404) return null;
    throw error;
  }
}

/** Not every engine keeps a file from taking the place of a folder. */
async function checkNoFolder(container, place, abortSignal) {
  const stat = await statOf(container, place, abortSignal);
  if (stat?.mode >= GO_DIRECTORY) throw badOption(`${place} in the container is a folder: a file goes into it if the path ends with a slash`);
}

/** A file, a link, or a folder and what is in it; what is none of them is left out. */
async function* walk(file, name, owner) {
  const entry = await entryOf(file, name, await fs.promises.lstat(file));
  if (!entry) return;
  yield { ...entry, ...owner };
  if (entry.type === 'directory') yield* below(file, `${name}/`, owner);
}

async function* below(folder, prefix, owner) {
  const names = await fs.promises.readdir(folder);
  for (const name of names.sort()) yield* walk(path.join(folder, name), `${prefix}${name}`, owner);
}

/**
 * Copies a file or a folder of the container to `place` on this machine.
 *
 * @param {object} container
 * @param {string} source
 * @param {string} place What the copy is called; with a slash at its end: the folder that it goes to.
 * @param {object} [options] `signal`.
 * @returns {Promise<{ entries: number, bytes: number, skipped: string[] }>}
 */
async function copyFrom(container, source, place, { signal, abortSignal } = {}) {
  checkPath(source);
  const name = path.posix.basename(source);
  if (typeof place !== 'string' || place === '') throw badOption('the path on this machine must be a text');
  if (place.endsWith('/') && name === '') throw badOption('the root has no name of its own: the path on this machine must not end with a slash');
  const whole = place.endsWith('/') ? path.join(place, name) : place;
  // The engine's archive of `/` has absolute names.
  const wanted = { path: name === '' ? '/.' : source, abortSignal: signal ?? abortSignal };
  return extract(whole, () => container.getArchive(wanted), { isRoot: name === '' });
}

module.exports = { copyFrom, copyTo };
