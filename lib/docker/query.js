'use strict';

const { stringify } = require('node:querystring');

/**
 * A query: objects are JSON, arrays are one parameter for each of their values.
 *
 * @param {object} options
 * @returns {string}
 */
function buildQuerystring(options) {
  const values = {};
  for (const name of Object.keys(options)) {
    const value = options[name];
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    values[name] = isObject ? JSON.stringify(value) : value;
  }
  return stringify(values);
}

/** A copy of `object` without some of its members. */
function without(object, names) {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));
}

/** What `text` says, or undefined if it is no JSON. */
function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

module.exports = { buildQuerystring, parseJson, without };
