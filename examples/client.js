'use strict';
// Runs one command, joined to this process's own standard streams, and exits with its exit code.
//
//   echo abc | node examples/client.js URL wc -c

const { DockerClient } = require('docker-exec-websocket');

async function main([url, ...command]) {
  const client = new DockerClient({ url, tty: false, command });

  client.on('exit', (code) => { process.exitCode = code; }); // all output has been read by now
  client.on('shutdown', () => console.error('the server is going away'));
  client.on('error', (error) => {
    console.error(`${error.code}: ${error.message}`);
    process.exitCode = 125;
  });
  client.on('close', () => process.stdin.destroy()); // nobody reads it any more

  await client.execute();
  process.stdin.pipe(client.stdin);
  client.stdout.pipe(process.stdout);
  client.stderr.pipe(process.stderr);
}

main(process.argv.slice(2)).catch((error) => {
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 125;
});
