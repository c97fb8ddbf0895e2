'use strict';

/**
 * The programs in the documents run, and the examples.
 *
 * In README.md and docs/*.md
 * - a `js` block is a whole program, and one whose first line is `// server….js` stays up for the
 *   blocks behind it, until the next such block; fragments are `text` blocks;
 * - an `sh` block is run line by line; `dew serve` stays up in the same way;
 * - `prints: X` in a comment says that X is in the program's output;
 * - a reader puts in a container of their own for `web` and a port for 8080; so do we.
 */

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { freePort } = require('../scripts/lib/free-port');
const { TestContainer, useContainer } = require('./helpers/container');
const { Program, node } = require('./helpers/program');

const ROOT = path.join(__dirname, '..');
const at = (...names) => path.join(ROOT, ...names);
const read = (name) => fs.readFileSync(at(name), 'utf8');
const list = (folder, end) => fs.readdirSync(at(folder), { recursive: true })
  .filter((name) => name.endsWith(end)).map((name) => path.join(folder, name));

const PAGES = ['README.md', ...list('docs', '.md')];

/** The fenced blocks of a page: `{ language, text, line }`. */
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
