'use strict';

// Each is loaded when somebody asks for it: most programs do with one of them.
module.exports = {
  get DockerServer() { return require('./lib/server'); },
  get DockerClient() { return require('./lib/client'); },
  get Docker() { return require('./lib/docker'); },
  get DockerError() { return require('./lib/docker').DockerError; },
  // The names of version 3.0.0.
  get DockerExecServer() { return require('./lib/server'); },
  get DockerExecClient() { return require('./lib/client'); },
  get errorCodes() { return require('./lib/errors').errorCodes; },
};
