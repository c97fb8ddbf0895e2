// A terminal (xterm.js) joined to sessions, one after another.

import { Terminal } from './vendor/xterm.mjs';
import { FitAddon } from './vendor/addon-fit.mjs';
import { Session } from './session.js';

/** Output that is not drawn yet, in bytes: above the first we ask for a pause, below the second for more. */
const HIGH_WATER = 512 * 1024, LOW_WATER = 128 * 1024;

const DIM = '\x1b[2m', RED = '\x1b[31m', PLAIN = '\x1b[0m';

// What comes from a server is written as text only: no escape sequences of its own.
const printable = (text) => text.replace(/\p{Cc}/gu, ' ');

const THEME = {
  background: '#14161a', foreground: '#d9dde3', cursor: '#7cb7ff', selectionBackground: '#33507a',
};

/**
 * Puts a terminal into `element`. `onState(state, text)` hears of each change of state:
 * 'connecting', 'running', 'ended' (by the command), 'failed' (an exit code but 0), 'lost'.
 *
 * @returns {{ connect(url: URL): void, terminal: Terminal }}
 */
export function openTerminal(element, onState) {
  const terminal = new Terminal({
    fontFamily: 'ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace', fontSize: 14, scrollback: 5000, theme: THEME,
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(element);
  fit.fit();
  new ResizeObserver(() => fit.fit()).observe(element);

  let session = null;
  const encoder = new TextEncoder();
  terminal.onData((text) => session?.write(encoder.encode(text)));
  terminal.onBinary((text) => session?.write(Uint8Array.from(text, (letter) => letter.charCodeAt(0))));
  terminal.onResize(({ rows, cols }) => session?.resize(rows, cols));

  const say = (colour, text) => terminal.write(`\r\n${colour}${printable(text)}${PLAIN}\r\n`);

  function connect(url) {
    onState('connecting', 'connecting');
    const mine = new Session(url);
    session = mine;
    let undrawn = 0, paused = false;

    mine.addEventListener('running', () => {
      mine.resize(terminal.rows, terminal.cols);
      onState('running', 'running');
      terminal.focus();
    });
    mine.addEventListener('output', ({ detail: bytes }) => {
      undrawn += bytes.length;
      if (!paused && undrawn > HIGH_WATER) {
        paused = true;
        mine.pause();
      }
      terminal.write(bytes, () => {
        undrawn -= bytes.length;
        if (paused && undrawn < LOW_WATER) {
          paused = false;
          mine.resume();
        }
      });
    });
    mine.addEventListener('error', ({ detail: text }) => say(RED, text));
    mine.addEventListener('end', ({ detail: { code, lost } }) => {
      session = null;
      say(lost ? RED : DIM, lost || `the command has ended with exit code ${code}`);
      if (lost) onState('lost', lost);
      else onState(code === 0 ? 'ended' : 'failed', `ended, exit code ${code}`);
    });
  }

  return { connect, terminal };
}
