'use strict';

/** Runs a piece of JavaScript as a process of its own, to see how and when that process ends. */

const { spawn } = require('node:child_process');
const path = require('node:path');

const { Transcript, within } = require('./deadline');

const ROOT = path.join(__dirname, '..', '..');

/**
 * Starts node with `source`, the body of an async function that has `require` (of the package's
 * root), `main` (the package) and `given` (the parameter). Gives { child, transcript, line, exited }.
 */
function startScript(source, given = {}, { execArgv = [] } = {}) {
  const whole = `
    const require = module.createRequire(${JSON.stringify(path.join(ROOT, 'script.js'))});
    const main = require('./index.js');
    const given = ${JSON.stringify(given)};
    (async () => { ${source}
    })().catch((error) => { console.error(error); process.exit(99); });
  `;
  const child = spawn(process.execPath, [...execArgv, '-e', `(function (module) { ${whole} })(require('node:module'))`], {
    cwd: ROOT,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const transcript = new Transcript(`script, process ${child.pid}`);
  const running = { child, transcript, stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr']) {
    child[stream].on('data', (chunk) => {
      running[stream] += chunk;
      transcript.note(`${stream} ${chunk.toString().trimEnd()}`);
    });
  }
  running.exited = new Promise((resolve) => {
    child.once('close', (code, signal) => {
      transcript.note(`exit ${code} ${signal}`);
      resolve({ code, signal, stdout: running.stdout, stderr: running.stderr });
    });
  });
  return running;
}

/** Runs it to its end: { code, signal, stdout, stderr }. */
async function runScript(source, given, { ms = 20000, ...options } = {}) {
  const running = startScript(source, given, options);
  try {
    return await within('exit of the script', running.exited, { ms, transcript: running.transcript });
  } finally {
    running.child.kill('SIGKILL');
  }
}

module.exports = { startScript, runScript };
