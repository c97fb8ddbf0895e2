'use strict';

/** A self-signed certificate for 127.0.0.1 and localhost, made anew for each run, without any tool. */

const crypto = require('node:crypto');

const TAG = { boolean: 1, integer: 2, bitString: 3, octetString: 4, oid: 6, utf8: 12, time: 24, sequence: 0x30, set: 0x31 };

/** One DER element. */
function der(tag, ...parts) {
  const body = Buffer.concat(parts);
  if (body.length < 128) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const length = body.length < 256 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

function oid(text) {
  const [first, second, ...rest] = text.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const number of rest) {
    const groups = [number & 0x7f];
    for (let left = number >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return der(TAG.oid, Buffer.from(bytes));
}

/** GeneralizedTime, to the second. */
function time(date) {
  return der(TAG.time, Buffer.from(date.toISOString().replace(/[-:T]/g, '').replace(/\.\d+/, '')));
}

function extension(id, critical, value) {
  const flag = critical ? [der(TAG.boolean, Buffer.from([0xff]))] : [];
  return der(TAG.sequence, oid(id), ...flag, der(TAG.octetString, value));
}

/**
 * { key, cert } as PEM, to be given as `ca` too. With `authority` it is marked as one, as
 * `openssl req -x509` does by default.
 */
function selfSigned({ authority = false } = {}) {
  const { publicKey, privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const ecdsaSha256 = der(TAG.sequence, oid('1.2.840.10045.4.3.2'));
  const name = der(TAG.sequence, der(TAG.set, der(TAG.sequence, oid('2.5.4.3'), der(TAG.utf8, Buffer.from('dew test')))));
  const serial = Buffer.concat([Buffer.from([1]), crypto.randomBytes(8)]);
  const names = der(TAG.sequence, der(0x82, Buffer.from('localhost')), der(0x87, Buffer.from([127, 0, 0, 1])));
  const isAuthority = der(TAG.sequence, ...(authority ? [der(TAG.boolean, Buffer.from([0xff]))] : []));
  const hour = 3600 * 1000;
  const body = der(
    TAG.sequence,
    der(0xa0, der(TAG.integer, Buffer.from([2]))),
    der(TAG.integer, serial),
    ecdsaSha256,
    name,
    der(TAG.sequence, time(new Date(Date.now() - hour)), time(new Date(Date.now() + 24 * hour))),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(TAG.sequence, extension('2.5.29.19', true, isAuthority), extension('2.5.29.17', false, names)))
  );
  const signature = crypto.sign('sha256', body, privateKey);
  const whole = der(TAG.sequence, body, ecdsaSha256, der(TAG.bitString, Buffer.from([0]), signature));
  const lines = whole.toString('base64').match(/.{1,64}/g).join('\n');
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
  };
}

module.exports = { selfSigned };
