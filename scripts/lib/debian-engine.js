'use strict';
// Docker Engines of other Debian releases than this machine's, for the tests: programs in a folder of
// the build's, nothing installed. runc and whatever else dockerd calls is the machine's.

const { spawnSync } = require('child_process');
const fs = require('fs');
const path = require('path');
const { canInstall, find } = require('./tools');

/** The release whose engine a lane of every whole test run is on. */
const TESTED_RELEASE = 'trixie';

const ENGINES = path.join(__dirname, '../../target/engines');
const PACKAGES = ['docker.io', 'containerd'];
const ARCHIVE = 'http://deb.debian.org/debian';
const KEYS = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** The folders of a release's programs, as they stand in PATH. */
const programsIn = (folder) => ['usr/sbin', 'usr/bin'].map((name) => path.join(folder, name));

/**
 * Fetches the engine of a Debian release (`trixie`) unless that has been done, and returns the folders of
 * its programs, for PATH. Throws where it cannot be had, or does not run on this machine.
 */
function debianEngine(release) {
  if (!/^[a-z]+$/.test(release)) throw new Error(`'${release}' is no name of a Debian release, as trixie is`);
  const folder = path.join(ENGINES, release);
  if (!fs.existsSync(folder)) {
    if (!canInstall()) throw new Error('fetching it needs apt-get, and root');
    console.log(`setup: fetching Docker Engine of Debian ${release}`);
    const work = `${folder}-${process.pid}`;
    try {
      unpack(release, work);
      fs.renameSync(path.join(work, 'root'), folder);
    } finally {
      fs.rmSync(work, { recursive: true, force: true });
    }
  }
  return programsIn(folder);
}

/** The same; undefined, with a word to people, where it cannot be had: tests then run on the machine's own. */
function engineIfAny(release) {
  try {
    return debianEngine(release);
  } catch (error) {
    console.error(`no Docker Engine of Debian ${release} here, tests run without it: ${error.message}`);
    return undefined;
  }
}

/** Leaves the programs in `work/root`. apt's state of its own keeps the machine's as it is, and checks signatures all the same. */
function unpack(release, work) {
  const at = (...names) => path.join(work, ...names);
  for (const name of ['lists/partial', 'cache/archives/partial', 'root']) fs.mkdirSync(at(name), { recursive: true });
  fs.writeFileSync(at('sources.list'), `deb [signed-by=${KEYS}] ${ARCHIVE} ${release} main\n`);
  const options = {
    'Dir::Etc::sourcelist': at('sources.list'), 'Dir::Etc::sourceparts': '-', 'Dir::State::lists': at('lists'), 'Dir::Cache': at('cache'),
    'APT::Sandbox::User': 'root', 'Acquire::Languages': 'none',
  };
  const words = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  run(find('apt-get'), [...words, '-q', 'update'], work);
  run(find('apt-get'), [...words, '-q', 'download', ...PACKAGES], work);
  for (const file of fs.readdirSync(work).filter((name) => name.endsWith('.deb'))) run(find('dpkg-deb'), ['-x', file, 'root'], work);
  run(path.join(programsIn(at('root'))[0], 'dockerd'), ['--version'], work);
}

function run(program, args, cwd) {
  const { status, error } = spawnSync(program, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error(`${path.basename(program)} ${args.at(-1)} failed${error ? `: ${error.message}` : ''}`);
}

module.exports = { TESTED_RELEASE, debianEngine, engineIfAny };
