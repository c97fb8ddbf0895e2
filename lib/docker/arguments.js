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

/** Options for us, not for the engine. */
const NOT_SENT = ['authconfig', 'registryconfig', 'abortSignal'];

/**
 * What a method was called with. Nothing of the caller's is changed.
 *
 * @param {string} [shape] A name of {@link SHAPES}.
 * @param {unknown[]} args
 * @param {object} [defaults]
 */
function readArguments(shape, args, defaults) {
  const read = SHAPES[shape ?? 'plain'](args);
  if (Array.isArray(read.options)) return { ...read, options: {}, body: read.options };
  // Copies, and loops over them: taking objects apart by patterns costs more than the rest of a call.
  const options = { ...defaults, ...read.options };
  const result = { ...read, options };
  for (const name of NOT_SENT) {
    if (!(name in options)) continue;
    result[name] = options[name];
    delete options[name];
  }
  result.auth ??= result.authconfig;
  if (isAbortSignal(options.signal)) {
    result.abortSignal ??= options.signal;
    delete options.signal;
  }
  for (const name of Object.keys(options)) if (options[name] === undefined) delete options[name];
  return result;
}

module.exports = { isAbortSignal, readArguments };
