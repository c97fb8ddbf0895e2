'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

/** The folder where the docker CLI keeps its settings. */
const configFolder = () => process.env.DOCKER_CONFIG || path.join(os.homedir(), '.docker');

/** The file of the docker CLI's settings. */
const configFile = () => path.join(configFolder(), 'config.json');

/** The file's content, or undefined if there is no such file. */
function readIfThere(file) {
  try {
    return fs.readFileSync(file);
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

module.exports = { configFile, configFolder, readIfThere };
