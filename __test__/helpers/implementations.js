'use strict';

/**
 * Who plays the server and who plays the client.
 *
 * The suite runs over three pairings: the original server with our client, our server
 * with the original client, and ours with ours. For a look at how the originals behave,
 *   DEW_TEST_PAIRINGS=old+old    (server+client, comma separated) chooses other pairings, and
 *   DEW_TEST_IMPLEMENTATION=old  runs the tests of defects.test.js against the originals.
 */

const { createRequire } = require('node:module');
const path = require('node:path');

const ROOT = path.join(__dirname, '..', '..');

/**
 * The library under the original server drops the output that comes in one packet with the engine's
 * answer, as it does now and then of a quick command where the machine is busy; later versions of it
 * do what is done here. The original's own defects are another matter.
 */
function keepWhatComesWithTheUpgrade() {
  const { http } = createRequire(require.resolve('docker-exec-websocket-server'))('docker-modem/lib/http');
  if (patched.has(http)) return;
  patched.add(http);
  const { request } = http;
  http.request = (...args) => request(...args).prependListener('upgrade', (response, socket, head) => {
    if (head.length > 0) socket.unshift(head);
  });
}

const patched = new WeakSet();

const implementations = {
  ours: {
    get Server() {
      return require(ROOT).DockerServer;
    },
    get Client() {
      return require(ROOT).DockerClient;
    },
  },
  old: {
    get Server() {
      keepWhatComesWithTheUpgrade();
      return require('docker-exec-websocket-server').DockerExecServer;
    },
    get Client() {
      return require('docker-exec-websocket-client').DockerExecClient;
    },
  },
};

const NAMES = { ours: 'ours', old: 'the original' };

function pairing(server, client) {
  return {
    title: `server: ${NAMES[server]}, client: ${NAMES[client]}`,
    server,
    client,
    get Server() {
      return implementations[server].Server;
    },
    get Client() {
      return implementations[client].Client;
    },
  };
}

function pairings() {
  const wanted = process.env.DEW_TEST_PAIRINGS || 'old+ours,ours+old,ours+ours';
  return wanted.split(',').map((pair) => pairing(...pair.split('+')));
}

/** The implementation under test where only one is: 'ours' unless the environment says 'old'. */
function subject() {
  return process.env.DEW_TEST_IMPLEMENTATION || 'ours';
}

/**
 * The original client gives exit codes as signed bytes (200 is -56). Only there they are
 * put back to 0-255; whatever else a client says stands as it is.
 */
function exitCode(client, code) {
  return client === 'old' ? code & 0xff : code;
}

module.exports = { implementations, pairing, pairings, subject, exitCode };
