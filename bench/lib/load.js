'use strict';
// Many sessions from one light process: bench/load-client.

const { spawn } = require('child_process');
const readline = require('readline');
const { setTimeout } = require('timers/promises');
const { once } = require('events');
const { example } = require('./build');
const { patiently } = require('./child');
const { pinned } = require('./cpus');

class LoadClient {
  #process;
  #call = null;

  constructor({ cpus } = {}) {
    const [program, ...args] = pinned(cpus, [example('load-client')]);
    this.#process = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#process.stdin.on('error', () => { /* its end is told below */ });
    this.#process.on('exit', (code, signal) => this.#settle({ error: `load client ended with ${signal || code}` }));
    readline.createInterface(this.#process.stdout).on('line', (line) => {
      const { progress, ...answer } = JSON.parse(line);
      if (progress === undefined) this.#settle(answer);
      else this.#call?.progress(progress);
    });
  }

  #settle({ result, error }) {
    const call = this.#call;
    this.#call = null;
    if (error === undefined) call?.resolve(result);
    else call?.reject(new Error(error));
  }

  /** Does one of the jobs of bench/load-client/jobs.rs; rejects as `Child.call` does. One at a time. */
  call(name, args = {}, { patience = 30_000 } = {}) {
    return patiently(name, patience, (call) => {
      this.#call = call;
      this.#process.stdin.write(`${JSON.stringify({ ...args, do: name })}\n`);
    }, () => { this.#call = null; });
  }

  /**
   * What all sessions move within `ms`, once they have had `ms / 4` to begin: megabytes a second, and
   * the seconds of `cpu()` for each gigabyte.
   */
  async flow(ms, cpu = () => 0) {
    await setTimeout(ms / 4);
    const began = process.hrtime.bigint();
    const before = { bytes: (await this.call('moved')).bytes, cpu: cpu() };
    await setTimeout(ms);
    const bytes = (await this.call('moved')).bytes - before.bytes;
    return { rate: bytes / (Number(process.hrtime.bigint() - began) / 1e3), cpu: (cpu() - before.cpu) / (bytes / 1e9) };
  }

  async end() {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await gone;
  }
}

/** Calls `fn` with a client that lives as long as it. */
async function withLoad(options, fn) {
  const client = new LoadClient(options);
  try {
    return await fn(client);
  } finally {
    await client.end();
  }
}

module.exports = { withLoad };
