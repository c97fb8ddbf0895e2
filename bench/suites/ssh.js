'use strict';

const { Sshd } = require('../../scripts/lib/sshd');
const tools = require('../../scripts/lib/tools');
const { addonIsBuilt } = require('../lib/programs');
const { available, installed } = require('../lib/servers');
const { median } = require('../lib/stats');
const { fixed, spread, table } = require('../lib/table');

const WIDTHS = [1, 8];

/** Clients of the engine's API, and how many calls each makes in a round: full, quick. */
const CLIENTS = {
  socket: {
    title: 'ours, unix socket',
    counts: [4000, 1000],
    unless: () => (addonIsBuilt() ? null : 'the addon is not built'),
    open: ({ socketPath }) => new (require('../..').Docker)({ socketPath }),
  },
  ours: {
    title: 'ours, ssh',
    counts: [4000, 1000],
    unless: () => (addonIsBuilt() ? null : 'the addon is not built'),
    open: ({ socketPath, sshd }) => new (require('../..').Docker)({
      protocol: 'ssh', host: `engine${socketPath}`, sshOptions: sshd.options(),
    }),
  },
  sessions: {
    title: 'ours, ssh without forwarding',
    counts: [4000, 1000],
    unless: () => (addonIsBuilt() ? null : 'the addon is not built'),
    open: ({ socketPath, closed }) => new (require('../..').Docker)({
      protocol: 'ssh', host: `engine${socketPath}`, sshOptions: closed.options(),
    }),
  },
  dockerode: {
    title: 'dockerode, ssh',
    counts: [80, 24],
    unless: () => (installed('dockerode') ? null : 'dockerode is not installed'),
    open: ({ sshd }) => new (require('dockerode'))({
      protocol: 'ssh', host: '127.0.0.1', port: sshd.port, username: require('os').userInfo().username,
      sshOptions: { privateKey: require('fs').readFileSync(sshd.at('id')) },
    }),
  },
};

/** Calls a second, `width` at once; a call that fails is counted apart. */
async function measure(docker, width, count) {
  let left = count;
  let failed = 0;
  const worker = async () => {
    while (left-- > 0) await docker.ping().catch(() => { failed += 1; });
  };
  const began = process.hrtime.bigint();
  await Promise.all(Array.from({ length: width }, worker));
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  return { rate: (count - failed) / seconds, failed };
}

/** Small calls to an engine behind an ssh server of this machine. */
module.exports = async function ssh({ engine }, { quick }) {
  const missing = ['ssh', 'sshd'].find((name) => !tools.find(name));
  if (missing || !engine.socketPath) {
    console.log(`\n(ssh: not measured: ${missing ? `there is no ${missing}` : 'the engine has no socket here'})`);
    return null;
  }
  const kinds = available(CLIENTS, Object.keys(CLIENTS), {});
  const rounds = quick ? 1 : 5;
  // What dockerode runs there asks the environment for the engine.
  const environment = { DOCKER_HOST: `unix://${engine.socketPath}` };
  const sshd = await Sshd.start([], environment);
  const closed = await Sshd.start(['AllowStreamLocalForwarding no'], environment);
  const results = Object.fromEntries(kinds.map((kind) => [kind, Object.fromEntries(WIDTHS.map((width) => [width, []]))]));
  try {
    const place = { socketPath: engine.socketPath, sshd, closed };
    const dockers = Object.fromEntries(kinds.map((kind) => [kind, CLIENTS[kind].open(place)]));
    for (const kind of kinds) await dockers[kind].ping();
    for (let round = 0; round < rounds; round++) {
      for (const kind of kinds) {
        for (const width of WIDTHS) {
          results[kind][width].push(await measure(dockers[kind], width, CLIENTS[kind].counts[Number(quick)]));
        }
      }
    }
  } finally {
    await sshd.stop();
    await closed.stop();
  }
  const rates = (kind, width) => results[kind][width].map(({ rate }) => rate);
  const ratio = (kind, width) => median(rates(kind, width).map((rate, round) => rate / results.dockerode?.[width][round].rate));
  console.log('\n## Small calls to an engine behind ssh, on this machine\n');
  console.log(table([
    ['', ...WIDTHS.flatMap((width) => [`calls/s, ${width} at once`, 'of dockerode']), 'failed'],
    ...kinds.map((kind) => [
      CLIENTS[kind].title,
      ...WIDTHS.flatMap((width) => [spread(rates(kind, width), median, 0), fixed(ratio(kind, width), 1)]),
      WIDTHS.flatMap((width) => results[kind][width]).reduce((sum, { failed }) => sum + failed, 0),
    ]),
  ]));
  return results;
};
