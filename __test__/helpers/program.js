'use strict';

/**
 * Programs in child processes, as a user would run them.
 */

const { spawn } = require('node:child_process');
const path = require('node:path');

const { Transcript, until, within } = require('./deadline');

/** A child process with what it printed. */
class Program {
  constructor(command, args, { input, cwd, env } = {}) {
    this.transcript = new Transcript([path.basename(command), ...args].join(' '));
    this.output = '';
    this.child = spawn(command, args, { cwd, env, stdio: 'pipe' });
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

  exit(options) {
    return within(`end of ${this.transcript.title}`, this.ended, { transcript: this.transcript, ...options });
  }

  async stop() {
    this.child.kill('SIGTERM');
    return this.exit();
  }
}

const node = (args, options) => new Program(process.execPath, args, options);

module.exports = { Program, node };
