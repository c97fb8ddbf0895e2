'use strict';
// Which processors a measured process may use: the server one of its own, everything else the others.

const os = require('os');
const { find } = require('../../scripts/lib/tools');

const taskset = find('taskset');
const count = os.cpus().length;

/** Whether processes can be bound to processors here. */
const canPin = () => taskset !== null && count > 1;

/** The lists of processors, as `taskset -c` takes them. */
const SERVER = '0', OTHERS = `1-${count - 1}`;

/** `words`, bound to `cpus` if that is given and possible here. */
const pinned = (cpus, words) => (cpus && canPin() ? [taskset, '-c', cpus, ...words] : words);

module.exports = { canPin, pinned, SERVER, OTHERS };
