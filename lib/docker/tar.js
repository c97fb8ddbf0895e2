'use strict';

/**
 * Archives in the format of POSIX tar (ustar, with pax headers where a name or a size does not fit).
 */

/**
 * Bytes of a block and of the fields of a header, and the largest size and owner that their eleven and
 * seven octal digits can say.
 */
const FORMAT = Object.freeze({ block: 512, name: 100, prefix: 155, largest: 0o77777777777, largestId: 0o7777777 });
const END = Buffer.alloc(2 * FORMAT.block);
const TYPES = { file: '0', link: '1', symlink: '2', directory: '5', pax: 'x' };

/** A name as the two fields of a header, or null if it does not fit. */
function splitName(name) {
  if (Buffer.byteLength(name) <= FORMAT.name) return { name, prefix: '' };
  for (let at = name.indexOf('/'); at >= 0; at = name.indexOf('/', at + 1)) {
    const rest = name.slice(at + 1);
    if (Buffer.byteLength(name.slice(0, at)) > FORMAT.prefix) return null;
    if (rest !== '' && Buffer.byteLength(rest) <= FORMAT.name) return { name: rest, prefix: name.slice(0, at) };
  }
  return null;
}

const isAscii = (text) => Buffer.byteLength(text) === text.length;

/** One record of a pax header: its length, which counts itself, a name and a value. */
function paxRecord(name, value) {
  const rest = Buffer.byteLength(` ${name}=${value}\n`);
  let length = rest + String(rest).length;
  if (String(length).length !== String(rest).length) length = rest + String(length).length;
  return `${length} ${name}=${value}\n`;
}

function octal(header, value, at, length) {
  header.write(`${Math.trunc(value).toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
}

function block(entry, { name, prefix }, type, size) {
  const header = Buffer.alloc(FORMAT.block);
  header.write(name, 0, FORMAT.name);
  octal(header, entry.mode & 0o7777, 100, 8);
  octal(header, Math.min(entry.uid ?? 0, FORMAT.largestId), 108, 8);
  octal(header, Math.min(entry.gid ?? 0, FORMAT.largestId), 116, 8);
  octal(header, Math.min(size, FORMAT.largest), 124, 12);
  octal(header, Math.max(0, entry.mtime.getTime() / 1000), 136, 12);
  header.fill(' ', 148, 156);
  header.write(type, 156, 'latin1');
  if (entry.target) header.write(entry.target, 157, FORMAT.name);
  header.write('ustar\u000000', 257, 'latin1');
  header.write(prefix, 345, FORMAT.prefix);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

/** The zeros that fill up the last block of a content of `size` bytes. */
const padding = (size) => Buffer.alloc((FORMAT.block - (size % FORMAT.block)) % FORMAT.block);

/**
 * What stands before the content of an entry.
 *
 * @param {object} entry
 * @param {string} entry.name With slashes; a directory's ends with one.
 * @param {'file' | 'symlink' | 'directory'} entry.type
 * @param {number} entry.mode Permissions.
 * @param {Date} entry.mtime
 * @param {number} [entry.size] Bytes of a file. Default 0.
 * @param {number} [entry.uid] The owner. Default 0; `entry.gid` likewise.
 * @param {string} [entry.target] What a link leads to.
 * @returns {Buffer}
 */
function tarHeader(entry) {
  const size = entry.type === 'file' ? entry.size ?? 0 : 0;
  const fitting = isAscii(entry.name) ? splitName(entry.name) : null;
  const records = [];
  if (fitting === null) records.push(paxRecord('path', entry.name));
  if (entry.target && (!isAscii(entry.target) || entry.target.length > FORMAT.name)) {
    records.push(paxRecord('linkpath', entry.target));
  }
  for (const name of ['uid', 'gid']) {
    if (entry[name] > FORMAT.largestId) records.push(paxRecord(name, entry[name]));
  }
  if (size > FORMAT.largest) records.push(paxRecord('size', size));
  const place = fitting ?? { name: Buffer.from(entry.name).subarray(0, FORMAT.name).toString('latin1'), prefix: '' };
  const header = block(entry, place, TYPES[entry.type], size);
  if (records.length === 0) return header;
  const pax = Buffer.from(records.join(''));
  const own = block({ ...entry, target: undefined }, { name: 'PaxHeader', prefix: '' }, TYPES.pax, pax.length);
  return Buffer.concat([own, pax, padding(pax.length), header]);
}

/**
 * An archive of `entries`, in pieces. The content of a file is `content`: bytes, or a function that
 * gives an async iterable of its bytes, exactly `size` of them.
 *
 * @param {Iterable<object> | AsyncIterable<object>} entries
 * @returns {AsyncGenerator<Buffer, void>}
 */
async function* packTar(entries) {
  for await (const entry of entries) {
    const { content } = entry;
    const isWhole = content instanceof Uint8Array;
    const size = isWhole ? content.length : entry.size ?? 0;
    yield tarHeader({ ...entry, size });
    if (entry.type !== 'file') continue;
    let sent = 0;
    if (isWhole) {
      sent = content.length;
      yield Buffer.from(content.buffer, content.byteOffset, content.byteLength);
    } else if (size > 0) {
      for await (const chunk of content()) {
        sent += chunk.length;
        if (sent > size) break;
        yield chunk;
      }
    }
    if (sent !== size) throw new Error(`${entry.name} changed its size while it was read; try again`);
    yield padding(size);
  }
  yield END;
}

module.exports = { packTar, tarHeader };
