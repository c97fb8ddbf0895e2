'use strict';

/**
 * When the peer goes, the command goes, with everything that it has started: children
 * that ignore HUP or TERM, background jobs, processes that have left the session or
 * have been re-parented; with and without a terminal, with and without a shell.
 */

const assert = require('node:assert/strict');

const { Docker } = require('..');
const { uniqueSleep, useContainer } = require('./helpers/container');
const { stays, until, within } = require('./helpers/deadline');
const { pairing } = require('./helpers/implementations');
const { useScene } = require('./helpers/scene');
const { CODE } = require('./helpers/wire');

/** Commands in a shell, by what is hard about them; each runs `count` processes with the mark. */
const IN_A_SHELL = {
  'a child': { count: 1, command: (mark) => `sleep ${mark}; :` },
  'a child that ignores HUP': { count: 1, command: (mark) => `trap "" HUP; sleep ${mark}; :` },
  'a shell and a child that ignore HUP, INT and TERM': { count: 1, command: (mark) => `trap "" HUP INT TERM; sleep ${mark}; sleep ${mark}` },
  'a trap on TERM that goes on': { count: 1, command: (mark) => `trap : TERM; while :; do sleep ${mark}; done` },
  'a child in the background': { count: 1, command: (mark) => `sleep ${mark} & cat; :` },
  'a double fork': { count: 1, command: (mark) => `( ( sleep ${mark} & ) & ); cat; sleep 9999999` },
  'a setsid': { count: 1, command: (mark) => `setsid sleep ${mark}; :` },
  'a double fork with setsid': { count: 1, command: (mark) => `( setsid sh -c "sleep ${mark} & sleep ${mark}" & ); sleep 9999999`, },
  'many children': { count: 10, command: (mark) => `for i in 1 2 3 4 5 6 7 8 9 10; do sleep ${mark} & done; wait` },
  'a stopped child': { count: 1, command: (mark) => `sleep ${mark} & kill -STOP $!; wait` },
};

const WITHOUT_A_SHELL = {
  'a plain command': (mark) => ['/bin/sleep', mark],
  'a command behind another': (mark) => ['/bin/env', 'A=b', '/bin/sleep', mark],
};

describe('the end of a peer', () => {
  for (const tty of [false, true]) {
    describe(tty ? 'with a tty' : 'without a tty', () => {
      describe('in an image with a shell', () => {
        const container = useContainer();
        const scene = useScene(pairing('ours', 'ours'), container);

        for (const [what, { count, command }] of Object.entries(IN_A_SHELL)) {
          it(`ends ${what}`, async () => {
            const mark = uniqueSleep();
            const { server } = await scene.serve({ killGrace: 500 });
            const peer = await scene.peer({ command: ['sh', '-c', command(mark)], tty });
            // The shell has the mark in its own command line.
            await until('processes', async () => (await container.running(mark)).length > count, { transcript: peer.transcript });
            peer.terminate();
            await until('free slot', () => server.sessions.length === 0);
            await container.quiet();
          });
        }

        it('ends a command that is waiting for its peer to read', async () => {
          const peer = await scene.peer({ command: ['yes'], tty });
          await peer.waitFor(CODE.resume);
          peer.send(CODE.pause);
          await container.started('yes');
          peer.terminate();
          await container.quiet();
        });

        it('ends the jobs of an interactive shell', async () => {
          const mark = uniqueSleep();
          const peer = await scene.peer({ command: ['sh', '-i'], tty });
          peer.stdin(`sleep ${mark} &\nsleep ${mark} &\n( setsid sleep ${mark} & )\necho mar''ker\n`);
          // The terminal echoes what is typed, with the quotes.
          await peer.sees('marker');
          await until('three jobs', async () => (await container.running(`sleep ${mark}`)).length === 3);
          peer.socket.close();
          await container.quiet();
        });
      });

      describe('in an image without a shell', () => {
        const container = useContainer({ image: 'bare' });
        const scene = useScene(pairing('ours', 'ours'), container);

        for (const [what, command] of Object.entries(WITHOUT_A_SHELL)) {
          it(`ends ${what}`, async () => {
            const mark = uniqueSleep();
            const peer = await scene.peer({ command: command(mark), tty });
            await container.started(mark);
            peer.terminate();
            await container.quiet();
          });
        }
      });
    });
  }

  describe('and other ends', () => {
    const container = useContainer();
    const scene = useScene(pairing('ours', 'ours'), container);

    it('leave other sessions of the same container alone', async () => {
      const [gone, kept] = [uniqueSleep(), uniqueSleep()];
      const first = await scene.peer({ command: ['sh', '-c', `sleep ${gone} & sleep ${gone}`] });
      const second = await scene.peer({ command: ['sh', '-c', `sleep ${kept} & cat`] });
      await container.started(gone);
      await container.started(kept);
      first.terminate();
      await container.quiet(gone);
      assert.ok((await container.running(kept)).length > 0);
      second.stdin('unharmed');
      await second.sees('unharmed');
    });

    /** Outlives its peer; its terminal hung up, it goes on with `sleep`. */
    const stubborn = (mark) => ['sh', '-c', `trap "" HUP TERM; yes; sleep ${mark}`];
    const printing = async (mark) => {
      const living = await container.running(mark);
      return living.length > 1 && living.every(({ args }) => args.startsWith('sh ')) && living;
    };
    const outputWaits = (mark) => until('output that waits to be read', async () => {
      const living = await printing(mark);
      return living && living.every(({ stat }) => stat.startsWith('S'));
    });

    async function stubbornPeer(mark) {
      const peer = await scene.peer({ command: stubborn(mark), tty: true });
      await peer.waitFor(CODE.stdout);
      peer.send(CODE.pause);
      await outputWaits(mark);
      return peer;
    }

    async function staysUnharmed(mark) {
      await stays('not hung up', () => printing(mark), 1000);
      await container.exec(['sh', '-c', 'kill -KILL -1']);
      await container.quiet(mark);
    }

    const TERMINALS = 4; // more than may miss the number that the first one had

    it('leave other terminals of the same container alone, also of one that prints and outlives its peer', async () => {
      const { server } = await scene.serve({ killGrace: 5000 });
      const mark = uniqueSleep();
      const first = await stubbornPeer(mark);
      first.terminate();
      await until('free slot', () => server.sessions.length === 0);
      const others = await Promise.all(Array.from({ length: TERMINALS }, async () => {
        const peer = await scene.peer({ command: ['sh', '-c', 'stty raw -echo; echo ready; exec cat'], tty: true });
        await peer.sees('ready');
        return peer;
      }));
      assert.ok((await container.running(mark)).length > 0, 'it has outlived its peer');
      await container.quiet(mark);
      for (const peer of others) {
        peer.stdin('unharmed');
        await peer.sees('unharmed');
      }
    });

    it('leave a printing terminal to itself where that is asked for', async () => {
      const { server } = await scene.serve({ onDisconnect: 'leave' });
      const mark = uniqueSleep();
      const peer = await stubbornPeer(mark);
      peer.terminate();
      await within('close()', server.close());
      await staysUnharmed(mark);
    });

    it('leave a printing terminal of `Docker` to itself', async () => {
      const mark = uniqueSleep();
      const attached = { AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: true };
      const docker = new Docker({ socketPath: container.socketPath });
      const exec = await docker.getContainer(container.id).exec({ ...attached, Cmd: stubborn(mark) });
      const stream = await exec.start({ hijack: true, stdin: true, Tty: true });
      await outputWaits(mark);
      stream.destroy();
      await staysUnharmed(mark);
    });

    for (const [when, moment] of [
      ['before its command runs', () => {}],
      ['when it hears that its command runs', (peer) => peer.waitFor(CODE.resume, { ms: 50000 })],
    ]) {
      it(`leave nothing behind when a peer goes ${when}, forty times at once`, async function forty() {
        this.timeout(240_000); // a busy machine starts them slowly
        const { server } = await scene.serve({ maxSessions: 40 });
        const mark = uniqueSleep();
        const errors = [];
        server.on('error', (error) => errors.push(`${error.code} ${error.message}`));
        await Promise.all(Array.from({ length: 40 }, async (_, number) => {
          const peer = await scene.peer({ command: ['sleep', mark], tty: number % 2 === 0 });
          await moment(peer);
          peer.terminate();
        }));
        await until('free slots', () => server.sessions.length === 0, { ms: 50000 });
        // Its promise says that every command has ended, also one whose start was under way.
        await within('close()', server.close(), { ms: 50000, transcript: errors });
        await stays('nothing left', async () => (await container.running(mark)).length === 0, 2000, { transcript: errors });
      });
    }

    it('leave processes alone that were started beside the server', async () => {
      const [mine, other] = [uniqueSleep(), uniqueSleep()];
      await container.exec(['sh', '-c', `sleep ${other} >/dev/null 2>&1 </dev/null &`]);
      const peer = await scene.peer({ command: ['sleep', mine] });
      await container.started(mine);
      peer.terminate();
      await container.quiet(mine);
      assert.equal((await container.running(other)).length, 1);
    });

    it('come in order when the client closes: the command is gone when close() of the server resolves', async () => {
      const { server } = await scene.serve();
      const mark = uniqueSleep();
      const peer = await scene.peer({ command: ['sh', '-c', `trap "" HUP; sleep ${mark}`], tty: true });
      await container.started(mark);
      peer.terminate();
      await within('close()', server.close());
      assert.deepEqual(await container.running(mark), []);
    });
  });
});
