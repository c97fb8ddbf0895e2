'use strict';

const assert = require('node:assert');
const { IMAGES, ensureImage } = require('../scripts/engine');
const { bodyOf, useFakeEngines } = require('./helpers/fake-engine');

/** An engine without images. `take(number, request, response, keep)` answers each upload; after `keep()` the image is there. */
function withoutImages(take) {
  const there = new Set();
  const state = { uploads: 0 };
  const answer = async (request, response) => {
    const url = new URL(request.url, 'http://engine');
    if (url.pathname === '/containers/create') {
      const { Image } = JSON.parse(await bodyOf(request));
      response.writeHead(there.has(Image) ? 201 : 404).end('{}');
      return;
    }
    take(++state.uploads, request, response, () => there.add(url.searchParams.get('repo')));
  };
  return { answer, state };
}

/** Takes an upload to its end. */
function finish(request, response, keep) {
  request.resume().on('end', () => {
    keep();
    response.end('{"status":"done"}');
  });
}

describe('an image for an engine of our own', () => {
  const fake = useFakeEngines();
  const COUNT = Object.keys(IMAGES).length;
  let said;
  const { error } = console;

  beforeEach(() => {
    said = [];
    console.error = (text) => said.push(text);
  });
  afterEach(() => { console.error = error; });

  async function ensured(take) {
    const { answer, state } = withoutImages(take);
    const { socketPath } = await fake(answer);
    return { state, done: ensureImage({ host: `unix://${socketPath}` }) };
  }

  it('is sent once more where the engine breaks the connection', async () => {
    const { state, done } = await ensured((number, request, response, keep) => {
      if (number === 1) request.once('data', () => request.socket.destroy());
      else finish(request, response, keep);
    });
    assert.deepStrictEqual(await done, IMAGES);
    assert.strictEqual(state.uploads, COUNT + 1);
    assert.match(said.join('\n'), /^POST \/images\/create.*(EPIPE|ECONNRESET|socket hang up)[^]*trying again$/);
  });

  it('is not sent again where it has come in spite of that', async () => {
    const { state, done } = await ensured((number, request, response, keep) => {
      if (number > 1) return finish(request, response, keep);
      keep();
      return request.once('data', () => request.socket.destroy());
    });
    assert.deepStrictEqual(await done, IMAGES);
    assert.strictEqual(state.uploads, COUNT);
    assert.match(said.join('\n'), /the image is there$/);
  });

  it('is given up when that happens again', async () => {
    const { state, done } = await ensured((_number, request) => request.once('data', () => request.socket.destroy()));
    await assert.rejects(done, /^Error: POST \/images\/create.*(EPIPE|ECONNRESET|socket hang up)/);
    assert.strictEqual(state.uploads, 2);
  });

  it('is not sent again to an engine that refuses it', async () => {
    const { state, done } = await ensured((_number, request, response) => {
      request.resume().on('end', () => response.writeHead(500).end('no space'));
    });
    await assert.rejects(done, /engine did not import .*: no space \(HTTP 500\)/);
    assert.strictEqual(state.uploads, 1);
  });
});
