'use strict';
// The programs of this machine that set-up and tests need: where they are, and how to get them.

const { spawnSync } = require('child_process');
const fs = require('fs');
const path = require('path');

// Some of them live in sbin, which a user's PATH may lack.
const FOLDERS = (process.env.PATH || '').split(path.delimiter)
  .concat('/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin');

/** Path of a program, or null. */
function find(...names) {
  for (const name of names) {
    for (const folder of FOLDERS) {
      const file = path.join(folder, process.platform === 'win32' ? `${name}.exe` : name);
      if (fs.existsSync(file)) return file;
    }
  }
  return null;
}

/** Path of a Chromium: `CHROMIUM` in the environment, or what is installed; null if there is none. */
const findChromium = () => process.env.CHROMIUM
  || find('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable');

/** Path of a busybox that is linked statically, or null. */
function findBusybox() {
  const file = find('busybox');
  return file && isStatic(fs.readFileSync(file)) ? file : null;
}

/** Whether a 64-bit little-endian ELF file names no dynamic loader. */
function isStatic(elf) {
  const PT_INTERP = 3;
  const table = Number(elf.readBigUInt64LE(32)), size = elf.readUInt16LE(54), count = elf.readUInt16LE(56);
  for (let i = 0; i < count; i += 1) {
    if (elf.readUInt32LE(table + i * size) === PT_INTERP) return false;
  }
  return true;
}

/** Whether we may install Debian packages here. */
const canInstall = () => process.platform === 'linux' && process.getuid() === 0
  && fs.existsSync('/etc/debian_version') && find('apt-get') !== null;

const apt = (args) => {
  const { status } = spawnSync(find('apt-get'), args, {
    stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  return status === 0;
};

/**
 * Installs Debian packages without starting or enabling the services that they bring: all we want of
 * docker.io is its programs. Throws when apt-get fails.
 */
function install(packages) {
  console.log(`setup: installing ${packages.join(', ')} (Debian packages)`);
  const services = ['docker.service', 'docker.socket', 'containerd.service', 'podman.service', 'podman.socket',
    'docker-registry.service'];
  const known = (unit) => fs.existsSync(`/lib/systemd/system/${unit}`);
  const before = services.filter(known);
  withoutServices(() => {
    const args = ['install', '-y', '-q', '--no-install-recommends', ...packages];
    const lists = fs.readdirSync('/var/lib/apt/lists').some((name) => name.endsWith('_Packages') || name.endsWith('_Packages.lz4'));
    if (lists && apt(args)) return;
    if (!apt(['update', '-q']) || !apt(args)) {
      throw new Error(`apt-get could not install ${packages.join(', ')}; its own words are above`);
    }
  });
  const added = services.filter((unit) => known(unit) && !before.includes(unit));
  if (added.length > 0 && find('systemctl')) spawnSync(find('systemctl'), ['disable', '--quiet', ...added], { stdio: 'ignore' });
}

/** Runs `fn` while Debian's packages are told to start no service (policy-rc.d, exit status 101). */
function withoutServices(fn) {
  const policy = '/usr/sbin/policy-rc.d';
  if (fs.existsSync(policy)) {
    fn(); // the machine has a policy of its own
    return;
  }
  fs.writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    fn();
  } finally {
    fs.rmSync(policy, { force: true });
  }
}

module.exports = { find, findBusybox, findChromium, canInstall, install };
