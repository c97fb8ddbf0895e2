'use strict';

const { Sshd } = require('../../scripts/lib/sshd');

/** An ssh server for the tests of a suite; the `Sshd` is `current` of what this gives. */
function useSshd(settings) {
  const use = { current: null };
  before('start an ssh server', async () => {
    use.current = await Sshd.start(settings);
  });
  after('stop it', async () => {
    await use.current?.stop();
  });
  return use;
}

module.exports = { useSshd };
