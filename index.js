'use strict';

const DockerClient = require('./lib/client');
const { errorCodes } = require('./lib/errors');
const DockerServer = require('./lib/server');

module.exports = {
  DockerServer,
  DockerClient,
  // The names of version 3.0.0.
  DockerExecServer: DockerServer,
  DockerExecClient: DockerClient,
  errorCodes,
};
