// jose at work, for jose.t: reads what to verify and the keys to sign with from stdin, as
// JSON, and writes what came of it, and the tokens, to stdout.

import { createHmac, createPublicKey, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const { home, keys, publics, jws, old, minted, order } = JSON.parse(readFileSync(0, 'utf8'));

// the package is installed elsewhere, where import does not look
const require = createRequire(`${process.cwd()}/${home}/`);
const jose = await import(pathToFileURL(require.resolve('jose')));

const text = bytes => new TextDecoder().decode(bytes);
const b64 = data => jose.base64url.encode(data);
const secret = use => jose.base64url.decode(keys[use].k);

// fails(promise): by which of jose's errors
const fails = promise => promise.then(() => 'accepted', error => error.code ?? error.name);


// what the module signed

const set = jose.createLocalJWKSet({ keys: publics });
const [ head, body, signature ] = jws.split('.');
const evidence = await jose.compactVerify(jws, set);

const changed = b64(text(jose.base64url.decode(body)).replace('"viewed"', '"opened"'));
const stranger = (await jose.generateKeyPair('EdDSA')).publicKey;
const hidden = b64(JSON.stringify({ alg: 'none' }));

const verified = {
    header: evidence.protectedHeader,
    payload: text(evidence.payload),
    old: (await jose.compactVerify(old, set)).protectedHeader.kid,
    changed: await fails(jose.compactVerify(`${head}.${changed}.${signature}`, set)),
    stranger: await fails(jose.compactVerify(jws, stranger)),
    unsigned: await fails(jose.compactVerify(`${hidden}.${body}.`, set)),
    link: await jose.jwtVerify(minted, secret('token'), { algorithms: [ 'HS256' ], issuer: 'mpk', audience: 'reveal', typ: 'JWT' }),
};


// tokens

const now = Math.floor(Date.now() / 1000);

const claims = over => JSON.parse(JSON.stringify({ iss: 'mpk', aud: 'reveal', sub: order, jti: b64(randomBytes(16)), iat: now,
    exp: now + 3600, ch: 'email', ...over }));

const header = (over, use = 'link') => ({ alg: 'HS256', typ: 'JWT', kid: keys[use].kid, ...over });

// signed(claims, header, key): as jose signs
const signed = (over, head, key, options) => new jose.SignJWT(claims(over)).setProtectedHeader(head ?? header())
    .sign(key ?? secret('link'), options);

// mac(input): an HMAC over whatever is to be the first two parts
const mac = (input, key, hash = 'sha256') =>
    `${input}.${createHmac(hash, key ?? secret('link')).update(input).digest('base64url')}`;

// by(header, payload, key): over any texts, for what jose will not sign
const by = (head, payload, key, hash) =>
    mac([ head, payload ].map(part => b64(typeof part === 'string' ? part : JSON.stringify(part))).join('.'), key, hash);

const good = await signed();
const parts = good.split('.');

// a signature in which the alphabets differ, but by no slash, which would be another path

let dashed = good;

while (!/^[^_]*-[^_]*$/.test(dashed.split('.')[2])) {
    dashed = await signed();
}

const other = dashed.split('.');
const plain = JSON.stringify(claims());
const ed = createPublicKey({ key: publics[0], format: 'jwk' });
const edPrivate = await jose.importJWK(keys.evidence, 'EdDSA');
const raw = jose.base64url.decode(publics[0].x);
const own = await jose.exportJWK(stranger);

// padded as base64 is, or by one where it needs none
const pad = part => part + '='.repeat((4 - part.length % 4) % 4 || 1);

const last = parts[2].at(-1);
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const loose = alphabet[alphabet.indexOf(last) ^ 1];

const refused = {

    // alg

    'alg none, unsigned': new jose.UnsecuredJWT(claims()).encode(),
    'alg none with a kid, unsigned': `${b64(JSON.stringify(header({ alg: 'none' })))}.${parts[1]}.`,
    'alg none, signed': by(header({ alg: 'none' }), claims()),
    'alg NonE, signed': by(header({ alg: 'NonE' }), claims()),
    'alg HS512': by(header({ alg: 'HS512' }), claims(), undefined, 'sha512'),
    'no alg': by(header({ alg: undefined }), claims()),
    'another typ': by(header({ typ: 'mpk-evidence+json' }), claims()),

    // keys

    'HS256 with the public evidence key as the secret': by(header({}, 'evidence'), claims(), raw),
    'HS256 with the public evidence key in PEM': by(header({}, 'evidence'), claims(), ed.export({ type: 'spki', format: 'pem' })),
    'HS256 with the public evidence key as a JWK': by(header({}, 'evidence'), claims(), JSON.stringify(publics[0])),
    "HS256 with the public evidence key under the link key's kid": by(header(), claims(), raw),
    'EdDSA with the evidence key': await signed({}, header({ alg: 'EdDSA' }, 'evidence'), edPrivate),
    "EdDSA with the evidence key under the link key's kid": await signed({}, header({ alg: 'EdDSA' }), edPrivate),
    'evidence as a link': jws.length > 1000 ? jws.slice(0, 1000) : jws,
    ...Object.fromEntries(await Promise.all([ 'journal', 'lookup', 'wrap' ].map(async use =>
        [ `the kid and the secret of the ${use} key`, await signed({}, header({}, use), secret(use)) ]))),
    "the link key under the token key's kid": await signed({}, header({}, 'token')),
    "the token key under the link key's kid": await signed({}, header(), secret('token')),
    'another secret': await signed({}, header(), randomBytes(32)),

    // kid

    'no kid': await signed({}, header({ kid: undefined })),
    'an unknown kid': await signed({}, header({ kid: 'link-20260101-0000' })),
    'an empty kid and no secret': by(header({ kid: '' }), claims(), ''),
    'a kid that is a path, and no secret': by(header({ kid: '../../../../dev/null' }), claims(), ''),
    'a kid with a quote': await signed({}, header({ kid: "' UNION SELECT 'secret" }), new TextEncoder().encode('secret')),
    'a kid with a NUL behind it': await signed({}, header({ kid: `${keys.link.kid}\0` })),
    'a kid with a line end': await signed({}, header({ kid: `${keys.link.kid}\r\nX: y` })),
    'a kid in a list': await signed({}, header({ kid: [ keys.link.kid ] })),
    'a kid with a pattern': await signed({}, header({ kid: 'link-*' })),

    // header

    'crit': await signed({}, header({ crit: [ 'exp' ], exp: now + 60 }), undefined, { crit: { exp: true } }),
    'crit b64': await signed({}, header({ crit: [ 'b64' ], b64: true })),
    'an unencoded payload (RFC 7797)': by(header({ b64: false, crit: [ 'b64' ] }), claims()),
    'a key of its own (jwk)': await signed({}, header({ jwk: own })),
    'an address for keys (jku)': await signed({}, header({ jku: 'http://127.0.0.1/keys.json' })),
    'certificates (x5c)': await signed({}, header({ x5c: [ 'MIIB' ] })),
    'compression (zip)': await signed({}, header({ zip: 'DEF' })),
    'alg twice': by(`{"alg":"none","alg":"HS256","typ":"JWT","kid":"${keys.link.kid}"}`, claims()),
    'kid twice': by(`{"alg":"HS256","typ":"JWT","kid":"${keys.token.kid}","kid":"${keys.link.kid}"}`, claims()),
    'kid twice, once spelled otherwise': by(`{"alg":"HS256","typ":"JWT","kid":"${keys.token.kid}","k\\u0069d":"${keys.link.kid}"}`, claims()),
    'a header that is a list': by([ header() ], claims()),

    // payload

    'a claim twice': by(header(), plain.replace('{', '{"sub":"X-1",')),
    'a claim twice, once spelled otherwise': by(header(), plain.replace('{', '{"s\\u0075b":"X-1",')),
    'a byte order mark': by(header(), `\ufeff${plain}`),
    'bytes behind the claims': by(header(), `${plain}{}`),
    'an unknown claim': await signed({ nbf: now - 60 }),
    'aud claim': await signed({ aud: 'claim', ch: undefined }, header({}, 'token'), secret('token')),
    'aud claim with a ch': await signed({ aud: 'claim' }, header({}, 'token'), secret('token')),
    'aud claim, by a link key': await signed({ aud: 'claim', ch: undefined }),
    'aud in a list': await signed({ aud: [ 'reveal' ] }),
    'both aud': await signed({ aud: [ 'claim', 'reveal' ] }),
    'no aud': await signed({ aud: undefined }),
    'another iss': await signed({ iss: 'https://shop.example' }),
    ...Object.fromEntries(await Promise.all([ 'onscreen', 'track', 'account' ].map(async ch =>
        [ `ch ${ch}, by a link key`, await signed({ ch }) ]))),
    'no ch': await signed({ ch: undefined }),
    'exp in words': await signed({ exp: 'tomorrow' }),
    'exp with a fraction': await signed({ exp: now + 3600.5 }),
    'no exp': await signed({ exp: undefined }),
    'iat in an hour': await signed({ iat: now + 3600, exp: now + 7200 }),
    'a sub that is a path': await signed({ sub: `../${order}` }),
    "a sub that leaves its bucket's tag": await signed({ sub: `{b00}:o:${order}` }),

    // form

    'a padded header, signed so': mac(`${pad(parts[0])}.${parts[1]}`),
    'a padded payload, signed so': mac(`${parts[0]}.${pad(parts[1])}`),
    'a line end within the payload, signed so': mac(`${parts[0]}.${parts[1].slice(0, 8)}\n${parts[1].slice(8)}`).replace('\n', '%0A'),
    'a padded signature': `${good}=`,
    'padding in percent-encoding': `${good}%3D`,
    'the other alphabet': `${other[0]}.${other[1]}.${other[2].replaceAll('-', '+')}`,
    'unused bits that are set': good.slice(0, -1) + loose,
    'a blank before it': `%20${good}`,
    'a line end behind it': `${good}%0A`,
    'a tab within': `${parts[0]}.%09${parts[1]}.${parts[2]}`,
    'a NUL behind it': `${good}%2500`,
    'a signature cut short': good.slice(0, -2),
    'no signature': `${parts[0]}.${parts[1]}.`,
    'no third part': `${parts[0]}.${parts[1]}`,
    'a fourth part': `${good}.e30`,
    'an empty payload': `${parts[0]}..${parts[2]}`,
    "another token's payload": `${parts[0]}.${b64(plain)}.${parts[2]}`,
    'JSON serialization': encodeURIComponent(JSON.stringify({ protected: parts[0], payload: parts[1], signature: parts[2] })),
    'an encrypted token': await new jose.EncryptJWT(claims()).setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: keys.wrap.kid })
        .encrypt(secret('wrap')),
};

const id = b64(randomBytes(16));

process.stdout.write(JSON.stringify({
    verified,
    refused,
    expired: await signed({ iat: now - 200, exp: now - 100 }),
    forged: await signed({ iat: now - 200, exp: now - 100 }, header(), randomBytes(32)),
    good: { jti: id, token: await signed({ jti: id }) },
    spelled: by(` {"typ":"JWT", "kid":"${keys.link.kid}",\n"alg":"HS256"}`, claims()),
}));
