'use strict';

const { DockerError } = require('./errors');

/** Reads archives: ustar, with the headers of pax and GNU for long names, large sizes and exact times. */

const FORMAT = Object.freeze({ block: 512 });
// The longest header of pax or GNU that is kept.
const LONGEST_HEADER = 1024 * 1024;
const TYPES = { 0: 'file', '\0': 'file', 7: 'file', 1: 'link', 2: 'symlink', 5: 'directory' };

/** Bytes that fill up the last block of a content. */
const padding = (size) => (FORMAT.block - (size % FORMAT.block)) % FORMAT.block;

const broken = (what) => new DockerError('DEW_ENGINE_PROTOCOL', `the archive ${what}`);

/** Bytes of a stream by their number. */
class ByteSource {
  #chunks;
  #rest = Buffer.alloc(0);

  constructor(stream) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  /** The next bytes, at least one and at most `most`; null at the end. */
  async next(most) {
    while (this.#rest.length === 0) {
      const { value, done } = await this.#chunks.next();
      if (done) return null;
      this.#rest = value;
    }
    const bytes = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(bytes.length);
    return bytes;
  }

  /** Exactly `count` bytes; null if there is none at all. */
  async exactly(count) {
    const parts = [];
    for (let left = count; left > 0;) {
      const part = await this.next(left);
      if (part === null && left === count) return null;
      if (part === null) throw broken('ends too early');
      parts.push(part);
      left -= part.length;
    }
    return parts.length === 1 ? parts[0] : Buffer.concat(parts);
  }

  /** What is left of a content, in pieces as they come. */
  async* pieces(content) {
    while (content.left > 0) {
      const part = await this.next(content.left);
      if (part === null) throw broken('ends too early');
      content.left -= part.length;
      yield part;
    }
  }

  /** Lets go of the stream. */
  async close() {
    await this.#chunks.return?.();
  }
}

/** The text of a field, up to its end or a zero. */
function text(header, at, length) {
  const field = header.subarray(at, at + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end < 0 ? length : end);
}

/** A number of a field: octal digits, or bytes if the first bit is set. */
function number(header, at, length) {
  if (header[at] & 0x80) {
    let value = header[at] & 0x7f;
    for (let i = at + 1; i < at + length; i += 1) value = value * 256 + header[i];
    return value;
  }
  const digits = text(header, at, length).trim();
  if (!/^[0-7]*$/.test(digits)) throw broken('has a header that cannot be read');
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

function checkSum(header) {
  let sum = 8 * 32;
  for (let i = 0; i < FORMAT.block; i += 1) if (i < 148 || i >= 156) sum += header[i];
  if (sum !== number(header, 148, 8)) throw broken('has a header that cannot be read');
}

/** The records of a header of pax. */
function paxRecords(bytes) {
  const records = {};
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(32, at);
    const length = Number(bytes.toString('latin1', at, space));
    if (space < 0 || !Number.isInteger(length) || length <= space - at || at + length > bytes.length) throw broken('has a header that cannot be read');
    const record = bytes.toString('utf8', space + 1, at + length - 1);
    const equals = record.indexOf('=');
    records[record.slice(0, equals)] = record.slice(equals + 1);
    at += length;
  }
  return records;
}

function entryFrom(header, more) {
  const isUstar = header.toString('latin1', 257, 262) === 'ustar';
  const prefix = isUstar && header[262] === 0 ? text(header, 345, 155) : '';
  const name = text(header, 0, 100);
  const size = more.size === undefined ? number(header, 124, 12) : Number(more.size);
  if (!Number.isSafeInteger(size) || size < 0) throw broken('has a size that cannot be');
  const time = more.mtime === undefined ? number(header, 136, 12) : Number(more.mtime);
  return {
    name: more.path ?? (prefix ? `${prefix}/${name}` : name),
    target: more.linkpath ?? text(header, 157, 100),
    type: TYPES[header.toString('latin1', 156, 157)] ?? 'other',
    mode: number(header, 100, 8),
    mtime: new Date(Number.isFinite(time) ? time * 1000 : 0),
    size,
  };
}

/**
 * The entries of an archive, in order. The content of an entry is read by its `content()`, before the
 * next entry is asked for; what is not read of it is passed over.
 *
 * @param {AsyncIterable<Buffer>} stream
 * @returns {AsyncGenerator<{ name: string, target: string, mode: number, mtime: Date, size: number,
 *   type: 'file' | 'link' | 'symlink' | 'directory' | 'other', content: () => AsyncGenerator<Buffer> }>}
 */
async function* entriesOf(stream) {
  const source = new ByteSource(stream);
  let more = {};
  try {
    for (;;) {
      const header = await source.exactly(FORMAT.block);
      if (header === null) return;
      if (header.every((byte) => byte === 0)) continue; // two of them are the end; what follows is padding
      checkSum(header);
      const entry = entryFrom(header, more);
      const kind = header.toString('latin1', 156, 157);
      if (['x', 'g', 'L', 'K'].includes(kind)) {
        const { size } = entryFrom(header, {});
        if (size > LONGEST_HEADER) throw broken('has a header that is too long');
        const bytes = await source.exactly(size);
        if (bytes === null) throw broken('ends too early');
        await source.exactly(padding(size));
        if (kind === 'x') more = { ...more, ...paxRecords(bytes) };
        else if (kind !== 'g') more[kind === 'L' ? 'path' : 'linkpath'] = text(bytes, 0, bytes.length);
        continue;
      }
      more = {};
      const size = entry.type === 'file' || entry.type === 'other' ? entry.size : 0;
      const content = { left: size };
      yield { ...entry, size, content: () => source.pieces(content) };
      while (content.left > 0) content.left -= (await source.exactly(Math.min(content.left, LONGEST_HEADER)))?.length ?? content.left;
      await source.exactly(padding(size));
    }
  } finally {
    await source.close();
  }
}

module.exports = { entriesOf };
