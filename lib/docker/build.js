'use strict';

const { badOption } = require('../errors');
const { usesBuildKit } = require('./buildkit');
const { contextArchive } = require('./context');
const { BuildSession } = require('./session');

/** Takes apart what `buildImage` was called with. */
function prepareBuild({ modem }, read) {
  const { options } = read;
  const { secrets, ssh } = options;
  delete options.secrets;
  delete options.ssh;
  if (Array.isArray(options.cachefrom)) options.cachefrom = JSON.stringify(options.cachefrom);
  if (usesBuildKit({ ...options, secrets, ssh })) options.version = '2';
  else if (secrets || ssh) throw badOption('options.secrets and options.ssh are for builds with version: \'2\'');
  read.offer = {
    secrets,
    ssh,
    auth: {
      authconfig: read.auth, registryconfig: read.registryconfig, lookUp: modem.credentials !== false, signal: read.abortSignal,
    },
  };
  read.file = read.context;
}

/**
 * Sends a build; one by BuildKit has a session beside it, for exactly as long as the build takes.
 *
 * @param {object} docker
 * @param {object} options For `modem.dial`.
 * @param {object} read What the caller gave.
 * @param {(error: Error | null, data?: unknown) => void} callback
 */
function dialBuild({ modem }, options, read, callback) {
  const query = options.options._query;
  const isBuildKit = `${query.version}` === '2';
  const dial = (session) => {
    const { file } = options;
    const archive = file?.context === undefined ? file : contextArchive(file, query.dockerfile, { ownPatterns: isBuildKit });
    const beside = session && { begin: (giveUp) => session.begin(giveUp), end: () => session.close() };
    const _query = session ? { ...query, session: session.id } : query;
    modem.dial({ ...options, options: { ...options.options, _query }, file: archive, beside }, (error, data) => {
      if (error) session?.close();
      callback(error, data);
    });
  };
  if (!isBuildKit) {
    dial(null);
    return;
  }
  // A stream may break before anybody reads it: whoever sends it will find out.
  options.file?.on?.('error', () => {});
  BuildSession.open(modem, read.offer, options.abortSignal).then(dial).catch((error) => process.nextTick(callback, error, null));
}

module.exports = { dialBuild, prepareBuild };
