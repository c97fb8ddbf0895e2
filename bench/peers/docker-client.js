'use strict';
// A client of the engine's API that is measured: dockerode, ours, or what limits both, in a process of its own.

const { Writable } = require('stream');
const { serveJobs } = require('../lib/child');

const CLIENTS = {
  dockerode: () => require('dockerode'),
  ours: () => require('../..').Docker,
  bare: () => require('./bare-docker'),
};

const { kind, socketPath, container } = JSON.parse(process.argv[2]);
const Docker = CLIENTS[kind]();
const docker = new Docker({ socketPath });

/** After so many bytes it is told how far it has come: not so often that telling is what is measured. */
const TELL = 16 * 1024 * 1024;

/** Counts bytes and keeps none. */
class Counter extends Writable {
  bytes = 0;
  told = 0;

  constructor(tell) {
    super();
    this.tell = tell;
  }

  _write(chunk, _encoding, done) {
    this.bytes += chunk.length;
    if (this.bytes - this.told >= TELL) {
      this.told = this.bytes;
      this.tell(this.bytes);
    }
    done();
  }
}

/**
 * Takes an output as the clients' own users would, and resolves to the bytes of its stdout: a terminal's
 * (`raw`) as it is, any other through `demuxStream`.
 */
async function taken(stream, raw, tell) {
  const [stdout, stderr] = [new Counter(tell), new Counter(() => {})];
  if (raw) stream.pipe(stdout);
  else docker.modem.demuxStream(stream, stdout, stderr);
  await new Promise((resolve, reject) => {
    stream.once('end', resolve);
    stream.once('error', reject);
  });
  return stdout.bytes;
}

/** What `work` took: `{ ms, ...result }`. */
async function timed(work) {
  const began = process.hrtime.bigint();
  const result = await work();
  return { ms: Number(process.hrtime.bigint() - began) / 1e6, ...result };
}

serveJobs({
  /** `count` calls, `width` of them at a time. */
  calls: ({ count, width, name }) => timed(async () => {
    const target = docker.getContainer(container);
    const call = { inspect: () => target.inspect(), ping: () => docker.ping() }[name];
    let left = count;
    await Promise.all(Array.from({ length: width }, async () => {
      while (left > 0) {
        left -= 1;
        await call();
      }
    }));
    return {};
  }),

  exec: ({ command, raw = false }, report) => timed(async () => {
    const exec = await docker.getContainer(container).exec({ Cmd: command, AttachStdout: true, AttachStderr: true, Tty: raw });
    return { bytes: await taken(await exec.start({ hijack: true, stdin: false, Tty: raw }), raw, report) };
  }),

  /** A container whose output is all read by `attach`. */
  attach: ({ id, raw = false, hijack = false }, report) => timed(async () => {
    const target = docker.getContainer(id);
    const stream = await target.attach({ stream: true, stdout: true, stderr: true, hijack });
    await target.start();
    return { bytes: await taken(stream, raw, report) };
  }),

  logs: ({ id, raw = false }, report) => timed(async () => {
    const stream = await docker.getContainer(id).logs({ follow: true, stdout: true, stderr: true });
    return { bytes: await taken(stream, raw, report) };
  }),
});
