'use strict';

// What `npm start` shows, in a real browser: Chromium, driven by playwright-core.

const assert = require('node:assert');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const http = require('node:http');
const path = require('node:path');
const { chromium } = require('playwright-core');
const { ask } = require('../scripts/engine');
const { findChromium } = require('../scripts/lib/tools');

const START = path.join(__dirname, '../scripts/start.js');

/** Starts the demo on a free port; `addresses` resolves when it has printed them. */
function startDemo() {
  const child = spawn(process.execPath, [START], { env: { ...process.env, PORT: '0' }, stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = once(child, 'exit');
  const demo = { child, exited, said: '' };
  demo.addresses = new Promise((resolve, reject) => {
    const hear = (data) => {
      demo.said += data;
      const [, page] = /page\s+(http:\S+)/.exec(demo.said) || [];
      const [, shell] = /\s(ws:\S+)/.exec(demo.said) || [];
      if (page && shell) resolve({ page, shell });
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    exited.then(([code, name]) => reject(new Error(`the demo ended with ${name || code}:\n${demo.said}`)), reject);
  });
  return demo;
}

/** Status and headers of a GET, with headers of our choice. */
const get = (url, headers) => new Promise((resolve, reject) => {
  http.get(url, { headers, agent: false }, (response) => {
    response.resume();
    resolve({ status: response.statusCode, headers: response.headers });
  }).on('error', reject);
});

/** Status of a WebSocket handshake with that Origin. */
const handshake = (url, origin) => new Promise((resolve, reject) => {
  const request = http.get(url.replace(/^ws/, 'http'), {
    agent: false,
    headers: {
      Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'MDEyMzQ1Njc4OWFiY2RlZg==',
      Origin: origin,
    },
  });
  request.on('response', (response) => {
    response.resume();
    resolve(response.statusCode);
  });
  request.on('upgrade', (response, socket) => {
    socket.destroy();
    resolve(response.statusCode);
  });
  request.on('error', reject);
});

/** The lines on the terminal's screen; with `wanted`, whether it is one of them. Runs in the page. */
const screen = (wanted) => {
  const rows = [...globalThis.document.querySelectorAll('.xterm-rows > div')];
  const lines = rows.map((row) => row.textContent.replaceAll('\u00a0', ' ').trimEnd());
  return wanted === undefined ? lines : lines.includes(wanted);
};

describe('npm start', function suite() {
  this.timeout(60_000);
  let demo, address, shell, browser, page, problems;

  const state = (name) => page.waitForSelector(`#state[data-state=${name}]`);
  const lineAppears = (line) => page.waitForFunction(screen, line);
  const type = (text) => page.keyboard.type(`${text}\n`);

  before(async () => {
    demo = startDemo();
    ({ page: address, shell } = await demo.addresses);
    browser = await chromium.launch({
      executablePath: findChromium(),
      args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync'],
    });
  });

  after(async () => {
    if (browser) await browser.close();
    if (demo && demo.child.exitCode === null) {
      demo.child.kill('SIGTERM');
      await demo.exited;
    }
  });

  beforeEach(async () => {
    problems = [];
    page = await browser.newPage({ viewport: { width: 1000, height: 600 } });
    page.setDefaultTimeout(40_000);
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
    await page.goto(address);
    await state('running');
  });

  afterEach(async () => {
    await page.close();
    assert.deepStrictEqual(problems, []);
  });

  it('runs what is typed: `echo hi` shows hi on a line of its own', async () => {
    await type('echo hi');
    await lineAppears('hi');
  });

  it('S23 takes nothing to run from its own URL', async () => {
    const [opened] = await Promise.all([
      page.waitForEvent('websocket'),
      page.goto(`${address}?tty=false&command=echo&command=hi#command=echo&command=hi`),
    ]);
    assert.strictEqual(opened.url(), `${shell}?tty=true&command=sh`);
    await state('running');
    await type('echo typed');
    await lineAppears('typed');
    assert.ok(!(await page.evaluate(screen)).includes('hi'));
  });

  it('tells the container the size of the terminal, and each change of it', async () => {
    const rows = async () => (await page.evaluate(screen)).length;
    const before = await rows();
    // The shell waits for the size to be that of the page: resize and input travel separately.
    await type(`until stty size | grep -q '^${before} '; do sleep 0.1; done; echo was $(stty size | cut -d' ' -f1)`);
    await lineAppears(`was ${before}`);
    await page.setViewportSize({ width: 700, height: 400 });
    await page.waitForFunction((old) => globalThis.document.querySelectorAll('.xterm-rows > div').length < old, before);
    const now = await rows();
    await type(`until stty size | grep -q '^${now} '; do sleep 0.1; done; echo is $(stty size | cut -d' ' -f1)`);
    await lineAppears(`is ${now}`);
  });

  it('shows a flood of output to its end', async () => {
    await type('seq 1 150000; echo do""ne');
    await lineAppears('done');
    assert.ok((await page.evaluate(screen)).includes('150000'));
  });

  it('shows the exit code, and gives a new shell at the press of a button', async () => {
    await type('exit 3');
    await state('failed');
    assert.strictEqual(await page.textContent('#state'), 'ended, exit code 3');
    await page.click('#reconnect');
    await state('running');
    await type('echo again');
    await lineAppears('again');
  });

  it('serves nothing without the secret, to another name, or to another origin', async () => {
    const { origin, host, port } = new URL(address);
    assert.strictEqual((await get(origin)).status, 404);
    assert.strictEqual((await get(address, { Host: `evil.example:${port}` })).status, 421);
    const { status, headers } = await get(address);
    assert.strictEqual(status, 200);
    assert.match(headers['content-security-policy'], /default-src 'none'; script-src 'self'; /);
    assert.strictEqual(await handshake(shell, 'http://evil.example'), 403);
    assert.strictEqual(await handshake(shell, `http://localhost:${Number(port) + 1}`), 403);
    assert.strictEqual(await handshake(shell, `http://${host}`), 101);
    assert.strictEqual(await handshake(`ws://${host}/shell`, `http://${host}`), 404);
  });

  it('ends in order on TERM: the page says so, and no container is left', async () => {
    const { container } = await (await page.request.get(`${address}about.json`)).json();
    const containers = () => ask({ host: process.env.DOCKER_HOST }, 'GET',
      `/containers/json?all=1&filters=${encodeURIComponent(JSON.stringify({ name: [container] }))}`);
    assert.strictEqual((await containers()).length, 1);
    demo.child.kill('SIGTERM');
    const [code] = await demo.exited;
    assert.strictEqual(code, 0, demo.said);
    await state('lost');
    assert.strictEqual(await page.textContent('#state'), 'the server has shut down');
    assert.deepStrictEqual(await containers(), []);
  });
});
