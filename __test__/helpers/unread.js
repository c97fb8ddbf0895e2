'use strict';

const assert = require('node:assert/strict');

const { atRest } = require('./deadline');
const { CODE } = require('./wire');

/** Runs a command for each of `sizes`, which prints so many bytes to a peer that takes none until the engine keeps none: all arrive. */
async function outputIsKept(scene, container, sizes) {
  const peers = await Promise.all(sizes.map(async (size) => {
    const peer = await scene.peer({ command: ['sh', '-c', `read go; head -c ${size} /dev/zero`] });
    await peer.waitFor(CODE.resume);
    peer.send(CODE.pause);
    peer.stdin('go\n');
    return peer;
  }));
  // dockerd closes the output two seconds after the command's end.
  await atRest('commands', async () => (await container.running('/dev/zero')).length, { still: 2500 });
  for (const peer of peers) peer.send(CODE.resume);
  const codes = await Promise.all(peers.map((peer) => peer.exit()));
  assert.deepEqual(codes, sizes.map(() => 0));
  assert.deepEqual(peers.map((peer) => peer.bytes(CODE.stdout).length), sizes);
}

module.exports = { outputIsKept };
