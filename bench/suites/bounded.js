'use strict';

const { runIn } = require('../lib/container');
const { Stalled } = require('../lib/child');
const { PEERS, withPair } = require('../lib/peers');
const { available } = require('../lib/servers');
const { peakKib, residentKib, resetPeak } = require('../lib/processes');
const { fixed, table } = require('../lib/table');

const MIB = 1024 * 1024;
/** What one session may add to the server's memory. */
const LIMIT_KIB = 4096;
const RANDOM = '/tmp/random';

/** What is moved, for each size: full, usual, quick. */
function cases(full, quick) {
  const out = full ? 500 : quick ? 60 : 500;
  const slow = full ? 500 : quick ? 6 : 40;
  const into = quick ? 50 : 200;
  const pause = quick ? 2 : 5;
  const read = (mib) => ['head', '-c', String(mib * MIB), RANDOM];
  return [
    { title: `${out} MiB out`, job: 'output', args: { command: read(out) }, mib: out },
    { title: `${slow} MiB out at 2 MiB/s`, job: 'output', args: { command: read(slow), rate: 2 * MIB }, mib: slow },
    { title: `${out} MiB out, a stall of ${pause} s`, job: 'output', args: { command: read(out), stall: pause * 1000 }, mib: out },
    { title: `${into} MiB in`, job: 'input', args: { command: ['sha256sum'], bytes: into * MIB }, mib: into },
    {
      title: `${into} MiB in, the command sleeps ${pause} s first`, job: 'input',
      args: { command: ['sh', '-c', `sleep ${pause}; exec sha256sum`], bytes: into * MIB }, mib: into,
    },
  ];
}

/** One case with one peer: whether the bytes are the same, and what the server's memory grew by at most. */
async function measure(name, context, { job, args }, expected) {
  return withPair(name, context, async (pair) => {
    // A first transfer, so that only the session's own memory is new.
    await pair.call('output', { command: ['head', '-c', String(8 * MIB), RANDOM] });
    const idle = residentKib(pair.serverPid);
    resetPeak(pair.serverPid);
    let outcome;
    try {
      const result = await pair.call(job, { ...args, hash: true }, { patience: 15_000 });
      const wanted = job === 'output' ? await expected() : result.text.slice(0, 64);
      outcome = result.code === 0 && result.hash === wanted ? 'identical' : `DIFFERENT (${result.bytes} bytes, exit code ${result.code})`;
    } catch (error) {
      if (!(error instanceof Stalled) && !/lost|client:|ended with/.test(error.message)) throw error;
      outcome = error instanceof Stalled ? `hung after ${fixed(error.progress / MIB, 1)} MiB` : error.message.split('\n')[0];
    }
    return { outcome, idle, growth: Math.max(0, peakKib(pair.serverPid) - idle) };
  });
}

/** Large transfers of random bytes, with fast and slow ends: each byte arrives, and the server's memory stays small. */
module.exports = async function bounded(context, { quick, full }) {
  const names = available(PEERS, quick ? ['adopted'] : ['original', 'adopted', 'port', 'dewNode'], context);
  const list = cases(full, quick);
  const largest = Math.max(...list.filter(({ job }) => job === 'output').map(({ mib }) => mib));
  await runIn(context, ['sh', '-c', `head -c ${largest * MIB} /dev/urandom > ${RANDOM}`]);
  const sums = new Map();
  const results = [];
  for (const one of list) {
    const expected = async () => {
      if (!sums.has(one.mib)) sums.set(one.mib, (await runIn(context, ['sh', '-c', `head -c ${one.mib * MIB} ${RANDOM} | sha256sum`])).slice(0, 64));
      return sums.get(one.mib);
    };
    for (const name of names) results.push({ case: one.title, peer: name, ...await measure(name, context, one, expected) });
  }
  console.log(`\n## Bounded memory: how much a session adds to the server's resident memory (bar: under ${LIMIT_KIB / 1024} MiB)\n`);
  console.log(table([
    ['', 'peer', 'bytes', 'idle MiB', 'growth MiB', 'bar'],
    ...results.map(({ case: title, peer, outcome, idle, growth }) => [
      title, PEERS[peer].title, outcome, fixed(idle / 1024, 1), fixed(growth / 1024, 2),
      growth < LIMIT_KIB && outcome === 'identical' ? 'met' : 'NOT met',
    ]),
  ]));
  return results;
};
