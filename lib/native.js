'use strict';

const { readFileSync } = require('node:fs');

const { arch, env, platform } = process;

/** Whether the system's C library is surely not musl. */
function hasGlibc() {
  try {
    return platform === 'linux' && !readFileSync('/usr/bin/ldd', 'latin1').includes('musl');
  } catch {
    return false;
  }
}

/**
 * The addon. Where most programs run, on Linux with glibc, it is looked for where it is. All else, and
 * what goes wrong, is for the generated loader: it knows every platform, says what is missing, and takes
 * longer to load than the addon.
 */
function load() {
  if (!env.NAPI_RS_NATIVE_LIBRARY_PATH && hasGlibc()) {
    const name = `linux-${arch}-gnu`;
    for (const place of [`../docker-exec-websocket.${name}.node`, `docker-exec-websocket-${name}`]) {
      try {
        return require(place);
      } catch {
        // The next one, then.
      }
    }
  }
  return require('../native');
}

module.exports = load();
