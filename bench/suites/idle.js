'use strict';

const { processes, quiet } = require('../lib/container');
const { PEERS, withPair } = require('../lib/peers');
const { available } = require('../lib/servers');
const { residentKib } = require('../lib/processes');
const { fixed, table } = require('../lib/table');

/** Resident memory of server and client with many silent terminals. */
module.exports = async function idle(context, { quick }) {
  const names = available(PEERS, quick ? ['adopted', 'dewNode'] : ['original', 'adopted', 'port', 'dewNode'], context);
  const count = quick ? 30 : 100;
  const results = {};
  for (const name of names) {
    const already = await processes(context);
    const release = async (pair) => {
      await pair.call('release');
      // The originals leave their processes behind; the others need their server to end them.
      if (name !== 'original') await quiet(context, already);
    };
    results[name] = await withPair(name, context, async (pair) => {
      // Some sessions first: what a process keeps after its first ones belongs to no session.
      await pair.call('hold', { count: 10 });
      await release(pair);
      const before = { server: residentKib(pair.serverPid), client: residentKib(pair.clientPid) };
      await pair.call('hold', { count });
      const after = { server: residentKib(pair.serverPid), client: residentKib(pair.clientPid) };
      await release(pair);
      return { count, before, after };
    });
  }
  console.log(`\n## Memory with ${count} idle terminals (server; MiB, and KiB for each)\n`);
  console.log(table([
    ['', 'before', 'with them', 'KiB each', 'client KiB each'],
    ...names.map((name) => {
      const { before, after } = results[name];
      return [
        PEERS[name].title, fixed(before.server / 1024, 1), fixed(after.server / 1024, 1),
        fixed((after.server - before.server) / count, 1), fixed((after.client - before.client) / count, 1),
      ];
    }),
  ]));
  return results;
};
