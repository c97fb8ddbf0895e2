'use strict';

const endpoints = require('./endpoints');
const { createMethod } = require('./method');
// Loaded when somebody asks for it: most programs do without.
const progress = () => require('./progress');

/** What has an id, or a name, in the engine. */
class Entity {
  constructor(modem) {
    this.modem = modem;
  }
}

class Container extends Entity {
  constructor(modem, id) {
    super(modem);
    this.id = id;
    this.defaultOptions = Object.fromEntries([
      'top', 'start', 'commit', 'stop', 'pause', 'unpause', 'restart', 'resize', 'attach', 'remove', 'copy',
      'kill', 'exec', 'rename', 'log', 'stats', 'getArchive', 'infoArchive', 'putArchive', 'update', 'wait',
    ].map((name) => [name, {}]));
  }
}

class Task extends Entity {
  constructor(modem, id) {
    super(modem);
    this.id = id;
    this.defaultOptions = { log: {} };
  }
}

class Plugin extends Entity {
  constructor(modem, name, remote) {
    super(modem);
    this.name = name;
    this.remote = remote || name;
  }
}

const withId = () => class extends Entity {
  constructor(modem, id) {
    super(modem);
    this.id = id;
  }
};

const withName = () => class extends Entity {
  constructor(modem, name) {
    super(modem);
    this.name = name;
  }
};

class Image extends withName() {}
class Volume extends withName() {}
class Network extends withId() {}
class Service extends withId() {}
class Node extends withId() {}
class Secret extends withId() {}
class Config extends withId() {}
class Exec extends withId() {}

const entities = {
  Container, Image, Volume, Network, Service, Task, Node, Secret, Config, Plugin, Exec,
};

/** What a method does besides what the table says. */
const SPECIAL = {
  Container: {
    exec: { convert: ({ modem }, { Id }) => new Exec(modem, Id) },
    commit: { prepare: ({ id }, { options }) => Object.assign(options, { container: id }) },
  },
  Plugin: {
    privileges: { prepare: ({ remote }, { options }) => Object.assign(options, { remote }) },
    pull: {
      prepare: ({ name, remote }, { options }) => {
        options._query = { name, remote, ...options._query };
      },
    },
    push: { convert: (_, report) => progress().checkReport(report) },
    upgrade: { convert: (_, report) => progress().checkReport(report) },
  },
};

/** Gives `prototype` the methods that the table has for `entity`. */
function addMethods(prototype, entity, special = {}) {
  for (const [name, endpoint] of Object.entries(endpoints[entity])) {
    const value = createMethod(name, endpoint, special[name]);
    Object.defineProperty(prototype, name, { value, writable: true, configurable: true, enumerable: false });
  }
}

for (const [name, entity] of Object.entries(entities)) addMethods(entity.prototype, name, SPECIAL[name]);

module.exports = { addMethods, entities };
