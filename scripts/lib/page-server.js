'use strict';
// The http server of the demo's page. Everything lies under a secret path, so that being on this
// machine is not enough to get a shell, and only names of this machine are answered to (DNS rebinding).

const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const path = require('path');

const ROOT = path.join(__dirname, '../..');

const TYPES = { '.html': 'text/html; charset=utf-8', '.css': 'text/css', '.js': 'text/javascript', '.mjs': 'text/javascript' };

const FILES = {
  '': 'demo/index.html',
  'style.css': 'demo/style.css',
  'page.js': 'demo/page.js',
  'terminal.js': 'demo/terminal.js',
  'session.js': 'demo/session.js',
  'vendor/xterm.css': 'node_modules/@xterm/xterm/css/xterm.css',
  'vendor/xterm.mjs': 'node_modules/@xterm/xterm/lib/xterm.mjs',
  'vendor/addon-fit.mjs': 'node_modules/@xterm/addon-fit/lib/addon-fit.mjs',
};

// xterm.js writes its colours and cell sizes into <style> elements; scripts come from files alone.
const headers = (host) => ({
  'Content-Security-Policy': [
    "default-src 'none'", "script-src 'self'", "style-src 'self' 'unsafe-inline'", 'img-src data:',
    `connect-src 'self' ws://${host}`, "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
  ].join('; '),
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
});

/** Makes the server, not listening yet; `about` is what the page shows of the container. */
function pageServer(about) {
  const secret = crypto.randomBytes(18).toString('base64url');
  const base = `/${secret}/`;
  const server = http.createServer((request, response) => {
    const host = request.headers.host || '';
    const answer = (status, type, body) => {
      response.writeHead(status, { ...headers(host), 'Content-Type': type });
      response.end(request.method === 'HEAD' ? undefined : body);
    };
    const [target] = request.url.split('?');
    if (!/^(localhost|127\.0\.0\.1|\[::1\]):\d+$/.test(host)) return answer(421, 'text/plain', 'not a name of this server\n');
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(405, 'text/plain', 'only GET\n');
    if (!target.startsWith(base)) return answer(404, 'text/plain', 'the address of the page has a secret in it: see the terminal\n');
    const name = target.slice(base.length);
    if (name === 'about.json') return answer(200, 'application/json', JSON.stringify(about));
    if (!Object.hasOwn(FILES, name)) return answer(404, 'text/plain', 'no such file\n');
    return answer(200, TYPES[path.extname(FILES[name])], fs.readFileSync(path.join(ROOT, FILES[name])));
  });
  return { server, base };
}

/** Listens on 127.0.0.1 at `port`, or at the next free one of twenty unless `exact`; resolves to the port. */
async function listen(server, port, exact) {
  for (let at = port; ; at += 1) {
    try {
      await new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(at, '127.0.0.1', () => {
          server.off('error', reject);
          resolve();
        });
      });
      return server.address().port;
    } catch (error) {
      if (error.code !== 'EADDRINUSE' || exact || at >= port + 20) throw error;
    }
  }
}

module.exports = { pageServer, listen };
