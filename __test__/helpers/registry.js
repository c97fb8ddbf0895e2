'use strict';

/** A registry on a free port of the loopback device, with what it has in a folder of its own. */

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { find } = require('../../scripts/lib/tools');
const { Transcript, within } = require('./deadline');

/** Who a registry with `secured` lets in. */
const ACCOUNT = Object.freeze({ username: 'somebody', password: 'word' });
// bcrypt of that password: a registry reads no other kind.
const HTPASSWD = 'somebody:$2b$04$t0FOulaeYEu78HgspeYagOWVNSObXFNGW.xS8b8zNkf6pBXBJ3.Su\n';

const settings = (folder, secured) => JSON.stringify({
  version: '0.1',
  log: { level: 'info', formatter: 'json' },
  storage: { filesystem: { rootdirectory: path.join(folder, 'data') }, delete: { enabled: true } },
  http: { addr: '127.0.0.1:0', secret: 'of this registry' },
  ...(secured ? { auth: { htpasswd: { realm: 'test', path: path.join(folder, 'htpasswd') } } } : {}),
});

/**
 * Starts one; `secured` lets nobody but {@link ACCOUNT} in.
 *
 * @returns {Promise<{ address: string, stop: () => Promise<void> }>}
 */
async function startRegistry({ secured = false } = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dew-registry-'));
  fs.writeFileSync(path.join(folder, 'htpasswd'), HTPASSWD);
  fs.writeFileSync(path.join(folder, 'config.yml'), settings(folder, secured)); // JSON is YAML
  const transcript = new Transcript('registry');
  const child = spawn(find('docker-registry'), ['serve', path.join(folder, 'config.yml')], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const address = new Promise((resolve, reject) => {
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        transcript.note(text.trimEnd());
        said = `${said}${text}`.slice(-10_000);
        const [, found] = /listening on ([\d.]+:\d+)/.exec(said) ?? [];
        if (found) resolve(found);
      });
    }
    child.once('error', reject);
    ended.then((code) => reject(new Error(`the registry ended with ${code}\n${transcript}`)));
  });
  const stop = async () => {
    child.kill('SIGKILL');
    await ended;
    fs.rmSync(folder, { recursive: true, force: true });
  };
  try {
    return { address: await within('address of the registry', address, { transcript }), transcript, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

module.exports = { ACCOUNT, startRegistry };
