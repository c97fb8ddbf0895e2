'use strict';

/**
 * Containers for tests: unique, labelled, without a network, removed after the file
 * that asked for them whether its tests passed or not.
 */

const Docker = require('dockerode');

const { IMAGES, LABEL, runId } = require('../../scripts/engine');
const { until } = require('./deadline');

// The main process reaps whatever is re-parented to it, so that an ended process is
// gone from the list and does not stay as a zombie.
const MAIN_SLEEP = 'sleep 100000';
const SHELL_MAIN = ['sh', '-c', `trap "exit 0" TERM; while :; do ${MAIN_SLEEP} & wait; done`];
const BARE_MAIN = MAIN_SLEEP.split(' ');

let made = 0;

/** Path of the engine's socket, from DOCKER_HOST. */
function engineSocket() {
  const host = process.env.DOCKER_HOST;
  if (!host || !host.startsWith('unix://')) {
    throw new Error(
      `the tests need DOCKER_HOST=unix:///…, found ${host || 'nothing'}: run them with 'npm test', which brings an engine`
    );
  }
  return host.slice('unix://'.length);
}

/** A number for `sleep N` that no other test uses, to find the process again; none is a part of another. */
let nextSleep = 1_000_000_000 + (process.pid % 1_000_000) * 1000;
function uniqueSleep() {
  nextSleep += 1;
  return String(nextSleep);
}

/** What `inspect` says of an exec that is over: its output may end a moment before the engine knows of its end. */
async function overState(exec) {
  return until('end of an exec', async () => {
    const state = await exec.inspect();
    return !state.Running && state;
  });
}

class TestContainer {
  /**
   * @param {object} options image: 'shell' (default) or 'bare'; socketPath: another engine than DOCKER_HOST's;
   *   name: a fixed name instead of a unique one.
   */
  static async start({ image = 'shell', socketPath = engineSocket(), name, main } = {}) {
    const docker = new Docker({ socketPath });
    made += 1;
    const bare = image === 'bare';
    const container = await docker.createContainer({
      name: name || `dew-test-${process.pid}-${made}-${Date.now().toString(36)}`,
      Image: bare ? IMAGES.bare : IMAGES.busybox,
      Cmd: main || (bare ? BARE_MAIN : SHELL_MAIN),
      Labels: { [LABEL]: runId() },
      HostConfig: { NetworkMode: 'none' },
    });
    const test = new TestContainer(docker, container, socketPath);
    try {
      await container.start();
    } catch (error) {
      await test.remove();
      throw error;
    }
    return test;
  }

  constructor(docker, container, socketPath) {
    this.docker = docker;
    this.container = container;
    this.socketPath = socketPath;
  }

  get id() {
    return this.container.id;
  }

  /** Every living process, as { pid, stat, args }; zombies are dead and left out. */
  async allProcesses() {
    const { Titles, Processes } = await this.container.top({ ps_args: '-eo pid,ppid,sid,stat,args' });
    const at = (title) => Titles.indexOf(title);
    return Processes.map((row) => ({
      pid: Number(row[at('PID')]),
      ppid: Number(row[at('PPID')]),
      stat: row[at('STAT')],
      args: row[at('COMMAND')],
    })).filter((one) => !one.stat.startsWith('Z'));
  }

  /** What runs beside the container's own main process. */
  async processes() {
    // The main process may start its sleep anew when a process that it has adopted ends.
    return (await this.allProcesses()).filter(({ args }) => args !== MAIN_SLEEP && !args.includes(SHELL_MAIN[2]));
  }

  /** The processes whose command line has `text` in it. */
  async running(text) {
    return (await this.processes()).filter((one) => one.args.includes(text));
  }

  /** Waits until a process with `text` in its command line is there. */
  async started(text, options) {
    return until(`process '${text}' in the container`, async () => {
      const found = await this.running(text);
      return found.length > 0 && found;
    }, options);
  }

  /** Waits until nothing that matches (default: nothing but the main process) is left. */
  async quiet(text = '', options = {}) {
    let left = [];
    try {
      await until(`end of every process '${text}'`, async () => {
        left = await this.running(text);
        return left.length === 0;
      }, options);
    } catch (error) {
      error.message += `\nstill there: ${left.map((one) => `${one.pid} ${one.stat} ${one.args}`).join('; ')}`;
      throw error;
    }
  }

  /** Runs a command by the engine itself, beside our server: { code, output }. */
  async exec(command) {
    const exec = await this.container.exec({ Cmd: command, AttachStdout: true, AttachStderr: true, Tty: false });
    const stream = await exec.start({ hijack: true, stdin: false });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    return { code: (await overState(exec)).ExitCode, output: Buffer.concat(chunks) };
  }

  async remove() {
    await this.container.remove({ force: true, v: true }).catch((error) => {
      if (error.statusCode !== 404 && error.statusCode !== 409) throw error;
    });
  }
}

/**
 * A container for all tests of the enclosing `describe`: started before, removed after.
 * The returned object has the container's members once the hook has run.
 */
function useContainer(options) {
  const holder = {};
  before('start a container', async () => {
    holder.current = await TestContainer.start(options);
  });
  after('remove the container', async () => {
    if (holder.current) await holder.current.remove();
  });
  return new Proxy(holder, {
    get(target, name) {
      const value = target.current[name];
      return typeof value === 'function' ? value.bind(target.current) : value;
    },
  });
}

module.exports = { TestContainer, useContainer, engineSocket, overState, uniqueSleep };
