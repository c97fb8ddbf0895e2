'use strict';

/** The names of the package, in each way to load it. */

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { EventEmitter } = require('node:events');
const path = require('node:path');

const ROOT = path.join(__dirname, '..');

describe('exports', () => {
  const main = require('..');

  it('are the same by require() and by import', async () => {
    const wrapper = await import('../wrapper.mjs');
    const names = Object.keys(wrapper).filter((name) => name !== 'default' && name !== 'module.exports').sort();
    assert.deepEqual(names, Object.keys(main).sort());
    for (const name of names) assert.equal(wrapper[name], main[name], name);
  });

  it('have the new names and the old ones for the same classes', () => {
    assert.equal(typeof main.DockerServer, 'function');
    assert.equal(typeof main.DockerClient, 'function');
    assert.equal(main.DockerExecServer, main.DockerServer);
    assert.equal(main.DockerExecClient, main.DockerClient);
  });

  it('of lib/server.js and lib/client.js are the classes themselves', () => {
    assert.equal(require('../lib/server.js'), main.DockerServer);
    assert.equal(require('../lib/client.js'), main.DockerClient);
  });

  it('are event emitters', () => {
    assert.ok(main.DockerServer.prototype instanceof EventEmitter);
    assert.ok(main.DockerClient.prototype instanceof EventEmitter);
  });

  it('can be loaded by the name of the package, both ways', () => {
    const { name } = require('../package.json');
    const lines = execFileSync(process.execPath, ['--input-type=module', '-e', `
      import { createRequire } from 'node:module';
      import { DockerServer } from '${name}';
      const required = createRequire(process.cwd() + '/x.js')('${name}');
      console.log(required.DockerServer === DockerServer);
      console.log(createRequire(process.cwd() + '/x.js')('${name}/lib/server.js') === DockerServer);
    `], { cwd: ROOT, encoding: 'utf8' });
    assert.equal(lines, 'true\ntrue\n');
  });
});
