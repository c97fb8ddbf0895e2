'use strict';

/**
 * An image's name without its tag or digest, and that.
 *
 * @param {string} name `repo/foo`, `ubuntu:latest`, `localhost:5000/woot`, `ubuntu@sha256:…`
 * @returns {{ repository: string, tag?: string }}
 */
function parseRepositoryTag(name) {
  const digest = name.indexOf('@');
  const at = digest >= 0 ? digest : name.lastIndexOf(':');
  // A colon before a slash belongs to a port.
  if (at < 0 || name.includes('/', at)) return { repository: name };
  return { repository: name.slice(0, at), tag: name.slice(at + 1) };
}

module.exports = { parseRepositoryTag };
