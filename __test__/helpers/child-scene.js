'use strict';

/**
 * A server process with a session that is not part of the test: whatever happens to
 * others, that session must go on.
 */

const { within } = require('./deadline');
const { ServerChild } = require('./serverchild');
const { Peer, CODE } = require('./wire');

class ChildScene {
  static async start({ implementation, container, ...options }) {
    const server = await ServerChild.start({
      implementation,
      containerId: container.id,
      dockerSocket: container.socketPath,
      ...options,
    });
    const scene = new ChildScene(server);
    try {
      scene.bystander = await scene.peer({ command: 'cat' });
      await scene.bystander.waitFor(CODE.resume);
    } catch (error) {
      await scene.end();
      throw error;
    }
    return scene;
  }

  constructor(server) {
    this.server = server;
    this.peers = [];
    this.said = 0;
  }

  async peer(options) {
    const peer = await Peer.open(this.server.url, options);
    this.peers.push(peer);
    return peer;
  }

  /** Fails as soon as the server process is gone, instead of waiting for what will never come. */
  async orCrash(promise) {
    const crash = this.server.exited.then(({ code, signal }) => {
      throw new Error(`the server process ended with ${signal || code}\n${this.server.transcript}`);
    });
    return Promise.race([promise, crash]);
  }

  /** The server process lives and its other session still echoes. */
  async unharmed() {
    this.said += 1;
    const word = `word-${this.said}.`;
    this.bystander.stdin(word);
    await this.orCrash(this.bystander.sees(word));
  }

  async end() {
    for (const peer of this.peers) peer.terminate();
    await within('end of the server process', this.server.kill());
  }
}

/** `holder.start(options)` gives a ChildScene that ends after the test. */
function useChildScene() {
  const scenes = [];
  afterEach('end the server process', async () => {
    while (scenes.length > 0) await scenes.pop().end();
  });
  return {
    async start(options) {
      const scene = await ChildScene.start(options);
      scenes.push(scene);
      return scene;
    },
  };
}

module.exports = { ChildScene, useChildScene };
