'use strict';

const { badOption } = require('./errors');

// What the addon's own connection understands. Everything else is for Node's.
const UNDERSTOOD = new Set([
  'headers', 'origin', 'protocol', 'protocols', 'auth', 'ca', 'cert', 'key', 'rejectUnauthorized',
  'servername', 'handshakeTimeout', 'maxPayload', 'closeTimeout',
]);

// What the `ws` package has and what makes no difference here: there is no compression, text
// is checked, and a close is always answered.
const IGNORED = new Set([
  'perMessageDeflate', 'protocolVersion', 'skipUTF8Validation', 'allowSynchronousEvents',
  'autoPong', 'generateMask', 'finishRequest', 'binaryType', 'maxRedirects',
]);

/**
 * Sorts the options of the `ws` package, which callers of version 3.0.0 give, into what the addon
 * understands and what only Node's own connections do.
 *
 * @param {object} wsopts
 * @param {string} url
 * @returns {{ headers: Array<[string, string]>, tls: object, connectTimeout?: number,
 *   maxMessageSize?: number, closeTimeout?: number, node: object | null }} `node` is set if Node
 *   has to connect.
 */
function sortWsopts(wsopts, url) {
  if (wsopts === null || typeof wsopts !== 'object') {
    throw badOption('options.wsopts must be an object');
  }
  const [ca, cert, key] = [pems(wsopts.ca), pem(wsopts.cert), pem(wsopts.key)];
  const { rejectUnauthorized = process.env.NODE_TLS_REJECT_UNAUTHORIZED !== '0' } = wsopts;
  const secure = /^wss:/i.test(url);
  const onlyNode = [ca, cert, key].includes(null)
    || (secure && ca.length === 0 && Boolean(process.env.NODE_EXTRA_CA_CERTS))
    || Object.entries(wsopts).some(([name, value]) => {
      return isSet(value) && !UNDERSTOOD.has(name) && !IGNORED.has(name);
    });
  return {
    headers: headersOf(wsopts),
    tls: onlyNode ? { ca: [], rejectUnauthorized } : {
      ca, cert, key, rejectUnauthorized, serverName: wsopts.servername || undefined,
    },
    connectTimeout: wsopts.handshakeTimeout,
    maxMessageSize: wsopts.maxPayload,
    closeTimeout: wsopts.closeTimeout,
    node: onlyNode ? { ...wsopts, headers: undefined, auth: undefined } : null,
  };
}

function isSet(value) {
  return value !== undefined && value !== null && value !== false;
}

function headersOf({ headers = {}, origin, auth, protocol, protocols }) {
  const list = [];
  for (const [name, value] of Object.entries(headers)) {
    for (const one of [value].flat()) if (isSet(one)) list.push([name, String(one)]);
  }
  if (isSet(origin)) list.push(['Origin', String(origin)]);
  if (isSet(auth)) list.push(['Authorization', `Basic ${Buffer.from(auth).toString('base64')}`]);
  const offered = [protocol ?? protocols ?? []].flat();
  if (offered.length > 0) list.push(['Sec-WebSocket-Protocol', offered.join(',')]);
  return list;
}

/** One PEM or DER; `undefined` if there is none, `null` if it is something for Node only. */
function pem(value) {
  if (!isSet(value)) return undefined;
  if (typeof value === 'string') return Buffer.from(value);
  if (ArrayBuffer.isView(value)) {
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  }
  return null;
}

function pems(value) {
  const list = (isSet(value) ? [value].flat() : []).map(pem);
  return list.includes(null) ? null : list;
}

module.exports = { sortWsopts };
