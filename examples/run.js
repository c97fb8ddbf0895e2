'use strict';
// Runs commands from a program: input in, output and exit code out, with a limit of time. What a
// job runner or an agent needs.
//
//   node examples/run.js URL

const { text } = require('node:stream/consumers');
const { DockerClient } = require('docker-exec-websocket');

/**
 * Runs one command to its end. All output is kept in memory.
 *
 * @param {string} url
 * @param {string[]} command Program and arguments; no shell looks at them.
 * @param {{ input?: string | Uint8Array, signal?: AbortSignal }} [options] `signal` gives up: the
 *   server then ends the command and everything that it started.
 * @returns {Promise<{ code: number, stdout: string, stderr: string }>} Rejects if the command did
 *   not come to its end; an exit code that is not 0 is no error.
 */
async function run(url, command, { input = '', signal } = {}) {
  const client = new DockerClient({ url, command, tty: false, signal });
  const exited = new Promise((resolve, reject) => {
    client.once('exit', resolve);
    client.once('error', reject);
    client.once('close', () => reject(new Error('the server ended the session before the command')));
  });
  const output = Promise.all([text(client.stdout), text(client.stderr)]);
  const all = Promise.all([exited, output]);
  all.catch(() => {}); // looked at below, unless there is no session at all
  await client.execute();
  client.stdin.end(input);
  const [code, [stdout, stderr]] = await all;
  return { code, stdout, stderr };
}

async function main([url]) {
  const counted = await run(url, ['wc', '-c'], { input: 'abc' });
  console.log(counted); // { code: 0, stdout: '3\n', stderr: '' }

  const failed = await run(url, ['sh', '-c', 'echo no >&2; exit 7']);
  console.log(failed); // { code: 7, stdout: '', stderr: 'no\n' }

  try {
    await run(url, ['sleep', '1000'], { signal: AbortSignal.timeout(500) });
  } catch (error) {
    console.log(error.name); // TimeoutError
  }
}

if (require.main === module) {
  main(process.argv.slice(2)).catch((error) => {
    console.error(`${error.code}: ${error.message}`);
    process.exitCode = 1;
  });
}

module.exports = { run };
