'use strict';

/**
 * What the documents say against the code: names, numbers, defaults, codes, links.
 */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');

const { node } = require('./helpers/program');

const ROOT = path.join(__dirname, '..');
const at = (...names) => path.join(ROOT, ...names);
const read = (name) => fs.readFileSync(at(name), 'utf8');
const list = (folder, end) => fs.readdirSync(at(folder), { recursive: true })
  .filter((name) => name.endsWith(end)).map((name) => path.join(folder, name));

const PAGES = ['README.md', 'ARCHITECTURE.md', 'CHANGELOG.md', ...list('docs', '.md')];

/** Rows of the tables below a heading, as arrays of cells, without the tables' own heads. */
function rows(page, heading) {
  const [, section] = read(page).split(new RegExp(`^#+ ${heading}$`, 'm'));
  assert.ok(section, `${page} has no heading ${heading}`);
  return section.split(/^#/m)[0].split('\n')
    .filter((line, index, all) => line.startsWith('| ') && !all[index + 1].startsWith('|--'))
    .map((line) => line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim()));
}

const quoted = (text) => [...text.matchAll(/`([^`]+)`/g)].map((match) => match[1]);

describe('docs/api.md', () => {
  const { DockerServer, DockerClient, errorCodes } = require('..');
  const server = new DockerServer({ port: 0, path: '/', containerId: 'web', dockerHost: 'unix:///none' });
  const client = new DockerClient({ url: 'ws://localhost/' });

  after('close the server', () => server.close());

  for (const [name, { options }] of [['DockerServer', server], ['DockerClient', client]]) {
    it(`has every option of a ${name} with its default`, () => {
      const table = rows('docs/api.md', `\`new ${name}\\(options\\)\``);
      const documented = table.flatMap(([names]) => quoted(names));
      assert.deepEqual(Object.keys(options).filter((option) => !documented.includes(option)), []);
      for (const [names, standard] of table) {
        const [option] = quoted(names);
        if (option === 'dockerSocket' || !/^`[^`]+`$/.test(standard)) continue;
        assert.deepEqual(options[option], JSON.parse(quoted(standard)[0]), option);
      }
    });

    it(`has every member and event of a ${name}`, () => {
      const text = read('docs/api.md');
      const members = Object.getOwnPropertyNames(name === 'DockerServer' ? DockerServer.prototype : DockerClient.prototype);
      const source = read(name === 'DockerServer' ? 'lib/server.js' : 'lib/client.js');
      const events = [...source.matchAll(/(?:emit|#flow)\('([^']+)'(?:, '([^']+)')?/g)].flatMap((match) => match.slice(1, 3));
      for (const word of [...members, ...events].filter(Boolean)) {
        if (word !== 'constructor') assert.match(text, new RegExp(`\`${word}[\`(]`), `${word} is not documented`);
      }
    });
  }

  for (const command of ['serve', 'exec']) {
    it(`has every option of dew ${command}, and no other`, async () => {
      const help = node([at('bin/dew.js'), command, '--help']);
      assert.equal(await help.exit(), 0);
      const table = rows('docs/api.md', `\`dew ${command} \\[options\\] .*\``);
      const flags = (text, pattern) => [...text.matchAll(pattern)].map((match) => match[1]).sort();
      const there = flags(help.output, /^ {2,6}(?:-\w, )?(--[a-z-]+)/gm).filter((flag) => flag !== '--help');
      assert.deepEqual(flags(table.map(([names]) => names).join(' '), /(--[a-z-]+)/g), there);
    });
  }

  it('has the fixed limits of the code', () => {
    const units = { us: 0.001, ms: 1, s: 1000, KiB: 1024, MiB: 1024 * 1024 };
    for (const [what, value, where] of rows('docs/api.md', 'Fixed limits')) {
      const [file, name] = quoted(where);
      const found = new RegExp(`const ${name}(?:: \\w+)? = ([^;]+);`).exec(read(file));
      assert.ok(found, `${file} has no ${name}`);
      const [number, unit] = value.split(' ');
      assert.equal(Number(number) * (units[unit] ?? 1), evaluate(found[1]), what);
    }
  });

  it('has every fixed limit of the code', () => {
    const others = ['HEADER', 'MAX_HEADER', 'MAX_CONTROL', 'EOT', 'SESSION_DIGITS', 'PLACE_DIGITS', 'FAILED', 'FAR', 'DEFAULT_PORT',
      'NEXT_BITS', 'WAIT', 'END']; // no limits
    const documented = rows('docs/api.md', 'Fixed limits').map(([, , where]) => quoted(where).join(' '));
    const constant = /^(?:pub(?:\(\w+\))? )?const ([A-Z_]+)(?:: (?:Duration|usize|u16|u32) = [^;[]*\d| = [\d_ *]+;)/gm;
    const tested = list('src', '.rs').filter((file) => !file.endsWith('/tests.rs'));
    for (const file of [...tested, ...list('lib', '.js')]) {
      for (const [, name] of read(file).matchAll(constant)) {
        if (others.includes(name) || /^(?:OUTPUT|INPUT|GONE|STDIN|STDOUT|STDERR)$/.test(name)) continue;
        assert.ok(documented.includes(`${file} ${name}`), `${file} has ${name}, docs/api.md has not`);
      }
    }
  });

  /** The value of a constant: a number, a product, a shift, a duration in ms. */
  function evaluate(text) {
    const plain = text.replaceAll('_', '').replace(/Duration::frommillis\((\d+)\)/, '$1')
      .replace(/Duration::frommicros\((\d+)\)/, '$1 * 0.001')
      .replace(/Duration::fromsecs\((\d+)\)/, '$1 * 1000');
    assert.match(plain, /^[\d. *<]+$/, `cannot read the constant ${text}`);
    const [left, right] = plain.split('<<');
    return left.split('*').reduce((product, factor) => product * Number(factor), 1) * 2 ** Number(right ?? 0);
  }

  it('has the environment variables of the code', () => {
    const documented = rows('docs/api.md', 'Environment').flatMap(([name]) => quoted(name));
    const used = sources().flatMap((text) => text.match(/(?<=(?:env::var|variable)\("|process\.env\.)[A-Z_]+/g) ?? []);
    assert.deepEqual([...new Set(used)].sort(), [...documented].sort());
  });

  it('has the error codes of the code, and errorCodes those that an Error can have', () => {
    const codes = (text) => [...new Set(text.match(/DEW_[A-Z0-9_]*[A-Z0-9]/g))].sort();
    const page = read('docs/errors.md');
    const variables = rows('docs/api.md', 'Environment').flatMap(([name]) => quoted(name));
    const all = codes([...sources(), read('index.d.ts')].join('\n'));
    assert.deepEqual(codes(page), all.filter((code) => !variables.includes(code)));
    // A refusal is HTTP: what reaches a program is the status.
    const [before, refusals] = page.split('## A request that is refused');
    const [, after] = refusals.split(/^## /m);
    const rest = page.slice(page.indexOf(after));
    assert.deepEqual([...errorCodes].sort(), codes(before.replace(/\| a refused handshake.*/, '') + rest));
    assert.deepEqual(codes(read('index.d.ts')), [...errorCodes].sort());
  });

  function sources() {
    return [...list('src', '.rs'), ...list('lib', '.js')].map(read);
  }
});

describe('docs/runtimes.md', () => {
  it('has the targets of package.json, and each has its package', () => {
    const { napi: { targets } } = JSON.parse(read('package.json'));
    assert.deepEqual(rows('docs/runtimes.md', 'Platforms').flatMap(([target]) => quoted(target)).slice(0, targets.length).sort(), [...targets].sort());
    const word = { x86_64: 'x64', aarch64: 'arm64', unknown: null, pc: null, apple: null, windows: 'win32' };
    const folder = (target) => target.split('-').map((part) => (part in word ? word[part] : part)).filter(Boolean);
    const folders = targets.map(folder).map(([cpu, system, libc]) => [system, cpu, libc].filter(Boolean).join('-'));
    assert.deepEqual(fs.readdirSync(at('npm')).sort(), folders.sort());
  });
});

describe('documents', () => {
  it('say of each claim either that it is tested or that it does not hold yet', () => {
    const others = rows('docs/security.md', 'Claims and their tests').filter(([, , state]) => !['tested', 'not yet'].includes(state));
    assert.deepEqual(others, []);
  });

  it('name as tested the claims that tests carry in their names', () => {
    const tests = [...list('src', '.rs'), ...list('tests', '.rs'), ...list('__test__', '.test.js')].map(read).join('\n');
    const names = tests.match(/fn (?:s\d+_)+|(?:it|describe)\(\s*['"`]S\d+[^'"`]*/g).join(' ');
    const carried = new Set(names.match(/\b[sS]\d+|(?<=_)s\d+(?=_)/g).map((claim) => claim.toUpperCase()));
    const tested = rows('docs/security.md', 'Claims and their tests').filter(([, , state]) => state === 'tested');
    assert.deepEqual(tested.map(([claim]) => claim).sort(), [...carried].sort());
  });

  const slug = (heading) => heading.toLowerCase().replace(/[^\w\- ]/g, '').replaceAll(' ', '-');
  const anchors = (file) => read(file).split('\n').filter((line) => /^#+ /.test(line)).map((line) => slug(line.replace(/^#+ /, '')));

  for (const page of PAGES) {
    it(`${page} has no link that leads nowhere`, () => {
      const text = read(page).replace(/^```[^]*?^```$/gm, '');
      for (const [, target] of text.matchAll(/\]\(([^)]+)\)/g)) {
        if (/^https?:/.test(target)) continue;
        const [name, anchor] = target.split('#');
        const file = name === '' ? page : path.join(path.dirname(page), name);
        assert.ok(fs.existsSync(at(file)), target);
        if (anchor) assert.ok(anchors(file).includes(anchor), target);
      }
    });

    it(`${page} has lines of at most 130 characters, tables and links apart`, () => {
      const long = read(page).split('\n').filter((line) => line.length > 130 && !/^\||\]\(/.test(line));
      assert.deepEqual(long, []);
    });
  }
});
