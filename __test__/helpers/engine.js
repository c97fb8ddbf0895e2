'use strict';
// Loaded by mocha before the tests (.mocharc.json). `npm test` brings an engine; where mocha is run
// by hand without one, this finds or starts one, and ends it after the last test.

const { openEngine, engineEnv } = require('../../scripts/engine');

let opened = null;

exports.mochaHooks = {
  async beforeAll() {
    opened = await openEngine();
    Object.assign(process.env, engineEnv(opened.engine));
  },

  async afterAll() {
    if (opened) await opened.end();
  },
};
