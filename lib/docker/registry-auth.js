'use strict';

const { credentialsFor, decodeUser, hostOf } = require('./credentials');
const { parseJson } = require('./query');

/** Credentials as they are, or as JSON in base64. */
function plain(auth) {
  const encoded = auth?.base64 ?? auth?.key;
  return encoded === undefined ? auth : parseJson(Buffer.from(encoded, 'base64').toString());
}

/** Name and password of credentials in any of their forms. */
function userOf({ username = '', password = '', identitytoken, auth }) {
  if (identitytoken) return { username: '', secret: identitytoken };
  if (username || password || !auth) return { username, secret: password };
  const user = decodeUser(auth);
  return { username: user?.username ?? '', secret: user?.password ?? '' };
}

/** What the caller says of the registry at `host`: by what is said of each, else by `authconfig`. */
function givenFor(host, { authconfig, registryconfig }) {
  const wanted = hostOf(host);
  const named = Object.entries(plain(registryconfig) ?? {}).find(([name]) => hostOf(name) === wanted);
  if (named) return named[1];
  const auth = plain(authconfig);
  return auth?.serveraddress && hostOf(auth.serveraddress) !== wanted ? null : auth;
}

/**
 * Who to be for a registry: what the caller says; if that is nothing at all, what the docker CLI has.
 *
 * @param {string} host
 * @param {{ authconfig?: object | false, registryconfig?: object, lookUp: boolean, signal?: AbortSignal }} given
 * @returns {Promise<{ username: string, secret: string }>} Both empty: nobody.
 */
async function userFor(host, { authconfig, registryconfig, lookUp, signal }) {
  const isGiven = (authconfig ?? registryconfig ?? null) !== null;
  const auth = isGiven || !lookUp
    ? givenFor(host, { authconfig, registryconfig })
    : await credentialsFor(`${hostOf(host)}/image`, { signal });
  return auth ? userOf(auth) : { username: '', secret: '' };
}

module.exports = { userFor };
