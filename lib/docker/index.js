'use strict';

module.exports = require('./docker');
