'use strict';

const fs = require('node:fs');

const { badOption } = require('../errors');
const { DockerError } = require('./errors');

// What builders take: the limit of BuildKit's own client.
const MAX_SECRET = 500 * 1024;

/**
 * Secrets of a build, each as a function that gives its value. What is known is read at once, so
 * that a mistake is found before the build begins; functions are asked when the build asks.
 *
 * No value is ever part of an error.
 *
 * @param {Record<string, unknown>} [secrets]
 * @returns {Promise<Map<string, () => Buffer | Promise<Buffer>>>}
 */
async function readSecrets(secrets = {}) {
  if (typeof secrets !== 'object' || secrets === null || Array.isArray(secrets)) {
    throw badOption('options.secrets must be an object of ids and values');
  }
  const readers = Object.entries(secrets).map(async ([id, given]) => [id, await readerOf(id, given)]);
  return new Map(await Promise.all(readers));
}

async function readerOf(id, given) {
  if (typeof given === 'function') return () => asked(id, given);
  const value = typeof given?.file === 'string' ? await contentOf(id, given.file) : bytesOf(id, variable(id, given));
  return () => value;
}

/** The value of the environment variable that is meant, if one is. */
function variable(id, given) {
  if (typeof given?.env !== 'string') return given;
  const value = process.env[given.env];
  if (value === undefined) throw badOption(`the secret "${id}" has no value: ${given.env} is not in the environment`);
  return value;
}

function bytesOf(id, value) {
  if (typeof value !== 'string' && !(value instanceof Uint8Array)) {
    throw badOption(`the secret "${id}" must be text, bytes, { env }, { file }, or a function that gives text or bytes`);
  }
  const bytes = Buffer.from(value);
  if (bytes.length > MAX_SECRET) throw badOption(`the secret "${id}" has ${bytes.length} bytes; builders take ${MAX_SECRET}`);
  return bytes;
}

/** No more than a secret may have is read of a file, whatever it is. */
async function contentOf(id, file) {
  const chunks = [];
  try {
    for await (const chunk of fs.createReadStream(file, { end: MAX_SECRET })) chunks.push(chunk);
  } catch (error) {
    throw new DockerError('DEW_SECRET_FAILED', `cannot read the secret "${id}" from ${file}`, { cause: error });
  }
  return bytesOf(id, Buffer.concat(chunks));
}

async function asked(id, give) {
  try {
    return bytesOf(id, await give());
  } catch (error) {
    throw new DockerError('DEW_SECRET_FAILED', `cannot get the secret "${id}" from its function`, { cause: error });
  }
}

/**
 * The ssh agents that a build may use, as ids and sockets by turns.
 *
 * @param {boolean | Record<string, string | true>} [ssh] `true`: the agent of this environment, as `default`.
 * @returns {Promise<string[]>}
 */
async function readAgents(ssh) {
  if (ssh === undefined || ssh === false) return [];
  if (ssh !== true && (typeof ssh !== 'object' || ssh === null || Array.isArray(ssh))) {
    throw badOption('options.ssh must be true, or an object of ids and sockets of agents');
  }
  if (process.platform === 'win32') throw badOption('options.ssh needs the unix socket of an agent, which Windows does not have');
  const agents = Object.entries(ssh === true ? { default: true } : ssh).map(async ([id, given]) => {
    const socket = given === true ? process.env.SSH_AUTH_SOCK : given;
    if (given === true && !socket) throw badOption(`options.ssh: no agent for "${id}": SSH_AUTH_SOCK is not in the environment`);
    if (typeof socket !== 'string') throw badOption(`options.ssh: "${id}" must be the path of an agent's socket, or true`);
    const stats = await fs.promises.stat(socket).catch(() => null);
    if (!stats?.isSocket()) throw badOption(`options.ssh: there is no socket at ${socket} for "${id}"`);
    return [id, socket];
  });
  return (await Promise.all(agents)).flat();
}

module.exports = { readAgents, readSecrets };
