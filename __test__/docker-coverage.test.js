'use strict';

/** The table of endpoints against the engine's own API, and against the methods of dockerode. */

const assert = require('node:assert/strict');

const Dockerode = require('dockerode');
const { Docker } = require('..');
const endpoints = require('../lib/docker/endpoints');

/**
 * Every operation of the engine's API from 1.41 to 1.51: `since` is the first of 1.41, 1.45 and 1.51
 * that has it, `query` its parameters in all of them.
 */
const operations = require('./helpers/engine-api.json');

/** Operations without a method of ours, and why. */
const WITHOUT = {
  'HEAD /_ping': 'ping() asks with GET, which says the same and more',
  'GET /containers/{id}/attach/ws': 'attach() does the same without a WebSocket in between',
  'POST /session': 'buildImage opens one beside a build by BuildKit',
};

/** Methods for what the API's description does not have. */
const BEYOND = [
  'GET /containers/{id}/checkpoints', 'POST /containers/{id}/checkpoints',
  'DELETE /containers/{id}/checkpoints/{checkpoint}', 'POST /containers/{id}/copy',
];

const rows = Object.entries(endpoints).flatMap(([entity, methods]) =>
  Object.entries(methods).map(([name, endpoint]) => ({ entity, name, ...endpoint })));
const key = ({ method, path }) => `${method} ${path}`;

describe('the engine\'s API', () => {
  it('has for every operation a method, or a reason why not', () => {
    const ours = new Set(rows.map(key));
    const missing = operations.map(key).filter((operation) => !ours.has(operation));
    assert.deepEqual(missing.sort(), Object.keys(WITHOUT).sort());
  });

  it('has no operation in the table that the engine has not', () => {
    const theirs = new Set([...operations.map(key), ...BEYOND]);
    assert.deepEqual(rows.map(key).filter((row) => !theirs.has(row)), []);
    for (const operation of BEYOND) assert.ok(rows.some((row) => key(row) === operation), operation);
  });

  it('has every row of the table as a method', () => {
    const docker = new Docker({ socketPath: '/nonexistent' });
    for (const { entity, name } of rows) {
      const holder = entity === 'Docker' ? docker : docker[`get${entity}`]('x');
      assert.equal(typeof holder[name], 'function', `${entity}.${name}`);
      assert.equal(holder[name].name, name);
    }
  });

  it('tells from which version on an operation is there', () => {
    const since = new Map(operations.map((operation) => [key(operation), operation.since]));
    for (const row of rows) {
      if (since.has(key(row))) assert.equal(row.since ?? '1.41', since.get(key(row)), `${row.entity}.${row.name}`);
    }
  });

  it('has each parameter where the engine looks for it', () => {
    const known = new Map(operations.map((operation) => [key(operation), operation]));
    for (const row of rows) {
      const operation = known.get(key(row));
      if (!operation) continue;
      const where = `${row.entity}.${row.name}`;
      const takesJson = operation.body && !['file', 'context', 'file or none'].includes(row.args);
      // /images/create has a body only for an import.
      if (takesJson && row.path !== '/images/create') assert.deepEqual([...row.query ?? []].sort(), operation.query, where);
      else assert.equal(row.query, undefined, `${where} has no body`);
    }
  });
});

describe('the methods of dockerode 5', () => {
  const ours = new Docker({ socketPath: '/nonexistent' });
  const theirs = new Dockerode({ socketPath: '/nonexistent' });
  const methodsOf = (object) => {
    const names = new Set();
    for (let at = object; at !== Object.prototype; at = Object.getPrototypeOf(at)) {
      for (const name of Object.getOwnPropertyNames(at)) {
        if (name !== 'constructor' && typeof object[name] === 'function') names.add(name);
      }
    }
    return [...names];
  };

  it('are all there', () => {
    // Halves of run(), by which way the caller waits.
    const halves = ['runCallback', 'runPromise'];
    const names = methodsOf(theirs).filter((name) => !halves.includes(name));
    assert.deepEqual(names.filter((name) => typeof ours[name] !== 'function'), []);
    const entities = names.filter((name) => /^get[A-Z]\w+$/.test(name) && !['getEvents', 'getImages'].includes(name));
    assert.equal(entities.length, 11);
    for (const get of entities) {
      const [mine, other] = [ours[get]('x'), theirs[get]('x')];
      assert.equal(mine.constructor.name, get.slice(3));
      assert.deepEqual(methodsOf(other).filter((name) => typeof mine[name] !== 'function'), [], get);
      const plain = (entity) => ({ ...entity, modem: null });
      assert.deepEqual(plain(mine), plain(other), get);
    }
  });

  it('are there for the modem that a caller may use', () => {
    for (const name of ['dial', 'followProgress', 'demuxStream', 'buildQuerystring', 'getSocketPath']) {
      assert.equal(typeof ours.modem[name], 'function', name);
    }
    assert.equal(ours.modem.Promise, Promise);
  });

  it('and its statics are there', () => {
    for (const name of Object.keys(Dockerode)) assert.equal(typeof Docker[name], 'function', name);
  });
});
