'use strict';

const DockerClient = require('./lib/client');
const { errorCodes } = require('./lib/errors');
const DockerServer = require('./lib/server');

module.exports = {
  DockerServer,
  DockerClient,
  // Loaded when somebody asks for it: servers and clients do without.
  get Docker() { return require('./lib/docker'); },
  get DockerError() { return require('./lib/docker').DockerError; },
  // The names of version 3.0.0.
  DockerExecServer: DockerServer,
  DockerExecClient: DockerClient,
  errorCodes,
};
