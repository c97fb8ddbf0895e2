// Written by hand. `__test__/types` compiles against it.
/// <reference types="node" />

import Docker = require('./lib/docker');
import { EventEmitter } from 'node:events';
import { AgentOptions, ClientRequestArgs, Server as HttpServer } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import { AddressInfo } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { ConnectionOptions } from 'node:tls';

/** The `code` of each error of this package. docs/errors.md says what to do about each. */
export type ErrorCode =
  | 'DEW_ARCHIVE_UNSAFE'
  | 'DEW_BAD_OPTION'
  | 'DEW_CLIENT_CLOSED'
  | 'DEW_CONNECTION_LOST'
  | 'DEW_CONNECT_FAILED'
  | 'DEW_CONNECT_TIMEOUT'
  | 'DEW_CONTAINER_INVALID'
  | 'DEW_CONTAINER_NOT_RUNNING'
  | 'DEW_CREDENTIALS_FAILED'
  | 'DEW_ENGINE_ANSWER_LIMIT'
  | 'DEW_ENGINE_BUSY'
  | 'DEW_ENGINE_CONFLICT'
  | 'DEW_ENGINE_CONNECT_TIMEOUT'
  | 'DEW_ENGINE_IDLE_TIMEOUT'
  | 'DEW_ENGINE_LOST'
  | 'DEW_ENGINE_NOT_FOUND'
  | 'DEW_ENGINE_NOT_MODIFIED'
  | 'DEW_ENGINE_OUTPUT_LIMIT'
  | 'DEW_ENGINE_PROTOCOL'
  | 'DEW_ENGINE_REFUSED'
  | 'DEW_ENGINE_UNREACHABLE'
  | 'DEW_ENGINE_WORK_FAILED'
  | 'DEW_EXEC_LOST'
  | 'DEW_HANDSHAKE_FAILED'
  | 'DEW_HANDSHAKE_REFUSED'
  | 'DEW_HOST_INVALID'
  | 'DEW_HOST_UNSUPPORTED'
  | 'DEW_INTERNAL'
  | 'DEW_LISTEN_EXPOSED'
  | 'DEW_LISTEN_FAILED'
  | 'DEW_MESSAGE_TOO_BIG'
  | 'DEW_NOT_UTF8'
  | 'DEW_NO_COMMAND'
  | 'DEW_NO_RANDOM'
  | 'DEW_OPTION_INVALID'
  | 'DEW_PEER_SILENT'
  | 'DEW_PROCESSES_LEFT'
  | 'DEW_REQUEST_INVALID'
  | 'DEW_SECRET_FAILED'
  | 'DEW_SERVER_CLOSED'
  | 'DEW_SERVER_ERROR'
  | 'DEW_SSH_BUSY'
  | 'DEW_SSH_DENIED'
  | 'DEW_SSH_FAILED'
  | 'DEW_SSH_FORWARDING_REFUSED'
  | 'DEW_SSH_HOST_KEY_CHANGED'
  | 'DEW_SSH_HOST_KEY_UNKNOWN'
  | 'DEW_SSH_MISSING'
  | 'DEW_SSH_SOCKET_DENIED'
  | 'DEW_SSH_SOCKET_MISSING'
  | 'DEW_SSH_TIMEOUT'
  | 'DEW_SSH_UNREACHABLE'
  | 'DEW_TLS_FAILED'
  | 'DEW_WAIT_FAILED'
  | 'DEW_WAIT_TIMEOUT'
  | 'DEW_WEBSOCKET_PROTOCOL';

/** Every {@link ErrorCode}. */
export const errorCodes: readonly ErrorCode[];

/** An error of this package. `cause` tells what was behind it, where something was. */
export interface DewError extends Error {
  readonly code: ErrorCode;
  readonly cause?: unknown;
}

/** What a server tells its client in words. `String(error)` is the server's text alone. */
export interface ServerTextError extends DewError {
  readonly name: 'ServerTextError';
  readonly code: 'DEW_SERVER_ERROR';
}

/** How an engine behind ssh is connected to. The user's configuration of ssh holds besides. Times are in milliseconds. */
export interface SshOptions {
  /** A configuration file instead of the user's and the system's. */
  configFile?: string;
  /** Files of private keys to try first. */
  identityFile?: string | readonly string[];
  /** A private key itself, without a passphrase. */
  privateKey?: string | Buffer;
  /** The socket of the agent to ask. Default that of `SSH_AUTH_SOCK`. */
  agent?: string;
  /** From the start of ssh to the engine's first answer. Default 10,000. */
  readyTimeout?: number;
  /** Silence, in whole seconds, after which the server is asked whether it is alive; 0 for never. Default 5000. */
  keepaliveInterval?: number;
  /** How often it is asked in vain before the connection counts as lost. Default 3. */
  keepaliveCountMax?: number;
  /** How long the connection is kept when nobody uses it. Default 30,000. */
  linger?: number;
  /** Sessions at once, where the server forwards no sockets. Default 8. */
  channelLimit?: number;
  /** How long a call waits for one of them. Default 30,000. */
  queueTimeout?: number;
}

// Server

/** Options of every {@link DockerServer}. Times are in milliseconds, sizes in bytes. */
export interface DockerServerBaseOptions {
  /** The path that WebSockets are accepted on, with its slash. */
  path: string;
  /** The container's name or id. */
  containerId: string;
  /**
   * The path of the engine's unix socket; it must be there already. On Windows that of its named
   * pipe. Without it and without `dockerHost` the environment variable `DOCKER_HOST` decides, and in
   * the end `/var/run/docker.sock`; on Windows `//./pipe/docker_engine`.
   */
  dockerSocket?: string;
  /** The engine in the syntax of `DOCKER_HOST`; excludes `dockerSocket`. */
  dockerHost?: string;
  /** How the engine is connected to, if it is behind ssh. */
  sshOptions?: SshOptions;
  /** Sessions at once. More are told `Too many sessions active!`. Default 10. */
  maxSessions?: number;
  /** Words in front of each command. Default none. */
  wrapperCommand?: readonly string[];
  /**
   * What becomes of a command when its peer goes: its whole process tree is ended, or it is left
   * to run, as in version 3.0.0. Default `'kill'`.
   */
  onDisconnect?: 'kill' | 'leave';
  /** From asking a command's processes to end to making them. Default 2000. */
  killGrace?: number;
  /**
   * Whose web pages may connect: everybody's, those of the same origin, or those of these
   * origins. Programs, which send no `Origin`, always may. Default `'any'` with `server`, as in
   * version 3.0.0, and `'same'` with `port`.
   */
  origins?: 'any' | 'same' | readonly string[];
  /** For one call to the engine. Default 30,000. */
  engineTimeout?: number;
  /** The largest message to take from a peer. Default 16 MiB. */
  maxMessageSize?: number;
  /** Input that may wait for a command that does not read. Default 1 MiB. */
  stdinLimit?: number;
  /** How long a peer may be silent until it gets a ping; 0 for no pings. Default 30,000. */
  keepAliveInterval?: number;
  /** How long it may be silent after that, until it counts as gone. Default 30,000. */
  keepAliveTimeout?: number;
  /** How long a peer may take to answer a close. Default 5000. */
  closeTimeout?: number;
}

/** A server on an http server that exists. It serves from the moment it is made. */
export interface AttachedServerOptions extends DockerServerBaseOptions {
  /** Shared with others: requests for other paths are left to them. */
  server: HttpServer | HttpsServer;
  /** Not used: `server` wins. */
  port?: number;
}

/** A server on a port of its own. It serves from {@link DockerServer.execute} on. */
export interface ListeningServerOptions extends DockerServerBaseOptions {
  server?: undefined;
  /** 0 for any free one; {@link DockerServer.address} tells which. */
  port: number;
  /** The address to listen on. Default `'127.0.0.1'`. */
  host?: string;
  /**
   * Whether `host` may be an address that others than this machine can reach: whoever does, and
   * knows the path, gets in. Default false.
   */
  allowRemote?: boolean;
  /** From a connection to an answered request. Default 10,000. */
  handshakeTimeout?: number;
  /** Handshakes at once. Default 256. */
  maxHandshakes?: number;
}

/** Options of a {@link DockerServer}. */
export type DockerServerOptions = AttachedServerOptions | ListeningServerOptions;

/** One peer joined to one command in the container. */
export interface Session {
  /** Unique within its server; later ones are larger. */
  readonly id: number;
  /** The command with its arguments, `wrapperCommand` in front. */
  readonly command: readonly string[];
  /** Whether it has a terminal. */
  readonly tty: boolean;
  /** The peer's IP address; `undefined` on a unix socket. */
  readonly remoteAddress: string | undefined;
  /** Tells the peer `shutdown` and ends the command. */
  close(): void;
}

/** Events of a {@link DockerServer}. */
export interface DockerServerEvents {
  /** A peer was admitted. */
  session: [session: Session];
  /** Right after `session`: sessions now. */
  'session added': [count: number];
  /** A session is over: sessions now. */
  'session removed': [count: number];
  /** A port of its own is listened on. */
  listening: [];
  /** Something failed that concerns one session. The server goes on, heard or not. */
  error: [error: DewError];
  /** {@link DockerServer.close} is done. */
  close: [];
}

/**
 * Serves commands in one container to WebSockets on one path.
 *
 * A listener and each open session keep the process alive; nothing else does.
 */
export class DockerServer extends EventEmitter<DockerServerEvents> {
  /**
   * Checks the options and, with `server`, begins to serve.
   *
   * @throws {Error} `options.server is required`, `options.containerId is required`,
   *   `options.path is required`, `options.wrapperCommand must be an array!`,
   *   `Are you sure that docker is running?`, or `ENOENT` for the engine's socket.
   * @throws {TypeError} With code `DEW_BAD_OPTION`.
   */
  constructor(options: DockerServerOptions);
  /** The options with the defaults filled in. */
  readonly options: Readonly<DockerServerOptions>;
  /** The http server that was given. */
  readonly server: HttpServer | HttpsServer | undefined;
  /** The container's name or id. What is assigned to other properties has no effect. */
  readonly container: { readonly id: string; [patched: string]: unknown };
  /** The open sessions, oldest first. */
  readonly sessions: readonly Session[];
  /**
   * Checks that the engine answers and that the container runs; with `port`, then listens.
   * Needed with `port`, useful with `server`. Rejects with a {@link DewError}, after which it may
   * be called again.
   */
  execute(): Promise<void>;
  /** Where it listens; `null` if it does not. A string for a unix socket. */
  address(): AddressInfo | string | null;
  /**
   * Stops serving, tells each peer `shutdown`, and resolves when every command has ended. An http
   * server that was given is left open. May be called at any time, and again.
   */
  close(): Promise<void>;
  /** The same as {@link DockerServer.close}. */
  [Symbol.asyncDispose](): Promise<void>;
}

// Client

/**
 * Options of the connection, as the `ws` package has them. Those that only Node's own http and
 * TLS understand (`agent`, `pfx`, `passphrase`, `checkServerIdentity`, …) make Node connect; that
 * works as well, but bytes of a TLS connection then pass through JavaScript.
 */
export interface ConnectionSettings
  extends Omit<ConnectionOptions, 'timeout'>,
    Pick<ClientRequestArgs, 'agent' | 'auth' | 'createConnection' | 'family' | 'localAddress' | 'socketPath'> {
  /** Headers of the request. */
  headers?: Record<string, string | readonly string[] | number | undefined>;
  /** The header `Origin`. */
  origin?: string;
  /** The subprotocols to offer. */
  protocol?: string | readonly string[];
  /** In place of {@link DockerClientOptions.connectTimeout}. */
  handshakeTimeout?: number;
  /** In place of {@link DockerClientOptions.maxMessageSize}. */
  maxPayload?: number;
  /** Whether to follow redirects. Default no. */
  followRedirects?: boolean;
  /** How many. Default 10. */
  maxRedirects?: number;
  /** Ignored: nothing is compressed. */
  perMessageDeflate?: unknown;
  /** Anything else that an agent takes. */
  [more: string]: AgentOptions[keyof AgentOptions] | unknown;
}

/** Options of a {@link DockerClient}. Times are in milliseconds, sizes in bytes. */
export interface DockerClientOptions {
  /**
   * The server: `ws://host:port/path`, `wss://…`, or `ws+unix:///socket:/path`. A query that it
   * has is kept.
   */
  url: string;
  /**
   * Whether the command gets a terminal, in which case all output comes on `stdout`. Of strings
   * only `'true'` says so. Default `true`.
   */
  tty?: boolean | string;
  /** The command, or the command with its arguments. No shell takes it apart. Default `'sh'`. */
  command?: string | readonly string[];
  /** The terminal's first size, with `cols`. Default the engine's. */
  rows?: number;
  /** The terminal's first size, with `rows`. */
  cols?: number;
  /** Options of the connection. */
  wsopts?: ConnectionSettings;
  /** Gives up the connection, or the session, when it is aborted. */
  signal?: AbortSignal;
  /** From the name look-up to the open connection. Default 10,000. */
  connectTimeout?: number;
  /** The largest message to take from the server. Default 100 MiB. */
  maxMessageSize?: number;
  /** Output that may wait to be read, for each stream. Default 1 MiB. */
  outputLimit?: number;
  /** Input that may wait to be sent. Default 1 MiB. */
  inputLimit?: number;
  /** How long the server may be silent until it gets a ping; 0 for no pings. Default 30,000. */
  keepAliveInterval?: number;
  /** How long it may be silent after that, until it counts as gone. Default 30,000. */
  keepAliveTimeout?: number;
  /** How long the server may take to read what was written before a close, and then to answer it. Default 5000. */
  closeTimeout?: number;
}

/** How a connection ended. */
export interface CloseInfo {
  /** The close code of the WebSocket; 1006 if there was none. */
  code: number;
  /** The server's reason, often empty. */
  reason: string;
}

/** Events of a {@link DockerClient}, in their usual order. */
export interface DockerClientEvents {
  /** The connection is open. */
  open: [];
  /** The server takes input; the first one says that the command runs. */
  resumed: [];
  /** The same as `resumed`. */
  resume: [];
  /** The server takes no input for now, or too much of it waits here. */
  paused: [];
  /** The same as `paused`. */
  pause: [];
  /** The server is going away. `close` follows. */
  shutdown: [];
  /**
   * The server's words ({@link ServerTextError}), a lost connection (`DEW_CONNECTION_LOST`), or
   * the reason of an aborted signal. Emitted only if there is a listener.
   */
  error: [error: Error & { code?: unknown }];
  /** The command's exit code, 0 to 255, after the last byte of its output was read. */
  exit: [code: number];
  /** The connection is closed; always the last event of a session. */
  close: [info: CloseInfo];
}

/** Sends whole messages, behind the input that was written before. */
export interface MessageSink extends EventEmitter {
  /** Bytes that wait. */
  readonly length: number;
  /** Whether {@link MessageSink.pause} holds messages back. */
  readonly paused: boolean;
  /** Sends a message; its first byte is the code. `false` if more than 8 MiB wait. */
  write(message: Uint8Array | string, callback?: () => void): boolean;
  write(message: Uint8Array | string, encoding?: BufferEncoding, callback?: () => void): boolean;
  /** Sends nothing until `resume`. */
  pause(): this;
  resume(): this;
  /** Takes no more messages, after this one if there is one. */
  end(message?: Uint8Array | string): this;
}

/** The connection's state and events, as the `ws` package tells them. */
export interface ClientSocket
  extends EventEmitter<{ open: []; close: [code: number, reason: Buffer]; error: [error: Error] }> {
  readonly url: string;
  /** 0 connecting, 1 open, 2 closing, 3 closed. */
  readonly readyState: 0 | 1 | 2 | 3;
  /** Bytes that wait to be sent. */
  readonly bufferedAmount: number;
  /** Sends a whole message, in order with the input. */
  send(message: Uint8Array | string, callback?: () => void): void;
  /** Closes the connection in order. */
  close(): void;
  /** Cuts the connection. */
  terminate(): void;
  addEventListener(
    type: 'open' | 'close' | 'error',
    listener: (event: { type: string; [detail: string]: unknown }) => void,
    options?: { once?: boolean },
  ): void;
  removeEventListener(type: 'open' | 'close' | 'error', listener: (event: never) => void): void;
}

/**
 * Runs one command in the container of a server.
 *
 * An open session keeps the process alive; nothing else does.
 */
export class DockerClient extends EventEmitter<DockerClientEvents> {
  constructor(options: DockerClientOptions);
  /** The options with the defaults filled in. */
  readonly options: DockerClientOptions;
  /** What is connected to, with the command in the query. Set by {@link DockerClient.execute}. */
  readonly url: string | undefined;
  /** The connection. Set by {@link DockerClient.execute}. */
  readonly socket: ClientSocket | undefined;
  /** The command's input. `end()` ends it; output goes on. */
  readonly stdin: Writable;
  /** The command's output: Buffers. What is not read holds the command up in the end. */
  readonly stdout: Readable;
  /** The command's error output; with a terminal it ends without a byte. */
  readonly stderr: Readable;
  /** Sends whole messages, for callers who make their own. */
  readonly strbuf: MessageSink;
  /** Bytes that were written and not sent yet. */
  readonly outstandingBytes: number;
  /**
   * Connects. Resolves when the connection is open, before the command runs; what is written from
   * then on waits for it. Rejects with a {@link DewError}, or the reason of an aborted signal.
   * May be called again when the session is over, with new streams.
   */
  execute(): Promise<void>;
  /**
   * Tells the size of the terminal. Before `execute` it is the size to begin with.
   *
   * @throws {Error} `cannot resize, not a tty instance`
   * @throws {RangeError} For what is not a whole number from 0 to 65535.
   */
  resize(rows: number, cols: number): void;
  /** Asks the server to send no more output for now. */
  pause(): void;
  /** Asks the server to send output again. */
  resume(): void;
  /** Sends a message that is only a code. */
  sendCode(code: number): void;
  /** Sends a message of a code and data. */
  sendMessage(code: number, data: Uint8Array | string): void;
  /** Takes a message as if the server had sent it. */
  messageHandler(event: { data: ArrayBuffer | Uint8Array }): void;
  /** Closes the connection in order, which ends the command. `close` follows, and waits for no reader of the output. */
  close(): void;
  /** Closes, and resolves when the connection is closed. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** The engine's API, with the face of dockerode. */
export { Docker };
/** An engine that refuses, cannot be reached, or goes. */
export import DockerError = Docker.DockerError;
/** The server's name in version 3.0.0. */
export { DockerServer as DockerExecServer };
/** The client's name in version 3.0.0. */
export { DockerClient as DockerExecClient };
