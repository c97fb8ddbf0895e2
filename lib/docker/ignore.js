'use strict';

/**
 * The patterns of a `.dockerignore`, as the engine's own tools read them: the last one that matches
 * a path, or a folder above it, decides.
 */
class IgnorePatterns {
  #rules;

  /** @param {string} text The file's content. */
  constructor(text) {
    this.#rules = text.replace(/^\uFEFF/, '').split(/\r?\n/).flatMap((line) => {
      if (line.startsWith('#')) return [];
      const trimmed = line.trim();
      const again = trimmed.startsWith('!');
      const pattern = cleanPath(again ? trimmed.slice(1).trim() : trimmed);
      return pattern === '' ? [] : [{ again, expression: expressionOf(pattern) }];
    });
  }

  /** Whether patterns may take back what others have said of a whole folder. */
  get hasExceptions() {
    return this.#rules.some(({ again }) => again);
  }

  /**
   * Whether a path is left out.
   *
   * @param {string} path Relative, with slashes.
   */
  ignores(path) {
    const parts = path.split('/');
    const paths = parts.map((_, at) => parts.slice(0, at + 1).join('/'));
    let ignored = false;
    for (const { again, expression } of this.#rules) {
      if (again === ignored && paths.some((one) => expression.test(one))) ignored = !again;
    }
    return ignored;
  }
}

/** Without slashes at its ends, and without `.` and `..` as far as they can be resolved. */
function cleanPath(path) {
  const parts = [];
  for (const part of path.replaceAll('\\/', '/').split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  return parts.join('/');
}

/** The regular expression of a pattern: `*` and `?` stay within a name, `**` does not. */
function expressionOf(pattern) {
  let source = '';
  for (let at = 0; at < pattern.length; at += 1) {
    const char = pattern[at];
    if (char === '*' && pattern[at + 1] === '*') {
      at += 1;
      const whole = pattern[at + 1] === '/';
      if (whole) at += 1;
      source += whole ? '(?:.*/)?' : '.*';
    } else if (char === '*') {
      source += '[^/]*';
    } else if (char === '?') {
      source += '[^/]';
    } else if (char === '[' && pattern.indexOf(']', at + 2) > 0) {
      const end = pattern.indexOf(']', at + 2);
      const inside = pattern.slice(at + 1, end).replace(/\\(?!\\)|[[\]]/g, '\\$&');
      source += `[${inside}]`;
      at = end;
    } else {
      if (char === '\\' && at + 1 < pattern.length) at += 1;
      source += pattern[at].replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
    }
  }
  return new RegExp(`^${source}$`, 's');
}

module.exports = { IgnorePatterns };
