'use strict';

const { transfer } = require('../lib/transfer');

/** Throughput of a command's stdin, and what it costs. */
module.exports = async function input(context, { quick }) {
  const peers = ['engine', ...(quick ? [] : ['socat', 'bare', 'bareDew', 'dockerode']), 'original', 'adopted', 'port', 'dew', 'docker'];
  const mib = quick ? 50 : 200;
  const bytes = mib * 1024 * 1024;
  const job = (command, said) => ({
    name: 'input',
    patience: quick ? 5000 : 10_000, // the original client takes everything at once, and is silent until it is through
    args: { command, bytes },
    check(result) {
      if (result.code !== 0 || !said.test(result.text)) throw new Error(`${command.at(-1)} said ${result.text}, exit code ${result.code}`);
    },
  });
  const rounds = { rounds: quick ? 1 : 7, tries: quick ? 1 : 3 };
  const pages = await transfer(`Input: ${mib} MiB to wc -c`, peers, context,
    job(['wc', '-c'], new RegExp(`^${bytes}$`, 'm')), rounds);
  if (quick) return pages;
  // busybox's wc reads a page at a time, and the engine writes one whenever there is room for it: a command that takes
  // more at a time leaves more to the path. The originals hardly ever get through either.
  const pieces = await transfer(`Input: ${mib} MiB to dd, 64 KiB at a time`, peers.filter((peer) => peer !== 'original'), context,
    job(['sh', '-c', 'exec dd of=/dev/null bs=64k iflag=fullblock 2>&1'], new RegExp(`^${bytes / 65536}\\+0 records out$`, 'm')), rounds);
  return { ...pages, pieces };
};
