'use strict';
// The programs of the benchmarks that are written in Rust, built where they are missing.

const { spawnSync } = require('child_process');
const fs = require('fs');
const path = require('path');

const ROOT = path.join(__dirname, '../..');

/** Path of the example `name` as a program; newer sources than it have it built again. */
function example(name) {
  const file = path.join(process.env.CARGO_TARGET_DIR || path.join(ROOT, 'target'), 'release/examples', name);
  const folder = path.join(ROOT, 'bench', name);
  const newest = Math.max(...fs.readdirSync(folder).map((source) => fs.statSync(path.join(folder, source)).mtimeMs));
  if (fs.existsSync(file) && fs.statSync(file).mtimeMs >= newest) return file;
  const words = ['build', '--release', '--example', name];
  console.error(`building ${name}: cargo ${words.join(' ')}`);
  const { status, error } = spawnSync('cargo', words, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] });
  if (error || status !== 0) throw new Error(`cannot build ${name}: ${error ? error.message : `cargo ended with ${status}`}`);
  // Cargo leaves the file alone if nothing that matters has changed.
  fs.utimesSync(file, new Date(), new Date());
  return file;
}

module.exports = { example };
