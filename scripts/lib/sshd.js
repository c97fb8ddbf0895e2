'use strict';

/**
 * An ssh server with keys, configuration and log in a folder of its own, on a loopback port, and
 * the configuration of a client that knows it as `engine`.
 */

const { execFileSync, spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');

const { freePort } = require('./free-port');
const { childrenOf, gone, signal, until } = require('./processes');
const tools = require('./tools');

const START_MS = 10_000;
const GONE_MS = 10_000;

const makeKey = (file) => execFileSync(tools.find('ssh-keygen'), ['-q', '-t', 'ed25519', '-N', '', '-f', file]);

class Sshd {
  #process = null;
  #settings;
  #environment;
  #before = 0;

  /**
   * @param {string[]} [settings] Lines of its configuration, but for `SetEnv`.
   * @param {Record<string, string>} [environment] Variables of its sessions.
   */
  static async start(settings = [], environment = {}) {
    const sshd = new Sshd(settings, environment, await freePort());
    await sshd.run();
    return sshd;
  }

  constructor(settings, environment, port) {
    this.#settings = settings;
    this.#environment = environment;
    this.port = port;
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dew-sshd-'));
    for (const name of ['host-key', 'other-host-key', 'id', 'wrong-id']) makeKey(this.at(name));
    fs.copyFileSync(this.at('id.pub'), this.at('authorized'));
    this.know('host-key.pub');
    this.configure();
  }

  at(name) {
    return path.join(this.folder, name);
  }

  /** Has the client know the server by a key; by none if it is not given. */
  know(key) {
    fs.writeFileSync(this.at('known'), key ? `[127.0.0.1]:${this.port} ${fs.readFileSync(this.at(key), 'utf8')}` : '');
  }

  /** Writes the client's configuration, with further `lines`. */
  configure(lines = [`IdentityFile ${this.at('id')}`]) {
    fs.writeFileSync(this.at('config'), [
      'Host engine',
      'HostName 127.0.0.1',
      `Port ${this.port}`,
      `User ${os.userInfo().username}`,
      'IdentitiesOnly yes',
      `UserKnownHostsFile ${this.at('known')}`,
      'GlobalKnownHostsFile none',
      ...lines, '',
    ].join('\n'));
  }

  /** The options of a client that has this configuration. */
  options(more = {}) {
    return { configFile: this.at('config'), ...more };
  }

  /** The environment of a program whose `ssh` has this configuration. */
  environment() {
    const folder = this.at('bin');
    fs.mkdirSync(folder, { recursive: true });
    const script = `#!/bin/sh\ncase $2 in none) exec ${tools.find('ssh')} "$@";; esac\nexec ${tools.find('ssh')} -F ${this.at('config')} "$@"\n`;
    fs.writeFileSync(path.join(folder, 'ssh'), script, { mode: 0o755 });
    return { ...process.env, PATH: `${folder}${path.delimiter}${process.env.PATH}` };
  }

  /** Starts the server; it may have been killed before. */
  async run() {
    fs.writeFileSync(this.at('sshd_config'), [
      `ListenAddress 127.0.0.1:${this.port}`,
      `HostKey ${this.at('host-key')}`,
      `AuthorizedKeysFile ${this.at('authorized')}`,
      `PidFile ${this.at('pid')}`,
      'StrictModes no', 'UsePAM no', 'PasswordAuthentication no', 'KbdInteractiveAuthentication no',
      // Whatever the user's shell does at its start is none of a test's business, and may take seconds.
      `SetEnv ${Object.entries({ HOME: this.folder, ...this.#environment }).map(([name, value]) => `${name}=${value}`).join(' ')}`,
      'PermitRootLogin yes', 'LogLevel VERBOSE', 'UseDNS no', 'PrintMotd no', 'MaxStartups 100',
      ...this.#settings, '',
    ].join('\n'));
    // The folder that its Debian service would make at boot.
    if (process.getuid() === 0) fs.mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
    const log = fs.openSync(this.at('log'), 'a');
    this.#process = spawn(tools.find('sshd'), ['-D', '-e', '-f', this.at('sshd_config')], { stdio: ['ignore', log, log] });
    fs.closeSync(log);
    const listens = () => new Promise((resolve) => {
      const socket = net.connect(this.port, '127.0.0.1');
      socket.once('error', () => resolve(false));
      socket.once('data', () => {
        socket.destroy();
        resolve(true);
      });
    });
    if (!await until(listens, START_MS)) {
      throw new Error(`sshd does not listen on port ${this.port}; it says:\n${fs.readFileSync(this.at('log'), 'utf8')}`);
    }
    this.#before = this.#accepted();
  }

  #accepted() {
    return fs.readFileSync(this.at('log'), 'utf8').split('Accepted publickey').length - 1;
  }

  /** How many connections have been made since it runs. */
  connections() {
    return this.#accepted() - this.#before;
  }

  /** How many sessions there were at once, at the most, since it was made. */
  mostSessions() {
    let now = 0;
    let most = 0;
    for (const [, what] of fs.readFileSync(this.at('log'), 'utf8').matchAll(/^(Starting|Close) session: /gm)) {
      now += what === 'Starting' ? 1 : -1;
      most = Math.max(most, now);
    }
    return most;
  }

  /** Kills the server with all of its connections. */
  async kill() {
    const family = (pid) => [pid, ...childrenOf(pid).flatMap(family)];
    const all = family(this.#process.pid);
    for (const pid of all) signal(pid, 'SIGKILL');
    for (const pid of all) if (!await gone(pid, GONE_MS)) throw new Error(`sshd ${pid} does not end`);
  }

  async stop() {
    await this.kill();
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

module.exports = { Sshd };
