'use strict';

/**
 * The engine's API as a table: which method of ours is which operation of the engine's.
 *
 * A row has
 * - `method` and `path`, whose `{name}` is filled in, encoded, from the entity or the arguments;
 * - `reasons`: words for the statuses that it is known to be refused with, and `statusCodes`: these and
 *   those of success;
 * - `query`: the options that belong into the query where the rest are a body. Without it, all
 *   options are the query and there is no body;
 * - `args`: which arguments come before or after the options, see `arguments.js`; default none;
 * - `defaults`: the entry of the entity's `defaultOptions` that counts, if it is not the method's name;
 * - `stream`: the result is a stream: always (`true`), or as a function of the options says;
 * - `hijacks`: the connection may become a stream in both directions;
 * - `bytes`: the result is bytes, whatever they look like; otherwise it is JSON where it can be;
 * - `allowEmpty`: an empty body is sent too;
 * - `since`: the API version that brought it, where that is later than 1.41;
 * - `gives`: the entity that the result is made into;
 * - `registry`: the name of an image or a plugin, by options and entity, whose registry may want
 *   credentials, or `ALL_REGISTRIES`;
 * - `auth`: credentials to send where there are none.
 */

const { usesBuildKit } = require('./buildkit');

/** The work may come to any registry. */
const ALL_REGISTRIES = Symbol('all registries');

const SERVER_ERROR = { 500: 'server error' };
const BAD_PARAMETER = { 400: 'bad parameter', ...SERVER_ERROR };
const NO_CONTAINER = { 404: 'no such container', ...SERVER_ERROR };
const BAD_OR_NO_CONTAINER = { ...NO_CONTAINER, ...BAD_PARAMETER };
const ARCHIVE = { ...NO_CONTAINER, 400: 'client error, bad parameters' };
const NO_IMAGE = { 404: 'no such image', ...SERVER_ERROR };
const NO_VOLUME = { 404: 'no such volume', ...SERVER_ERROR };
const NO_NETWORK = { 404: 'no such network', ...SERVER_ERROR };
const NO_ENDPOINT = { 404: 'network or container is not found', ...SERVER_ERROR };
const NO_SERVICE = { 404: 'no such service', ...SERVER_ERROR };
const NO_SECRET = { 404: 'secret not found', ...SERVER_ERROR };
const NO_CONFIG = { 404: 'config not found', 503: 'node is not part of a swarm', ...SERVER_ERROR };
const NO_NODE = { 404: 'no such node', ...SERVER_ERROR };
const NO_PLUGIN = { 404: 'plugin is not installed', ...SERVER_ERROR };
const PLUGIN_MISSING = { 404: 'plugin not installed', ...SERVER_ERROR };
const NO_EXEC = { 404: 'no such exec', 500: 'container not running' };
const NO_SWARM = { 503: 'node is not part of a swarm' };
const IN_SWARM = { 400: 'bad parameter', 406: 'node is already part of a Swarm' };
const NOT_CREATED = {
  406: 'server error or node is not part of a swarm',
  409: 'name conflicts with an existing object',
  ...SERVER_ERROR,
};

/** Statuses of success. */
const FINE = { 200: true, 201: true, 204: true };

/** Many rows have the same reasons. */
const known = new Map();

function statusCodesOf(reasons) {
  if (!known.has(reasons)) known.set(reasons, Object.freeze({ ...FINE, ...reasons }));
  return known.get(reasons);
}

const row = (method) => (path, reasons = SERVER_ERROR, traits = {}) =>
  Object.freeze({ method, path, reasons, statusCodes: statusCodesOf(reasons), ...traits });
const [get, head, post, put, del] = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'].map(row);

/** All options are the body. */
const BODY = { query: [] };
const STREAM = { stream: true };
const follows = ({ follow }) => Boolean(follow);
const LOGS = { stream: follows, bytes: true, defaults: 'log' };
const byName = { registry: (_, { name }) => name };
const unlessFalse = ({ stream }) => stream !== false;

const Container = {
  inspect: get('/containers/{id}/json', NO_CONTAINER),
  rename: post('/containers/{id}/rename', NO_CONTAINER),
  update: post('/containers/{id}/update', BAD_OR_NO_CONTAINER, BODY),
  top: get('/containers/{id}/top', NO_CONTAINER),
  changes: get('/containers/{id}/changes', NO_CONTAINER),
  listCheckpoint: get('/containers/{id}/checkpoints', NO_CONTAINER),
  deleteCheckpoint: del('/containers/{id}/checkpoints/{checkpoint}', NO_CONTAINER, { args: 'checkpoint' }),
  createCheckpoint: post('/containers/{id}/checkpoints', NO_CONTAINER, { ...BODY, allowEmpty: true }),
  export: get('/containers/{id}/export', NO_CONTAINER, STREAM),
  start: post('/containers/{id}/start', { 304: 'container already started', ...NO_CONTAINER }),
  pause: post('/containers/{id}/pause'),
  unpause: post('/containers/{id}/unpause', NO_CONTAINER),
  exec: post('/containers/{id}/exec', { ...NO_CONTAINER, 409: 'container stopped/paused' }, { ...BODY, gives: 'Exec' }),
  commit: post('/commit', NO_CONTAINER, {
    query: ['author', 'changes', 'comment', 'container', 'pause', 'repo', 'tag'],
    allowEmpty: true, // podman wants a body
  }),
  stop: post('/containers/{id}/stop', { 304: 'container already stopped', ...NO_CONTAINER }),
  restart: post('/containers/{id}/restart', NO_CONTAINER),
  kill: post('/containers/{id}/kill', NO_CONTAINER),
  resize: post('/containers/{id}/resize', BAD_OR_NO_CONTAINER),
  attach: post('/containers/{id}/attach', NO_CONTAINER, { stream: true, hijacks: true }),
  wait: post('/containers/{id}/wait', BAD_OR_NO_CONTAINER),
  remove: del('/containers/{id}', BAD_OR_NO_CONTAINER),
  copy: post('/containers/{id}/copy', NO_CONTAINER, { ...BODY, stream: true }),
  getArchive: get('/containers/{id}/archive', ARCHIVE, STREAM),
  infoArchive: head('/containers/{id}/archive', ARCHIVE, STREAM),
  putArchive: put('/containers/{id}/archive', { ...ARCHIVE, 403: 'client error, permission denied' }, { args: 'file' }),
  logs: get('/containers/{id}/logs', NO_CONTAINER, LOGS),
  stats: get('/containers/{id}/stats', NO_CONTAINER, { stream: unlessFalse }),
};

const Image = {
  inspect: get('/images/{name}/json', NO_IMAGE),
  distribution: get('/distribution/{name}/json', { 401: 'no such image', ...SERVER_ERROR }, byName),
  history: get('/images/{name}/history', NO_IMAGE),
  get: get('/images/{name}/get', SERVER_ERROR, STREAM),
  push: post('/images/{name}/push', NO_IMAGE, {
    stream: unlessFalse, args: 'auth last', auth: {}, ...byName,
  }),
  tag: post('/images/{name}/tag', { ...NO_IMAGE, ...BAD_PARAMETER, 409: 'conflict' }),
  remove: del('/images/{name}', { ...NO_IMAGE, 409: 'conflict' }),
};

const Volume = {
  inspect: get('/volumes/{name}', NO_VOLUME),
  update: put('/volumes/{name}', { ...NO_VOLUME, ...NO_SWARM }, { query: ['version'], since: '1.45' }),
  remove: del('/volumes/{name}', { ...NO_VOLUME, 409: 'conflict' }),
};

const Network = {
  inspect: get('/networks/{id}', NO_NETWORK),
  remove: del('/networks/{id}', { ...NO_NETWORK, 409: 'conflict' }),
  connect: post('/networks/{id}/connect', NO_ENDPOINT, BODY),
  disconnect: post('/networks/{id}/disconnect', NO_ENDPOINT, BODY),
};

const Service = {
  inspect: get('/services/{id}', NO_SERVICE),
  remove: del('/services/{id}', NO_SERVICE),
  update: post('/services/{id}/update', NO_SERVICE, {
    query: ['version', 'registryAuthFrom', 'rollback'], args: 'auth first',
  }),
  logs: get('/services/{id}/logs', { ...NO_SERVICE, ...NO_SWARM }, LOGS),
};

const Task = {
  inspect: get('/tasks/{id}', { 404: 'unknown task', ...SERVER_ERROR }),
  logs: get('/tasks/{id}/logs', { ...NO_CONTAINER, ...NO_SWARM }, LOGS),
};

const Node = {
  inspect: get('/nodes/{id}', NO_NODE),
  update: post('/nodes/{id}/update', { ...NO_NODE, 406: 'node is not part of a swarm' }, { query: ['version'] }),
  remove: del('/nodes/{id}', NO_NODE),
};

const Secret = {
  inspect: get('/secrets/{id}', { ...NO_SECRET, 406: 'node is not part of a swarm' }),
  update: post('/secrets/{id}/update', NO_SECRET, { query: ['version'] }),
  remove: del('/secrets/{id}', NO_SECRET),
};

const Config = {
  inspect: get('/configs/{id}', NO_CONFIG),
  update: post('/configs/{id}/update', NO_CONFIG, { query: ['version'] }),
  remove: del('/configs/{id}', NO_CONFIG),
};

const Plugin = {
  inspect: get('/plugins/{name}/json', NO_PLUGIN),
  remove: del('/plugins/{name}', NO_PLUGIN),
  privileges: get('/plugins/privileges', SERVER_ERROR, { registry: (_, { remote }) => remote }),
  pull: post('/plugins/pull', SERVER_ERROR, {
    query: ['name', 'remote'], stream: true, registry: ({ _query }, { remote }) => _query?.remote ?? remote,
  }),
  enable: post('/plugins/{name}/enable'),
  disable: post('/plugins/{name}/disable'),
  push: post('/plugins/{name}/push', PLUGIN_MISSING, byName),
  configure: post('/plugins/{name}/set', PLUGIN_MISSING, BODY),
  upgrade: post('/plugins/{name}/upgrade', PLUGIN_MISSING, {
    query: ['remote'], args: 'auth first', registry: ({ remote }) => remote,
  }),
};

const Exec = {
  start: post('/exec/{id}/start', { ...NO_EXEC, 409: 'container stopped/paused' }, {
    ...BODY, stream: true, hijacks: true, allowEmpty: true,
  }),
  resize: post('/exec/{id}/resize', NO_EXEC),
  inspect: get('/exec/{id}/json', { 404: 'no such exec', ...SERVER_ERROR }),
};

const Docker = {
  createContainer: post('/containers/create', {
    ...BAD_PARAMETER, 404: 'no such container', 406: 'impossible to attach',
  }, { query: ['name', 'platform'], gives: 'Container' }),
  createImage: post('/images/create', SERVER_ERROR, {
    stream: true, args: 'auth first', registry: ({ fromImage }) => fromImage,
  }),
  loadImage: post('/images/load', SERVER_ERROR, { stream: true, args: 'file' }),
  importImage: post('/images/create', SERVER_ERROR, { stream: true, args: 'file', adds: { fromSrc: '-' } }),
  checkAuth: post('/auth', SERVER_ERROR, BODY),
  buildImage: post('/build', SERVER_ERROR, {
    // BuildKit asks for them by its session.
    stream: true, args: 'context', registry: (options) => !usesBuildKit(options) && ALL_REGISTRIES,
  }),
  listContainers: get('/containers/json', BAD_PARAMETER),
  listImages: get('/images/json', BAD_PARAMETER),
  getImages: get('/images/get', BAD_PARAMETER, STREAM),
  listServices: get('/services'),
  listNodes: get('/nodes', { ...NO_NODE, ...BAD_PARAMETER, ...NO_SWARM }),
  listTasks: get('/tasks'),
  createSecret: post('/secrets/create', NOT_CREATED, { ...BODY, gives: 'Secret' }),
  createConfig: post('/configs/create', NOT_CREATED, { ...BODY, gives: 'Config' }),
  listSecrets: get('/secrets'),
  listConfigs: get('/configs'),
  createPlugin: post('/plugins/create', SERVER_ERROR, { args: 'file or none', gives: 'Plugin' }),
  listPlugins: get('/plugins'),
  pruneImages: post('/images/prune'),
  pruneBuilder: post('/build/prune'),
  pruneContainers: post('/containers/prune'),
  pruneVolumes: post('/volumes/prune'),
  pruneNetworks: post('/networks/prune'),
  createVolume: post('/volumes/create', SERVER_ERROR, { ...BODY, allowEmpty: true, gives: 'Volume' }),
  createService: post('/services/create', SERVER_ERROR, { ...BODY, args: 'auth first', gives: 'Service' }),
  listVolumes: get('/volumes', BAD_PARAMETER),
  createNetwork: post('/networks/create', { ...SERVER_ERROR, 404: 'driver not found' }, { ...BODY, gives: 'Network' }),
  listNetworks: get('/networks', BAD_PARAMETER),
  searchImages: get('/images/search'),
  info: get('/info'),
  version: get('/version'),
  ping: get('/_ping', SERVER_ERROR, { bytes: true }),
  df: get('/system/df'),
  getEvents: get('/events', SERVER_ERROR, STREAM),
  swarmInit: post('/swarm/init', IN_SWARM, BODY),
  swarmJoin: post('/swarm/join', IN_SWARM, BODY),
  swarmLeave: post('/swarm/leave', { 406: 'node is not part of a Swarm' }),
  swarmUpdate: post('/swarm/update', IN_SWARM, {
    query: ['version', 'rotateWorkerToken', 'rotateManagerToken', 'rotateManagerUnlockKey'],
  }),
  swarmInspect: get('/swarm', { 406: 'This node is not a swarm manager', ...SERVER_ERROR }),
  swarmUnlockKey: get('/swarm/unlockkey', { ...SERVER_ERROR, ...NO_SWARM }),
  swarmUnlock: post('/swarm/unlock', { ...SERVER_ERROR, ...NO_SWARM }, BODY),
};

module.exports = {
  ALL_REGISTRIES, Docker, Container, Image, Volume, Network, Service, Task, Node, Secret, Config, Plugin, Exec,
};
