'use strict';

/**
 * Which builds are BuildKit's, and what it reports of them: messages of moby.buildkit.v1.StatusResponse, in the encoding of
 * protocol buffers, in base64, as `aux` of a line of the report of progress.
 */

const TRACE = 'moby.buildkit.trace';
const IMAGE = 'moby.image.id';

/** How a value is encoded. */
const KIND = Object.freeze({ varint: 0, fixed64: 1, bytes: 2, fixed32: 5 });

/** The fields that are read, by their numbers; what is in a list may come more than once. */
const TIMESTAMP = {};
const VERTEX = { 1: ['digest', 'text'], 3: ['name', 'text'], 4: ['cached', 'number'], 5: ['started', TIMESTAMP], 6: ['completed', TIMESTAMP], 7: ['error', 'text'] };
const STATUS = { 1: ['id', 'text'], 3: ['name', 'text'], 4: ['current', 'number'], 5: ['total', 'number'] };
const LOG = { 4: ['message', 'text'] };
const WARNING = { 3: ['short', 'text'] };
const RESPONSE = { 1: ['vertexes', [VERTEX]], 2: ['statuses', [STATUS]], 3: ['logs', [LOG]], 4: ['warnings', [WARNING]] };

/** Reads the encoding, forward. */
class Reader {
  #bytes;
  #at = 0;

  constructor(bytes) {
    this.#bytes = bytes;
  }

  get done() {
    return this.#at >= this.#bytes.length;
  }

  varint() {
    let value = 0;
    for (let factor = 1; !this.done; factor *= 128) {
      const byte = this.#bytes[this.#at];
      this.#at += 1;
      value += (byte % 128) * factor;
      if (byte < 128) break;
    }
    return value;
  }

  bytes() {
    return this.#skip(this.varint());
  }

  /** Passes over a value of a field that is not known. */
  pass(kind) {
    if (kind === KIND.varint) this.varint();
    else if (kind === KIND.bytes) this.bytes();
    else this.#skip({ [KIND.fixed64]: 8, [KIND.fixed32]: 4 }[kind] ?? this.#bytes.length);
  }

  #skip(length) {
    const start = this.#at;
    this.#at += length;
    return this.#bytes.subarray(start, this.#at);
  }
}

function decode(bytes, fields) {
  const reader = new Reader(bytes);
  const message = {};
  for (const [name, type] of Object.values(fields)) if (Array.isArray(type)) message[name] = [];
  while (!reader.done) {
    const tag = reader.varint();
    const kind = tag % 8;
    const [name, type] = fields[Math.floor(tag / 8)] ?? [];
    if (name === undefined) reader.pass(kind);
    else if (kind === KIND.varint) message[name] = reader.varint();
    else if (kind !== KIND.bytes) reader.pass(kind);
    else if (type === 'text') message[name] = reader.bytes().toString();
    else if (Array.isArray(type)) message[name].push(decode(reader.bytes(), type[0]));
    else message[name] = decode(reader.bytes(), type);
  }
  return message;
}

/** Lines for people of one message. */
function linesOf({ vertexes, statuses, logs, warnings }) {
  const steps = vertexes.flatMap(({ digest = '', name = '', cached, started, completed, error }) => [
    ...(name && started && !completed ? [`[${digest.slice(0, 12)}] ${name}`] : []),
    ...(error ? [`ERROR: ${error}`] : []),
    ...(completed && cached ? [`CACHED: ${name}`] : []),
  ]);
  const output = logs.map(({ message = '' }) => message.trimEnd()).filter((text) => text.trim() !== '');
  const moved = statuses.filter(({ name, total }) => name && total > 0).map(({ name, current = 0, total }) =>
    `${name}: ${Math.floor((current / total) * 100)}% (${current}/${total})`);
  return [...steps, ...output, ...moved, ...warnings.map(({ short = '' }) => `WARNING: ${short}`)];
}

/**
 * An event of a report of progress as events that people can read: those of BuildKit become
 * `{ stream: line }`, others stay what they are.
 *
 * @param {object} event
 * @returns {object[]}
 */
function readableEvents(event) {
  if (event?.id === TRACE && typeof event.aux === 'string') {
    const lines = linesOf(decode(Buffer.from(event.aux, 'base64'), RESPONSE));
    return lines.map((line) => ({ stream: `${line}\n` }));
  }
  if (event?.id === IMAGE && event.aux?.ID) return [{ stream: `Built image: ${event.aux.ID}\n` }];
  return [event];
}

/** Whether a build with these options is one by BuildKit; what only BuildKit can do chooses it. */
function usesBuildKit({ version, secrets, ssh }) {
  return `${version ?? (secrets || ssh ? 2 : 1)}` === '2';
}

module.exports = { readableEvents, usesBuildKit };
