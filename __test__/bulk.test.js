'use strict';

/**
 * Many bytes, each of them right: hashes on both sides, with fast, slow and stalling peers,
 * while server and client keep their size.
 */

const assert = require('node:assert/strict');
const crypto = require('node:crypto');

const { startClient } = require('./helpers/clientchild');
const { useContainer } = require('./helpers/container');
const { stall, timed, within } = require('./helpers/deadline');
const { rssMiB } = require('./helpers/procs');
const { ServerChild } = require('./helpers/serverchild');
const { Peer, CODE } = require('./helpers/wire');

const MIB = 1024 * 1024;

/** A guard against memory that grows with the bytes moved; the exact figure is the bench's to give. */
const MEMORY_MIB = 64;

/** Prints `size` random bytes on stdout and their MD5 on stderr: in small pieces, as they are made. */
const inPieces = (size) => ['sh', '-c',
  `f=/tmp/f$$; mkfifo $f; md5sum <$f >&2 & head -c ${size} /dev/urandom | tee $f; wait; rm $f`];

/** The same in large pieces, when all are made; `size` is in whole MiB. */
const random = (size) => ['sh', '-c',
  `f=/tmp/f$$; dd if=/dev/urandom of=$f bs=${MIB} count=${size / MIB} 2>/dev/null; md5sum <$f >&2; dd if=$f bs=64k 2>/dev/null; rm $f`];

/**
 * For a client's script: `grown()` is by how many MiB the process grew at most. Garbage is collected
 * before each look, since runtimes differ by tens of megabytes in how much of it they let lie.
 */
const WATCH_CLIENT = `
  const rss = () => { gc(); return process.memoryUsage.rss() / ${MIB}; };
  const before = rss();
  let most = before;
  const timer = setInterval(() => { most = Math.max(most, rss()); }, 50);
  const grown = () => { clearInterval(timer); return most - before; };
`;

const watching = new Set();

/** Takes a look at a process's size now and then; what it returns gives by how much it grew at most. */
function watchMemory(pid) {
  const before = rssMiB(pid);
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, rssMiB(pid));
  }, 50);
  watching.add(timer);
  return () => {
    clearInterval(timer);
    return most - before;
  };
}

describe('bulk', function bulk() {
  this.timeout(180000);
  const container = useContainer();
  let server;

  before(async () => {
    server = await ServerChild.start({
      implementation: 'ours', containerId: container.id, dockerSocket: container.socketPath, closeTimeout: 1000,
    });
    // The first session brings code and buffers in that stay.
    const warm = await Peer.open(server.url, { command: random(MIB) });
    await warm.exit();
  });
  // A test that failed has not stopped its own.
  afterEach(() => {
    for (const timer of watching) clearInterval(timer);
    watching.clear();
  });
  after(async () => {
    if (server) await server.kill();
  });

  /** Receives `bytesOf(size)` with a raw peer, which `slow` may hold up, and compares hashes. */
  async function receive(size, { bytesOf = random, slow = () => {} } = {}) {
    const grown = watchMemory(server.pid);
    const peer = await Peer.open(server.url, { command: bytesOf(size) });
    try {
      const hash = crypto.createHash('md5');
      let bytes = 0;
      peer.socket.on('message', (data) => {
        if (data[0] !== CODE.stdout) return;
        hash.update(data.subarray(1));
        bytes += data.length - 1;
        peer.messages.pop();
      });
      slow(peer, () => bytes);
      assert.equal(await peer.exit({ ms: 120000 }), 0);
      assert.equal(bytes, size);
      assert.equal(hash.digest('hex'), peer.stderr.slice(0, 32));
    } finally {
      peer.terminate();
    }
    const growth = grown();
    assert.ok(growth < MEMORY_MIB, `the server grew by ${growth.toFixed(1)} MiB`);
  }

  it('500 MiB out to a client, byte-identical', async () => {
    const size = 500 * MIB;
    const grown = watchMemory(server.pid);
    const client = startClient({
      implementation: 'ours',
      url: server.url,
      execArgv: ['--expose-gc'],
      script: `
        const crypto = require('node:crypto');
        const client = new Client({ url, tty: false, command: ${JSON.stringify(random(size))} });
        await client.execute();
        const hash = crypto.createHash('md5');
        let [bytes, told] = [0, ''];
        ${WATCH_CLIENT}
        client.stdout.on('data', (chunk) => { bytes += chunk.length; hash.update(chunk); });
        client.stderr.on('data', (chunk) => { told += chunk; });
        client.on('exit', (code) => {
          say(JSON.stringify({ code, bytes, same: hash.digest('hex') === told.slice(0, 32), grown: grown() }));
        });
      `,
    });
    try {
      await within('end of the client', client.exited, { ms: 120000, transcript: client.transcript });
    } finally {
      client.child.kill('SIGKILL');
    }
    const result = JSON.parse(client.lines[0]);
    assert.deepEqual({ ...result, grown: undefined }, { code: 0, bytes: size, same: true, grown: undefined });
    assert.ok(result.grown < MEMORY_MIB, `the client grew by ${result.grown.toFixed(1)} MiB`);
    const growth = grown();
    assert.ok(growth < MEMORY_MIB, `the server grew by ${growth.toFixed(1)} MiB`);
  });

  it('200 MiB in from a client, byte-identical', async () => {
    const grown = watchMemory(server.pid);
    const client = startClient({
      implementation: 'ours',
      url: server.url,
      execArgv: ['--expose-gc'],
      script: `
        const crypto = require('node:crypto');
        const { pipeline } = require('node:stream/promises');
        const client = new Client({ url, tty: false, command: ['md5sum'] });
        await client.execute();
        const hash = crypto.createHash('md5');
        let told = '';
        ${WATCH_CLIENT}
        client.stdout.on('data', (chunk) => { told += chunk; });
        client.stderr.resume();
        client.on('exit', (code) => {
          say(JSON.stringify({ code, same: hash.digest('hex') === told.slice(0, 32), grown: grown() }));
        });
        await pipeline(async function* () {
          // Used again and again: garbage of the test's own would count as the client's.
          const blocks = Array.from({ length: 4 }, () => crypto.randomBytes(${MIB}));
          for (let count = 0; count < 200; count += 1) {
            const block = blocks[count % blocks.length];
            block.writeUInt32LE(count, 0);
            hash.update(block);
            yield block;
          }
        }, client.stdin);
      `,
    });
    try {
      await within('end of the client', client.exited, { ms: 120000, transcript: client.transcript });
    } finally {
      client.child.kill('SIGKILL');
    }
    const result = JSON.parse(client.lines[0]);
    assert.deepEqual({ ...result, grown: undefined }, { code: 0, same: true, grown: undefined });
    assert.ok(result.grown < MEMORY_MIB, `the client grew by ${result.grown.toFixed(1)} MiB`);
    const growth = grown();
    assert.ok(growth < MEMORY_MIB, `the server grew by ${growth.toFixed(1)} MiB`);
  });

  it('200 MiB out to a raw peer, byte-identical', () => receive(200 * MIB, { bytesOf: inPieces }));

  it('12 MiB out at 2 MiB/s, byte-identical', () => receive(12 * MIB, { slow: (peer, bytes) => {
    const started = Date.now();
    peer.socket.on('message', () => {
      const ahead = (bytes() / (2 * MIB)) * 1000 - (Date.now() - started);
      if (ahead < 5 || peer.socket.isPaused) return;
      peer.socket.pause();
      setTimeout(() => peer.socket.resume(), ahead);
    });
  } }));

  it('100 MiB out past a stall of 5 s, longer than closeTimeout, byte-identical', async () => {
    const { ms } = await timed(() => receive(100 * MIB, { slow: (peer) => peer.socket.once('message', async () => {
      peer.socket.pause();
      await stall(5000);
      peer.socket.resume();
    }) }));
    assert.ok(ms > 5000, `nothing was stalled: ${ms} ms`);
  });

  it('32 MiB in for a command that stalls first, byte-identical', async () => {
    const grown = watchMemory(server.pid);
    const peer = await Peer.open(server.url, { command: ['sh', '-c', 'sleep 2; md5sum'] });
    try {
      const hash = crypto.createHash('md5');
      for (let count = 0; count < 32; count += 1) {
        const block = crypto.randomBytes(MIB);
        hash.update(block);
        peer.stdin(block);
      }
      peer.end();
      assert.equal(await peer.exit({ ms: 60000 }), 0);
      assert.equal(peer.stdout.slice(0, 32), hash.digest('hex'));
      assert.ok(peer.of(CODE.pause).length > 0, 'the peer was never asked to pause');
    } finally {
      peer.terminate();
    }
    const growth = grown();
    assert.ok(growth < MEMORY_MIB, `the server grew by ${growth.toFixed(1)} MiB`);
  });

  it('both directions at once, 50 MiB each, byte-identical', async () => {
    const client = startClient({
      implementation: 'ours',
      url: server.url,
      script: `
        const crypto = require('node:crypto');
        const { pipeline } = require('node:stream/promises');
        const client = new Client({ url, tty: false, command: ['cat'] });
        await client.execute();
        const [sent, got] = [crypto.createHash('md5'), crypto.createHash('md5')];
        let bytes = 0;
        client.stdout.on('data', (chunk) => { bytes += chunk.length; got.update(chunk); });
        client.stderr.resume();
        client.on('exit', (code) => say(JSON.stringify({ code, bytes, same: sent.digest('hex') === got.digest('hex') })));
        await pipeline(async function* () {
          for (let count = 0; count < 50; count += 1) {
            const block = crypto.randomBytes(${MIB});
            sent.update(block);
            yield block;
          }
        }, client.stdin);
      `,
    });
    try {
      await within('end of the client', client.exited, { ms: 60000, transcript: client.transcript });
    } finally {
      client.child.kill('SIGKILL');
    }
    assert.deepEqual(JSON.parse(client.lines[0]), { code: 0, bytes: 50 * MIB, same: true });
  });
});
