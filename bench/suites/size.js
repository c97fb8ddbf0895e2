'use strict';

const { execFileSync } = require('child_process');
const fs = require('fs');
const path = require('path');
const { fixed, table } = require('../lib/table');

const ROOT = path.join(__dirname, '../..');

/** Bytes of a folder, without the packages that live in it. */
function folderSize(folder) {
  let bytes = 0;
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) bytes += entry.name === 'node_modules' ? 0 : folderSize(file);
    else bytes += fs.lstatSync(file).size;
  }
  return bytes;
}

/** Where `name` is found from `folder`; null if it is not installed. */
function folderOf(name, folder) {
  for (let at = folder; ; at = path.dirname(at)) {
    const found = path.join(at, 'node_modules', name);
    if (fs.existsSync(path.join(found, 'package.json'))) return found;
    if (at === path.dirname(at)) return null;
  }
}

/** A package with all that it depends on, as it is installed here. */
function installedSize(name) {
  const folders = new Set();
  const add = (folder) => {
    if (folder === null || folders.has(folder)) return;
    folders.add(folder);
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
    for (const dependency of Object.keys({ ...dependencies, ...optionalDependencies })) add(folderOf(dependency, folder));
  };
  add(folderOf(name, ROOT));
  if (folders.size === 0) return null;
  return { packages: folders.size, bytes: [...folders].reduce((sum, folder) => sum + folderSize(folder), 0) };
}

/** Ours as a user of this platform gets it: what npm would pack, and the addon. */
function ownSize() {
  const [{ unpackedSize, files }] = JSON.parse(execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'],
    { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  const addons = fs.readdirSync(ROOT).filter((name) => name.endsWith('.node') && !files.some((file) => file.path === name));
  return { packages: 1, bytes: unpackedSize + addons.reduce((sum, name) => sum + fs.statSync(path.join(ROOT, name)).size, 0) };
}

/** What an installation takes. */
module.exports = async function size() {
  const results = { ours: ownSize() };
  for (const name of ['docker-exec-websocket-server', 'docker-exec-websocket-client', 'dockerode']) {
    const found = installedSize(name);
    if (found) results[name] = found;
  }
  console.log('\n## Size of an installation, unpacked\n');
  console.log(table([
    ['', 'packages', 'MB'],
    ...Object.entries(results).map(([name, { packages, bytes }]) => [
      name === 'ours' ? 'ours (server, client, command line; with the addon of one platform)' : name, packages, fixed(bytes / 1e6, 2),
    ]),
  ]));
  return results;
};
