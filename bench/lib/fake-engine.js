'use strict';
// The engine without containers, as a process.

const { spawn } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { once } = require('events');
const { example } = require('./build');
const { pinned } = require('./cpus');

/** Calls `fn` with an engine that lives as long as it; `cpus` says which processors it may use. */
async function withFakeEngine(fn, { cpus } = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dew-fake-'));
  const socketPath = path.join(folder, 'engine.sock');
  const [program, ...args] = pinned(cpus, [example('fake-engine'), socketPath]);
  // It goes when its stdin does, so it never outlives us.
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    const listening = await Promise.race([once(child.stdout, 'data'), once(child, 'exit'), once(child, 'error')]);
    if (!Buffer.isBuffer(listening[0])) throw new Error('the fake engine did not start', { cause: listening[0] });
    return await fn({ host: `unix://${socketPath}`, socketPath, kind: 'fake', private: true });
  } finally {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit');
      child.stdin.end();
      await gone;
    }
    fs.rmSync(folder, { recursive: true });
  }
}

module.exports = { withFakeEngine };
