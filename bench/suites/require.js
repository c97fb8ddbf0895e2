'use strict';

const { execFileSync } = require('child_process');
const path = require('path');
const { addonIsBuilt } = require('../lib/programs');
const { median } = require('../lib/stats');
const { fixed, spread, table } = require('../lib/table');

/** Loads a module, and asks for what is loaded when it is asked for. */
const PROBE = `const before = process.memoryUsage.rss(); const began = process.hrtime.bigint();
const loaded = require(process.argv[1]); for (const name of process.argv.slice(2)) loaded[name];
console.log(JSON.stringify([Number(process.hrtime.bigint() - began) / 1e6, (process.memoryUsage.rss() - before) / 1048576]));`;

const ours = () => (addonIsBuilt() ? path.join(__dirname, '../..') : null);

const MODULES = [
  { title: 'ours (server and client)', path: ours, names: ['DockerServer', 'DockerClient'] },
  { title: 'ours (server)', path: ours, names: ['DockerServer'] },
  { title: 'original server', path: () => resolve('docker-exec-websocket-server') },
  { title: 'original client', path: () => resolve('docker-exec-websocket-client') },
  { title: 'ours (`/docker`)', path: () => (addonIsBuilt() ? path.join(__dirname, '../../lib/docker') : null) },
  { title: 'dockerode', path: () => resolve('dockerode') },
];

function resolve(name) {
  try {
    return require.resolve(name);
  } catch {
    return null;
  }
}

/** Time and memory that `require()` takes in a fresh process. */
module.exports = async function requireTime(_context, { quick }) {
  const runs = quick ? 5 : 21;
  const modules = MODULES.map((one) => ({ ...one, file: one.path(), times: [], sizes: [] })).filter(({ file }) => file);
  for (let run = 0; run < runs; run++) {
    for (const { file, names = [], times, sizes } of modules) {
      const [ms, mib] = JSON.parse(execFileSync(process.execPath, ['-e', PROBE, file, ...names], { encoding: 'utf8' }));
      times.push(ms);
      sizes.push(mib);
    }
  }
  console.log(`\n## require() in a fresh process, ${runs} runs\n`);
  console.log(table([
    ['', 'ms, median (range)', 'MiB'],
    ...modules.map(({ title, times, sizes }) => [title, spread(times, median, 1), fixed(median(sizes), 1)]),
  ]));
  return modules.map(({ title, times, sizes }) => ({ title, times, sizes }));
};
