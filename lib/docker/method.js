'use strict';

const { badOption } = require('../errors');
const { readArguments } = require('./arguments');
const { ALL_REGISTRIES } = require('./endpoints');
const { without } = require('./query');

/** A template's fixed parts and the names between them, by turns; each is taken apart once. */
const templates = new Map();

function partsOf(template) {
  let parts = templates.get(template);
  if (parts === undefined) templates.set(template, parts = template.split(/\{(\w+)\}/));
  return parts;
}

/**
 * Fills in a path. A value can never come to mean another path: it is encoded, but for the slashes
 * that names of images and plugins have.
 *
 * @param {string} template
 * @param {(name: string) => unknown} valueOf
 */
function fillPath(template, valueOf) {
  const parts = partsOf(template);
  let path = parts[0];
  for (let at = 1; at < parts.length; at += 2) path += encoded(template, parts[at], String(valueOf(parts[at]))) + parts[at + 1];
  return path;
}

/** The value of `name` as it may stand in a path. */
function encoded(template, name, given) {
  // The engine's own lists have names of containers with a slash in front.
  const value = given.startsWith('/') && template.startsWith('/containers/') ? given.slice(1) : given;
  const parts = name === 'name' && !template.startsWith('/volumes/') ? value.split('/') : [value];
  if (parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw badOption(`"${value}" cannot be the ${name} in ${template}`);
  }
  return parts.map(encodeURIComponent).join('/');
}

/** Which of the options are the query, and what is the body; `null` for no body. */
function divide(endpoint, { options, body }) {
  const isDivided = '_query' in options || '_body' in options;
  const { _query, _body } = options;
  const rest = isDivided ? without(options, ['_query', '_body']) : options;
  const names = endpoint.query;
  if (names === undefined) return { _query: _query ?? rest, _body: _body ?? body ?? null };
  const query = {};
  const others = {};
  for (const name of Object.keys(rest)) (names.includes(name) ? query : others)[name] = rest[name];
  return { _query: { ...query, ..._query }, _body: _body ?? body ?? others };
}

/**
 * What `modem.dial` is to be asked for.
 *
 * @param {object} endpoint A row of the table.
 * @param {object} read What the method was called with.
 * @param {object} values For the path.
 */
function dialOptions(endpoint, read, values) {
  const { options } = read;
  const stream = typeof endpoint.stream === 'function' ? endpoint.stream(options) : endpoint.stream;
  return {
    path: `${fillPath(endpoint.path, (name) => (name === 'checkpoint' ? read.checkpoint : values[name]))}?`,
    method: endpoint.method,
    options: divide(endpoint, read),
    statusCodes: endpoint.statusCodes,
    abortSignal: read.abortSignal,
    authconfig: read.auth || endpoint.auth,
    registryconfig: read.registryconfig,
    file: read.file,
    isStream: Boolean(stream),
    isBytes: Boolean(endpoint.bytes),
    allowEmpty: Boolean(endpoint.allowEmpty),
    hijack: Boolean(endpoint.hijacks && (options.hijack || options.stdin)),
  };
}

/**
 * Runs `work(callback)` for a caller who waits for a promise, or has given a callback.
 *
 * @param {object} modem
 * @param {Function | undefined} callback
 * @param {(callback: (error: Error | null, data?: unknown) => void) => void} work
 */
function settle(modem, callback, work) {
  if (callback) {
    work(callback);
    return undefined;
  }
  return new modem.Promise((resolve, reject) => {
    work((error, data) => {
      if (error) reject(error);
      else resolve(data);
    });
  });
}

/** What a callback is given of `convert`, which may find that the work has failed. */
function converted(convert) {
  try {
    return [null, convert()];
  } catch (error) {
    return [error, null];
  }
}

/** `work`, whose error comes by the callback as well when it throws at once. */
function guarded(work, callback) {
  try {
    work();
  } catch (error) {
    process.nextTick(callback, error, null);
  }
}

const dialPlain = ({ modem }, options, _, callback) => modem.dial(options, callback);

/**
 * Runs `next` once the caller's credentials, or those that the docker CLI has, are in what was read.
 *
 * @param {object} endpoint
 * @param {object} read
 * @param {object} entity
 * @param {(error: Error | null) => void} next At once, unless something has to be looked up.
 */
function withCredentials(endpoint, read, entity, next) {
  const name = endpoint.registry?.(read.options, entity);
  const isOff = !name || entity.modem.credentials === false || read.auth === false;
  const given = read.auth ?? read.registryconfig;
  if (isOff || (given !== undefined && given !== null)) {
    next(null);
    return;
  }
  // A stream that breaks meanwhile is asked for its error when it is to be sent.
  (read.file ?? read.context)?.on?.('error', () => {});
  // Loaded when they are asked for: most programs do without.
  const { allCredentials, credentialsFor } = require('./credentials');
  const options = { signal: read.abortSignal };
  const looking = name === ALL_REGISTRIES ? allCredentials(options) : credentialsFor(name, options);
  looking.then((found) => {
    if (name === ALL_REGISTRIES) read.registryconfig = found;
    else read.auth = found;
    next(null);
  }, next);
}

/**
 * Makes a method of a row of the table.
 *
 * @param {string} name
 * @param {object} endpoint
 * @param {(entity: object, read: object) => void} [prepare] Changes what was read of the arguments.
 * @param {(entity: object, data: any, read: object) => unknown} [convert] Makes the result.
 * @param {(entity: object, options: object, read: object, callback: Function) => void} [dial] Sends the request.
 */
function createMethod(name, endpoint, { prepare, convert, dial = dialPlain } = {}) {
  const method = {
    [name](...args) {
      const read = readArguments(endpoint.args, args, this.defaultOptions?.[endpoint.defaults ?? name]);
      Object.assign(read.options, endpoint.adds);
      return settle(this.modem, read.callback, (callback) => guarded(() => {
        const go = () => {
          prepare?.(this, read);
          dial(this, dialOptions(endpoint, read, this), read, (error, data) => {
            if (error || !convert) callback(error, data);
            else callback(...converted(() => convert(this, data, read)));
          });
        };
        withCredentials(endpoint, read, this, (error) => {
          if (error) process.nextTick(callback, error, null);
          else guarded(go, callback);
        });
      }, callback));
    },
  };
  return method[name];
}

module.exports = { createMethod, dialOptions, guarded, settle };
