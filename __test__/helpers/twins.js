'use strict';

/** Two clients of one engine, dockerode and ours, that are asked the same. */

const Dockerode = require('dockerode');

const { Docker } = require('../..');
const { LABEL, runId } = require('../../scripts/engine');
const { engineSocket } = require('./container');

const CLIENTS = { theirs: Dockerode, ours: Docker };

/** The outcome of `work`, so that errors can be compared as results are. */
async function outcomeOf(work) {
  try {
    return { result: await work() };
  } catch (error) {
    const { message, statusCode, reason, json } = error;
    return { failed: { message, statusCode, reason, json: readable(json) } };
  }
}

/** Bytes as text, so that a difference can be read. */
const readable = (value) => (Buffer.isBuffer(value) ? { bytes: value.toString() } : value);

/** What is another in each of two equal runs: ids, times, and the names of the two clients' things. */
function withoutIdentity(value) {
  if (value === undefined) return undefined;
  const text = JSON.stringify(readable(value))
    .replace(/twin-(?:ours|theirs)/g, 'twin')
    .replace(/(?:sha256:)?\b[0-9a-f]{64}\b/g, 'ID')
    .replace(/\b[0-9a-f]{12}\b/g, 'SHORT')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, 'TIME');
  return JSON.parse(text);
}

/** The clients, by `ours` and `theirs`; each with a name of its own for what it makes. */
function twins() {
  return Object.entries(CLIENTS).map(([side, Client]) => ({
    side,
    docker: new Client({ socketPath: engineSocket() }),
    name: `dew-twin-${side}-${process.pid}`,
  }));
}

/** Runs `scene(docker, name)` with both, one after the other; answers `{ ours, theirs }`. */
async function both(scene) {
  const outcomes = {};
  for (const { side, docker, name } of twins()) {
    const outcome = await outcomeOf(() => scene(docker, name));
    outcomes[side] = { ...outcome };
    for (const key of Object.keys(outcome)) outcomes[side][key] = withoutIdentity(outcome[key]);
  }
  return outcomes;
}

/** Options of a container that ends with its test run. */
const containerOptions = (name, more = {}) => ({
  name,
  Image: 'busybox',
  Cmd: ['sleep', '100000'],
  Labels: { [LABEL]: runId() },
  HostConfig: { NetworkMode: 'none' },
  StopTimeout: 0,
  ...more,
});

/** All that a stream has to give. */
async function bytesOf(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

module.exports = { both, bytesOf, containerOptions, outcomeOf, readable, twins, withoutIdentity };
