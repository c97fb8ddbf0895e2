'use strict';
// One face for a session, whatever carries it:
//   stdin           a Writable
//   stdout          emits `data`; pause(), resume()
//   done()          resolves to the exit code once all output is here; rejects if the session is lost
//   leave()         goes without a word

const { EventEmitter } = require('events');
const { PassThrough } = require('stream');
const { finished } = require('stream/promises');
const { address } = require('../../scripts/lib/engine-api');
const { openExec } = require('./engine-exec');

/** The first byte of a message. */
const CODE = { stdin: 0, stdout: 1, stopped: 200 };

/** Our client and the original's have the same face: that is the point of a drop-in. */
async function openClient(Client, { url, command, tty }) {
  const client = new Client({ url, command, tty });
  const exit = new Promise((resolve) => client.on('exit', resolve));
  const failed = new Promise((_resolve, reject) => {
    client.on('error', (error) => reject(new Error(`client: ${error.message || error}`)));
  });
  failed.catch(() => { /* reported by `done`, if anybody waits for it */ });
  await client.execute();
  const lost = new Promise((_resolve, reject) => {
    client.socket.addEventListener('close', () => setImmediate(reject, new Error('connection lost')));
  });
  lost.catch(() => { /* as above */ });
  const ended = new Promise((resolve) => client.stdout.on('end', resolve));
  client.stderr.resume();
  return {
    stdin: client.stdin,
    stdout: client.stdout,
    done: async () => {
      const code = await Promise.race([exit, failed, lost]);
      await ended;
      return code;
    },
    leave: () => client.socket.terminate(),
  };
}

/** Nothing but a WebSocket of the `ws` package: what the server costs, and no client of ours. Its `stdin` has only `write`. */
function openWs(WebSocket, { url, command, tty }) {
  const query = new URLSearchParams([['tty', tty], ...command.map((word) => ['command', word])]);
  const socket = new WebSocket(`${url}?${query}`, { perMessageDeflate: false });
  const stdout = new EventEmitter();
  const exit = new Promise((resolve, reject) => {
    socket.on('error', reject).on('close', () => reject(new Error('connection lost')));
    socket.on('message', (message) => {
      if (message[0] === CODE.stdout) stdout.emit('data', message.subarray(1));
      else if (message[0] === CODE.stopped) resolve(message[1] || 0);
    });
  });
  exit.catch(() => { /* reported by `done`, if anybody waits for it */ });
  const session = {
    stdin: { write: (bytes) => socket.send(Buffer.concat([Buffer.from([CODE.stdin]), bytes])) },
    stdout,
    done: () => exit,
    leave: () => socket.terminate(),
  };
  return new Promise((resolve, reject) => socket.on('open', () => resolve(session)).on('error', reject));
}

/** As dockerode's users do it. */
async function openDockerode(Docker, { engine, container, command, tty }) {
  const where = address(engine.host);
  const docker = new Docker(where.socketPath ? where : { ...where, protocol: 'http' });
  const exec = await docker.getContainer(container).exec({
    AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: tty, Cmd: command,
  });
  const stream = await exec.start({ hijack: true, stdin: true, Tty: false });
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  docker.modem.demuxStream(stream, stdout, stderr);
  stderr.resume();
  const ended = new Promise((resolve, reject) => stream.on('end', resolve).on('error', reject));
  ended.catch(() => { /* reported by `done`, if anybody waits for it */ });
  return {
    stdin: stream,
    stdout,
    done: async () => {
      await ended;
      // The end of the stream is not that of what it was split into.
      stdout.end();
      await finished(stdout, { writable: false });
      return (await exec.inspect()).ExitCode;
    },
    leave: () => stream.destroy(),
  };
}

/** How to open a session with each kind of client. */
const OPEN = {
  engine: () => openExec,
  dockerode: () => {
    const Docker = require('dockerode');
    return (target) => openDockerode(Docker, target);
  },
  original: () => {
    const { DockerExecClient } = require('docker-exec-websocket-client');
    return (target) => openClient(DockerExecClient, target);
  },
  ours: () => {
    const { DockerClient } = require('../..');
    return (target) => openClient(DockerClient, target);
  },
  ws: () => {
    const WebSocket = require('ws');
    return (target) => openWs(WebSocket, target);
  },
};

module.exports = { OPEN };
