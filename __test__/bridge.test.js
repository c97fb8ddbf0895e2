'use strict';

/** A client whose connection Node makes: what the server said last must not go with its end. */

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const http = require('node:http');
const { Duplex } = require('node:stream');

const { DockerClient } = require('..');
const { within } = require('./helpers/deadline');
const { frame, OPCODE } = require('./helpers/tcp');
const { CODE } = require('./helpers/wire');

const MIB = 1024 * 1024;
const ACCEPT_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** The connection to a server that says everything in one piece, and ends with it. */
function connectionTo(...messages) {
  const pieces = [];
  return new Duplex({
    read() {
      while (pieces.length > 0) this.push(pieces.shift());
    },
    write(chunk, _encoding, callback) {
      callback();
      const key = /^sec-websocket-key: *(\S+)/im.exec(chunk.toString('latin1'));
      if (!key) return;
      const accept = crypto.createHash('sha1').update(key[1] + ACCEPT_GUID).digest('base64');
      pieces.push(Buffer.concat(messages.map((payload) => frame(OPCODE.binary, Buffer.from(payload), { mask: false }))), null);
      this.push('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
        + `Sec-WebSocket-Accept: ${accept}\r\n\r\n`);
    },
  });
}

describe('a bridge', () => {
  it('hands on the last piece of a stream that ends while it is paused', async () => {
    const connection = connectionTo(
      [CODE.resume], Buffer.concat([Buffer.from([CODE.stdout]), Buffer.alloc(4 * MIB, 'x')]), [CODE.stopped, 7],
    );
    const agent = new http.Agent();
    agent.createConnection = () => connection;
    const client = new DockerClient({
      url: 'ws://server.example/shell', tty: false, command: 'true', outputLimit: 4096,
      wsopts: { agent },
    });
    const exit = new Promise((resolve, reject) => client.on('exit', resolve).on('error', reject));
    await client.execute();
    let bytes = 0;
    client.stdout.on('data', (chunk) => { bytes += chunk.length; });
    client.stderr.resume();
    assert.equal(await within('exit code', exit), 7);
    assert.equal(bytes, 4 * MIB);
  });
});
