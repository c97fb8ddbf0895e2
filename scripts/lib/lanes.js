'use strict';
// Steps side by side: each lane is a list of steps that run one after the other, on an engine of the
// lane's own. What a step prints comes out whole when it ends, so that it can be read.

const fs = require('fs');
const os = require('os');
const path = require('path');

/** A file for the output of a step. */
class Output {
  #file = path.join(os.tmpdir(), `dew-step-${process.pid}-${Output.#made += 1}`);
  #fd = fs.openSync(this.#file, 'w+', 0o600);
  static #made = 0;

  get fd() { return this.#fd; }

  /** Prints all of it below `title`, and removes it. */
  async print(title) {
    fs.closeSync(this.#fd);
    const text = fs.readFileSync(this.#file);
    fs.rmSync(this.#file);
    // A pipe takes no more than its reader does: the next step's output must not come in between.
    await new Promise((resolve) => process.stdout.write(Buffer.concat([Buffer.from(`${title}\n`), text]), resolve));
  }
}

/**
 * Runs `lanes`, each an array of steps, side by side, and resolves to all their results in the
 * lanes' order. `open(lane)` resolves to `{ engine, end }`; `run(engine, step, output)` to
 * a step's result, and `stopped()` says whether no further step shall begin.
 */
async function sideBySide(lanes, { open, run, stopped }) {
  const outcomes = await Promise.allSettled(lanes.map(async (steps) => {
    const results = [];
    const { engine, end } = await open(steps);
    try {
      for (const step of steps) {
        if (stopped()) break;
        results.push(await run(engine, step, new Output()));
      }
    } finally {
      await end();
    }
    return results;
  }));
  const failed = outcomes.find(({ status }) => status === 'rejected');
  if (failed) throw failed.reason;
  return outcomes.flatMap(({ value }) => value);
}

module.exports = { sideBySide };
