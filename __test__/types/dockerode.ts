/**
 * What callers of dockerode write. Compiled twice: against the types that they have now, and against
 * ours under the same name.
 */

import { createWriteStream } from 'node:fs';
import { PassThrough } from 'node:stream';
import Docker = require('dockerode');

const docker = new Docker();
const others: Docker[] = [
  new Docker({ socketPath: '/var/run/docker.sock' }),
  new Docker({ host: 'http://192.168.1.10', port: process.env.DOCKER_PORT || 2375 }),
  new Docker({ protocol: 'https', host: 'engine', port: 2376, ca: 'ca', cert: 'cert', key: 'key', version: 'v1.41', timeout: 5000 }),
  new Docker({ headers: { 'X-Own': 'y' }, Promise }),
];

async function containers(): Promise<void> {
  const options: Docker.ContainerCreateOptions = {
    name: 'web',
    Image: 'nginx:latest',
    Cmd: ['nginx'],
    Env: ['A=1'],
    Tty: false,
    AttachStdin: true,
    OpenStdin: true,
    Labels: { a: 'b' },
    ExposedPorts: { '80/tcp': {} },
    HostConfig: {
      AutoRemove: true,
      Binds: ['/a:/b'],
      PortBindings: { '80/tcp': [{ HostPort: '8080' }] },
      RestartPolicy: { Name: 'always' },
      Memory: 512 * 1024 * 1024,
      NetworkMode: 'bridge',
      Mounts: [{ Type: 'bind', Source: '/a', Target: '/b' }],
    },
    NetworkingConfig: { EndpointsConfig: { net: { Aliases: ['web'] } } },
  };
  const container: Docker.Container = await docker.createContainer(options);
  await container.start();
  const info: Docker.ContainerInspectInfo = await container.inspect();
  const running: boolean = info.State.Running;
  const ip: string = info.NetworkSettings.Networks['bridge']!.IPAddress;
  const labels: { [name: string]: string } = info.Config.Labels;
  const list: Docker.ContainerInfo[] = await docker.listContainers({ all: true, filters: { label: ['a=b'], status: ['running'] } });
  const names: string[] = list.flatMap((one) => one.Names);
  const port: number | undefined = list[0]?.Ports[0]?.PublicPort;
  docker.listContainers((error: any, all) => {
    if (!error) all!.forEach((one: Docker.ContainerInfo) => docker.getContainer(one.Id).stop(() => {}));
  });
  docker.listContainers({ limit: 3 }, (_error, all) => console.log(all?.length));
  await container.rename({ name: 'other' });
  await container.update({ Memory: 1 });
  await container.kill({ signal: 'SIGTERM' });
  await container.resize({ h: 24, w: 80 });
  await container.stop({ t: 5 });
  await container.wait({ condition: 'not-running', abortSignal: AbortSignal.timeout(1) });
  await container.remove({ force: true, v: true });
  container.remove({ force: true }, (error) => console.log(error));
  console.log(running, ip, labels, names, port, others);
}

async function streams(container: Docker.Container): Promise<void> {
  const exec: Docker.Exec = await container.exec({ Cmd: ['sh'], AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: true });
  const stream = await exec.start({ hijack: true, stdin: true });
  stream.write('ls\n');
  stream.end();
  container.modem.demuxStream(stream, process.stdout, process.stderr);
  const state: Docker.ExecInspectInfo = await exec.inspect();
  const code: number | null = state.ExitCode;
  const attached = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
  process.stdin.pipe(attached);
  attached.pipe(process.stdout);
  const logs: Buffer = await container.logs({ stdout: true, stderr: true, tail: 10 });
  const followed: NodeJS.ReadableStream = await container.logs({ follow: true, stdout: true, since: 1 });
  docker.modem.demuxStream(followed, new PassThrough(), new PassThrough());
  const stats: Docker.ContainerStats = await container.stats({ stream: false });
  const usage: number = stats.cpu_stats.cpu_usage.total_usage;
  const archive = await container.getArchive({ path: '/etc' });
  archive.pipe(createWriteStream('etc.tar'));
  await container.putArchive('etc.tar', { path: '/tmp' });
  const events = await docker.getEvents({ since: 1, filters: { type: ['container'], event: ['die'] } });
  events.on('data', (chunk: Buffer) => console.log(chunk.toString()));
  console.log(code, logs, usage);
}

async function images(): Promise<void> {
  docker.pull('busybox:latest', (error: any, stream: any) => {
    if (!error) docker.modem.followProgress(stream, (failed, output) => console.log(failed, output), (event) => console.log(event.status));
  });
  const pulled = await docker.pull('busybox', { authconfig: { username: 'u', password: 'p', serveraddress: 's' } });
  docker.modem.followProgress(pulled, (error, output) => console.log(error, output.length));
  const built = await docker.buildImage({ context: __dirname, src: ['Dockerfile'] }, {
    t: 'name', buildargs: { A: '1' }, dockerfile: 'Dockerfile', nocache: true, labels: { a: 'b' }, networkmode: 'none',
  });
  built.pipe(process.stdout);
  await docker.buildImage('archive.tar', { t: 'name' });
  const list: Docker.ImageInfo[] = await docker.listImages({ all: true });
  const image: Docker.Image = docker.getImage(list[0]!.Id);
  const info: Docker.ImageInspectInfo = await image.inspect();
  const created: string = info.Created;
  await image.tag({ repo: 'r', tag: 't' });
  await image.push({ authconfig: { username: 'u', password: 'p', serveraddress: 's' }, tag: 't' });
  await image.remove({ force: true });
  await docker.loadImage('image.tar');
  await docker.importImage('image.tar', { repo: 'x' });
  await docker.createImage({ fromImage: 'busybox', tag: '1' });
  const [result, container] = await docker.run('busybox', ['true'], [process.stdout, process.stderr], { Tty: false });
  docker.run('busybox', ['true'], process.stdout, (error, data) => console.log(error, data))
    .on('container', (one: Docker.Container) => console.log(one.id));
  console.log(created, result.StatusCode, container.id);
}

async function theRest(): Promise<void> {
  const network: Docker.Network = await docker.createNetwork({ Name: 'net', Driver: 'bridge', Internal: true });
  await network.connect({ Container: 'c' });
  await network.disconnect({ Container: 'c', Force: true });
  const described: Docker.NetworkInspectInfo = await network.inspect();
  const networks = await docker.listNetworks({ filters: { name: ['net'] } });
  const volume = await docker.createVolume({ Name: 'v', Driver: 'local', DriverOpts: { type: 'tmpfs' }, Labels: { a: 'b' } });
  const mountpoint: string = (await volume.inspect()).Mountpoint;
  const { Volumes } = await docker.listVolumes();
  const service = await docker.createService({
    Name: 's',
    TaskTemplate: { ContainerSpec: { Image: 'nginx', Args: ['a'] } },
    Mode: { Replicated: { Replicas: 2 } },
    EndpointSpec: { Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 8080 }] },
  });
  await service.update({ version: 1, Name: 's' });
  const services: Docker.Service[] = await docker.listServices({ filters: { name: ['s'] } });
  const version: Docker.DockerVersion = await docker.version();
  const api: string = version.ApiVersion;
  const pruned = await docker.pruneContainers({ filters: { label: ['a'] } });
  const space: number = pruned.SpaceReclaimed;
  const info = await docker.info();
  console.log(info.ServerVersion, (await docker.ping()).toString(), await docker.df());
  console.log(described.Name, networks[0]!.Id, mountpoint, Volumes.length, services[0]!.ID, api, space);
  await docker.swarmInit({ ListenAddr: '127.0.0.1:2377', AdvertiseAddr: '127.0.0.1' });
  const plugin = docker.getPlugin('p', 'p');
  await plugin.enable({ timeout: 5 });
  const plugins: Docker.PluginInfo[] = await docker.listPlugins();
  const secret = docker.getSecret('s');
  await secret.update({ version: 1 });
  console.log(plugins.length, (await docker.listSecrets())[0]!.Spec!.Name, (await docker.getConfig('c').inspect()).Spec!.Name);
}

void containers;
void streams;
void images;
void theRest;
