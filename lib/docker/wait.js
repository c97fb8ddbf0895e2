'use strict';

const { setTimeout: sleep } = require('node:timers/promises');

const { badOption } = require('../errors');
const { DockerError, aborted } = require('./errors');
const { framesOf } = require('./demux');

/** Waits for a container to be of use. */

// How long is waited, unless `timeout` says otherwise.
const WAIT_MS = 60_000;
// Looks at a container: the first pause between two, and the longest.
const FIRST_LOOK_MS = 20;
const LONGEST_LOOK_MS = 500;
// The most of one line of a log that is looked at, and of what a health check said that an error repeats.
const LONGEST_LINE = 64 * 1024;
const LONGEST_REPORT = 2048;

/** In /proc/net/tcp: the state of a socket that connections can be made to. */
const LISTENING = '0A';
/** How engines say that a command is not there. */
const NO_PROGRAM = /executable file .*not found|\bcat: (?:not found|no such file)/i;

const KINDS = {
  healthy: (container, _, options) => untilHealthy(container, options),
  port: (container, port, options) => untilListening(container, port, options),
  log: (container, pattern, options) => untilLogged(container, pattern, options),
};

/**
 * Waits until `container` is healthy, listens on a port, or has printed something.
 *
 * @param {object} container
 * @param {{ healthy: true } | { port: number } | { log: RegExp | string }} condition
 * @param {{ timeout?: number, signal?: AbortSignal }} [options] `timeout` in ms, 0 for none; default 60000.
 * @returns {Promise<RegExpExecArray | undefined>} For `log`: what has matched.
 */
async function waitFor(container, condition, { timeout = WAIT_MS, signal, abortSignal } = {}) {
  const [[kind, wanted] = [], ...others] = Object.entries(condition ?? {});
  if (!Object.hasOwn(KINDS, kind ?? '') || others.length > 0) throw badOption('waitFor takes one of { healthy: true }, { port } and { log }');
  check(kind, wanted, timeout);
  const giveUp = signal ?? abortSignal;
  if (giveUp?.aborted) throw aborted(giveUp);
  const controller = new AbortController();
  const abort = () => controller.abort(giveUp.reason);
  giveUp?.addEventListener('abort', abort, { once: true });
  const seen = { last: '' };
  const timer = timeout > 0 ? setTimeout(() => controller.abort(), timeout) : undefined;
  try {
    return await KINDS[kind](container, wanted, { signal: controller.signal, seen });
  } catch (error) {
    if (giveUp?.aborted) throw aborted(giveUp);
    if (controller.signal.aborted) throw new DockerError('DEW_WAIT_TIMEOUT', `the container was not ${words(kind, wanted)} within ${timeout} ms${seen.last}`);
    throw error;
  } finally {
    clearTimeout(timer);
    giveUp?.removeEventListener('abort', abort);
    controller.abort();
  }
}

function check(kind, wanted, timeout) {
  if (!Number.isInteger(timeout) || timeout < 0 || timeout > 0x7fff_ffff) throw badOption('options.timeout must be a whole number of milliseconds');
  if (kind === 'healthy' && wanted !== true) throw badOption('{ healthy } must be true');
  if (kind === 'port' && !(Number.isInteger(wanted) && wanted > 0 && wanted < 65_536)) throw badOption('{ port } must be a number of a port');
  if (kind === 'log' && typeof wanted !== 'string' && !(wanted instanceof RegExp)) throw badOption('{ log } must be a text or a regular expression');
}

const words = (kind, wanted) => ({
  healthy: 'healthy', port: `listening on port ${wanted}`, log: `heard to say ${wanted}`,
})[kind];

const failed = (message, State) => new DockerError('DEW_WAIT_FAILED', message, { json: { State } });

/** The state of a container that runs, or is about to; another one is the end of all waiting. */
async function lookAt(container, signal) {
  const { State } = await container.inspect({ abortSignal: signal });
  const { Status, Running, ExitCode, Error: why } = State;
  if (Running || ['created', 'restarting'].includes(Status)) return State;
  throw failed(`the container is ${Status}, with exit code ${ExitCode}${why ? `: ${why}` : ''}`, State);
}

/** Asks `look` for something other than undefined, again and again. */
async function repeat(look, signal) {
  for (let pause = FIRST_LOOK_MS; ; pause = Math.min(pause * 2, LONGEST_LOOK_MS)) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(pause, undefined, { signal });
  }
}

async function untilHealthy(container, { signal, seen }) {
  await repeat(async () => {
    const State = await lookAt(container, signal);
    const { Status, Log } = State.Health ?? {};
    if (Status === 'healthy') return true;
    const output = Log?.at(-1)?.Output.trim().slice(-LONGEST_REPORT);
    seen.last = output ? `; its health check said: ${output}` : '';
    if (Status === 'unhealthy') throw failed(`the container is unhealthy${seen.last}`, State);
    if (State.Running && (!Status || Status === 'none')) throw failed('the container has no health check', State);
    return undefined;
  }, signal);
}

/** Looks from within, at what the system says: a published port takes connections before anybody listens. */
async function untilListening(container, port, { signal }) {
  const digits = port.toString(16).toUpperCase().padStart(4, '0');
  const listens = new RegExp(`^ *\\d+: [0-9A-F]+:${digits} [0-9A-F:]+ ${LISTENING} `, 'm');
  await repeat(async () => {
    const State = await lookAt(container, signal);
    if (!State.Running || State.Paused || State.Restarting) return undefined;
    const outcome = await tables(container, signal);
    if (outcome === undefined) return undefined;
    // Other failures are those of a container that ends just now.
    if (NO_PROGRAM.test(`${outcome.stdout}${outcome.stderr}`)) throw failed('the container cannot be asked for its ports: there is no `cat` in it', State);
    return listens.test(outcome.stdout.toString()) || undefined;
  }, signal);
}

/** The sockets of the container; undefined if it has ended meanwhile. */
async function tables(container, signal) {
  try {
    return await container.run(['cat', '/proc/net/tcp', '/proc/net/tcp6'], { signal });
  } catch (error) {
    if (error.code === 'DEW_ENGINE_CONFLICT') return undefined;
    throw error;
  }
}

async function untilLogged(container, pattern, { signal, seen }) {
  const search = typeof pattern === 'string'
    ? new RegExp(pattern.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
    : new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''));
  return repeat(async () => {
    const { State } = await container.inspect({ abortSignal: signal });
    if (State.Status !== 'created') {
      // What it said in a former life does not count. The present one may begin before `StartedAt`.
      const since = State.Running ? secondsOf(State.FinishedAt) : undefined;
      const found = await searchLog(container, search, { since, signal, seen });
      if (found) return found;
    }
    // The log has ended: nothing more will be said by a container that is over.
    await lookAt(container, signal);
    return undefined;
  }, signal);
}

/** A time as engines take it: seconds with nine digits behind the point; undefined for none. */
function secondsOf(time) {
  if (!(Date.parse(time) > 0)) return undefined;
  const [, fraction = ''] = /\.(\d+)/.exec(time) ?? [];
  return `${Math.floor(Date.parse(time) / 1000)}.${fraction.padEnd(9, '0').slice(0, 9)}`;
}

async function searchLog(container, search, { since, signal, seen }) {
  const rests = { stdout: '', stderr: '' };
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  const stream = await container.logs({ stdout: true, stderr: true, follow: true, since, abortSignal: signal });
  for await (const { name, bytes } of framesOf(stream)) {
    const lines = (rests[name] + decoders[name].decode(bytes, { stream: true })).split('\n');
    // A prompt has no end of line.
    for (const line of lines) {
      const found = search.exec(line);
      if (found) return found;
    }
    const last = lines.findLast((line) => line.trim() !== '');
    if (last) seen.last = `; the last that it said: ${last.slice(-LONGEST_REPORT).trim()}`;
    rests[name] = lines.at(-1).slice(-LONGEST_LINE);
  }
  return undefined;
}

module.exports = { waitFor };
