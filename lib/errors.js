'use strict';

/** Every `code` that an error of this package can have; docs/errors.md says what to do. */
const errorCodes = Object.freeze([
  'DEW_ARCHIVE_UNSAFE',
  'DEW_BAD_OPTION',
  'DEW_CLIENT_CLOSED',
  'DEW_CONNECTION_LOST',
  'DEW_CONNECT_FAILED',
  'DEW_CONNECT_TIMEOUT',
  'DEW_CONTAINER_INVALID',
  'DEW_CONTAINER_NOT_RUNNING',
  'DEW_CREDENTIALS_FAILED',
  'DEW_ENGINE_ANSWER_LIMIT',
  'DEW_ENGINE_BUSY',
  'DEW_ENGINE_CONFLICT',
  'DEW_ENGINE_CONNECT_TIMEOUT',
  'DEW_ENGINE_IDLE_TIMEOUT',
  'DEW_ENGINE_LOST',
  'DEW_ENGINE_NOT_FOUND',
  'DEW_ENGINE_NOT_MODIFIED',
  'DEW_ENGINE_OUTPUT_LIMIT',
  'DEW_ENGINE_PROTOCOL',
  'DEW_ENGINE_REFUSED',
  'DEW_ENGINE_UNREACHABLE',
  'DEW_ENGINE_WORK_FAILED',
  'DEW_EXEC_LOST',
  'DEW_HANDSHAKE_FAILED',
  'DEW_HANDSHAKE_REFUSED',
  'DEW_HOST_INVALID',
  'DEW_HOST_UNSUPPORTED',
  'DEW_INTERNAL',
  'DEW_LISTEN_EXPOSED',
  'DEW_LISTEN_FAILED',
  'DEW_MESSAGE_TOO_BIG',
  'DEW_NOT_UTF8',
  'DEW_NO_COMMAND',
  'DEW_NO_RANDOM',
  'DEW_OPTION_INVALID',
  'DEW_PEER_SILENT',
  'DEW_PROCESSES_LEFT',
  'DEW_REQUEST_INVALID',
  'DEW_SECRET_FAILED',
  'DEW_SERVER_CLOSED',
  'DEW_SERVER_ERROR',
  'DEW_SSH_BUSY',
  'DEW_SSH_DENIED',
  'DEW_SSH_FAILED',
  'DEW_SSH_FORWARDING_REFUSED',
  'DEW_SSH_HOST_KEY_CHANGED',
  'DEW_SSH_HOST_KEY_UNKNOWN',
  'DEW_SSH_MISSING',
  'DEW_SSH_SOCKET_DENIED',
  'DEW_SSH_SOCKET_MISSING',
  'DEW_SSH_TIMEOUT',
  'DEW_SSH_UNREACHABLE',
  'DEW_TLS_FAILED',
  'DEW_WAIT_FAILED',
  'DEW_WAIT_TIMEOUT',
  'DEW_WEBSOCKET_PROTOCOL',
]);

/**
 * Makes an `Error` of what the addon tells.
 *
 * @param {{ code: string, message: string, causes: string[] }} failure
 * @returns {Error & { code: string }}
 */
function fromNative({ code, message, causes }) {
  const error = new Error(message, causes.length > 0 ? { cause: causes.join(': ') } : undefined);
  error.code = code;
  return error;
}

/**
 * An option that cannot be used.
 *
 * @param {string} message
 * @returns {TypeError & { code: 'DEW_BAD_OPTION' }}
 */
function badOption(message) {
  return Object.assign(new TypeError(message), { code: 'DEW_BAD_OPTION' });
}

/**
 * An error with one of our codes.
 *
 * @param {string} code
 * @param {string} message
 * @returns {Error & { code: string }}
 */
function failure(code, message) {
  return Object.assign(new Error(message), { code });
}

/**
 * What a caller gets who gave up by an `AbortSignal`: the signal's reason if that is an error.
 *
 * @param {AbortSignal} signal
 * @returns {Error}
 */
function aborted(signal) {
  if (signal.reason instanceof Error) return signal.reason;
  return Object.assign(new Error('the operation was aborted'), {
    name: 'AbortError', code: 'ABORT_ERR',
  });
}

/**
 * Text that the server sent. `String(error)` is that text and nothing else, as it was when this
 * was a Buffer.
 */
class ServerTextError extends Error {
  constructor(text) {
    super(text);
    this.name = 'ServerTextError';
    this.code = 'DEW_SERVER_ERROR';
  }

  toString() {
    return this.message;
  }
}

module.exports = { ServerTextError, aborted, badOption, errorCodes, failure, fromNative };
