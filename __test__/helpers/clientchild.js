'use strict';

/**
 * A client in a process of its own.
 *
 * Run with a script's text in DEW_TEST_SCRIPT, which gets { Client, url, say } and may await;
 * what it says goes to the parent line by line. `runClient` does that and gives how it ended.
 */

const { spawn } = require('node:child_process');

const { Transcript, within } = require('./deadline');

/**
 * Starts node with `script` (the body of an async function of Client, url and say).
 * Gives { child, lines, exited, transcript }; `exited` resolves to { code, signal, stderr, lines }.
 */
function startClient({ implementation, url, script, execArgv = [] }) {
  const child = spawn(process.execPath, [...execArgv, __filename], {
    env: { ...process.env, DEW_TEST_CLIENT: JSON.stringify({ implementation, url, script }) },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const transcript = new Transcript(`client process ${child.pid}`);
  const running = { child, transcript, lines: [], stderr: '' };
  let partial = '';
  child.stdout.on('data', (chunk) => {
    const pieces = (partial + chunk).split('\n');
    partial = pieces.pop();
    running.lines.push(...pieces);
    for (const piece of pieces) transcript.note(piece);
  });
  child.stderr.on('data', (chunk) => {
    running.stderr += chunk;
    transcript.note(`stderr ${chunk.toString().trimEnd()}`);
  });
  running.exited = new Promise((resolve) => {
    child.once('close', (code, signal) => {
      transcript.note(`exit ${code} ${signal}`);
      resolve({ code, signal, stderr: running.stderr, lines: running.lines });
    });
  });
  return running;
}

/** Runs a client script to its end, which is expected within `ms`. */
async function runClient({ ms, ...setup }) {
  const running = startClient(setup);
  try {
    return await within('exit of the client process', running.exited, { ms, transcript: running.transcript });
  } finally {
    running.child.kill('SIGKILL');
  }
}

if (require.main === module) {
  const { implementations } = require('./implementations');
  const { implementation, url, script } = JSON.parse(process.env.DEW_TEST_CLIENT);
  const AsyncFunction = (async () => {}).constructor;
  const say = (text) => process.stdout.write(`${text}\n`);
  new AsyncFunction('Client', 'url', 'say', 'require', script)(implementations[implementation].Client, url, say, require);
}

module.exports = { startClient, runClient };
