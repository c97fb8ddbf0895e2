'use strict';
// A Node process that is measured: forked, asked by messages, killed at the end.

const { fork } = require('child_process');
const { once } = require('events');
const { pinned } = require('./cpus');
const { cpuSeconds } = require('./processes');

/** The measured process made no headway for too long. */
class Stalled extends Error {}

/**
 * Resolves or rejects as the call that `send` is given does, whose `progress(value)` tells of headway;
 * after `patience` ms without any it calls `giveUp` and rejects with `Stalled`.
 */
function patiently(name, patience, send, giveUp) {
  return new Promise((resolve, reject) => {
    let seen = 0;
    let timer;
    const watch = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        giveUp();
        reject(Object.assign(new Stalled(`${name} made no headway for ${patience} ms`), { progress: seen }));
      }, patience);
    };
    const settle = (fn) => (value) => {
      clearTimeout(timer);
      fn(value);
    };
    watch();
    send({
      resolve: settle(resolve),
      reject: settle(reject),
      progress: (value) => {
        if (value === seen) return;
        seen = value;
        watch();
      },
    });
  });
}

class Child {
  #process;
  #calls = new Map();
  #next = 0;
  #noise = '';

  /** Starts `file` on `cpus`, or on any; `args` is handed to it as JSON, `flags` to Node. */
  constructor(file, args, { cpus, flags = [] } = {}) {
    const [execPath, ...execArgv] = [...pinned(cpus, [process.execPath]), ...flags];
    this.#process = fork(file, [JSON.stringify(args)], { execPath, execArgv, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream.on('data', (chunk) => { this.#noise = (this.#noise + chunk).slice(-4000); });
    }
    this.#process.on('message', (message) => this.#onMessage(message));
    this.#process.on('exit', (code, signal) => {
      for (const { reject } of this.#calls.values()) {
        reject(new Error(`measured process ended with ${signal || code}: ${this.#noise.trim()}`));
      }
      this.#calls.clear();
    });
  }

  get pid() {
    return this.#process.pid;
  }

  /** Seconds of processor time so far. */
  cpu() {
    return cpuSeconds(this.pid);
  }

  #onMessage({ id, progress, result, error }) {
    const call = this.#calls.get(id);
    if (!call) return;
    if (progress !== undefined) return call.progress(progress);
    this.#calls.delete(id);
    if (error !== undefined) call.reject(new Error(error));
    else call.resolve(result);
  }

  /**
   * Asks the process to do `name`. Rejects with `Stalled` when it neither answers nor reports
   * headway for `patience` ms; what it had reported last is the error's `progress`.
   */
  call(name, args = {}, { patience = 30_000 } = {}) {
    const id = this.#next++;
    const send = (call) => {
      this.#calls.set(id, call);
      this.#process.send({ id, name, args }, (error) => {
        if (error && this.#calls.delete(id)) call.reject(error);
      });
    };
    return patiently(name, patience, send, () => this.#calls.delete(id));
  }

  /** Ends the process at once and resolves when it has gone. */
  async end() {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await gone;
  }
}

/** The other side: answers each call with the job of that name in `jobs`. */
function serveJobs(jobs) {
  process.on('message', async ({ id, name, args }) => {
    const report = (progress) => process.send({ id, progress });
    try {
      process.send({ id, result: await jobs[name](args, report) });
    } catch (error) {
      process.send({ id, error: `${name}: ${error.stack || error.message || error}` });
    }
  });
  process.on('disconnect', () => process.exit());
}

module.exports = { Child, Stalled, patiently, serveJobs };
