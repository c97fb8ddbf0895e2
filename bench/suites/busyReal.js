'use strict';

/** The same on a real engine, which takes its time to start a hundred commands. */
module.exports = require('./busy');
