'use strict';

const { transfer } = require('../lib/transfer');
const { fixed } = require('../lib/table');

/** The bars that the product sets itself: of the limit's throughput, and of the originals' processor time. */
const MIN_RATIO = 0.85, MAX_CPU = 0.5;

/** Throughput of a command's output, and what it costs. */
module.exports = async function output(context, { quick }) {
  const peers = quick ? ['engine', 'original', 'adopted', 'port', 'dew', 'docker']
    : ['engine', 'socat', 'dockerode', 'original', 'adopted', 'port', 'dew', 'docker'];
  const mib = quick ? 200 : 500;
  const bytes = mib * 1024 * 1024;
  const job = {
    name: 'output',
    patience: 5000,
    args: { command: ['dd', 'if=/dev/zero', 'bs=1M', `count=${mib}`], bytes },
    check(result) {
      if (result.code !== 0 || result.bytes !== bytes) throw new Error(`${result.bytes} bytes, exit code ${result.code}`);
    },
  };
  const result = await transfer(`Output: dd, ${mib} MiB`, peers, context, job,
    { rounds: quick ? 1 : 7, tries: quick ? 1 : 4 });
  const { engine, original, ...rest } = result.summaries;
  console.log('');
  for (const name of ['adopted', 'port', 'dew'].filter((one) => rest[one] && engine)) {
    const share = rest[name].both / original?.both;
    console.log(`${name}: output ${fixed(rest[name].ratio, 2)} of the limit (bar: at least ${MIN_RATIO}), `
      + `CPU ${fixed(share, 2)} of the originals' (bar: at most ${MAX_CPU}): `
      + `${rest[name].ratio >= MIN_RATIO && share <= MAX_CPU ? 'met' : 'NOT met'}`);
  }
  return result;
};
