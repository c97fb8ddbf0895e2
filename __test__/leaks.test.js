'use strict';

/** Many sessions, ended in every way: what they held is given back. */

const assert = require('node:assert/strict');

const { useContainer } = require('./helpers/container');
const { until } = require('./helpers/deadline');
const { fdTargets, threadCount } = require('./helpers/procs');
const { ServerChild } = require('./helpers/serverchild');
const { Peer, CODE } = require('./helpers/wire');

/** The engine starts 15 to 20 commands a second; the benchmark runs 1,000 sessions. */
const SESSIONS = 300;
const AT_ONCE = 100;
const MEMORY_MIB = 24;

/** An engine tells of the end of a command when it has started the hundred others: a minute on a busy machine. */
const SLOW_MS = 150_000;

/** Ways in which a session ends, each a command and what its peer does. */
const ENDINGS = [
  { command: ['true'], leave: (peer) => peer.exit({ ms: SLOW_MS }) },
  { command: ['cat'], leave: async (peer) => {
    await peer.waitFor(CODE.resume, { ms: SLOW_MS });
    peer.stdin('x');
    peer.end();
    await peer.exit({ ms: SLOW_MS });
  } },
  { command: ['cat'], tty: true, leave: async (peer) => {
    await peer.waitFor(CODE.resume, { ms: SLOW_MS });
    peer.terminate();
  } },
  { command: ['sleep', '99999'], leave: (peer) => peer.terminate() },
  { command: ['yes'], leave: async (peer) => {
    await peer.waitFor(CODE.stdout, { ms: SLOW_MS });
    peer.socket.close();
  } },
  { command: ['/no/such/command'], leave: (peer) => peer.exit({ ms: SLOW_MS }) },
];

for (const [how, options] of [['an http server', {}], ['its own listener', { port: 0 }]]) {
  describe(`${SESSIONS} sessions on ${how}`, function leaks() {
    this.timeout(600_000);
    const container = useContainer();
    let server;

    before(async () => {
      server = await ServerChild.start({
        implementation: 'ours',
        containerId: container.id,
        dockerSocket: container.socketPath,
        // The server may notice that a peer has gone after the next one has come.
        maxSessions: 2 * AT_ONCE,
        // A busy machine starts them slowly.
        engineTimeout: SLOW_MS,
        ...options,
      });
    });
    after(async () => {
      if (server) await server.kill();
    });

    /** Starts and ends `total` sessions, `width` at a time. */
    async function run(total, width) {
      let next = 0;
      await Promise.all(Array.from({ length: width }, async () => {
        while (next < total) {
          const { command, tty, leave } = ENDINGS[next % ENDINGS.length];
          next += 1;
          const peer = await Peer.open(server.url, { command, tty });
          await leave(peer);
          await peer.close();
        }
      }));
    }

    async function settled() {
      await until('free slots', async () => await server.sessions() === 0, { ms: 60000, transcript: server.transcript });
      await container.quiet('', { ms: 30000 }).catch((error) => {
        error.message += `\nthe server said: ${JSON.stringify(server.events)}`;
        throw error;
      });
      await server.ask('collect');
    }

    it('leave no descriptor, thread, slot, memory or process behind', async () => {
      await run(AT_ONCE / 2, AT_ONCE / 2);
      await settled();
      const before = { fds: server.fds(), targets: fdTargets(server.pid), threads: threadCount(server.pid), rss: server.rss() };
      await run(SESSIONS, AT_ONCE);
      await settled();
      // Connections to the engine that are kept for the next call close after a while.
      await until('descriptors as before', () => server.fds() <= before.fds, { ms: 60000 }).catch((error) => {
        error.message += `\nbefore: ${before.targets.join('; ')}\nafter: ${fdTargets(server.pid).join('; ')}`;
        throw error;
      });
      assert.ok(threadCount(server.pid) <= before.threads + 4, `${before.threads} threads before, ${threadCount(server.pid)} after`);
      const growth = server.rss() - before.rss;
      assert.ok(growth < MEMORY_MIB, `the server grew by ${growth.toFixed(1)} MiB`);
      const peer = await Peer.open(server.url, { command: ['echo', 'still serving'] });
      assert.equal(await peer.exit(), 0);
      assert.equal(peer.stdout, 'still serving\n');
    });
  });
}
