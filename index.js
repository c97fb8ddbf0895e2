'use strict';

const DockerClient = require('./lib/client');
const Docker = require('./lib/docker');
const { errorCodes } = require('./lib/errors');
const DockerServer = require('./lib/server');

module.exports = {
  DockerServer,
  DockerClient,
  Docker,
  DockerError: Docker.DockerError,
  // The names of version 3.0.0.
  DockerExecServer: DockerServer,
  DockerExecClient: DockerClient,
  errorCodes,
};
