import { Agent } from 'node:https';
import { DockerClient, DockerExecClient, ErrorCode, errorCodes } from 'docker-exec-websocket';
import type { NativeClientOptions } from '../../native';

const client = new DockerClient({
  url: 'wss://localhost/shell',
  tty: false,
  command: ['wc', '-c'],
  rows: 24,
  cols: 80,
  signal: AbortSignal.timeout(1000),
  wsopts: {
    rejectUnauthorized: false,
    headers: { Authorization: 'Bearer x' },
    agent: new Agent(),
    handshakeTimeout: 100,
  },
});
new DockerExecClient({ url: 'ws://localhost/', tty: 'false', command: 'sh' });

client.on('open', () => undefined);
client.on('exit', (code) => code.toFixed());
client.on('close', ({ code, reason }) => [code.toFixed(), reason.length]);
client.on('error', (error) => console.log(String(error), error.code));
for (const name of ['paused', 'pause', 'resumed', 'resume', 'shutdown'] as const) {
  client.on(name, () => undefined);
}
client.stdin.end('abc');
client.stdin.write(new Uint8Array(3));
client.stdout.pipe(process.stdout);
client.strbuf.write(Buffer.from([100]));
client.sendMessage(0, 'abc');
client.sendCode(102);
client.resize.call(client, 24, 80);
client.socket?.once('close', (code) => code.toFixed());
client.socket?.addEventListener('close', (event) => event.type);
const waiting: number = client.outstandingBytes;
const codes: readonly ErrorCode[] = errorCodes;

async function use() {
  await using other = new DockerClient({ url: 'ws://localhost/' });
  await other.execute();
  for await (const chunk of other.stdout) console.log(chunk, waiting, codes);
}
void use;

const native: Pick<NativeClientOptions, 'outputLimit'> = { outputLimit: 1 };
void native;

// @ts-expect-error A client needs a url.
new DockerClient({ command: 'sh' });
// @ts-expect-error A command is made of words.
new DockerClient({ url: 'ws://localhost/', command: [1] });
// @ts-expect-error Nothing is called so.
client.on('exitt', () => undefined);
// @ts-expect-error An exit code is a number.
client.on('exit', (code: string) => code);
// @ts-expect-error A size has rows and columns.
client.resize(24);
// @ts-expect-error The streams stay the same for a session.
client.stdin = client.stdin;
