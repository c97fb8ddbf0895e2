'use strict';

const { randomUUID } = require('node:crypto');

const { NativeBuildSession } = require('../native');
const { badOption } = require('../errors');
const { DockerError, aborted, failed, refused } = require('./errors');
const { parseJson } = require('./query');
const { userFor } = require('./registry-auth');
const { readAgents, readSecrets } = require('./secrets');

/** The session of one build: a connection on which the builder asks for what the build may have. */
class BuildSession {
  /** What the build names it by. */
  id = randomUUID();

  #native = null;
  #secrets;
  #auth;
  #giveUp = () => {};
  #opening;

  /**
   * Resolves to the session, or to `null` where the engine has no sessions and nothing needs one.
   *
   * @param {import('./modem').Modem} modem
   * @param {{ secrets?: object, ssh?: unknown, auth: object }} offer `auth` as for `userFor`.
   * @param {AbortSignal} [signal]
   * @returns {Promise<BuildSession | null>}
   */
  static async open(modem, { secrets, ssh, auth }, signal) {
    const [values, agents] = await Promise.all([readSecrets(secrets), readAgents(ssh)]);
    const needed = values.size > 0 || agents.length > 0;
    if (typeof modem.route !== 'function') {
      if (needed) throw badOption('options.secrets and options.ssh need a modem of this package');
      return null;
    }
    const session = new BuildSession(values, auth);
    const route = await modem.route('/session', {
      'X-Docker-Expose-Session-Uuid': session.id, 'X-Docker-Expose-Session-Name': 'docker-exec-websocket',
    });
    try {
      await session.#open(route, agents, signal);
    } catch (error) {
      session.close();
      if (!needed && error.statusCode === 404) return null;
      throw error;
    }
    return session;
  }

  constructor(secrets, auth) {
    this.#secrets = secrets;
    this.#auth = auth;
  }

  /** From here on, what cannot be given ends the build by `giveUp(error)`. */
  begin(giveUp) {
    this.#giveUp = giveUp;
  }

  /** Ends it, with all that is under way in it. */
  close() {
    this.#native?.close();
    this.#native = null;
  }

  #open({ requests, target, headers, idleTimeout }, agents, signal) {
    return new Promise((resolve, reject) => {
      const abort = () => reject(aborted(signal));
      if (signal?.aborted) {
        abort();
        return;
      }
      signal?.addEventListener('abort', abort, { once: true });
      this.#opening = (error) => {
        signal?.removeEventListener('abort', abort);
        if (error) reject(error);
        else resolve();
      };
      this.#native = new NativeBuildSession(requests, { target, headers, agents, idleTimeout }, (_, event) => this.#hear(event));
    });
  }

  #hear(event) {
    switch (event.name) {
      case 'opened': this.#opening(null); break;
      case 'refused': this.#opening(refusal(event)); break;
      case 'failed': this.#opening(failed(event)); break;
      default: this.#answer(event).catch((error) => this.#giveUp(error));
    }
  }

  async #answer({ name, question, subject }) {
    if (name === 'secret') {
      const value = await this.#secrets.get(subject)?.();
      this.#native?.giveSecret(question, value);
    } else {
      const { username, secret } = await userFor(subject, this.#auth);
      this.#native?.giveCredentials(question, username, secret);
    }
  }
}

function refusal({ status, body }) {
  if (status < 300) {
    return new DockerError(
      'DEW_ENGINE_PROTOCOL',
      `no session for the build: the engine answered HTTP ${status} and not 101 (a proxy before it may have removed the upgrade)`,
    );
  }
  const text = body.toString();
  return refused(status, 'no session for the build', parseJson(text) ?? text);
}

module.exports = { BuildSession };
