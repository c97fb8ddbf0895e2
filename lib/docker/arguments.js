'use strict';

/** Whether `value` can tell that a caller has given up; options may have a `signal` that is a name. */
function isAbortSignal(value) {
  return typeof value === 'object' && value !== null && typeof value.aborted === 'boolean'
    && typeof value.addEventListener === 'function';
}

const isFunction = (value) => typeof value === 'function';

/** `[options][, callback]` */
function plain([options, callback]) {
  if (!callback && isFunction(options)) return { callback: options };
  return { options, callback };
}

/** `first[, options][, callback]` */
const after = (name) => ([first, ...rest]) => ({ ...plain(rest), [name]: first });

/** What each name of `args` in the table of endpoints stands for. */
const SHAPES = {
  plain,
  file: after('file'),
  context: after('context'),
  checkpoint: after('checkpoint'),
  /** `[file, ]options[, callback]`, where a file is what options cannot be. */
  'file or none': (args) => {
    const [first] = args;
    const isFile = typeof first === 'string' || Buffer.isBuffer(first) || isFunction(first?.pipe);
    return isFile ? SHAPES.file(args) : plain(args);
  },
  /** `[auth, ]options[, callback]` */
  'auth first': ([first, second, callback]) => {
    if (second === undefined || isFunction(second)) return { options: first, callback: second ?? callback };
    return { options: second, callback, auth: first };
  },
  /** `[options][, callback][, auth]` */
  'auth last': ([options, callback, auth]) => ({ ...plain([options, callback]), auth }),
};

/**
 * What a method was called with. Nothing of the caller's is changed.
 *
 * @param {string} [shape] A name of {@link SHAPES}.
 * @param {unknown[]} args
 * @param {object} [defaults]
 */
function readArguments(shape, args, defaults) {
  const { options, ...read } = SHAPES[shape ?? 'plain'](args);
  if (Array.isArray(options)) return { ...read, options: {}, body: options };
  const { authconfig, registryconfig, abortSignal, ...rest } = { ...defaults, ...options };
  const result = { ...read, auth: read.auth ?? authconfig, registryconfig, abortSignal, options: rest };
  if (isAbortSignal(rest.signal)) {
    result.abortSignal ??= rest.signal;
    delete rest.signal;
  }
  for (const [name, value] of Object.entries(rest)) if (value === undefined) delete rest[name];
  return result;
}

module.exports = { isAbortSignal, readArguments };
