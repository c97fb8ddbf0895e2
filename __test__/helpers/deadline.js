'use strict';

/**
 * The waits of the suite.
 *
 * Nothing here sleeps to give something time to happen: a wait ends when an event
 * or a condition is there, and a deadline turns silence into a failure that tells
 * everything that was seen until then.
 */

const DEFAULT_MS = 20000;
const POLL_MS = 20;
/** What should not happen is looked for less often: a look can be work for the engine, and nobody waits for it. */
const STAY_MS = 100;

/** What happened, in order, with the time since the start; printed when a wait fails. */
class Transcript {
  constructor(title) {
    this.title = title;
    this.started = Date.now();
    this.lines = [];
    this.dropped = 0;
  }

  /** Adds a line; the same again only counts. Long runs keep their first 100 and last 100 lines. */
  note(text) {
    const last = this.lines[this.lines.length - 1];
    if (last && last.text === text) {
      last.times += 1;
      return;
    }
    this.lines.push({ at: Date.now() - this.started, text, times: 1 });
    if (this.lines.length > 200) {
      this.lines.splice(100, 1);
      this.dropped += 1;
    }
  }

  /** Adds a chunk of bytes: short ones are shown, long ones of a kind in a row are added up. */
  bytes(kind, chunk) {
    if (chunk.length <= 200) {
      this.note(`${kind} ${chunk.length} ${JSON.stringify(chunk.subarray(0, 80).toString())}`);
      return;
    }
    const last = this.lines[this.lines.length - 1];
    const sum = last && last.kind === kind ? last : { kind, total: 0, count: 0 };
    sum.total += chunk.length;
    sum.count += 1;
    const text = `${kind} ${sum.total} bytes in ${sum.count} chunks`;
    if (sum === last) {
      last.text = text;
      return;
    }
    this.note(text);
    Object.assign(this.lines[this.lines.length - 1], sum);
  }

  toString() {
    const lines = this.lines.map(({ at, text, times }) =>
      `${String(at).padStart(6)} ms  ${text}${times > 1 ? `  (${times} times)` : ''}`);
    if (this.dropped > 0) lines.splice(100, 0, `        … ${this.dropped} lines left out …`);
    return `--- ${this.title}\n${lines.join('\n') || '(nothing was seen)'}\n---`;
  }
}

function failure(what, ms, transcript) {
  const story = transcript ? `\n${[].concat(transcript).join('\n')}` : '';
  return new Error(`no ${what} within ${ms} ms${story}`);
}

/** The promise's own outcome, or an error with the transcript after `ms` milliseconds. */
async function within(what, promise, { ms = DEFAULT_MS, transcript } = {}) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(failure(what, ms, transcript)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks `condition` (may be async) until it gives something truthy, which is returned. */
async function until(what, condition, { ms = DEFAULT_MS, transcript } = {}) {
  const end = Date.now() + ms;
  for (;;) {
    const answer = await condition();
    if (answer) return answer;
    if (Date.now() > end) throw failure(what, ms, transcript);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/**
 * Asks `count` until it has given the same for a while, which is returned: for what comes to rest
 * without telling anybody.
 */
async function atRest(what, count, { still = 400, ...options } = {}) {
  let seen = { count: await count(), since: Date.now() };
  return until(`rest of ${what}`, async () => {
    const now = await count();
    if (now !== seen.count) seen = { count: now, since: Date.now() };
    return Date.now() - seen.since >= still && { count: now };
  }, options).then((rest) => rest.count);
}

/** Asks `condition` again and again for `ms` milliseconds; fails as soon as it does not hold. */
async function stays(what, condition, ms, { transcript, every = STAY_MS } = {}) {
  const end = Date.now() + ms;
  while (Date.now() < end) {
    if (!await condition()) throw new Error([`no longer: ${what}`, ...[].concat(transcript ?? [])].join('\n'));
    await new Promise((resolve) => setTimeout(resolve, every));
  }
}

/** Does nothing for a while, where doing nothing is what is tested (a reader that stalls). */
function stall(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The first argument of the next `name` event. */
function event(emitter, name, options) {
  const seen = new Promise((resolve) => emitter.once(name, resolve));
  return within(`'${name}' event`, seen, options);
}

/** How long `work` took, in milliseconds, with its result. */
async function timed(work) {
  const start = process.hrtime.bigint();
  const result = await work();
  return { result, ms: Number(process.hrtime.bigint() - start) / 1e6 };
}

module.exports = { Transcript, within, until, atRest, stays, stall, event, timed };
