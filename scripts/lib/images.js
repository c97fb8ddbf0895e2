'use strict';
// The images that the demo and the tests run, built in memory from the machine's own static
// busybox, so that nothing has to be pulled from anywhere.

const { execFileSync } = require('child_process');
const fs = require('fs');
const { basename } = require('path');
const { LABEL } = require('./run-id');
const { findBusybox } = require('./tools');

/** The names that the images get. `bare` has no shell and no way to send a signal. */
const IMAGES = { busybox: `${LABEL}-busybox`, bare: `${LABEL}-bare` };

/** What is in the bare image: enough to hold a process that leaves its session (setsid) or ignores HUP (syslogd -n). */
const BARE = ['sleep', 'cat', 'dd', 'env', 'false', 'head', 'id', 'ls', 'ps', 'setsid',
  'stty', 'syslogd', 'true', 'wc', 'yes'];

const FILE = '0', HARD_LINK = '1', SYMLINK = '2', FOLDER = '5';

/** One ustar entry. `name` has at most 100 bytes, which all of ours do. */
function entry(name, { type = FILE, mode = 0o644, owner = 0, target = '', body = Buffer.alloc(0) } = {}) {
  const header = Buffer.alloc(512);
  const octal = (value, at, width) =>
    header.write(value.toString(8).padStart(width - 1, '0'), at, 'ascii');
  header.write(name, 0);
  octal(mode, 100, 8);
  octal(owner, 108, 8);
  octal(owner, 116, 8);
  octal(body.length, 124, 12);
  octal(0, 136, 12); // the same time always, so that the same input gives the same image
  header.write(' '.repeat(8), 148); // the checksum is taken over eight spaces in its own place
  header.write(type, 156);
  header.write(target, 157);
  header.write('ustar\u000000', 257, 'latin1');
  let sum = 0;
  for (const byte of header) sum += byte;
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return [header, body, Buffer.alloc((512 - (body.length % 512)) % 512)];
}

const archive = (entries) => Buffer.concat([...entries.flat(), Buffer.alloc(1024)]);

/** The paths of the applets that this busybox was built with, which differ between distributions. */
const appletsOf = (path) => execFileSync(path, ['--list-full'], { encoding: 'utf8' }).trim().split('\n')
  .filter((applet) => applet !== 'bin/busybox'); // the list has busybox itself, which is the file

function busyboxArchive(path, elf) {
  const folders = ['bin/', 'sbin/', 'usr/', 'usr/bin/', 'usr/sbin/', 'etc/', 'home/', 'dev/', 'proc/', 'sys/'];
  const text = (lines) => Buffer.from(lines.map((line) => `${line}\n`).join(''));
  return archive([
    ...folders.map((name) => entry(name, { type: FOLDER, mode: 0o755 })),
    entry('tmp/', { type: FOLDER, mode: 0o1777 }),
    entry('root/', { type: FOLDER, mode: 0o700 }),
    entry('home/app/', { type: FOLDER, mode: 0o755, owner: 1000 }),
    entry('etc/passwd', { body: text(['root:x:0:0:root:/root:/bin/sh', 'app:x:1000:1000:app:/home/app:/bin/sh']) }),
    entry('etc/group', { body: text(['root:x:0:', 'app:x:1000:']) }),
    entry('bin/busybox', { mode: 0o755, body: elf }),
    ...appletsOf(path).map((name) => entry(name, { type: SYMLINK, mode: 0o777, target: '/bin/busybox' })),
  ]);
}

function bareArchive(path, elf) {
  const there = appletsOf(path).map((applet) => basename(applet));
  const missing = BARE.filter((name) => !there.includes(name));
  if (missing.length > 0) throw new Error(`${path} was built without ${missing.join(', ')}: install the package busybox-static`);
  const [first, ...rest] = BARE;
  return archive([
    ...['bin/', 'tmp/', 'dev/', 'proc/', 'sys/'].map((name) => entry(name, { type: FOLDER, mode: 0o755 })),
    // busybox chooses the applet by the name it is called by; the names are one file.
    entry(`bin/${first}`, { mode: 0o755, body: elf }),
    ...rest.map((name) => entry(`bin/${name}`, { type: HARD_LINK, mode: 0o755, target: `bin/${first}` })),
  ]);
}

/** The tar of the image of that key in `IMAGES`. Throws when there is no static busybox. */
function imageArchive(key) {
  const path = findBusybox();
  if (!path) throw new Error('no statically linked busybox on this machine: install the package busybox-static');
  const elf = fs.readFileSync(path);
  return key === 'bare' ? bareArchive(path, elf) : busyboxArchive(path, elf);
}

module.exports = { IMAGES, BARE, imageArchive };
