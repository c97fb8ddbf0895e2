'use strict';

const { getSystemErrorName } = require('node:util');

/**
 * An engine that refuses, cannot be reached, or goes. `message` is what callers of dockerode know;
 * programs look at `code`.
 */
class DockerError extends Error {
  /**
   * @param {string} code `DEW_…`, as listed in docs/errors.md.
   * @param {string} message
   * @param {{ cause?: unknown, statusCode?: number, reason?: string, json?: unknown }} [details]
   */
  constructor(code, message, { cause, ...details } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'DockerError';
    this.code = code;
    Object.assign(this, details);
  }
}

const CODES = { 304: 'DEW_ENGINE_NOT_MODIFIED', 404: 'DEW_ENGINE_NOT_FOUND', 409: 'DEW_ENGINE_CONFLICT' };

/**
 * What an answer of `status` means that is no success.
 *
 * @param {number} status
 * @param {string | undefined} reason The words that the endpoint has for this status.
 * @param {unknown} json The body: JSON if it could be read as such, else bytes.
 */
function refused(status, reason, json) {
  const said = json?.message || json?.error || json;
  return new DockerError(
    CODES[status] ?? 'DEW_ENGINE_REFUSED',
    `(HTTP code ${status}) ${reason || 'unexpected'} - ${said} `,
    { statusCode: status, reason, json },
  );
}

/**
 * What the addon tells of a request that failed. The cause has the system's own code, if it had one.
 *
 * @param {import('../../native').NativeDialEvent} event
 */
function failed({ error: { code, message, causes }, errno }) {
  if (causes.length === 0) return new DockerError(code, message);
  const cause = new Error(causes.join(': '));
  if (errno !== undefined) Object.assign(cause, { code: getSystemErrorName(-errno), errno: -errno });
  return new DockerError(code, message, { cause });
}

/**
 * What a caller gets who gave up.
 *
 * @param {AbortSignal} signal
 */
function aborted(signal) {
  const error = new Error('The operation was aborted', { cause: signal.reason });
  return Object.assign(error, { name: 'AbortError', code: 'ABORT_ERR' });
}

module.exports = { DockerError, aborted, failed, refused };
