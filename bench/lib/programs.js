'use strict';
// The programs that are measured beside the Node processes, and how they are run.

const { spawn } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { once } = require('events');
const { find } = require('../../scripts/lib/tools');
const { example } = require('./build');
const { pinned } = require('./cpus');
const { endedChildrenCpuSeconds } = require('./processes');

const ROOT = path.join(__dirname, '../..');

/** Our command line as `[program, ...arguments]`: the Rust program if it is built, else the addon's. Null: neither. */
function dew() {
  const built = [process.env.DEW_BIN, path.join(ROOT, 'target/release/dew')].find((file) => file && fs.existsSync(file));
  if (built) return [built];
  const script = path.join(ROOT, 'bin/dew.js');
  return fs.existsSync(script) && addonIsBuilt() ? [process.execPath, script] : null;
}

/** `docker` as `[program]`, or null. */
function docker() {
  const program = find('docker');
  return program && [program];
}

/** `socat` as `[program]`, or null. */
function socat() {
  const program = find('socat');
  return program && [program];
}

const addonIsBuilt = () => fs.existsSync(path.join(ROOT, 'native.js')) && fs.readdirSync(ROOT).some((name) => name.endsWith('.node'));

let zeros = null;

/** A file of so many zeros, written out so that reading it costs its readers no more than that. */
function zerosFile(bytes) {
  if (zeros && fs.statSync(zeros).size === bytes) return zeros;
  if (!zeros) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dew-bench-'));
    zeros = path.join(folder, 'zeros');
    process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }));
  }
  fs.writeFileSync(zeros, Buffer.alloc(bytes));
  return zeros;
}

/** Runs a command whose output goes nowhere; resolves to `{ code, ms, errors }`. `stdin` is a descriptor. */
async function run([program, ...args], { env, stdin = 'ignore', stdout = 'ignore', onData } = {}) {
  const began = process.hrtime.bigint();
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: [stdin, stdout, 'pipe'] });
  let errors = '';
  child.stderr.on('data', (chunk) => { errors += chunk; });
  if (onData) child.stdout.on('data', onData);
  const [code] = await once(child, 'close');
  return { code, ms: Number(process.hrtime.bigint() - began) / 1e6, errors };
}

/**
 * A client that is a program, with the jobs of `peers/client.js` that make sense for one. It is a
 * new process for each session, whose start counts.
 */
class ProgramClient {
  #words;
  #env;

  /** `words` come before the command in the container; `words.input` where it gets stdin. */
  constructor(words, env) {
    this.#words = words;
    this.#env = env;
  }

  call(name, args) {
    return this[name](args);
  }

  /** Of all programs that have run: nobody else's children end while one is measured. */
  cpu() {
    return endedChildrenCpuSeconds();
  }

  async end() {}

  async output({ command, bytes }) {
    const { code, ms } = await this.#run(this.#words.output, command);
    return { code, ms, bytes }; // the program counts nothing: exit code 0 has to do
  }

  async input({ command, bytes }) {
    const stdin = fs.openSync(zerosFile(bytes), 'r');
    try {
      let text = '';
      const { code, ms } = await this.#run(this.#words.input, command, {
        stdin, stdout: 'pipe', onData: (chunk) => { text += chunk; },
      });
      return { code, ms, bytes, text };
    } finally {
      fs.closeSync(stdin);
    }
  }

  async start({ count }) {
    const times = [];
    for (let i = 0; i < count; i++) {
      const began = process.hrtime.bigint();
      let first = null;
      await this.#run(this.#words.output, ['echo', 'hi'], {
        stdout: 'pipe', onData: () => { first ??= Number(process.hrtime.bigint() - began) / 1e6; },
      });
      times.push(first);
    }
    return times;
  }

  async #run(words, command, options) {
    const result = await run([...words, ...command], { env: this.#env, ...options });
    if (result.code !== 0) throw new Error(`${path.basename(words[0])} ended with ${result.code}: ${result.errors.trim()}`);
    return result;
  }
}

/** Starts a program that says where it listens; resolves to `{ pid, match, end() }`. */
async function start(words, pattern) {
  const [file, ...args] = words;
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const match = await new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        said = (said + chunk).slice(-4000);
        const found = pattern.exec(said);
        if (found) resolve(found);
      });
    }
    child.on('error', reject);
    child.on('exit', (code, signal) => reject(new Error(`${path.basename(file)} ended with ${signal || code}: ${said.trim()}`)));
  });
  return {
    pid: child.pid,
    match,
    end: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/** Starts `dew serve` and resolves to `{ pid, url, end() }`. */
async function serve(program, { engine, container, maxSessions, cpus }) {
  const words = [...program, 'serve', '--port', '0', '--path', '/bench', '--docker-host', engine.host,
    '--max-sessions', String(maxSessions), container];
  const { pid, match: [url], end } = await start(pinned(cpus, words), /ws:\/\/\S+\/bench/);
  return { pid, url, end };
}

/** Starts the least that a server can be; as `serve`. */
async function serveBare({ engine, container }, { cpus } = {}) {
  const words = [example('bare-server'), engine.host.replace('unix://', ''), container];
  const { pid, match: [url], end } = await start(pinned(cpus, words), /ws:\/\/\S+\/bench/);
  return { pid, url, end };
}

/** Starts a bare relay of an engine's unix socket to TCP, a process for each connection; as `serve`. */
async function relay(engine, { cpus } = {}) {
  // As much at a time as our server reads at once; its default of 8 KiB would be no match.
  const words = [...socat(), '-d', '-d', '-b', '262144', 'TCP-LISTEN:0,bind=127.0.0.1,fork,backlog=1024,nodelay',
    `UNIX-CONNECT:${engine.host.replace('unix://', '')}`];
  const { pid, match: [, port], end } = await start(pinned(cpus, words), /listening on AF=2 127\.0\.0\.1:(\d+)/);
  return { pid, url: `tcp://127.0.0.1:${port}`, end };
}

module.exports = { dew, docker, socat, addonIsBuilt, ProgramClient, serve, serveBare, relay };
