'use strict';

const { credentialsFor } = require('./credentials');
const { parseJson } = require('./query');

/** Names of the one registry that images without a registry's name are from. */
const HUB = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);

/** The host of `https://host/v1/`, `host:port/path`, or `host`. */
function hostOf(address) {
  const host = address.replace(/^[a-z]+:\/\//i, '').split('/')[0].toLowerCase();
  return HUB.has(host) ? 'docker.io' : host;
}

/** Credentials as they are, or as JSON in base64. */
function plain(auth) {
  const encoded = auth?.base64 ?? auth?.key;
  return encoded === undefined ? auth : parseJson(Buffer.from(encoded, 'base64').toString());
}

/** Name and password of credentials in any of their forms. */
function userOf({ username = '', password = '', identitytoken, auth }) {
  if (identitytoken) return { username: '', secret: identitytoken };
  if (username || password || !auth) return { username, secret: password };
  const [name, ...rest] = Buffer.from(auth, 'base64').toString().split(':');
  return { username: name, secret: rest.join(':') };
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
