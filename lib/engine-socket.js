'use strict';

/** Where engines listen unless told otherwise. */
const DEFAULT_PIPE = '//./pipe/docker_engine';
const DEFAULT_SOCKET = process.platform === 'win32' ? DEFAULT_PIPE : '/var/run/docker.sock';

/** Whether a path is that of a named pipe of this machine: `//./pipe/name`, in either kind of slashes. */
const isPipe = (socketPath) => /^[\\/]{2}\.[\\/]pipe[\\/]/.test(socketPath);

/** The engine that listens at a path, as `DOCKER_HOST` would name it. */
const hostOf = (socketPath) => (isPipe(socketPath) ? `npipe://${socketPath.replaceAll('\\', '/')}` : `unix://${socketPath}`);

module.exports = { DEFAULT_PIPE, DEFAULT_SOCKET, hostOf, isPipe };
