'use strict';

const { setTimeout: sleep } = require('node:timers/promises');

const { badOption } = require('../errors');
const { DockerError, aborted } = require('./errors');
const { isAbortSignal } = require('./arguments');
// Loaded when somebody asks for it: most programs do without.
const copying = () => require('./copy');
const demux = () => require('./demux');
const leftover = () => require('./leftover');
const progress = () => require('./progress');
const waiting = () => require('./wait');

/** What neither the engine nor dockerode has: several calls as one, and streams to iterate over. */

// Bytes of output that `container.run` gathers, unless `outputLimit` says otherwise.
const OUTPUT_LIMIT = 64 * 1024 * 1024;
// Polls for the exit code of a command whose output has ended: first, and longest.
const FIRST_POLL_MS = 5;
const LONGEST_POLL_MS = 500;

/** Methods of a container. */
const container = {
  /**
   * Runs a command in the container, to its end. One that is given up, by `signal` or for too much
   * output, is ended with everything that it has started, unless the engine is behind TLS.
   *
   * @param {string[]} command
   * @param {object} [options] `Env`, `User`, `WorkingDir`, `Privileged`; `input`: bytes or text for its
   *   stdin; `outputLimit` in bytes; `signal`.
   * @returns {Promise<{ stdout: Buffer, stderr: Buffer, exitCode: number }>}
   */
  async run(command, { input, outputLimit = OUTPUT_LIMIT, signal, abortSignal, ...options } = {}) {
    const giveUp = signal ?? abortSignal;
    // Found out later, it would leave the command waiting for input that never comes.
    if (!isInput(input)) throw badOption('options.input must be text or bytes');
    const mark = await leftover().markFor(this.modem);
    const exec = await this.exec({
      ...options, Env: [...options.Env ?? [], ...mark], Cmd: command, Tty: false, AttachStdin: input !== undefined,
      AttachStdout: true, AttachStderr: true, abortSignal: giveUp,
    });
    try {
      return await toItsEnd(exec, { input, outputLimit, giveUp });
    } catch (error) {
      // The caller need not wait for that, nor hear that an engine which is gone could not do it.
      leftover().end(this, exec, mark, options.User).catch(() => {});
      throw error;
    }
  },

  /** @see {@link import('./wait').waitFor} */
  waitFor(condition, options) {
    return waiting().waitFor(this, condition, options);
  },

  /** @see {@link import('./copy').copyTo} */
  copyTo(source, place, options) {
    return copying().copyTo(this, source, place, options);
  },

  /** @see {@link import('./copy').copyFrom} */
  copyFrom(source, place, options) {
    return copying().copyFrom(this, source, place, options);
  },

  /** The output so far, or with `follow` as it comes, as `{ name: 'stdout' | 'stderr', bytes }`. */
  async* output(options) {
    const wanted = { stdout: true, stderr: true, follow: true, ...options };
    yield* demux().framesOf(await this.logs(wanted));
  },

  /** What `stats` tells, about once a second, as objects. */
  async* statistics(options) {
    yield* progress().jsonLines(await this.stats({ ...options, stream: true }));
  },
};

/** Methods of an engine. */
const docker = {
  /** What `getEvents` tells, as objects. */
  async* events(options) {
    yield* progress().jsonLines(await this.getEvents(options));
  },

  /** A report of progress as objects; throws when it says that the work failed. */
  progress(stream) {
    return progress().progressOf(stream);
  },
};

/** What was made by a client in this process, and may be removed by the end of a block. */
const made = new WeakSet();

/** Marks what was created, for {@link removeMade}. */
function markMade(entity) {
  made.add(entity);
  return entity;
}

/**
 * A method that removes what was created, once; whatever else has the same class is left alone. What
 * is gone already is fine.
 *
 * @param {object} options Of `remove`.
 */
const removeMade = (options) => async function dispose() {
  if (!made.delete(this)) return;
  try {
    await this.remove(options);
  } catch (error) {
    if (error.statusCode !== 404) throw error;
  }
};

const DISPOSE = Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose');

container[DISPOSE] = removeMade({ force: true, v: true });

/** Methods of a volume, and of a network. */
const volume = { [DISPOSE]: removeMade({ force: true }) };
const network = { [DISPOSE]: removeMade({}) };

async function toItsEnd(exec, { input, outputLimit, giveUp }) {
  const stream = await exec.start({ hijack: true, stdin: input !== undefined, abortSignal: giveUp });
  // The command may end without its input.
  stream.on('error', () => {});
  stream.end(input);
  const output = { stdout: [], stderr: [] };
  let size = 0;
  for await (const { name, bytes } of demux().framesOf(stream)) {
    size += bytes.length;
    if (size > outputLimit) throw tooMuch(outputLimit);
    output[name].push(bytes);
  }
  const exitCode = await exitCodeOf(exec, giveUp);
  return { stdout: Buffer.concat(output.stdout), stderr: Buffer.concat(output.stderr), exitCode };
}

const isInput = (input) => input === undefined || input === null || typeof input === 'string' || ArrayBuffer.isView(input);

const tooMuch = (limit) => new DockerError('DEW_ENGINE_OUTPUT_LIMIT', `the command printed more than ${limit} bytes`);

/** The exit code, as soon as there is one: output may end before the command does. */
async function exitCodeOf(exec, signal) {
  for (let wait = FIRST_POLL_MS; ; wait = Math.min(wait * 2, LONGEST_POLL_MS)) {
    const { Running, ExitCode } = await exec.inspect({ abortSignal: signal });
    if (!Running && ExitCode !== null) return ExitCode;
    if (isAbortSignal(signal) && signal.aborted) throw aborted(signal);
    await sleep(wait);
  }
}

module.exports = { container, docker, markMade, network, volume };
