'use strict';

const fs = require('node:fs');
const path = require('node:path');

const toSlashes = (name) => (path.sep === '\\' ? name.replaceAll('\\', '/') : name);

/**
 * What an archive has of a file, a folder or a link of this machine; undefined for anything else.
 * Owners mean nothing elsewhere: all is the superuser's, as with the engine's own tools.
 *
 * @param {string} file
 * @param {string} name In the archive.
 * @param {fs.Stats} stats
 */
async function entryOf(file, name, stats) {
  const { mode, mtime, size } = stats;
  if (stats.isDirectory()) return { mode, mtime, name: `${name}/`, type: 'directory' };
  if (stats.isSymbolicLink()) return { mode, mtime, name, type: 'symlink', target: toSlashes(await fs.promises.readlink(file)) };
  if (!stats.isFile()) return undefined;
  return { mode, mtime, name, type: 'file', size, content: () => fs.createReadStream(file) };
}

module.exports = { entryOf, toSlashes };
