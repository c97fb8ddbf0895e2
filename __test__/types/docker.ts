/** The types of the engine's API beyond those that callers of dockerode know. */

import { Docker, DockerError, errorCodes } from 'docker-exec-websocket';
import DockerByPath = require('docker-exec-websocket/docker');

new Docker('ssh://me@far');
new Docker({ protocol: 'ssh', host: 'far', username: 'me', port: 22, sshOptions: { agent: '/a', channelLimit: 4, host: 'other' } });
const docker: DockerByPath = new Docker({ socketPath: async () => '/var/run/docker.sock', connectionTimeout: 100 });

async function use(): Promise<void> {
  const container = docker.getContainer('c');
  const everything: [Buffer, Docker.ResponseStream] = [
    await container.logs({ stdout: true, signal: AbortSignal.timeout(1) }),
    await container.logs({ follow: true }),
  ];
  const hijacked: Docker.HijackedStream = await container.attach({ stream: true, stdin: true });
  const status: number = hijacked.statusCode;
  await docker.modem.demuxStream(hijacked, process.stdout, process.stderr, { end: true });
  await container.kill({ signal: 'SIGHUP' });
  await container.kill({ signal: new AbortController().signal });
  await docker.getVolume('v').update({ version: 1, Spec: {} });
  const key: string = (await docker.swarmUnlockKey()).UnlockKey;
  await docker.loadImage(new Uint8Array(3));
  await docker.buildImage({ context: '.' });
  await docker.buildImage({ context: '.' }, {
    version: '2', ssh: true, secrets: { a: 'text', b: Buffer.from('b'), c: { env: 'C' }, d: { file: 'd' }, e: () => 'e', f: async () => new Uint8Array(1) },
  });
  await docker.buildImage({ context: '.' }, { ssh: { default: true, other: '/run/agent' } });
  // @ts-expect-error A number is no secret.
  await docker.buildImage({ context: '.' }, { secrets: { a: 7 } });
  // @ts-expect-error A number is no socket.
  await docker.buildImage({ context: '.' }, { ssh: { a: 7 } });
  const port: string | undefined = (await container.waitFor({ log: /port (\d+)/ }, { timeout: 5000 }))[1];
  await container.waitFor({ healthy: true }, { signal: AbortSignal.timeout(1) });
  await container.waitFor({ port: 80 });
  // @ts-expect-error One of them.
  await container.waitFor({ healthy: false });
  await container.copyTo('folder', '/tmp/', { uid: 1000 });
  await container.copyTo(Buffer.from('x'), '/tmp/x', { mode: 0o600 });
  const { entries, skipped }: { entries: number; skipped: string[] } = await container.copyFrom('/etc', 'etc');
  await container[Symbol.asyncDispose]();
  await docker.pull('image', { authconfig: false });
  await new Docker({ credentials: false }).getPlugin('p').push({ authconfig: { username: 'u', password: 'p' } });
  console.log(port, entries, skipped);
  docker.ping((_error, ok) => console.log(ok?.toString()));
  try {
    await container.inspect();
  } catch (error) {
    if (error instanceof DockerError && errorCodes.includes(error.code as never)) console.log(error.statusCode, error.reason, error.json);
  }
  console.log(everything, status, key);
}
void use;

// @ts-expect-error There is no such option.
void docker.listContainers({ al: true });
// @ts-expect-error It is a number.
void docker.getContainer('c').resize({ h: '24', w: 80 });
// @ts-expect-error There is no such method.
void docker.getContainer('c').inspct();
// @ts-expect-error What the engine says is not that.
const wrong: Promise<string> = docker.version();
void wrong;
