'use strict';
// Bulk transfers: the same attempt for each peer in turn, several rounds, with figures per attempt.

const { Stalled } = require('./child');
const { PEERS, withPair } = require('./peers');
const { available } = require('./servers');
const { median } = require('./stats');
const { fixed, spread, table } = require('./table');

/**
 * One transfer with a fresh server and client, which hangs if nothing moves for `job.patience` ms: megabytes a second, and processor seconds per gigabyte.
 */
async function attempt(name, context, job) {
  return withPair(name, context, async (pair) => {
    const before = pair.cpu();
    let result;
    let hung = false;
    try {
      result = await pair.call(job.name, job.args, { patience: job.patience });
      job.check(result);
    } catch (error) {
      if (!(error instanceof Stalled)) throw error;
      hung = true;
      result = { bytes: error.progress };
    }
    const after = pair.cpu();
    const gigabytes = result.bytes / 1e9;
    return {
      hung,
      bytes: result.bytes,
      rate: hung ? null : result.bytes / 1e6 / (result.ms / 1000),
      serverCpu: (after.server - before.server) / gigabytes,
      clientCpu: (after.client - before.client) / gigabytes,
    };
  });
}

/** Attempts until one is complete, at most `tries`. */
async function attempts(name, context, job, tries) {
  const list = [];
  do {
    list.push(await attempt(name, context, job));
  } while (list.at(-1).hung && list.length < tries);
  return list;
}

/** Runs all peers in turn, `rounds` times; resolves to `{ peer: [[attempt, ...] of each round] }`. */
async function interleave(names, context, job, { rounds, tries }) {
  const results = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const name of names) results[name].push(await attempts(name, context, job, tries));
  }
  return results;
}

/** What a peer's rounds come to. Where every attempt hung, the processor time is that for the bytes that came. */
function summary(rounds, reference) {
  const all = rounds.flat();
  const complete = all.filter(({ hung }) => !hung);
  const counted = complete.length > 0 ? complete : all.filter(({ bytes }) => bytes > 0);
  const last = (round) => round.at(-1).rate;
  const ratios = reference ? rounds.map((round, i) => last(round) / last(reference[i])).filter((ratio) => ratio > 0) : [];
  return {
    attempts: all.length,
    hung: all.length - complete.length,
    rates: complete.map(({ rate }) => rate),
    ratios,
    ratio: median(ratios),
    server: median(counted.map(({ serverCpu }) => serverCpu)),
    client: median(counted.map(({ clientCpu }) => clientCpu)),
    both: median(counted.map(({ serverCpu, clientCpu }) => serverCpu + clientCpu)),
  };
}

/** Measures and prints; resolves to the summaries and the raw attempts. */
async function transfer(title, wanted, context, job, options) {
  const names = available(PEERS, wanted, context);
  const rounds = await interleave(names, context, job, options);
  const summaries = Object.fromEntries(names.map((name) => [name, summary(rounds[name], rounds.engine)]));
  console.log(`\n## ${title}\n`);
  console.log(table([
    ['', 'MB/s, median (range)', 'of the limit', 'server CPU s/GB', 'client CPU s/GB', 'both', 'hung'],
    ...names.map((name) => {
      const one = summaries[name];
      return [
        PEERS[name].title, spread(one.rates, median, 0), name === 'engine' ? '1' : fixed(one.ratio, 2),
        PEERS[name].server ? fixed(one.server, 2) : '–', fixed(one.client, 2), fixed(one.both, 2),
        `${one.hung} of ${one.attempts}`,
      ];
    }),
  ]));
  return { summaries, rounds };
}

module.exports = { transfer };
