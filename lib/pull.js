'use strict';

// Bytes are copied out of the addon into slabs, and slices of a slab are what consumers get: one
// copy, no allocation for each chunk. All streams share the current slab.
const SLAB_SIZE = 256 * 1024;
// With less room than this left a new slab is better than a run of small chunks.
const SLAB_REST = 16 * 1024;
// The most that one stream hands on before other events get their turn.
const TURN_BUDGET = 1024 * 1024;

let slab = null;
let used = 0;

// What the addon says of how to go on, in the lowest bits of what a pull answers.
const NEXT_BITS = 2;
const WAIT = 1;
const END = 2;

/** What comes out of the addon, chunk by chunk. */
class Source {
  /** Whether there is nothing more until the signal comes. */
  waits = false;
  /** Whether a pull has come to the end. */
  ended = false;
  #reader;

  /** @param {import('../native').ByteReader} reader */
  constructor(reader) {
    this.#reader = reader;
  }

  /** The next bytes, or `null` if there are none now. */
  take() {
    if (slab === null || SLAB_SIZE - used < SLAB_REST) {
      slab = Buffer.allocUnsafeSlow(SLAB_SIZE);
      used = 0;
    }
    const pulled = this.#reader.pull(slab, used);
    const next = pulled & ((1 << NEXT_BITS) - 1);
    this.waits = next === WAIT;
    this.ended = next === END;
    const count = pulled >>> NEXT_BITS;
    if (count === 0) return null;
    const chunk = slab.subarray(used, used + count);
    used += count;
    return chunk;
  }

  /** Whether there is nothing left to pull, and nothing will come. */
  isEmpty() {
    return this.#reader.isEnded();
  }

  /** Nobody wants any more. */
  close() {
    this.#reader.close();
  }
}

/** How much may still be handed on in this turn of the event loop. */
class TurnBudget {
  #left = TURN_BUDGET;
  #resets = false;
  #go;
  #goes = false;

  /** @param {() => void} go Called in a later turn if the budget ran out. */
  constructor(go) {
    this.#go = go;
  }

  spend(bytes) {
    this.#left -= bytes;
    // A key needs no timer of its own: what few bytes take is made good with the next.
    if (this.#resets || this.#left > TURN_BUDGET / 2) return;
    this.#resets = true;
    setImmediate(() => {
      this.#resets = false;
      this.#left = TURN_BUDGET;
      if (!this.#goes) return;
      this.#goes = false;
      this.#go();
    });
  }

  /** Whether nothing may be handed on now; `go` is called when that changes. */
  isSpent() {
    if (this.#left > 0) return false;
    this.#goes = true;
    return true;
  }
}

/** Pulls what comes out of the addon, as fast as it is wanted. */
class Puller {
  #source = null;
  #push;
  #ended;
  #budget = new TurnBudget(() => this.#pull());
  #wanted = false;
  #pulling = false;
  #done = false;

  /**
   * @param {(chunk: Buffer) => boolean} push Answers whether more is wanted.
   * @param {() => void} ended Called once, after the last chunk.
   */
  constructor(push, ended) {
    this.#push = push;
    this.#ended = ended;
  }

  /** The bytes come from here. They are handed on behind what the caller still has to do: listeners may throw. */
  attach(reader) {
    this.#source = new Source(reader);
    if (this.#done) this.#source.close();
    else process.nextTick(() => this.#pull());
  }

  /** More is wanted. */
  want() {
    this.#wanted = true;
    this.#pull();
  }

  /** There may be bytes, or the end. */
  signal() {
    if (this.#source !== null) this.#source.waits = false;
    this.#pull();
  }

  /** Nothing more is wanted, ever. */
  close() {
    this.#done = true;
    this.#source?.close();
  }

  /** Whether a chunk is just being pushed. */
  get isPulling() {
    return this.#pulling;
  }

  /** Whether nothing will come any more, or ever has. */
  get isEnded() {
    return this.#source === null || this.#source.isEmpty();
  }

  #pull() {
    if (!this.#wanted || this.#pulling || this.#done || this.#source === null || this.#source.waits) return;
    let ended;
    this.#pulling = true;
    try {
      ended = this.#pullAll();
    } catch (error) {
      // A consumer's listener has thrown. What comes behind that chunk is still to be had.
      setImmediate(() => this.#pull());
      throw error;
    } finally {
      this.#pulling = false;
    }
    if (!ended) return;
    this.#done = true;
    this.#ended();
  }

  /** Pushes all that is there and wanted; answers whether that was the end. */
  #pullAll() {
    const source = this.#source;
    while (this.#wanted && !this.#done && !source.waits && !this.#budget.isSpent()) {
      const chunk = source.take();
      if (chunk !== null) {
        this.#budget.spend(chunk.length);
        this.#wanted = this.#push(chunk);
      }
      if (source.ended) return !this.#done;
    }
    return false;
  }
}

module.exports = { Puller, Source, TurnBudget };
