'use strict';
// Adds two containers to an http server that an Express application uses too. Works the same
// with https.createServer(), and beside other WebSocket servers on other paths.
//
//   node examples/express.js CONTAINER OTHER_CONTAINER [PORT]

const http = require('node:http');
const express = require('express');
const { DockerServer } = require('docker-exec-websocket');

const [container, other, port = '0'] = process.argv.slice(2);

const app = express();
app.get('/', (request, response) => response.type('text').send('the application\n'));

const httpServer = http.createServer(app);
const origins = 'same'; // web pages of this server may connect, and no others
const shells = [
  new DockerServer({ server: httpServer, path: '/shell', containerId: container, origins }),
  new DockerServer({ server: httpServer, path: '/other', containerId: other, origins, maxSessions: 2 }),
];

httpServer.listen(Number(port), '127.0.0.1', () => {
  console.log(`ws://127.0.0.1:${httpServer.address().port}/shell`);
});

process.once('SIGTERM', async () => {
  httpServer.close(); // takes no new requests; sessions are not its business
  await Promise.all(shells.map((shell) => shell.close()));
});
