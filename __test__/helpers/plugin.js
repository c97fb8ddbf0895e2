'use strict';

/** A plugin of an engine that does nothing but to be there: its archive. */

const { execFileSync } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { Readable } = require('node:stream');

const { packTar } = require('../../lib/docker/tar');

// An engine takes a plugin for started once somebody listens on its socket.
const PROGRAM = `
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
int main(void) {
  signal(SIGTERM, _exit);
  struct sockaddr_un at = { .sun_family = AF_UNIX };
  strcpy(at.sun_path, "/run/docker/plugins/dew.sock");
  int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 8)) return 1;
  for (;;) close(accept(listener, 0, 0));
}
`;

/** Links the program statically: the plugin has nothing else. */
function compile() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dew-plugin-'));
  try {
    const [source, program] = ['plugin.c', 'plugin'].map((name) => path.join(folder, name));
    fs.writeFileSync(source, PROGRAM);
    execFileSync('cc', ['-static', '-O', '-o', program, source]);
    return fs.readFileSync(program);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

const CONFIG = {
  description: 'for tests',
  documentation: '',
  interface: { types: ['dew.test/1.0'], socket: 'dew.sock' },
  entrypoint: ['/plugin'],
  workdir: '/',
  network: { type: 'host' },
  env: [{ name: 'LEVEL', description: 'how much', settable: ['value'], value: '1' }],
};

/**
 * The archive that `createPlugin` takes, unlike all others: an engine refuses the same content twice.
 *
 * @param {object} [change] Laid over the plugin's configuration.
 */
async function pluginArchive(change = {}) {
  const common = { mtime: new Date(0) };
  const folders = ['rootfs/', 'rootfs/run/', 'rootfs/proc/', 'rootfs/dev/', 'rootfs/sys/', 'rootfs/tmp/', 'rootfs/etc/']
    .map((name) => ({ ...common, name, type: 'directory', mode: 0o755 }));
  const files = [
    { ...common, name: 'config.json', type: 'file', mode: 0o644, content: Buffer.from(JSON.stringify({ ...CONFIG, ...change })) },
    { ...common, name: 'rootfs/plugin', type: 'file', mode: 0o755, content: compile() },
    { ...common, name: 'rootfs/id', type: 'file', mode: 0o644, content: crypto.randomBytes(8) },
  ];
  return Buffer.concat(await Readable.from(packTar([...folders, ...files])).toArray());
}

module.exports = { pluginArchive };
