import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { DockerExecServer, DockerServer, DockerServerOptions, Session } from 'docker-exec-websocket';

const listening = new DockerServer({ port: 0, path: '/shell', containerId: 'web' });
const attached = new DockerExecServer({
  server: createServer(),
  path: '/shell',
  containerId: 'web',
  dockerSocket: '/var/run/docker.sock',
  maxSessions: 3,
  wrapperCommand: ['nice'],
  onDisconnect: 'leave',
  origins: ['https://example.org'],
});
new DockerServer({ server: createTlsServer(), port: 80, path: '/a', containerId: 'web' });
new DockerServer({ port: 0, path: '/a', containerId: 'web', dockerHost: 'ssh://me@far', sshOptions: { linger: 1, identityFile: ['/a', '/b'] } });
new DockerServer({ port: 0, host: '0.0.0.0', allowRemote: true, path: '/a', containerId: 'web' });
// @ts-expect-error A password cannot be given.
new DockerServer({ port: 0, path: '/a', containerId: 'web', dockerHost: 'ssh://me@far', sshOptions: { password: 'a' } });
const options: DockerServerOptions = { port: 1, path: '/a', containerId: 'b', origins: 'same' };
new DockerServer(options);

attached.on('session', (session: Session) => {
  const words: readonly string[] = session.command;
  session.close();
  console.log(words, session.tty, session.remoteAddress?.length);
});
attached.on('session added', (count) => count.toFixed());
attached.on('session removed', (count) => count.toFixed());
attached.on('error', (error) => {
  if (error.code === 'DEW_ENGINE_UNREACHABLE') console.log(error.cause);
  // @ts-expect-error There is no such code.
  if (error.code === 'DEW_NO_SUCH_CODE') console.log(error);
});

async function use() {
  await using own = new DockerServer({ port: 0, path: '/', containerId: 'web' });
  await own.execute();
  const address = own.address();
  if (address !== null && typeof address !== 'string') address.port.toFixed();
  await listening.close();
  attached.container.exec = () => undefined;
  attached.sessions.map((session) => session.id);
}
void use;

// @ts-expect-error A server needs a path.
new DockerServer({ port: 0, containerId: 'web' });
// @ts-expect-error A server listens on a port, or is given a server.
new DockerServer({ path: '/', containerId: 'web' });
// @ts-expect-error There is no such policy.
new DockerServer({ port: 0, path: '/', containerId: 'web', onDisconnect: 'forget' });
// @ts-expect-error Nothing is called so.
listening.on('sesion', () => undefined);
// @ts-expect-error The container stays the same.
listening.container = { id: 'other' };
