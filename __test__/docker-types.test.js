'use strict';

/**
 * `types/dockerode.ts` is what callers of dockerode write: it compiles against the types that they
 * have now. Against ours it is compiled with all the others.
 */

const path = require('node:path');

const { node } = require('./helpers/program');

describe('what callers of dockerode write', function types() {
  // It is work, and others may be at work too.
  this.timeout(240_000);
  for (const [whose, folder] of [['theirs', 'types/theirs'], ['ours', 'types']]) {
    it(`compiles against the types that are ${whose}`, async () => {
      const compiler = node([require.resolve('typescript/bin/tsc'), '--noEmit', '-p', path.join(__dirname, folder)]);
      if (await compiler.exit({ ms: 230_000 }) !== 0) throw new Error(compiler.output);
    });
  }
});
