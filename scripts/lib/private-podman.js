'use strict';
// A throwaway podman service with everything it has in one temporary folder, for the tests that
// run on podman's Docker-compatible API.

const { spawn } = require('child_process');
const fs = require('fs');
const path = require('path');
const { ask, kindOf } = require('./engine-api');
const { engineFolder } = require('./private-engine');
const { until, signal, gone } = require('./processes');

const START_MS = 30_000, STOP_MS = 15_000;

/** A limit in containers.conf's words: `wanted`, or as much as this machine lets us give to a container. */
function limit(name, title, wanted) {
  const hard = Number(new RegExp(`^${title}\\s+\\S+\\s+(\\S+)`, 'm').exec(fs.readFileSync('/proc/self/limits', 'utf8'))[1]);
  const value = hard < wanted ? hard : wanted; // 'unlimited' is not a number, and not less
  return `"${name}=${value}:${value}"`;
}

// Limits, because podman's own are more than an unprivileged machine allows. runc, because crun refuses
// version 1 of the control groups; cgroupfs and file, because there may be no
// systemd; locks of its own, because podman's own lie in a place shared by all of them.
const settings = (at) => `[containers]
default_ulimits = [${limit('nofile', 'Max open files', 65536)}, ${limit('nproc', 'Max processes', 4096)}]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "${at('tmp')}"
`;

/**
 * Starts a private podman service; needs root, podman and runc. Resolves to
 * `{ host, socketPath, pid, kind: 'podman', private: true, stop() }`.
 */
async function startPrivatePodman({ name = 'podman' } = {}) {
  const { folder, clear } = await engineFolder(name);
  const at = (file) => path.join(folder, file);
  const socketPath = at('podman.sock'), host = `unix://${socketPath}`;
  fs.writeFileSync(at('containers.conf'), settings(at));
  const log = fs.openSync(at('log'), 'a');
  const child = spawn('podman', ['--root', at('root'), '--runroot', at('run'), 'system', 'service', '--time', '0', host],
    { detached: true, stdio: ['ignore', log, log], cwd: folder, env: { ...process.env, CONTAINERS_CONF: at('containers.conf') } });
  fs.closeSync(log);
  let failure = null;
  child.on('error', (error) => { failure = error.message; });
  child.on('exit', (code, by) => { failure = `podman ended with ${by || code}`; });
  child.unref();

  const stop = async () => {
    if (!fs.existsSync(folder)) return;
    if (await kindOf(host)) {
      const containers = await ask({ host }, 'GET', '/containers/json?all=1');
      for (const { Id } of containers) await ask({ host }, 'DELETE', `/containers/${Id}?force=1&v=1`);
    }
    if (child.pid && signal(child.pid, 'SIGTERM') && !await gone(child.pid, STOP_MS)) signal(child.pid, 'SIGKILL');
    await clear(); // with the monitors of execs, which stay for five minutes
  };

  const answered = await until(async () => failure || await kindOf(host), START_MS);
  if (failure || !answered) {
    const tail = fs.readFileSync(at('log'), 'utf8').split('\n').slice(-25).join('\n');
    await stop();
    throw new Error(`private podman did not start: ${failure || `no answer in ${START_MS} ms`}; its log ends:\n${tail}`);
  }
  return { host, socketPath, pid: child.pid, kind: 'podman', private: true, stop };
}

module.exports = { startPrivatePodman };
