'use strict';

const { SERVER } = require('../lib/cpus');
const { CLIENTS, HEAD, interleaved, move, rows, withClient } = require('../lib/docker-clients');
const { available } = require('../lib/servers');
const { table } = require('../lib/table');

const MIB = 1024 * 1024;
/** Bytes of a frame: of an exec's and an attached container's output, of a log, and of a log of lines. */
const FRAME = 32 * 1024, LOGGED = 16 * 1024, LINE = 100;
/** What the fake engine sends, and how it is asked for. */
const OUTPUTS = {
  exec: { title: 'exec', frame: FRAME },
  execRaw: { title: 'exec, terminal', name: 'exec', frame: FRAME, raw: true },
  attach: { title: 'attach', frame: FRAME },
  attachHijacked: { title: 'attach, hijacked', name: 'attach', frame: FRAME, hijack: true },
  attachRaw: { title: 'attach, hijacked, terminal', name: 'attach', frame: FRAME, hijack: true, raw: true },
  logs: { title: 'logs', frame: LOGGED },
  logsRaw: { title: 'logs, terminal', name: 'logs', frame: LOGGED, raw: true },
  logsLines: { title: 'logs, lines of 100 bytes', name: 'logs', frame: LINE, share: 0.1 },
};

/** What a client can take: it has one processor, and an engine that costs next to nothing another. */
module.exports = async function dockerCeiling({ engine, container }, { quick }) {
  const kinds = available(CLIENTS, Object.keys(CLIENTS), {});
  const [rounds, mib] = quick ? [1, 300] : [4, 1000];
  const results = {};
  for (const [key, { name = key, frame, share = 1, raw = false, hijack }] of Object.entries(OUTPUTS)) {
    const bytes = Math.round(mib * share) * MIB;
    const command = ['blast', String(bytes), String(frame)];
    // What a container of the fake engine prints is its name.
    const id = [...command, ...(raw ? ['tty'] : [])].join('-');
    results[key] = await interleaved(kinds, rounds, (kind) => withClient(kind, { engine, container }, { cpus: SERVER }, (child) =>
      move(child, name, { command, id, raw, hijack }, bytes)));
  }
  console.log(`\n## ${mib} MiB of output (a tenth where they are lines), client on one processor, fake engine on another\n`);
  console.log(table([HEAD, ...Object.entries(results).flatMap(([key, one]) => rows(kinds, one, `${OUTPUTS[key].title}; `))]));
  return results;
};
