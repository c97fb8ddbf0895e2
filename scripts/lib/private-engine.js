'use strict';
// A throwaway dockerd with everything it has in one temporary folder. The folder's name carries
// the id of the process that owns it, so that whoever comes next can clear up after a crash.

const { spawn, spawnSync } = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const { ask, kindOf } = require('./engine-api');
const { ownId, stateOf } = require('./run-id');
const { find } = require('./tools');
const { until, withArgument, childrenOf, signal, gone } = require('./processes');

// podman refuses long folder names, so this one holds no more than it must.
const PREFIX = 'dew-';
/** How long dockerd may take to answer, and to end when asked to. */
const START_MS = 30_000, STOP_MS = 15_000;
/** Ours, with `programs` first in PATH. dockerd and what it calls live in sbin, which a user's PATH may lack. */
const environment = (programs = []) => ({
  ...process.env, PATH: [...programs, process.env.PATH, '/usr/local/sbin', '/usr/sbin', '/sbin'].join(':'),
});

/** Whether a private engine can be started here; if not, why, as a sentence for people. */
function cannotStart() {
  if (process.platform !== 'linux') return 'a private engine needs Linux';
  if (process.getuid() !== 0) return 'a private engine needs root';
  if (!find('dockerd')) return 'there is no dockerd on this machine';
  return null;
}

// Not os.tmpdir(): unix socket paths end at 107 bytes, containerd's lie deep in the folder.
const PARENT = '/tmp';

const logTail = (folder) => {
  try {
    return fs.readFileSync(path.join(folder, 'log'), 'utf8').split('\n').slice(-25).join('\n');
  } catch {
    return '(no log)';
  }
};

class PrivateEngine {
  #folder;
  #child = null;

  constructor(folder, programs) {
    this.#folder = folder;
    /** The folders of its programs, where they are not those of the machine. */
    this.programs = programs;
    this.socketPath = path.join(folder, 'docker.sock');
    this.host = `unix://${this.socketPath}`;
    this.kind = 'docker';
    this.private = true;
  }

  /** Pid of dockerd; null while it does not run. */
  get pid() {
    return this.#child && this.#child.exitCode === null && this.#child.signalCode === null ? this.#child.pid : null;
  }

  /** What has become of dockerd, and the last lines that it has logged, for errors. */
  async report() {
    // Its end is told a little later than that of its connections.
    await until(() => this.pid === null, 500);
    const { exitCode, signalCode } = this.#child;
    const fate = this.pid ? 'still runs' : `has ended with ${signalCode || exitCode}`;
    return `dockerd ${fate}; its log ends:\n${logTail(this.#folder)}`;
  }

  /** Starts dockerd and resolves when it answers. */
  async start() {
    const at = (name) => path.join(this.#folder, name);
    const log = fs.openSync(at('log'), 'a');
    // A session of its own: Ctrl-C in the terminal must not reach dockerd before its containers are ended.
    const child = spawn('dockerd', ['--data-root', at('data'), '--exec-root', at('exec'), '-p', at('docker.pid'),
      '-H', this.host, '--bridge', 'none', '--iptables=false'],
    { detached: true, stdio: ['ignore', log, log], env: environment(this.programs), cwd: this.#folder });
    fs.closeSync(log);
    let failure = null;
    child.on('error', (error) => { failure = error.message; });
    child.on('exit', (code, name) => { failure = `dockerd ended with ${name || code}`; });
    child.unref();
    this.#child = child;
    const answered = await until(async () => failure || await kindOf(this.host), START_MS);
    if (failure || !answered) {
      const tail = logTail(this.#folder);
      await this.stop();
      throw new Error(`private engine did not start: ${failure || `no answer in ${START_MS} ms`}; its log ends:\n${tail}`);
    }
    return this;
  }

  /** Sends a signal to dockerd and resolves when it has gone; the containers are left as they are. */
  async kill(name = 'SIGKILL') {
    const pid = this.pid;
    if (pid === null) return;
    signal(pid, name);
    if (!await gone(pid, STOP_MS)) throw new Error(`dockerd (pid ${pid}) did not end after ${name}`);
    await until(() => this.pid === null, STOP_MS);
  }

  /** Ends dockerd with TERM if it still runs, and starts it again with the same data and socket. */
  async restart() {
    await this.kill('SIGTERM');
    // dockerd takes its containerd down with it, but does not wait for that when killed.
    const containerd = () => withArgument(path.join(this.#folder, 'exec/containerd/containerd.toml'));
    await until(() => containerd().length === 0, STOP_MS);
    // Without this, dockerd waits for the old containerd where nobody has collected its exit status yet.
    fs.rmSync(path.join(this.#folder, 'exec/containerd/containerd.pid'), { force: true });
    await this.start();
  }

  /** Ends everything and removes the folder. Safe to call twice. */
  async stop() {
    await clear(this.#folder);
  }
}

/** Makes the folder of a private engine that this process owns: `{ folder, clear() }`. */
async function engineFolder(name) {
  await reapEngines();
  const folder = path.join(PARENT, `${PREFIX}${ownId()}-${crypto.randomBytes(2).toString('hex')}`);
  fs.mkdirSync(folder, { mode: 0o700 });
  fs.writeFileSync(path.join(folder, 'name'), name);
  return { folder, clear: () => clear(folder) };
}

/**
 * Starts a private engine. `name` says what it is for, to people who look; `programs` are folders in
 * which dockerd and its programs are looked for first. Rejects with dockerd's log when it does not come up.
 */
async function startPrivateEngine({ name = 'run', programs = [] } = {}) {
  const reason = cannotStart();
  if (reason) throw new Error(`cannot start an engine: ${reason}`);
  const { folder } = await engineFolder(name);
  return new PrivateEngine(folder, programs).start();
}

/** Removes the containers through the engine itself, which leaves nothing behind. */
async function removeContainers(host) {
  const engine = { host };
  const containers = await ask(engine, 'GET', '/containers/json?all=1', { timeout: 5000 });
  await Promise.all(containers.map(({ Id }) =>
    ask(engine, 'DELETE', `/containers/${Id}?force=1&v=1`, { timeout: 20_000 }).catch((error) => {
      if (error.status !== 404 && error.status !== 409) throw error;
    })));
}

/** Ends whatever belongs to an engine's folder, in whatever state it is, and removes the folder. */
async function clear(folder) {
  if (!fs.existsSync(folder)) return;
  const ours = (program) => withArgument(`${folder}/`).filter(({ argv }) => path.basename(argv[0]).startsWith(program));
  for (const { pid } of ours('dockerd')) {
    signal(pid, 'SIGCONT'); // a test may have stopped it
    await removeContainers(`unix://${folder}/docker.sock`).catch(() => { /* it does not answer: done by hand below */ });
    signal(pid, 'SIGTERM');
    if (!await gone(pid, STOP_MS)) signal(pid, 'SIGKILL');
    await gone(pid, STOP_MS);
  }
  // Where dockerd could not do it: the containers' first processes, whose end takes their pid namespaces
  // along, before the shims (podman's: conmon) that are their parents and would give them to init.
  for (const { pid } of [...ours('containerd-shim'), ...ours('conmon')]) {
    for (const child of childrenOf(pid)) signal(child, 'SIGKILL');
    await until(() => childrenOf(pid).length === 0, 2000);
    signal(pid, 'SIGKILL');
    await gone(pid, STOP_MS);
  }
  for (const { pid } of ours('')) {
    if (!await gone(pid, 2000)) signal(pid, 'SIGKILL');
    await gone(pid, STOP_MS);
  }
  removeTraces(folder);
  await unmountBelow(folder);
  fs.rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
}

/** What a killed engine leaves outside of its folder: shim sockets and control groups. */
function removeTraces(folder) {
  let ids = [];
  try {
    ids = fs.readdirSync(path.join(folder, 'data/containers'));
  } catch { /* it never came that far */ }
  const groups = fs.existsSync('/sys/fs/cgroup') ? fs.readdirSync('/sys/fs/cgroup') : [];
  for (const id of ids) {
    // containerd's own rule for the name of a shim's socket
    const address = path.join(folder, 'exec/containerd/containerd.sock', 'moby', id);
    const name = crypto.createHash('sha256').update(address).digest('hex');
    fs.rmSync(path.join('/run/containerd/s', name), { force: true });
    for (const group of ['', ...groups]) {
      try {
        fs.rmdirSync(path.join('/sys/fs/cgroup', group, 'docker', id));
      } catch { /* not there, as it should be */ }
    }
  }
}

async function unmountBelow(folder) {
  const mounts = fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
    .map((line) => (line.split(' ')[4] || '').replace(/\\040/g, ' '))
    .filter((mount) => mount.startsWith(`${folder}/`));
  for (const mount of mounts.reverse()) spawnSync('umount', ['-l', mount], { env: environment() });
}

/** Folders of private engines: `{ folder, state }`, where `state` is that of the owner; others' names do not parse. */
function engineFolders() {
  return fs.readdirSync(PARENT).filter((name) => name.startsWith(PREFIX))
    .map((name) => ({ folder: path.join(PARENT, name), state: stateOf(name.slice(PREFIX.length).split('-')[0]) }))
    .filter(({ state }) => state !== 'foreign')
    // Anyone may make a name in a shared temporary folder: only our own user's count.
    .filter(({ folder }) => {
      const stat = fs.lstatSync(folder, { throwIfNoEntry: false });
      return stat && stat.isDirectory() && stat.uid === process.getuid();
    });
}

/** Clears up after engines whose owners died. */
async function reapEngines() {
  if (process.platform !== 'linux') return;
  for (const { folder, state } of engineFolders()) {
    if (state === 'dead') await clear(folder);
  }
}

module.exports = { startPrivateEngine, engineFolder, reapEngines, engineFolders, cannotStart };
