'use strict';

const assert = require('assert');
const { Puller } = require('../lib/pull');

const [ASK, WAIT, END] = [0, 1, 2];
const MIB = 1024 * 1024;
// One chunk may go beyond what a turn is to hand on.
const SLAB = 256 * 1024;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A reader of the addon's that answers with `[bytes, next]`, in turn, and the last of them from then on. */
function readerOf(...answers) {
  const reader = { calls: 0, isEnded: () => false, close() {}, pull };
  return reader;
  function pull(slab, offset) {
    assert.ok(reader.calls < 1000, 'it is asked again and again');
    const [bytes, next] = answers[Math.min(reader.calls++, answers.length - 1)];
    const count = typeof bytes === 'number' ? Math.min(bytes, slab.length - offset) : slab.write(bytes, offset);
    return count << 2 | next;
  }
}

/** What is pulled out of `reader` by somebody who wants all there is; `onChunk` may throw. */
function pulled(reader, onChunk = () => {}) {
  const seen = { chunks: [], bytes: 0, ends: 0 };
  const puller = new Puller((chunk) => {
    seen.bytes += chunk.length;
    if (seen.chunks.length < 10) seen.chunks.push(chunk.toString('latin1', 0, 10));
    onChunk(chunk);
    return true;
  }, () => { seen.ends++; });
  puller.want();
  puller.attach(reader);
  return { puller, seen };
}

describe('pulling from the addon', () => {
  it('takes one call for each key', async () => {
    const reader = readerOf(['a', WAIT], ['b', WAIT], ['', WAIT]);
    const { puller, seen } = pulled(reader);
    await turn();
    assert.deepStrictEqual([seen.chunks, reader.calls], [['a'], 1]);
    puller.want();
    assert.strictEqual(reader.calls, 1, 'there is nothing before the signal');
    puller.signal();
    assert.deepStrictEqual([seen.chunks, reader.calls], [['a', 'b'], 2]);
    puller.signal();
    assert.deepStrictEqual([seen.chunks, reader.calls], [['a', 'b'], 3]);
  });

  it('comes to the end together with the last bytes', async () => {
    const reader = readerOf(['a', ASK], ['last', END]);
    const { puller, seen } = pulled(reader);
    await turn();
    puller.signal();
    assert.deepStrictEqual([seen.chunks, seen.ends, reader.calls], [['a', 'last'], 1, 2]);
  });

  it('goes on behind a listener that throws', async () => {
    const { puller, seen } = pulled(readerOf(['', WAIT], ['a', ASK], ['b', ASK], ['last', END]), (chunk) => {
      if (chunk.toString() === 'a') throw new Error(`at ${chunk}`);
    });
    await turn();
    assert.throws(() => puller.signal(), /at a/);
    await turn();
    assert.deepStrictEqual([seen.chunks, seen.ends], [['a', 'b', 'last'], 1]);
  });

  it('comes to the end behind a listener that throws at the last bytes', async () => {
    const { puller, seen } = pulled(readerOf(['', WAIT], ['last', END], ['', END]), () => { throw new Error('thrown'); });
    await turn();
    assert.throws(() => puller.signal(), /thrown/);
    await turn();
    assert.deepStrictEqual([seen.chunks, seen.ends], [['last'], 1]);
  });

  it('hands on about 1 MiB in a turn of the event loop, whatever came before', async () => {
    const small = Array(40).fill([10_000, WAIT]);
    const { puller, seen } = pulled(readerOf(...small, [MIB, ASK]));
    for (let count = 0; count < small.length; count++) {
      puller.signal();
      await turn();
    }
    assert.strictEqual(seen.bytes, 400_000);
    puller.signal();
    for (let before = 400_000, round = 0; round < 5; round++) {
      const inTurn = seen.bytes - before;
      assert.ok(inTurn > 0 && inTurn <= MIB + SLAB, `${inTurn} bytes in turn ${round}`);
      before = seen.bytes;
      await turn();
    }
    puller.close();
  });
});
