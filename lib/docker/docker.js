'use strict';

const { engineAt } = require('./address');
const { DockerError } = require('./errors');
const { addMethods, entities } = require('./entities');
const extras = require('./extras');
const { Modem } = require('./modem');

/**
 * The API of one engine.
 *
 * @param {object | string} [options] Where it is, or its address as `DOCKER_HOST` has it; without it,
 * what the environment says.
 */
function Docker(options) {
  if (!new.target) return new Docker(options);
  const { Promise: library, modem, ...rest } = typeof options === 'string' ? engineAt(options) : options ?? {};
  this.modem = modem ?? new Modem(rest);
  this.modem.Promise = library ?? Promise;
}

const { Container, Image, Volume, Network, Service, Task, Node, Secret, Config, Plugin, Exec } = entities;

/** Entities of what was created, by the id or the name that the engine, or the caller, gave it. */
const created = {
  createContainer: ({ modem }, { Id }) => extras.markMade(new Container(modem, Id)),
  createSecret: ({ modem }, { ID }) => new Secret(modem, ID),
  createConfig: ({ modem }, { ID }) => new Config(modem, ID),
  createPlugin: ({ modem }, _, { options }) => new Plugin(modem, options.name),
  createVolume: ({ modem }, { Name }) => extras.markMade(new Volume(modem, Name)),
  createService: ({ modem }, { ID, Id }) => new Service(modem, ID || Id),
  createNetwork: ({ modem }, { Id }) => extras.markMade(new Network(modem, Id)),
};

/** Loaded when somebody builds: most programs do not. */
const building = () => require('./build');

addMethods(Docker.prototype, 'Docker', {
  ...Object.fromEntries(Object.entries(created).map(([name, convert]) => [name, { convert }])),
  buildImage: {
    prepare: (...args) => building().prepareBuild(...args),
    dial: (...args) => building().dialBuild(...args),
  },
});

const methods = {
  getContainer(id) { return new Container(this.modem, id); },
  getImage(name) { return new Image(this.modem, name); },
  getVolume(name) { return new Volume(this.modem, name); },
  getPlugin(name, remote) { return new Plugin(this.modem, name, remote); },
  getService(id) { return new Service(this.modem, id); },
  getTask(id) { return new Task(this.modem, id); },
  getNode(id) { return new Node(this.modem, id); },
  getNetwork(id) { return new Network(this.modem, id); },
  getSecret(id) { return new Secret(this.modem, id); },
  getConfig(id) { return new Config(this.modem, id); },
  getExec(id) { return new Exec(this.modem, id); },

  /** Pulls an image: `pull(name[, options][, callback][, auth])`. Resolves to the report of progress. */
  pull(name, ...args) {
    return pull(this, name, args, (tag) => ({ tag: tag || 'latest' }));
  },

  /** Pulls all tags of an image. */
  pullAll(name, ...args) {
    return pull(this, name, args, () => ({}));
  },

  /** @see {@link import('./run').run} */
  run(...args) {
    return require('./run').run(this, args);
  },

  /** As that of the modem; what BuildKit reports becomes text. */
  followProgress(stream, onFinished, onProgress) {
    require('./progress').followProgress(stream, onFinished, onProgress, require('./buildkit').readableEvents);
  },

  ...extras.docker,
};

define(Docker.prototype, methods);
define(Container.prototype, extras.container);
define(Volume.prototype, extras.volume);
define(Network.prototype, extras.network);

function define(prototype, members) {
  for (const name of Reflect.ownKeys(members)) {
    Object.defineProperty(prototype, name, { value: members[name], writable: true, configurable: true, enumerable: false });
  }
}

function pull(docker, name, args, tagOf) {
  const [first, second, auth] = args;
  const callback = typeof first === 'function' ? first : second;
  const options = typeof first === 'function' ? {} : first;
  const { repository, tag } = require('./tag').parseRepositoryTag(name);
  const wanted = { ...options, fromImage: repository, ...tagOf(tag) };
  const passed = (auth ?? undefined) === undefined ? [wanted] : [auth, wanted];
  return callback ? docker.createImage(...passed, callback) : docker.createImage(...passed);
}

Object.assign(Docker, entities, { Docker, DockerError });

module.exports = Docker;
