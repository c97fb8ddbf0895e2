'use strict';
// A process that is a client and nothing else; its argument says of which kind and to what.

const crypto = require('crypto');
const { once } = require('events');
const { Readable } = require('stream');
const { serveJobs } = require('../lib/child');
const { OPEN } = require('./sessions');

const { kind, target } = JSON.parse(process.argv[2]);
const openSession = OPEN[kind]();
const open = (command, tty = false) => openSession({ ...target, command, tty });

const MIB = 1024 * 1024;
const CHUNK = 64 * 1024;
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const since = (began) => Number(process.hrtime.bigint() - began) / 1e6;

/** Resolves at the first byte of output. */
const firstByte = (session) => new Promise((resolve) => session.stdout.on('data', resolve));

/** Reports headway now and then, without keeping the process. */
function reporter(report, value) {
  const timer = setInterval(() => report(value()), 250);
  return () => clearInterval(timer);
}

/**
 * Runs a command and takes its output: as it comes; `rate` bytes a second; or with one pause of
 * `stall` ms after the first MiB.
 */
async function output({ command, hash, rate, stall }, report) {
  const sum = hash && crypto.createHash('sha256');
  const began = process.hrtime.bigint();
  let bytes = 0;
  let stalled = !stall;
  const rest = reporter(report, () => bytes);
  const session = await open(command);
  let held = false;
  const hold = (ms) => {
    if (held) return; // what was read before the pause still comes
    held = true;
    session.stdout.pause();
    setTimeout(() => {
      held = false;
      session.stdout.resume();
    }, ms);
  };
  session.stdout.on('data', (chunk) => {
    bytes += chunk.length;
    if (sum) sum.update(chunk);
    if (!stalled && bytes > MIB) {
      stalled = true;
      hold(stall);
    }
    const ahead = rate ? bytes / rate * 1000 - since(began) : 0;
    if (ahead > 0) hold(ahead);
  });
  try {
    const code = await session.done();
    return { bytes, ms: since(began), code, hash: sum && sum.digest('hex') };
  } finally {
    rest();
  }
}

/** Writes `bytes` bytes to a command's stdin, ends it, and takes its answer. */
async function input({ command, bytes, hash }, report) {
  const sum = hash && crypto.createHash('sha256');
  const block = hash ? crypto.randomBytes(CHUNK) : Buffer.alloc(CHUNK);
  let sent = 0;
  const source = new Readable({
    highWaterMark: CHUNK,
    read() {
      const size = Math.min(CHUNK, bytes - sent);
      if (size === 0) return this.push(null);
      let chunk = block.subarray(0, size);
      if (sum) {
        // Each chunk differs, so that one that is lost, doubled or late changes the hash.
        chunk = Buffer.from(chunk);
        chunk.writeUInt32LE(sent / CHUNK, 0);
        sum.update(chunk);
      }
      sent += size;
      return this.push(chunk);
    },
  });
  const began = process.hrtime.bigint();
  const rest = reporter(report, () => sent);
  const session = await open(command);
  let text = '';
  session.stdout.on('data', (chunk) => { text += chunk; });
  source.pipe(session.stdin);
  try {
    const code = await session.done();
    return { bytes: sent, ms: since(began), code, text, hash: sum && sum.digest('hex') };
  } finally {
    rest();
  }
}

/** Types into a terminal, one key at a time, and waits for each to come back; milliseconds each. */
async function echo({ samples, warmUp, gap }) {
  const session = await open(['cat'], true);
  const times = [];
  for (let i = 0; i < samples + warmUp; i++) {
    const back = once(session.stdout, 'data');
    const began = process.hrtime.bigint();
    session.stdin.write(Buffer.from('x'));
    await back;
    if (i >= warmUp) times.push(since(began));
    await wait(gap);
  }
  session.leave();
  return times;
}

/** Milliseconds from nothing to the first byte of a command's output, one session after the other. */
async function start({ count }) {
  const times = [];
  for (let i = 0; i < count; i++) {
    const began = process.hrtime.bigint();
    const session = await open(['echo', 'hi']);
    await firstByte(session);
    times.push(since(began));
    await session.done();
  }
  return times;
}

/** Runs `count` tasks, `width` at a time. */
async function pool(count, width, task) {
  let next = 0;
  const lane = async () => {
    while (next < count) await task(next++);
  };
  await Promise.all(Array.from({ length: width }, lane));
}

const silent = [];

/** Opens terminals that have echoed once and then stay silent. */
async function hold({ count }, report) {
  await pool(count, 8, async () => {
    const session = await open(['cat'], true);
    const echoed = firstByte(session);
    session.stdin.write(Buffer.from('x'));
    await echoed;
    silent.push(session);
    report(silent.length);
  });
}

async function release() {
  for (const session of silent.splice(0)) session.leave();
}

/** Starts and ends `count` sessions, `width` at once; each tenth client just vanishes. */
async function churn({ count, width }, report) {
  const failures = [];
  let finished = 0;
  await pool(count, width, async (number) => {
    const word = `session ${number}`;
    let text = '';
    try {
      const session = await open(['cat']);
      const echoed = new Promise((resolve) => {
        session.stdout.on('data', (chunk) => {
          text += chunk;
          if (text.length >= word.length) resolve();
        });
      });
      session.stdin.write(Buffer.from(word));
      if (number % 10 === 9) {
        await echoed;
        session.leave();
      } else {
        session.stdin.end();
        const code = await session.done();
        if (code !== 0 || text !== word) throw new Error(`exit code ${code}, output ${JSON.stringify(text)}`);
      }
    } catch (error) {
      failures.push(error.message);
    }
    report(++finished);
  });
  return { failures };
}

serveJobs({ output, input, echo, start, hold, release, churn });
