'use strict';
// A shell on the local terminal: raw keys, colours, and a size that follows the window.
//
//   node examples/terminal.js URL [COMMAND…]

const { DockerClient } = require('docker-exec-websocket');

async function main([url, ...command]) {
  const { stdin, stdout } = process;
  const client = new DockerClient({
    url,
    tty: true,
    command: command.length > 0 ? command : 'sh',
    rows: stdout.rows,
    cols: stdout.columns,
  });
  const resize = () => client.resize(stdout.rows, stdout.columns);

  client.on('exit', (code) => { process.exitCode = code; });
  client.on('error', (error) => {
    console.error(`${error.code}: ${error.message}\r`);
    process.exitCode = 125;
  });
  client.on('close', () => {
    stdin.setRawMode(false);
    stdin.destroy();
    stdout.off('resize', resize);
  });

  await client.execute();
  stdin.setRawMode(true); // Ctrl-C and its like are the command's now
  stdin.pipe(client.stdin);
  client.stdout.pipe(stdout);
  stdout.on('resize', resize);
}

if (process.stdin.isTTY && process.stdout.isTTY) {
  main(process.argv.slice(2)).catch((error) => {
    console.error(`${error.code}: ${error.message}`);
    process.exitCode = 125;
  });
} else {
  console.error('this needs a terminal: use examples/client.js with pipes');
  process.exitCode = 2;
}
