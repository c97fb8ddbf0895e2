'use strict';

const { transfer } = require('../lib/transfer');

/** Throughput of a command's stdin, and what it costs. */
module.exports = async function input(context, { quick }) {
  const peers = quick ? ['engine', 'original', 'adopted', 'port', 'dew', 'docker']
    : ['engine', 'socat', 'dockerode', 'original', 'adopted', 'port', 'dew', 'docker'];
  const mib = quick ? 50 : 200;
  const bytes = mib * 1024 * 1024;
  const job = {
    name: 'input',
    patience: quick ? 5000 : 10_000, // the original client takes everything at once, and is silent until it is through
    args: { command: ['wc', '-c'], bytes },
    check(result) {
      if (result.code !== 0 || Number(result.text) !== bytes) throw new Error(`wc -c said ${result.text}, exit code ${result.code}`);
    },
  };
  return transfer(`Input: ${mib} MiB to wc -c`, peers, context, job,
    { rounds: quick ? 2 : 7, tries: quick ? 1 : 3 });
};
