'use strict';

/** Commands whose start has no proper outcome: the engine may have begun them all the same. */

const assert = require('node:assert/strict');
const net = require('node:net');

const { uniqueSleep, useContainer } = require('./helpers/container');
const { until } = require('./helpers/deadline');
const { useFakeEngines } = require('./helpers/fake-engine');
const { pairing } = require('./helpers/implementations');
const { useScene } = require('./helpers/scene');
const { CODE } = require('./helpers/wire');

describe('a command that may have been started', () => {
  const container = useContainer();
  const scene = useScene(pairing('ours', 'ours'), container);
  const fake = useFakeEngines();

  /** The engine behind a proxy: `asked(bytes)` is what it is asked, `told(bytes)` what is told; null holds it back. */
  async function proxied({ asked = (bytes) => bytes, told = (bytes) => bytes }) {
    const proxy = await fake((socket) => {
      const engine = net.connect(container.socketPath);
      const state = {};
      socket.on('data', (bytes) => {
        proxy.exec ??= /exec\/(\w+)\/start/.exec(bytes)?.[1];
        engine.write(asked(bytes, state));
      });
      engine.on('data', (bytes) => {
        const passed = told(bytes, state);
        if (passed !== null) socket.write(passed);
      });
      for (const [one, other] of [[socket, engine], [engine, socket]]) one.on('error', () => {}).on('close', () => other.destroy());
    }, { raw: true });
    return proxy;
  }

  /** Waits until an exec is over; one that was never begun has no exit code. */
  const over = (exec) => until('end of the command', async () => {
    const { Running, ExitCode } = await container.docker.getExec(exec).inspect();
    return !Running && ExitCode !== null;
  });

  async function failing(engine, code) {
    const errors = [];
    const { server } = await scene.serve({ container: { id: container.id, socketPath: engine.socketPath }, engineTimeout: 2000, killGrace: 100 });
    server.on('error', (error) => errors.push(error.code));
    const seconds = uniqueSleep();
    const peer = await scene.peer({ command: ['sleep', seconds] });
    await peer.waitFor(CODE.error);
    assert.equal((await peer.close()).code, 1011);
    await over(engine.exec);
    assert.deepEqual(errors, [code]);
    await container.quiet(`sleep ${seconds}`);
  }

  it('is ended when the answer to its start does not come in time', async () => {
    const engine = await proxied({
      asked: (bytes, state) => {
        state.starts ||= bytes.includes('/start HTTP');
        return bytes;
      },
      told: (bytes, { starts }) => (starts ? null : bytes),
    });
    await failing(engine, 'DEW_ENGINE_UNREACHABLE');
  });

  it('is ended when a proxy has removed the upgrade', async () => {
    const engine = await proxied({
      asked: (bytes) => (bytes.includes('/start HTTP') ? Buffer.from(String(bytes).replace(/upgrade: tcp\r\n/i, '').replace(/connection: upgrade\r\n/i, '')) : bytes),
    });
    await failing(engine, 'DEW_ENGINE_PROTOCOL');
  });

  it('is ended where its processes can be seen, although the engine is gone', async () => {
    const engine = await proxied({});
    const { server } = await scene.serve({ container: { id: container.id, socketPath: engine.socketPath }, killGrace: 100 });
    const seconds = uniqueSleep();
    const peer = await scene.peer({ command: ['sleep', seconds] });
    await peer.waitFor(CODE.resume);
    await container.started(`sleep ${seconds}`);
    engine.server.close();
    engine.cut();
    await peer.waitFor(CODE.error);
    await until('end of the session', () => server.sessions.length === 0);
    await container.quiet(`sleep ${seconds}`);
  });
});
