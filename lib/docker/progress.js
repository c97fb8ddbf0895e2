'use strict';

const { StringDecoder } = require('node:string_decoder');

const { DockerError } = require('./errors');
const { parseJson } = require('./query');

/**
 * Reads a report of progress, one JSON object on each line, to its end.
 *
 * @param {import('node:stream').Readable} stream What `pull`, `push`, `buildImage` and the like give.
 * @param {(error: Error | null, output: object[]) => void} [onFinished] Gets everything that was
 *   reported, and an error if the stream broke, or if the report says that the work failed.
 * @param {(event: object) => void} [onProgress] Gets each object as it comes.
 * @param {(event: object) => object[]} [translate] What to report for an event.
 */
function followProgress(stream, onFinished, onProgress, translate = (event) => [event]) {
  const decoder = new StringDecoder('utf8');
  const output = [];
  let rest = '';
  let failure = null;
  let finished = false;

  const take = (line) => {
    if (line.trim() === '') return;
    const event = JSON.parse(line);
    if (event?.error || event?.errorDetail) failure ??= workFailed(event);
    for (const one of translate(event)) {
      output.push(one);
      onProgress?.(one);
    }
  };
  const takeAll = (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    try {
      for (const line of lines) take(line);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      finish(unreadable(error));
    }
  };
  const data = (chunk) => takeAll(typeof chunk === 'string' ? chunk : decoder.write(chunk));
  const end = () => {
    if (!finished) takeAll(`${decoder.end()}\n`);
    finish(failure);
  };
  const fail = (error) => finish(error);
  const finish = (error) => {
    if (finished) return;
    finished = true;
    stream.off('data', data).off('end', end).off('error', fail).off('close', end);
    // An error that comes late has been told, or does not matter any more.
    stream.on('error', () => {});
    onFinished?.(error, output);
  };
  stream.on('data', data).on('end', end).on('error', fail).on('close', end);
  // What is over already tells nobody any more.
  if (stream.errored) process.nextTick(fail, stream.errored);
  else if (stream.readableEnded || stream.destroyed) process.nextTick(end);
}

function workFailed({ error, errorDetail }) {
  const message = errorDetail?.message || error || JSON.stringify(errorDetail);
  return new DockerError('DEW_ENGINE_WORK_FAILED', message, { json: { error, errorDetail } });
}

function unreadable(cause) {
  return new DockerError('DEW_ENGINE_PROTOCOL', 'the report of progress has a line that is no JSON', { cause });
}

/**
 * The same, as objects to iterate over; the work's failure is thrown.
 *
 * @param {import('node:stream').Readable} stream
 * @returns {AsyncGenerator<object, void>}
 */
async function* jsonLines(stream) {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  const parse = (line) => {
    try {
      return JSON.parse(line);
    } catch (error) {
      throw unreadable(error);
    }
  };
  for await (const chunk of stream) {
    const lines = (rest + (typeof chunk === 'string' ? chunk : decoder.write(chunk))).split('\n');
    rest = lines.pop();
    for (const line of lines) if (line.trim() !== '') yield parse(line);
  }
  rest += decoder.end();
  if (rest.trim() !== '') yield parse(rest);
}

/** What a report of progress says, to iterate over; throws when it says that the work failed. */
async function* progressOf(stream) {
  for await (const event of jsonLines(stream)) {
    yield event;
    if (event?.error || event?.errorDetail) throw workFailed(event);
  }
}

/**
 * A report that came as a whole; throws when it says that the work failed.
 *
 * @template T
 * @param {T} report Bytes of lines, or what one line says.
 * @returns {T}
 */
function checkReport(report) {
  const events = Buffer.isBuffer(report) ? report.toString().split('\n').map(parseJson) : [report];
  const failed = events.find((event) => event?.error || event?.errorDetail);
  if (failed) throw workFailed(failed);
  return report;
}

module.exports = { checkReport, followProgress, jsonLines, progressOf };
