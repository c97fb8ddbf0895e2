'use strict';

/** An ssh server that forwards no sockets: a session for each connection, by the docker command there. */

const assert = require('node:assert/strict');

const { Docker } = require('..');
const { childrenOf, withArgument } = require('../scripts/lib/processes');
const { engineSocket, useContainer } = require('./helpers/container');
const { stays, until, within } = require('./helpers/deadline');
const { useSshd } = require('./helpers/sshd');

const dockerAt = (use, more) => new Docker({
  protocol: 'ssh', host: `engine${engineSocket()}`, sshOptions: use.current.options(more),
});

describe('an ssh server that forwards no sockets', () => {
  const container = useContainer();
  const sshd = useSshd(['AllowStreamLocalForwarding no']);

  it('answers by sessions', async () => {
    assert.equal(`${await dockerAt(sshd).ping()}`, 'OK');
  });

  it('runs thirty commands at once, with eight sessions at the most, on one connection', async () => {
    const docker = dockerAt(sshd);
    const jobs = Array.from({ length: 30 }, (_, number) =>
      docker.getContainer(container.id).run(['sh', '-c', `sleep 0.1; echo ${number}; exit ${number}`]));
    let most = 0;
    let over = false;
    // The server counts a session a moment longer than it lasts, so that its log is no measure.
    const watching = stays('running', () => {
      const ours = new Set(childrenOf(process.pid));
      most = Math.max(most, withArgument('system dial-stdio').filter(({ pid }) => ours.has(pid)).length);
      return !over;
    }, 60_000, { every: 20 }).catch(() => {});
    const results = await within('thirty results', Promise.all(jobs), { ms: 60_000 });
    over = true;
    await watching;
    results.forEach(({ stdout, exitCode }, number) => assert.deepEqual([`${stdout}`, exitCode], [`${number}\n`, number]));
    assert.equal(sshd.current.connections(), 1);
    assert.ok(most > 2 && most <= 8, `${most} sessions at once`);
  });

  it('keeps the output of a hijacked connection whose input has ended', async () => {
    const { stdout } = await dockerAt(sshd).getContainer(container.id)
      .run(['sh', '-c', 'wc -c; sleep 0.1; echo late'], { input: Buffer.alloc(1024 * 1024) });
    assert.equal(`${stdout}`, '1048576\nlate\n');
  });

  it('has a call wait for a place, for so long and no longer', async () => {
    const docker = dockerAt(sshd, { channelLimit: 1, queueTimeout: 2500 });
    const exec = await docker.getContainer(container.id).exec({ Cmd: ['cat'], AttachStdin: true, AttachStdout: true });
    const stream = await exec.start({ hijack: true, stdin: true });
    stream.resume();
    await assert.rejects(docker.ping(), { code: 'DEW_SSH_BUSY' });
    const waiting = docker.ping();
    stream.end();
    assert.equal(`${await waiting}`, 'OK');
  });

  it('ends the session of a stream that is destroyed', async () => {
    const docker = dockerAt(sshd, { channelLimit: 1, linger: 31_000 });
    const stream = await docker.getEvents();
    const waiting = docker.ping();
    stream.destroy();
    assert.equal(`${await waiting}`, 'OK');
  });
});

describe('an ssh server that forwards no sockets and allows one session', () => {
  const container = useContainer();
  const sshd = useSshd(['AllowStreamLocalForwarding no', 'MaxSessions 1']);

  it('carries out all calls, one after the other', async () => {
    const docker = dockerAt(sshd);
    const jobs = Array.from({ length: 5 }, (_, number) => docker.getContainer(container.id).run(['echo', String(number)]));
    const results = await within('five results', Promise.all(jobs), { ms: 60_000 });
    assert.deepEqual(results.map(({ stdout }) => `${stdout}`), ['0\n', '1\n', '2\n', '3\n', '4\n']);
    await until('a log', () => sshd.current.mostSessions() > 0);
    assert.equal(sshd.current.mostSessions(), 1);
  });
});
