'use strict';
// Serves one container on a port of its own.
//
//   node examples/server.js CONTAINER [PORT]
//
// The path is a secret, made anew at each start: whoever knows the URL can run commands.

const { randomBytes } = require('node:crypto');
const { DockerServer } = require('docker-exec-websocket');

async function main([containerId, port = '0']) {
  const path = `/${randomBytes(16).toString('hex')}`;
  const server = new DockerServer({ port: Number(port), path, containerId });

  server.on('session', ({ id, command, remoteAddress }) => {
    console.log(`session ${id} from ${remoteAddress}: ${JSON.stringify(command)}`);
  });
  server.on('session removed', (count) => console.log(`${count} sessions left`));
  // What concerns one session; the server goes on.
  server.on('error', (error) => console.error(`${error.code}: ${error.message}`));

  // Rejects if the engine does not answer, the container does not run, or the port is taken.
  await server.execute();
  console.log(`ws://127.0.0.1:${server.address().port}${path}`);

  // Each peer is told, and each command ended, before the process exits by itself.
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => server.close());
}

main(process.argv.slice(2)).catch((error) => {
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
});
