'use strict';

const HEADER = 8;
const STDERR = 2;

/**
 * Splits an engine's framed output into two streams, at the pace of the slower one.
 *
 * A frame is a header of 8 bytes (the stream, 0, 0, 0, the length as u32 BE) and that many bytes.
 * What does not begin like a frame is no framed output (a terminal's is not), and all goes to
 * `stdout` as it comes. Frames are passed on in the pieces in which they arrive: nothing is copied
 * or held back.
 *
 * @param {import('node:stream').Readable} source
 * @param {import('node:stream').Writable} stdout
 * @param {import('node:stream').Writable} stderr
 * @param {{ end?: boolean }} [options] `end`: ends both when the source ends. Default false.
 * @returns {Promise<void>} Resolves after the last byte was taken, rejects when one of the streams
 *   breaks. It may be ignored.
 */
function demuxStream(source, stdout, stderr, { end = false } = {}) {
  const demux = new Demux(source, stdout, stderr, end);
  // Nobody has to look at it; whoever does still sees the error.
  demux.done.catch(() => {});
  return demux.done;
}

/** Takes frames apart, whatever pieces they come in. */
class Splitter {
  #stdout;
  #stderr;
  #header = Buffer.alloc(HEADER);
  #headerLength = 0;
  #left = 0;
  #write = null;
  #raw = false;

  /**
   * @param {(bytes: Buffer) => void} stdout
   * @param {(bytes: Buffer) => void} stderr
   */
  constructor(stdout, stderr) {
    this.#stdout = stdout;
    this.#stderr = stderr;
  }

  take(chunk) {
    let rest = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    while (rest.length > 0) {
      if (this.#raw) {
        this.#stdout(rest);
        return;
      }
      if (this.#left === 0) {
        rest = this.#readHeader(rest);
        continue;
      }
      const now = rest.subarray(0, this.#left);
      this.#left -= now.length;
      rest = rest.subarray(now.length);
      this.#write(now);
    }
  }

  /** Takes what belongs to a header; answers what is behind it. */
  #readHeader(bytes) {
    const count = Math.min(HEADER - this.#headerLength, bytes.length);
    bytes.copy(this.#header, this.#headerLength, 0, count);
    this.#headerLength += count;
    if (this.#header[0] > STDERR) {
      this.#raw = true;
      this.#stdout(Buffer.from(this.#header.subarray(0, this.#headerLength)));
    } else if (this.#headerLength === HEADER) {
      this.#headerLength = 0;
      this.#left = this.#header.readUInt32BE(4);
      this.#write = this.#header[0] === STDERR ? this.#stderr : this.#stdout;
    }
    return bytes.subarray(count);
  }
}

class Demux {
  done;
  #source;
  #outputs;
  #end;
  #resolve;
  #reject;
  #splitter;
  /** The outputs that have to drain before the source may go on. */
  #draining = new Set();

  constructor(source, stdout, stderr, end) {
    this.#source = source;
    this.#outputs = [stdout, stderr];
    this.#end = end;
    this.#splitter = new Splitter((bytes) => this.#write(stdout, bytes), (bytes) => this.#write(stderr, bytes));
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    source.on('data', this.#take);
    source.once('end', this.#finish);
    source.once('error', this.#fail);
    source.once('close', this.#finish);
    for (const output of new Set(this.#outputs)) output?.on?.('close', this.#gone);
    // What is over already tells nobody any more.
    if (source.errored) process.nextTick(this.#fail, source.errored);
    else if (source.readableEnded || source.destroyed) process.nextTick(this.#finish);
  }

  #take = (chunk) => {
    this.#splitter.take(chunk);
    if (this.#draining.size > 0) this.#source.pause();
  };

  #write(output, bytes) {
    if (!output || output.destroyed || output.writableEnded) return;
    if (output.write(bytes) !== false || this.#draining.has(output)) return;
    this.#draining.add(output);
    output.once('drain', () => this.#drained(output));
  }

  #drained(output) {
    if (this.#draining.delete(output) && this.#draining.size === 0) this.#source.resume();
  }

  /** An output that is gone takes nothing, so the other one must not wait for it. */
  #gone = () => {
    for (const output of this.#outputs) if (output?.destroyed) this.#drained(output);
  };

  #finish = () => {
    this.#release();
    if (this.#end) for (const output of new Set(this.#outputs)) output?.end?.();
    this.#resolve();
  };

  #fail = (error) => {
    this.#release();
    if (this.#end) for (const output of new Set(this.#outputs)) breakOff(output, error);
    this.#reject(error);
  };

  #release() {
    this.#source.off('data', this.#take).off('end', this.#finish).off('close', this.#finish);
    for (const output of new Set(this.#outputs)) output?.off?.('close', this.#gone);
  }
}

/** Without a listener the error would end the process; whoever waits for the end gets it. */
function breakOff(output, error) {
  output?.destroy?.(output.listenerCount?.('error') > 0 ? error : undefined);
}

/**
 * Framed output to iterate over, in the pieces in which it arrives; a terminal's is `stdout`.
 *
 * @param {AsyncIterable<Buffer> | Buffer} source
 * @returns {AsyncGenerator<{ name: 'stdout' | 'stderr', bytes: Buffer }, void>}
 */
async function* framesOf(source) {
  const found = [];
  const into = (name) => (bytes) => found.push({ name, bytes });
  const splitter = new Splitter(into('stdout'), into('stderr'));
  for await (const chunk of Buffer.isBuffer(source) ? [source] : source) {
    splitter.take(chunk);
    yield* found.splice(0);
  }
}

module.exports = { demuxStream, framesOf };
