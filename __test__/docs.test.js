'use strict';

/**
 * The documents against the code: every program in them runs, every example runs, every name and
 * number in them is that of the code, every link leads somewhere.
 *
 * In README.md and docs/*.md
 * - a `js` block is a whole program, and one whose first line is `// server….js` stays up for the
 *   blocks behind it, until the next such block; fragments are `text` blocks;
 * - an `sh` block is run line by line; `dew serve` stays up in the same way;
 * - `prints: X` in a comment says that X is in the program's output;
 * - a reader puts in a container of their own for `web` and a port for 8080; so do we.
 */

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');

const { TestContainer, useContainer } = require('./helpers/container');
const { Transcript, until, within } = require('./helpers/deadline');
const { listen } = require('./helpers/scene');

const ROOT = path.join(__dirname, '..');
const at = (...names) => path.join(ROOT, ...names);
const read = (name) => fs.readFileSync(at(name), 'utf8');
const list = (folder, end) => fs.readdirSync(at(folder), { recursive: true })
  .filter((name) => name.endsWith(end)).map((name) => path.join(folder, name));

const PAGES = ['README.md', 'ARCHITECTURE.md', 'CHANGELOG.md', ...list('docs', '.md')];

/** A child process with what it printed. */
class Program {
  constructor(command, args, { input, cwd } = {}) {
    this.transcript = new Transcript([path.basename(command), ...args].join(' '));
    this.output = '';
    this.child = spawn(command, args, { cwd, stdio: 'pipe' });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        this.output += text;
        this.transcript.note(JSON.stringify(text));
      });
    }
    this.child.stdin.on('error', () => {}); // it need not read its input
    if (input !== null) this.child.stdin.end(input);
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('close', (code, signal) => resolve(code ?? signal));
    });
  }

  /** What `condition` makes of the output, as soon as that is something. */
  sees(what, condition) {
    const over = this.ended.then((code) => { throw new Error(`it ended with ${code}\n${this.transcript}`); });
    over.catch(() => {});
    const seen = until(what, () => condition(this.output), { transcript: this.transcript });
    return Promise.race([seen, over]);
  }

  firstLine() {
    return this.sees('a line', (output) => /^(.*)\n/.exec(output)?.[1]);
  }

  exit() {
    return within(`end of ${this.transcript.title}`, this.ended, { transcript: this.transcript });
  }

  async stop() {
    this.child.kill('SIGTERM');
    return this.exit();
  }
}

const node = (args, options) => new Program(process.execPath, args, options);

/** A port that was free a moment ago. */
async function freePort() {
  const server = http.createServer();
  const { port } = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The blocks of one language: `{ language, text, line }`. */
function blocks(page) {
  const found = [];
  for (const match of read(page).matchAll(/^```(\w+)\n([^]*?)^```$/gm)) {
    const line = read(page).slice(0, match.index).split('\n').length;
    found.push({ language: match[1], text: match[2], line });
  }
  return found;
}

const expected = (text) => [...text.matchAll(/(?:\/\/|#) prints: (.*)$/gm)].map((match) => match[1]);

/** A folder in which this package and the others that examples use are installed. */
function makeProject() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dew-docs-'));
  fs.mkdirSync(path.join(folder, 'node_modules'));
  fs.symlinkSync(ROOT, path.join(folder, 'node_modules/docker-exec-websocket'));
  fs.symlinkSync(at('node_modules/ws'), path.join(folder, 'node_modules/ws'));
  // What a browser has and Node 20 has not.
  fs.writeFileSync(path.join(folder, 'prelude.cjs'), 'globalThis.WebSocket ??= require("ws");\n');
  return folder;
}

describe('programs in the documents', () => {
  const container = useContainer();
  let folder;

  before('make a project', () => { folder = makeProject(); });
  after('remove the project', () => fs.rmSync(folder, { recursive: true }));

  for (const page of PAGES) {
    const runnable = blocks(page).filter(({ language }) => ['js', 'sh'].includes(language));
    if (runnable.length === 0) continue;

    describe(page, () => {
      let port;
      let server = null;

      before('choose a port', async () => { port = await freePort(); });
      after('stop the server', async () => { if (server) assert.equal(await endServer(), 0); });

      async function endServer() {
        const ending = server;
        server = null;
        return ending?.stop();
      }

      const reader = (text) => text.replaceAll('8080', port)
        .replace(/(?<=['" ])web(?=['" \n]|$)/gm, container.id);

      async function serve(start) {
        await endServer();
        server = start();
        await server.sees('word that it serves', (output) => /^(?:listening|serving) .*\n/.test(output));
      }

      async function runs(program, text) {
        assert.equal(await program.exit(), 0, `${program.transcript}`);
        for (const words of expected(text)) {
          assert.ok(program.output.includes(words), `it does not print ${words}\n${program.transcript}`);
        }
      }

      for (const { language, text, line } of runnable) {
        if (language === 'js') {
          const [, name = `line-${line}.js`] = /^\/\/ (\S+\.js)\n/.exec(text) ?? [];
          it(`${name} on line ${line} runs`, async () => {
            const file = path.join(folder, name.replace(/js$/, /^import /m.test(text) ? 'mjs' : 'cjs'));
            fs.writeFileSync(file, reader(text));
            const start = () => node(['--require', path.join(folder, 'prelude.cjs'), file], { cwd: folder });
            if (name.startsWith('server')) await serve(start);
            else await runs(start(), text);
          });
          continue;
        }
        for (const command of text.trim().split('\n')) {
          const npm = /^npm (install|start|test|run (\S+))(?: (\S+))?$/.exec(command);
          if (npm !== null) {
            it(`\`${command}\` names what is there`, () => {
              const { name, scripts } = JSON.parse(read('package.json'));
              if (npm[1] === 'install') assert.equal(npm[3], name);
              else assert.ok(scripts[npm[2] ?? npm[1]], `package.json has no such script: ${command}`);
            });
            continue;
          }
          it(`\`${command}\` runs`, async () => {
            const line = reader(command).replaceAll('npx dew', `exec "${process.execPath}" "${at('bin/dew.js')}"`);
            const start = () => new Program('bash', ['-c', line], { cwd: folder });
            if (command.includes('dew serve')) await serve(start);
            else await runs(start(), command);
          });
        }
      }
    });
  }
});

describe('examples', () => {
  const container = useContainer();
  const example = (name, args, options) => node([at('examples', name), ...args], options);
  let server;
  let url;

  before('start examples/server.js', async () => {
    server = example('server.js', [container.id]);
    url = await server.firstLine();
  });
  after('stop it', async () => { if (server) assert.equal(await server.stop(), 0); });

  it('are all tested here', () => {
    const tested = ['client.js', 'express.js', 'run.js', 'server.js', 'terminal.js'];
    assert.deepEqual(fs.readdirSync(at('examples')).sort(), tested);
  });

  it('server.js tells of its sessions', async () => {
    const before = server.output.length;
    await example('client.js', [url, 'true']).exit();
    await server.sees('end of a session', (output) => /session \d+ from 127\.0\.0\.1: \["true"\]\n0 sessions left/.test(output.slice(before)));
  });

  it('server.js says with a code why it cannot serve', async () => {
    const failing = example('server.js', ['no-such-container']);
    assert.equal(await failing.exit(), 1);
    assert.match(failing.output, /^DEW_ENGINE_NOT_FOUND: /);
  });

  it('client.js joins a command to its own streams and exits with its code', async () => {
    const counted = example('client.js', [url, 'wc', '-c'], { input: 'abc' });
    assert.equal(await counted.exit(), 0);
    assert.equal(counted.output, '3\n');
    // Its stdin stays open: the end of the command is enough.
    const failed = example('client.js', [url, 'sh', '-c', 'echo no >&2; exit 9'], { input: null });
    assert.equal(await failed.exit(), 9);
    assert.equal(failed.output, 'no\n');
  });

  it('client.js says with a code why it cannot connect', async () => {
    const refused = example('client.js', [`${url}x`, 'true']);
    assert.equal(await refused.exit(), 125);
    assert.equal(refused.output, 'DEW_HANDSHAKE_REFUSED: Unexpected server response: 404\n');
  });

  it('run.js gives output and exit code, and ends what takes too long', async () => {
    const run = example('run.js', [url]);
    assert.equal(await run.exit(), 0, `${run.transcript}`);
    assert.equal(run.output, [
      "{ code: 0, stdout: '3\\n', stderr: '' }", "{ code: 7, stdout: '', stderr: 'no\\n' }", 'TimeoutError', '',
    ].join('\n'));
    await container.quiet();
  });

  it('terminal.js is a shell on the local terminal, with its size', async () => {
    const line = `stty rows 31 cols 117; exec "${process.execPath}" "${at('examples/terminal.js')}" "${url}"`;
    const terminal = new Program('script', ['-qec', line, '/dev/null'], { input: null });
    await terminal.sees('a prompt', (output) => output.includes('# '));
    terminal.child.stdin.write('stty size; exit 5\n');
    assert.equal(await terminal.exit(), 5, `${terminal.transcript}`);
    assert.match(terminal.output, /^31 117\r$/m);
  });

  it('terminal.js refuses to run without a terminal', async () => {
    assert.equal(await example('terminal.js', [url]).exit(), 2);
  });

  it('express.js serves an application and two containers', async () => {
    const other = await TestContainer.start();
    try {
      const application = example('express.js', [container.id, other.id]);
      const shell = await application.firstLine();
      const answer = await fetch(shell.replace(/^ws:(.*)shell$/, 'http:$1'));
      assert.equal(await answer.text(), 'the application\n');
      for (const [where, which] of [[shell, container], [shell.replace(/shell$/, 'other'), other]]) {
        const named = example('client.js', [where, 'hostname']);
        assert.equal(await named.exit(), 0, `${named.transcript}`);
        assert.equal(named.output.trim(), which.id.slice(0, 12));
      }
      assert.equal(await application.stop(), 0);
    } finally {
      await other.remove();
    }
  });
});

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
      const flags = (text) => [...new Set(text.match(/(?<![\w-])--[a-z-]+/g))].sort();
      const there = flags(help.output.replace(/^ {6,}.*$/gm, '')).filter((flag) => flag !== '--help');
      assert.deepEqual(flags(table.map(([names]) => names).join(' ')), there);
    });
  }

  it('has the fixed limits of the code', () => {
    const units = { ms: 1, s: 1000, KiB: 1024, MiB: 1024 * 1024 };
    for (const [what, value, where] of rows('docs/api.md', 'Fixed limits')) {
      const [file, name] = quoted(where);
      const found = new RegExp(`const ${name}(?:: \\w+)? = ([^;]+);`).exec(read(file));
      assert.ok(found, `${file} has no ${name}`);
      const [number, unit] = value.split(' ');
      assert.equal(Number(number) * (units[unit] ?? 1), evaluate(found[1]), what);
    }
  });

  /** The value of a constant: a number, a product, a shift, a duration in ms. */
  function evaluate(text) {
    const plain = text.replaceAll('_', '').replace(/Duration::frommillis\((\d+)\)/, '$1')
      .replace(/Duration::fromsecs\((\d+)\)/, '$1 * 1000');
    assert.match(plain, /^[\d *<]+$/, `cannot read the constant ${text}`);
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

describe('documents', () => {
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
