#!/usr/bin/env node
'use strict';

const { cli } = require('../native');

// The command line handles these itself. Without a handler of Node's own, Node's default one would
// run behind ours and raise the signal again, which only reaches ours: a loop without end.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});

cli(process.argv.slice(2)).then((status) => {
  process.exitCode = status;
}, (error) => {
  process.stderr.write(`dew: ${error.message}\n`);
  process.exitCode = 1;
});
