#!/usr/bin/env node
'use strict';
// Compiles, without linking, for every platform that package.json names and this machine can compile
// for; says what is missing for the others. `npm run platforms -- TARGET…` insists on some.

const { spawnSync } = require('child_process');
const fs = require('fs');
const path = require('path');
const { napi: { targets } } = require('../package.json');
const { find } = require('./lib/tools');

const ROOT = path.join(__dirname, '..');
const FOLDER = path.join(ROOT, 'target', 'platforms');

/** Names of zig's for our targets. For MSVC its headers are MinGW's, which is enough to compile. */
const ZIG_TARGETS = {
  'x86_64-unknown-linux-gnu': 'x86_64-linux-gnu',
  'aarch64-unknown-linux-gnu': 'aarch64-linux-gnu',
  'x86_64-unknown-linux-musl': 'x86_64-linux-musl',
  'aarch64-unknown-linux-musl': 'aarch64-linux-musl',
  'x86_64-apple-darwin': 'x86_64-macos',
  'aarch64-apple-darwin': 'aarch64-macos',
  'x86_64-pc-windows-msvc': 'x86_64-windows-gnu',
};
/** Compilers of Debian's for one target each. */
const COMPILERS = {
  'aarch64-unknown-linux-gnu': 'aarch64-linux-gnu-gcc',
  'x86_64-unknown-linux-musl': 'musl-gcc',
};

const ask = (program, args) => {
  const { status, stdout } = spawnSync(program, args, { cwd: ROOT, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
};

/** How zig is called here: by its name, or as the module `ziglang` of Python; null if it is not there. */
function findZig() {
  if (process.platform === 'win32') return null; // what calls it is a script of a shell's
  if (find('zig')) return [find('zig')];
  const python = find('python3');
  return python && ask(python, ['-m', 'ziglang', 'version']) ? [python, '-m', 'ziglang'] : null;
}

/** Writes a program that calls zig; it drops the one option of clang's that zig takes amiss. */
function writeTool(name, words) {
  const file = path.join(FOLDER, name);
  const line = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  const rest = 'for arg do shift; case $arg in --target=*) ;; *) set -- "$@" "$arg" ;; esac; done';
  fs.mkdirSync(FOLDER, { recursive: true });
  fs.writeFileSync(file, `#!/bin/sh\n${rest}\nexec ${line} "$@"\n`, { mode: 0o755 });
  return file;
}

/** What the environment has to say for C code to be compiled for `target`; null if nothing here can. */
function compilerFor(target, host, zig) {
  const name = target.replaceAll('-', '_');
  if (target === host || process.env[`CC_${name}`]) return {};
  const own = COMPILERS[target] && find(COMPILERS[target]);
  if (own) return { [`CC_${name}`]: own };
  if (target.endsWith('apple-darwin') && process.platform === 'darwin') return {};
  if (!zig) return null;
  return {
    [`CC_${name}`]: writeTool(`cc-${target}`, [...zig, 'cc', '-target', ZIG_TARGETS[target]]),
    [`AR_${name}`]: writeTool(`ar-${target}`, [...zig, target.endsWith('msvc') ? 'lib' : 'ar']),
    SDKROOT: process.env.SDKROOT ?? '/', // else Apple's own tools are asked for it
  };
}

/** Why `target` cannot be compiled for, or null once it was; throws when the code does not compile. */
function check(target, host, zig) {
  const libraries = ask('rustc', ['--print', 'target-libdir', '--target', target]);
  if (!libraries || !fs.existsSync(libraries)) return `Rust's library for it is missing: rustup target add ${target}`;
  const compiler = compilerFor(target, host, zig);
  if (!compiler) return 'it needs a compiler of C: zig, in PATH or as the module ziglang of Python';
  // The addon for musl is linked dynamically, as Node.js is there.
  const flags = target.endsWith('musl') ? { RUSTFLAGS: '-C target-feature=-crt-static' } : {};
  const args = ['check', '--quiet', '--locked', '--lib', '--bins', '--all-features', '--target', target, '--target-dir', FOLDER];
  const { status, stderr } = spawnSync('cargo', args, {
    cwd: ROOT, stdio: ['ignore', 'inherit', 'pipe'], encoding: 'utf8', env: { ...process.env, CARGO_PROFILE_DEV_DEBUG: '0', ...flags, ...compiler },
  });
  // A warning counts too: code that nobody calls there is a sign of something that was forgotten.
  if (status !== 0 || stderr) throw new Error(`it does not compile for ${target}, or not without warnings:\n${stderr}`);
  return null;
}

function main(wanted) {
  const unknown = wanted.find((target) => !targets.includes(target));
  if (unknown) throw new Error(`package.json has no target ${unknown}; it has ${targets.join(', ')}`);
  const host = /^host: (.+)$/m.exec(ask('rustc', ['-vV']))?.[1];
  if (!host) throw new Error('Rust is needed: install it from https://rustup.rs, so that `rustc` and `cargo` are in PATH');
  const zig = findZig();
  for (const target of wanted.length > 0 ? wanted : targets) {
    const missing = check(target, host, zig);
    console.log(`${target.padEnd(26)} ${missing ? `not checked: ${missing}` : 'compiles'}`);
    if (missing && wanted.length > 0) process.exitCode = 1;
  }
}

try {
  main(process.argv.slice(2));
} catch (error) {
  console.error(`platforms: ${error.message}`);
  process.exitCode = 1;
}
