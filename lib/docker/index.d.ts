/// <reference types="node" />

import { EventEmitter } from 'node:events';
import { Duplex, Readable } from 'node:stream';

import { SshOptions } from '../../index';
import * as models from './models';

type Answer<T> = models.Answer<T>;

/** The API of one engine. */
declare class Docker {
  /** @param options Where the engine is, or its address as `DOCKER_HOST` has it; without them, what the environment says. */
  constructor(options?: Docker.DockerOptions | string);

  readonly modem: Docker.Modem;

  createContainer: Docker.Call<Docker.ContainerCreateOptions, Docker.Container>;
  createImage: Docker.AuthCall<models.ImageCreateQuery, Docker.ResponseStream>;
  createNetwork: Docker.Call<models.NetworkCreateBody, Docker.Network>;
  createPlugin: Docker.PluginCreate;
  createSecret: Docker.Call<models.SecretSpec, Docker.Secret>;
  createConfig: Docker.Call<models.ConfigSpec, Docker.Config>;
  createService: Docker.AuthCall<Docker.CreateServiceOptions, Docker.Service>;
  createVolume: Docker.Call<Docker.VolumeCreateOptions, Docker.Volume>;

  loadImage: Docker.FileCall<models.ImageLoadQuery, Docker.ResponseStream>;
  importImage: Docker.FileCall<Omit<models.ImageCreateQuery, 'fromSrc' | 'fromImage'>, Docker.ResponseStream>;
  buildImage: Docker.FileCall<Docker.ImageBuildOptions, Docker.ResponseStream, Docker.File | Docker.ImageBuildContext>;
  /** Pulls an image; the stream is the report of progress, for {@link Docker.Modem.followProgress}. */
  pull: Docker.Pull;
  /** Pulls all tags of an image. */
  pullAll: Docker.Pull;
  checkAuth: Docker.Call<models.AuthConfig, Answer<models.SystemAuthResult>>;

  getContainer(id: string): Docker.Container;
  getImage(name: string): Docker.Image;
  getVolume(name: string): Docker.Volume;
  getPlugin(name: string, remote?: string): Docker.Plugin;
  getService(id: string): Docker.Service;
  getTask(id: string): Docker.Task;
  getNode(id: string): Docker.Node;
  getNetwork(id: string): Docker.Network;
  getSecret(id: string): Docker.Secret;
  getConfig(id: string): Docker.Config;
  getExec(id: string): Docker.Exec;

  listContainers: Docker.Call<Docker.ContainerListOptions, Docker.ContainerInfo[]>;
  listImages: Docker.Call<Docker.ListImagesOptions, Docker.ImageInfo[]>;
  listServices: Docker.Call<models.ServiceListQuery, Docker.Service[]>;
  listNodes: Docker.Call<models.NodeListQuery, Answer<models.NodeInfo>[]>;
  listTasks: Docker.Call<models.TaskListQuery, Answer<models.TaskInfo>[]>;
  listSecrets: Docker.Call<models.SecretListQuery, Docker.Secret[]>;
  listConfigs: Docker.Call<models.ConfigListQuery, Docker.ConfigInfo[]>;
  listPlugins: Docker.Call<models.PluginListQuery, Docker.PluginInfo[]>;
  listVolumes: Docker.Call<models.VolumeListQuery, Answer<models.VolumeListResponse>>;
  listNetworks: Docker.Call<models.NetworkListQuery, Docker.NetworkInspectInfo[]>;
  getImages: Docker.Call<models.ImageGetAllQuery, Docker.ResponseStream>;
  searchImages: Docker.Call<models.ImageSearchQuery, Answer<models.ImageSearchResult>>;

  pruneImages: Docker.Call<models.ImagePruneQuery, Docker.PruneImagesInfo>;
  pruneBuilder: Docker.Call<models.BuildPruneQuery, Docker.PruneBuilderInfo>;
  pruneContainers: Docker.Call<models.ContainerPruneQuery, Docker.PruneContainersInfo>;
  pruneVolumes: Docker.Call<models.VolumePruneQuery, Docker.PruneVolumesInfo>;
  pruneNetworks: Docker.Call<models.NetworkPruneQuery, Docker.PruneNetworksInfo>;

  info: Docker.Call<{}, Answer<models.SystemInfo>>;
  version: Docker.Call<{}, Docker.DockerVersion>;
  /** The engine's `OK`. */
  ping: Docker.Call<{}, Buffer>;
  df: Docker.Call<models.SystemDataUsageQuery, Answer<models.SystemDataUsageResult>>;
  /** One JSON object on each line. */
  getEvents: Docker.Call<Docker.GetEventsOptions, Docker.ResponseStream>;

  swarmInit: Docker.Call<models.SwarmInitBody, string>;
  swarmJoin: Docker.Call<models.SwarmJoinBody, unknown>;
  swarmLeave: Docker.Call<models.SwarmLeaveQuery, unknown>;
  swarmUpdate: Docker.Call<models.SwarmUpdateQuery & models.SwarmSpec, unknown>;
  swarmInspect: Docker.Call<{}, Answer<models.SwarmInspect>>;
  swarmUnlockKey: Docker.Call<{}, Answer<models.SwarmUnlockkeyResult>>;
  swarmUnlock: Docker.Call<models.SwarmUnlockBody, unknown>;

  /** As {@link Docker.Modem.followProgress}. */
  followProgress: Docker.FollowProgress;

  /** What `getEvents` tells, as objects. */
  events(options?: Docker.Options<Docker.GetEventsOptions>): AsyncGenerator<Answer<models.EventMessage>, void>;
  /** A report of progress as objects; throws a {@link Docker.DockerError} when it says that the work failed. */
  progress(stream: NodeJS.ReadableStream): AsyncGenerator<any, void>;

  /**
   * Runs a command in a new container, and resolves to its result and the container, after the last
   * byte of its output. Output goes to `streams`, which are ended then: one for all, or
   * `[stdout, stderr]`, which asks for `Tty: false` in `createOptions`.
   */
  run(
    image: string,
    command: string[],
    streams: Docker.RunOutput,
    createOptions?: Docker.ContainerCreateOptions,
    startOptions?: Docker.ContainerStartOptions,
  ): Promise<any>;
  /** The same by callback; emits `container`, `stream`, `start` and `data`. */
  run(image: string, command: string[], streams: Docker.RunOutput, callback: Docker.RunCallback): EventEmitter;
  run(
    image: string,
    command: string[],
    streams: Docker.RunOutput,
    createOptions: Docker.ContainerCreateOptions,
    callback: Docker.RunCallback,
  ): EventEmitter;
  run(
    image: string,
    command: string[],
    streams: Docker.RunOutput,
    createOptions: Docker.ContainerCreateOptions,
    startOptions: Docker.ContainerStartOptions,
    callback: Docker.RunCallback,
  ): EventEmitter;
}

declare namespace Docker {
  /** `error` is null if there is none, and `result` null if there is one. */
  type Callback<T> = (error?: any, result?: T) => void;
  type RunCallback = (error: any, result: any, container?: Container) => void;
  type RunOutput = NodeJS.WritableStream | NodeJS.WritableStream[] | null | undefined;

  /** What every call takes. */
  interface CallOptions {
    /** Ends the call, or the stream that came of it. */
    abortSignal?: AbortSignal;
    /** What is to be the query, where the division that the engine's description makes is not wanted. */
    _query?: object;
    /** What is to be the body. */
    _body?: unknown;
  }

  /** `AbortSignal` may also be given as `signal`, unless the engine has an option of this name. */
  type Options<T> = T & CallOptions & ('signal' extends keyof T ? unknown : { signal?: AbortSignal });

  /** By callback, by options and callback, or by promise. */
  interface Call<O, R> {
    (options: Options<O>, callback: Callback<R>): void;
    (callback: Callback<R>): void;
    (options?: Options<O>): Promise<R>;
  }

  /** The same, with credentials for a registry in front, or as `authconfig`. */
  interface AuthCall<O, R> {
    (auth: AuthConfig | undefined, options: Options<O>, callback: Callback<R>): void;
    (options: Options<O & WithAuth>, callback: Callback<R>): void;
    (auth: AuthConfig | undefined, options: Options<O>): Promise<R>;
    (options: Options<O & WithAuth>): Promise<R>;
  }

  /** The path of a file, its bytes, or a stream of them. */
  type File = string | Uint8Array | NodeJS.ReadableStream | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

  interface FileCall<O, R, F = File> {
    (file: F, options: Options<O>, callback: Callback<R>): void;
    (file: F, callback: Callback<R>): void;
    (file: F, options?: Options<O>): Promise<R>;
  }

  interface Pull {
    (name: string, options: Options<Omit<models.ImageCreateQuery, 'fromImage'> & WithAuth>, callback: Callback<ResponseStream>, auth?: AuthConfig): void;
    (name: string, callback: Callback<ResponseStream>): void;
    (name: string, options?: Options<Omit<models.ImageCreateQuery, 'fromImage'> & WithAuth>): Promise<ResponseStream>;
    (name: string, options: Options<Omit<models.ImageCreateQuery, 'fromImage'>> | undefined, callback: undefined, auth: AuthConfig): Promise<ResponseStream>;
  }

  interface PluginCreate extends Call<models.PluginCreateQuery, Plugin> {
    /** With the archive of the plugin. */
    (file: File, options: Options<models.PluginCreateQuery>): Promise<Plugin>;
    (file: File, options: Options<models.PluginCreateQuery>, callback: Callback<Plugin>): void;
  }

  type FollowProgress = (
    stream: NodeJS.ReadableStream,
    /** `error` also if the report says that the work failed. */
    onFinished: (error: Error | null, result: any[]) => void,
    onProgress?: (event: any) => void,
  ) => void;

  interface KeyObject {
    pem: string | Buffer;
  }

  type Certificate = string | Buffer;

  interface DockerOptions {
    /** The engine's unix socket, or a function that tells it, at the first call. */
    socketPath?: string | (() => string | Promise<string>);
    /** Name or address, `http://…` or `https://…` in front of it if you like, a path behind it. */
    host?: string;
    port?: number | string;
    /** Default `https` with `ca`, `cert` and `key`, else `http`. */
    protocol?: 'https' | 'http' | 'ssh';
    /** The user at the ssh server. */
    username?: string;
    /** How the ssh server is connected to. */
    sshOptions?: SshOptions & { host?: string; port?: number | string; username?: string };
    /** Who to trust, PEM or DER; default those that browsers trust. */
    ca?: Certificate | Certificate[];
    /** The client's certificate, with `key`. */
    cert?: Certificate | Certificate[];
    key?: Certificate | Certificate[] | KeyObject[];
    /**
     * The version of the API, such as `v1.41`; `auto` for the newest that both sides know, which is
     * asked for at the first call. Default: none is named, and the engine takes its own.
     */
    version?: string;
    /** In front of every path; default none. */
    pathPrefix?: string;
    /** Sent with every request. */
    headers?: { [name: string]: string };
    /** ms of silence, while a request or its answer is under way, after which it fails; default none. */
    timeout?: number;
    /** ms that connecting may take, TLS included; default 10000. */
    connectionTimeout?: number;
    /** `false`: never looks for the credentials that the docker CLI has. */
    credentials?: boolean;
    /** What makes the promises; default `Promise`. */
    Promise?: PromiseConstructorLike | typeof Promise;
    /** Another client's connections. */
    modem?: Modem;
  }

  /** The connections to one engine. */
  class Modem {
    constructor(options?: DockerOptions);
    host: string | undefined;
    port: number | string | undefined;
    socketPath: DockerOptions['socketPath'];
    protocol: string;
    version: string | undefined;
    headers: { [name: string]: string };
    timeout: number | undefined;
    connectionTimeout: number | undefined;
    credentials: boolean | undefined;
    Promise: any;
    /** Makes any request. */
    dial(options: DialOptions, callback: (error: Error | null, result: any) => void): void;
    /** Reads a report of progress, to its end. */
    followProgress: FollowProgress;
    /**
     * Splits framed output, at the pace of the slower stream. Resolves when both have been given the last byte.
     *
     * @param options `end`: ends both streams then. Default false.
     */
    demuxStream(
      stream: NodeJS.ReadableStream,
      stdout: NodeJS.WritableStream,
      stderr: NodeJS.WritableStream,
      options?: { end?: boolean },
    ): Promise<void>;
    buildQuerystring(options: object): string;
    getSocketPath(): Promise<string | undefined>;
  }

  interface DialOptions {
    path: string;
    method?: string;
    headers?: { [name: string]: string };
    /** The query if the path has a `?`, and the body of a POST. */
    options?: { _query?: object; _body?: any; [name: string]: any };
    /** Which statuses are fine (`true`), and words for the others. Any 2xx is fine unless it has words. */
    statusCodes?: { [status: number]: string | boolean };
    authconfig?: AuthConfig | false;
    registryconfig?: RegistryConfig | { base64: string };
    file?: File;
    hijack?: boolean;
    openStdin?: boolean;
    isStream?: boolean;
    allowEmpty?: boolean;
    abortSignal?: AbortSignal;
  }

  /** An engine that refuses, cannot be reached, or goes. */
  class DockerError extends Error {
    /** `DEW_…`; see docs/errors.md. */
    readonly code: string;
    /** The HTTP status, if there was an answer. */
    readonly statusCode?: number;
    /** Words for that status. */
    readonly reason?: string;
    /** The engine's explanation: JSON if it is, else bytes. */
    readonly json?: any;
  }

  interface AnswerHead {
    readonly statusCode: number;
    readonly statusMessage: string;
    readonly headers: { [name: string]: string | string[] | undefined };
    readonly rawHeaders: string[];
  }

  /** The body of an answer. */
  interface ResponseStream extends Readable, AnswerHead {}

  /** A hijacked connection: `end()` ends what is sent and nothing else. */
  interface HijackedStream extends Duplex, AnswerHead {
    destroySoon(): void;
  }

  interface WithAuth {
    /** Credentials for the registry; default those that the docker CLI has, `false` for none. */
    authconfig?: AuthConfig | false;
  }

  class Container {
    constructor(modem: any, id: string);
    modem: any;
    id: string;
    /** Options of each method's calls, unless a call has others. */
    defaultOptions: { [method: string]: object };
    inspect: Call<ContainerInspectOptions, ContainerInspectInfo>;
    rename: Call<models.ContainerRenameQuery, any>;
    update: Call<models.ContainerUpdateBody, Answer<models.ContainerUpdateResult>>;
    top: Call<models.ContainerTopQuery, Answer<models.ContainerTopResult>>;
    changes: Call<{}, Answer<models.ContainerChangesResult>>;
    listCheckpoint: Call<{ dir?: string }, any>;
    deleteCheckpoint: FileCall<{ dir?: string }, any, string>;
    createCheckpoint: Call<{ CheckpointID?: string; CheckpointDir?: string; Exit?: boolean }, any>;
    export: Call<{}, ResponseStream>;
    start: Call<ContainerStartOptions, any>;
    pause: Call<{}, any>;
    unpause: Call<{}, any>;
    exec: Call<ExecCreateOptions, Exec>;
    commit: Call<models.ImageCommitQuery & models.ContainerConfig, Answer<models.ImageCommitResult>>;
    stop: Call<models.ContainerStopQuery, any>;
    restart: Call<models.ContainerRestartQuery, any>;
    kill: Call<{ signal?: string | AbortSignal }, any>;
    resize: Call<Partial<models.ContainerResizeQuery>, any>;
    attach: Call<ContainerAttachOptions, HijackedStream>;
    wait: Call<models.ContainerWaitQuery, Answer<models.ContainerWaitResult>>;
    remove: Call<ContainerRemoveOptions, any>;
    copy: Call<{ Resource?: string }, ResponseStream>;
    getArchive: Call<models.ContainerArchiveQuery, ResponseStream>;
    infoArchive: Call<models.ContainerArchiveInfoQuery, ResponseStream>;
    putArchive: FileCall<models.PutContainerArchiveQuery, any>;
    logs: Logs;
    stats: Stats;
    /** Runs a command in the container, to its end. An exit code other than 0 is not an error. */
    run(command: string[], options?: RunOptions): Promise<RunResult>;
    /** Resolves when a line of its output has matched. */
    waitFor(condition: { log: RegExp | string }, options?: WaitOptions): Promise<RegExpExecArray>;
    /** Resolves when it is healthy, or when somebody in it listens on a port. */
    waitFor(condition: { healthy: true } | { port: number }, options?: WaitOptions): Promise<unknown>;
    /**
     * Copies a file or folder of this machine, bytes or a stream to `path`, which is what the copy is
     * called, or with a slash at its end, the folder that it goes to.
     */
    copyTo(source: File, path: string, options?: CopyToOptions): Promise<void>;
    /** Copies a file or folder of the container to `place` on this machine, and nowhere else. */
    copyFrom(path: string, place: string, options?: { signal?: AbortSignal; abortSignal?: AbortSignal }): Promise<CopyResult>;
    /** Removes it if it came from `createContainer`. */
    [Symbol.asyncDispose](): Promise<void>;
    /** What was printed and, unless `follow` is false, what will be. */
    output(options?: Options<ContainerLogsOptions>): AsyncGenerator<{ name: 'stdout' | 'stderr'; bytes: Buffer }, void>;
    /** What `stats` tells, about once a second, as objects. */
    statistics(options?: Options<models.ContainerStatsQuery>): AsyncGenerator<ContainerStats, void>;
  }

  interface RunOptions {
    Env?: string[];
    User?: string;
    WorkingDir?: string;
    Privileged?: boolean;
    /** For its stdin; default none. */
    input?: string | Uint8Array;
    /** Bytes of output, both streams together, beyond which it fails and the command is ended; default 64 MiB. */
    outputLimit?: number;
    /** Gives up, and ends the command with everything that it has started, unless the engine is behind TLS. */
    signal?: AbortSignal;
    abortSignal?: AbortSignal;
  }

  interface RunResult {
    stdout: Buffer;
    stderr: Buffer;
    exitCode: number;
  }

  interface WaitOptions {
    /** ms, 0 for none; default 60000. */
    timeout?: number;
    signal?: AbortSignal;
    abortSignal?: AbortSignal;
  }

  interface CopyToOptions {
    /** Who the copy belongs to; default 0, the superuser. */
    uid?: number;
    gid?: number;
    /** Permissions of a file that is made of bytes or a stream; default `0o644`. */
    mode?: number;
    /** Bytes that a stream gives. */
    size?: number;
    signal?: AbortSignal;
    abortSignal?: AbortSignal;
  }

  interface CopyResult {
    entries: number;
    /** Of the files' content. */
    bytes: number;
    /** Names in the archive of what is neither file, folder nor link. */
    skipped: string[];
  }

  interface Logs {
    (options: Options<ContainerLogsOptions> & { follow: true }, callback: Callback<ResponseStream>): void;
    (options: Options<ContainerLogsOptions> & { follow?: false }, callback: Callback<Buffer>): void;
    (callback: Callback<Buffer>): void;
    (options: Options<ContainerLogsOptions> & { follow: true }): Promise<ResponseStream>;
    (options?: Options<ContainerLogsOptions> & { follow?: false }): Promise<Buffer>;
  }

  interface Stats {
    (options: Options<models.ContainerStatsQuery> & { stream: false }, callback: Callback<ContainerStats>): void;
    (options: Options<models.ContainerStatsQuery> & { stream?: true }, callback: Callback<ResponseStream>): void;
    (callback: Callback<ResponseStream>): void;
    (options: Options<models.ContainerStatsQuery> & { stream: false }): Promise<ContainerStats>;
    (options?: Options<models.ContainerStatsQuery> & { stream?: true }): Promise<ResponseStream>;
  }

  class Image {
    constructor(modem: any, name: string);
    modem: any;
    name: string;
    inspect: Call<models.ImageInspectQuery, ImageInspectInfo>;
    distribution: Call<WithAuth, ImageDistributionInfo>;
    history: Call<models.ImageHistoryQuery, Answer<models.ImageHistoryResult>>;
    get: Call<models.ImageGetQuery, ResponseStream>;
    push: ImagePush;
    tag: Call<models.ImageTagQuery, any>;
    remove: Call<models.ImageDeleteQuery, Answer<models.ImageDeleteResult>>;
  }

  interface ImagePush {
    (options: Options<ImagePushOptions>, callback: Callback<ResponseStream>, auth?: AuthConfig): void;
    (callback: Callback<ResponseStream>): void;
    (options?: Options<ImagePushOptions>, callback?: undefined, auth?: AuthConfig): Promise<ResponseStream>;
  }

  class Volume {
    constructor(modem: any, name: string);
    modem: any;
    name: string;
    inspect: Call<{}, VolumeInspectInfo>;
    update: Call<models.VolumeUpdateQuery & models.VolumeUpdateBody, any>;
    remove: Call<VolumeRemoveOptions, any>;
    /** Removes it if it came from `createVolume`. */
    [Symbol.asyncDispose](): Promise<void>;
  }

  class Network {
    constructor(modem: any, id: string);
    modem: any;
    id: string;
    inspect: Call<models.NetworkInspectQuery, NetworkInspectInfo>;
    remove: Call<{}, any>;
    connect: Call<NetworkConnectOptions, any>;
    disconnect: Call<models.NetworkDisconnectBody, any>;
    /** Removes it if it came from `createNetwork`. */
    [Symbol.asyncDispose](): Promise<void>;
  }

  class Service {
    constructor(modem: any, id: string);
    modem: any;
    id: string;
    inspect: Call<models.ServiceInspectQuery, Answer<models.ServiceInfo>>;
    remove: Call<{}, any>;
    update: AuthCall<models.ServiceUpdateQuery & models.ServiceSpec, Answer<models.ServiceUpdateResult>>;
    logs: Logs;
  }
  /** What a list has of a service goes by the same name, as in the types of dockerode. */
  interface Service extends Answer<models.ServiceInfo> {}

  class Task {
    constructor(modem: any, id: string);
    modem: any;
    id: string;
    defaultOptions: { log: object };
    inspect: Call<{}, Answer<models.TaskInfo>>;
    logs: Logs;
  }

  class Node {
    constructor(modem: any, id: string);
    modem: any;
    id: string;
    inspect: Call<{}, Answer<models.NodeInfo>>;
    update: Call<models.NodeUpdateQuery & models.NodeSpec, any>;
    remove: Call<models.NodeDeleteQuery, any>;
  }

  class Secret {
    constructor(modem: any, id: string);
    modem: any;
    id: string;
    inspect: Call<{}, Secret>;
    update: Call<models.SecretUpdateQuery & models.SecretSpec, any>;
    remove: Call<{}, any>;
  }
  interface Secret extends Answer<models.SecretObject> {}

  class Config {
    constructor(modem: any, id: string);
    modem: any;
    id: string;
    inspect: Call<{}, ConfigInfo>;
    update: Call<models.ConfigUpdateQuery & models.ConfigSpec, any>;
    remove: Call<{}, any>;
  }

  class Plugin {
    constructor(modem: any, name: string, remote?: string);
    modem: any;
    name: string;
    remote: string;
    inspect: Call<{}, PluginInspectInfo>;
    remove: Call<models.PluginDeleteQuery, any>;
    privileges: Call<WithAuth, Answer<models.PluginPrivilege>[]>;
    pull: Call<WithAuth, ResponseStream>;
    enable: Call<models.PluginEnableQuery, any>;
    disable: Call<models.PluginDisableQuery, any>;
    push: Call<WithAuth, any>;
    configure: Call<string[] | {}, any>;
    upgrade: AuthCall<Partial<models.PluginUpgradeQuery>, any>;
  }

  class Exec {
    constructor(modem: any, id: string);
    modem: any;
    id: string;
    start: Call<ExecStartOptions, HijackedStream>;
    resize: Call<Partial<models.ExecResizeQuery>, any>;
    inspect: Call<{}, ExecInspectInfo>;
  }

  // Options and answers, by the names that the types of dockerode have for them.

  type AuthConfig = { key: string } | { base64: string } | (models.AuthConfig & { [name: string]: any });
  interface RegistryConfig {
    [registry: string]: { username: string; password: string };
  }
  type ContainerCreateOptions = models.ContainerCreateQuery & models.ContainerCreateBody & WithAuth;
  type ContainerListOptions = models.ContainerListQuery;
  type ContainerInspectOptions = models.ContainerInspectQuery;
  type ContainerStartOptions = models.ContainerStartQuery;
  type ContainerRemoveOptions = models.ContainerDeleteQuery;
  type ContainerStopOptions = models.ContainerStopQuery & CallOptions;
  type ContainerWaitOptions = models.ContainerWaitQuery & CallOptions;
  type ContainerLogsOptions = Omit<models.ContainerLogsQuery, 'follow'> & { follow?: boolean; details?: boolean };
  /** `hijack` or `stdin` makes the connection a stream in both directions. */
  type ContainerAttachOptions = models.ContainerAttachQuery & { hijack?: boolean };
  type CreateServiceOptions = models.ServiceSpec & WithAuth;
  type ServiceSpec = models.ServiceSpec;
  type TaskSpec = models.TaskSpec;
  type ExecCreateOptions = models.ContainerExecBody;
  interface ExecStartOptions extends models.ExecStartBody {
    /** Makes the connection a stream in both directions. */
    hijack?: boolean;
    /** The same. */
    stdin?: boolean;
  }
  type ListImagesOptions = models.ImageListQuery;
  type ImageBuildOptions = Omit<models.ImageBuildQuery, 'rm' | 'forcerm' | 'pull'> & WithAuth & {
    rm?: boolean | string;
    forcerm?: boolean | string;
    pull?: boolean | string;
    registryconfig?: RegistryConfig | { base64: string };
    /** By the ids that the Dockerfile has for them. Makes the build one by BuildKit. */
    secrets?: { readonly [id: string]: BuildSecret };
    /** Agents by the ids that the Dockerfile has for them, as paths of their sockets; `true`: that of `SSH_AUTH_SOCK`. */
    ssh?: boolean | { readonly [id: string]: string | true };
    [name: string]: any;
  };
  /** A value, where it is, or what gives it; at most 500 KiB. */
  type BuildSecret = string | Uint8Array | { env: string } | { file: string } | (() => string | Uint8Array | Promise<string | Uint8Array>);
  interface ImageBuildContext {
    /** A folder. */
    context: string;
    /** What of it; default all. `.dockerignore` holds. */
    src?: readonly string[];
  }
  type ImagePushOptions = models.ImagePushQuery & WithAuth & { stream?: boolean };
  type ImageTagOptions = models.ImageTagQuery & CallOptions;
  type NetworkCreateOptions = models.NetworkCreateBody;
  type NetworkConnectOptions = models.NetworkConnectBody;
  type NetworkListOptions = models.NetworkListQuery;
  type VolumeCreateOptions = models.VolumeCreateBody;
  type VolumeListOptions = models.VolumeListQuery;
  type VolumeRemoveOptions = models.VolumeDeleteQuery;
  type GetEventsOptions = Omit<models.SystemEventsQuery, 'filters'> & {
    filters?: string | { [name: string]: string | string[] | undefined };
  };
  type HostConfig = models.HostConfig;
  type HealthConfig = models.HealthConfig;
  type PortBinding = models.PortBinding;
  type PortMap = models.PortMap;
  type MountSettings = models.Mount;
  type MountConfig = models.Mount[];
  type EndpointSettings = models.EndpointSettings;
  type EndpointsConfig = { [network: string]: models.EndpointSettings };
  type DeviceMapping = models.DeviceMapping;
  type DeviceRequest = models.DeviceRequest;
  type IPAM = models.IPAM;
  type SecretSpec = models.SecretSpec;
  type ConfigSpec = models.ConfigSpec;

  type ContainerInfo = Answer<models.ContainerSummary>;
  type Port = ContainerInfo['Ports'][number];
  type ContainerInspectInfo = Answer<models.ContainerInspectResponse>;
  type ContainerStats = Answer<models.ContainerStatsResponse>;
  type ExecInspectInfo = Omit<Answer<models.ExecInspectResult>, 'ExitCode'> & { ExitCode: number | null };
  type ImageInfo = Answer<models.ImageSummary>;
  type ImageInspectInfo = Answer<models.ImageInspect>;
  type ImageDistributionInfo = Answer<models.DistributionInspect>;
  type ImageRemoveInfo = Answer<models.ImageDeleteResponseItem>;
  type NetworkInspectInfo = Answer<models.NetworkInspect>;
  type NetworkInfo = Answer<models.EndpointSettings>;
  type VolumeInspectInfo = Answer<models.VolumeInfo>;
  type VolumeCreateResponse = VolumeInspectInfo;
  type ConfigInfo = Answer<models.ConfigObject>;
  type PluginInfo = Answer<models.PluginInfo>;
  type PluginInspectInfo = PluginInfo;
  type DockerVersion = Answer<models.SystemVersion>;
  type PruneImagesInfo = Answer<models.ImagePruneResult>;
  type PruneBuilderInfo = Answer<models.BuildPruneResult>;
  type PruneContainersInfo = Answer<models.ContainerPruneResult>;
  type PruneVolumesInfo = Answer<models.VolumePruneResult>;
  type PruneNetworksInfo = Answer<models.NetworkPruneResult>;
}

export = Docker;
