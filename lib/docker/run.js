'use strict';

const { EventEmitter } = require('node:events');

const { demuxStream } = require('./demux');

const DEFAULTS = {
  Hostname: '',
  User: '',
  AttachStdin: false,
  AttachStdout: true,
  AttachStderr: true,
  Tty: true,
  OpenStdin: false,
  StdinOnce: false,
  Env: null,
  Volumes: {},
  VolumesFrom: [],
};

/**
 * Runs a command in a new container:
 * `run(image, command, streams[, createOptions][, startOptions][, callback])`.
 *
 * `streams` is a stream for all output, `[stdout, stderr]`, or nothing: then the output is for who listens
 * to `stream`, or for nobody. They are ended with the output. With a callback `(error, result, container)`,
 * answers an emitter of `container`, `stream`, `start` and `data`; without one, a promise of
 * `[result, container]`. Either comes when the streams have been given the last byte of output.
 */
function run(docker, args) {
  const last = args.at(-1);
  if (typeof last !== 'function') return inPromise(docker, args);
  const hub = new EventEmitter();
  const found = {};
  perform(docker, args.slice(0, -1), found, (name, value) => hub.emit(name, value)).then(
    (result) => process.nextTick(last, null, result, found.container),
    (error) => process.nextTick(last, error, null, found.container),
  );
  return hub;
}

function inPromise(docker, args) {
  const found = {};
  return new docker.modem.Promise((resolve, reject) => {
    perform(docker, args, found, () => false).then((result) => resolve([result, found.container]), reject);
  });
}

async function perform(docker, [image, command, streams, createOptions, startOptions], found, tell) {
  const options = { ...DEFAULTS, Cmd: command, Image: image, ...createOptions };
  const container = await docker.createContainer(options);
  found.container = container;
  tell('container', container);
  const stream = await container.attach({ stream: true, stdout: true, stderr: true });
  // Without streams, whoever hears of it has the output.
  const isTheirs = tell('stream', stream) && !streams;
  const written = isTheirs ? undefined : passOn(stream, streams);
  try {
    await container.start({ ...startOptions });
  } catch (error) {
    stream.destroy();
    throw error;
  }
  tell('start', container);
  const result = await container.wait();
  await written;
  tell('data', result);
  return result;
}

/** Passes the output on, if somebody wants it; resolves when the last byte of it was. */
function passOn(stream, streams) {
  if (Array.isArray(streams)) return demuxStream(stream, streams[0], streams[1], { end: true });
  const ended = new Promise((resolve, reject) => {
    stream.once('end', resolve);
    stream.once('error', reject);
    stream.once('close', resolve);
  });
  // It is waited for behind the container's end.
  ended.catch(() => {});
  if (streams) stream.setEncoding('utf8').pipe(streams, { end: true });
  else stream.resume(); // else the container would wait for a reader
  return ended;
}

module.exports = { run };
