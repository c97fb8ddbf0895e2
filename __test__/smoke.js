'use strict';

/**
 * Server, client and the engine's API, once through, without a test framework: runs in Node, Bun and Deno.
 * Needs DOCKER_HOST and the test image; `node scripts/engine.js run -- node __test__/smoke.js`
 * brings both. Prints OK and ends by itself with status 0.
 */

const assert = require('node:assert');
const { once } = require('node:events');

const { Docker, DockerServer, DockerClient } = require('../index.js');
const { call, ask, findEngine, IMAGES, LABEL, runId } = require('../scripts/engine.js');

const DEADLINE_MS = 30000;

async function session(url, options, input) {
  const client = new DockerClient({ url, ...options });
  const opened = once(client, 'open');
  await client.execute();
  await opened;
  const output = [];
  client.stdout.on('data', (chunk) => output.push(chunk));
  client.stderr.resume();
  if (input !== undefined) client.stdin.end(input);
  const [code] = await once(client, 'exit');
  return { code, stdout: Buffer.concat(output) };
}

async function main() {
  const engine = await findEngine();
  const { Id } = await ask(engine, 'POST', '/containers/create', {
    json: {
      Image: IMAGES.busybox, Cmd: ['sleep', '100000'], Labels: { [LABEL]: runId() }, HostConfig: { NetworkMode: 'none' },
    },
  });
  try {
    await call(engine, 'POST', `/containers/${Id}/start`);
    const server = new DockerServer({ port: 0, path: '/shell', containerId: Id });
    await server.execute();
    const url = `ws://127.0.0.1:${server.address().port}/shell`;

    const echo = await session(url, { tty: false, command: ['cat'] }, 'through the container');
    assert.deepStrictEqual([echo.code, echo.stdout.toString()], [0, 'through the container']);

    const bulk = Buffer.alloc(3 * 1024 * 1024, 'bulk ');
    const copy = await session(url, { tty: false, command: ['cat'] }, bulk);
    assert.ok(copy.stdout.equals(bulk), 'three MiB came back changed');

    const terminal = await session(url, { tty: true, command: ['sh', '-c', 'test -t 1 && exit 200'] });
    assert.strictEqual(terminal.code, 200);

    await server.close();

    const container = new Docker().getContainer(Id);
    assert.strictEqual((await container.inspect()).State.Running, true);
    const { stdout, stderr, exitCode } = await container.run(['sh', '-c', 'wc -c; echo late >&2; exit 3'], { input: bulk });
    assert.deepStrictEqual([`${stdout}`.trim(), `${stderr}`, exitCode], [String(bulk.length), 'late\n', 3]);
    await container.copyTo(bulk, '/tmp/bulk');
    const { size } = JSON.parse((await container.run(['stat', '-c', '{"size":%s}', '/tmp/bulk'])).stdout);
    assert.strictEqual(size, bulk.length);
    await assert.rejects(new Docker().getContainer('no-such').start(), { code: 'DEW_ENGINE_NOT_FOUND', statusCode: 404 });
  } finally {
    await call(engine, 'DELETE', `/containers/${Id}?force=1&v=1`);
  }
  console.log('OK');
}

const timer = setTimeout(() => {
  console.error(`not done after ${DEADLINE_MS} ms`);
  process.exit(1);
}, DEADLINE_MS);
main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
}).finally(() => clearTimeout(timer));
