'use strict';
// One face for a session, whatever carries it:
//   stdin           a Writable
//   stdout          emits `data`; pause(), resume()
//   done()          resolves to the exit code once all output is here; rejects if the session is lost
//   leave()         goes without a word

const { PassThrough } = require('stream');
const { finished } = require('stream/promises');
const { address } = require('../../scripts/lib/engine-api');
const { openExec } = require('./engine-exec');

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
};

module.exports = { OPEN };
