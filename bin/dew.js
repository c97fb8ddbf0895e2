#!/usr/bin/env node
'use strict';

const { cli } = require('../native');

cli(process.argv.slice(2)).then((status) => {
  process.exitCode = status;
}, (error) => {
  process.stderr.write(`dew: ${error.message}\n`);
  process.exitCode = 1;
});
