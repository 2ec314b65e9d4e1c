// check.mjs DESCRIPTION ANSWERS: is the description valid OpenAPI, and is each answer that
// the tests have seen as it says?  Prints TAP.

import { Validator } from '@seriousme/openapi-schema-validator';
import Ajv from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

const [description, answers] = process.argv.slice(2);
const enough = 100;                     // answers
const problems = new Map();             // what is wrong: how often

let count = 0;

function ok(good, name) {
    console.log(`${good ? '' : 'not '}ok ${++count} - ${name}`);
}

function note(text) {
    console.log(`# ${text}`);
}


// the description

const text = readFileSync(description, 'utf8');
const valid = await new Validator().validate(text);

ok(valid.valid, 'it is valid OpenAPI');

if (!valid.valid) {
    note(JSON.stringify(valid.errors).slice(0, 2000));
}

const api = parse(text);

ok(/^3\.1\./.test(api.openapi), 'of version 3.1');

const ajv = new Ajv({ strict: true, strictTypes: false, strictRequired: false, validateFormats: true });

formats(ajv);

// all of it is one document, so that a "#/..." in a schema is found

ajv.addVocabulary(Object.keys(api));
ajv.addSchema(api, 'api', undefined, false);

const compiled = new Map();

function schema(pointer) {
    const uri = 'api#' + pointer.map(part => '/' + encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('');

    if (!compiled.has(uri)) {
        compiled.set(uri, ajv.compile({ $ref: uri }));
    }

    return compiled.get(uri);
}


// the operations: what is described of each

const operations = [];
const broken = [];

for (const [path, item] of Object.entries(api.paths)) {
    for (const method of ['get', 'put', 'post', 'delete']) {
        const operation = item[method];

        if (!operation) {
            continue;
        }

        const media = Object.entries(operation.requestBody?.content ?? {});

        if (operation.requestBody && !operation.requestBody.$ref && !media.length) {
            broken.push(`${method} ${path}: a body without content`);
        }

        for (const [type, { schema: body, example }] of media) {
            try {
                const check = schema(['paths', path, method, 'requestBody', 'content', type, 'schema']);

                if (example && body && !check(typeof example === 'string' ? JSON.parse(example) : example)) {
                    broken.push(`${method} ${path}: its example is not as it says: ${ajv.errorsText(check.errors)}`);
                }
            } catch (e) {
                broken.push(`${method} ${path}: ${e.message}`);
            }
        }

        const statuses = {};

        for (const [status, response] of Object.entries(operation.responses)) {
            const at = response.$ref ? response.$ref.split('/').slice(1)
                : ['paths', path, method, 'responses', status];
            const found = at.reduce((value, part) => value[part], api);

            statuses[status] = { seen: 0, types: {} };

            for (const type of Object.keys(found.content)) {
                try {
                    statuses[status].types[type] = schema([...at, 'content', type, 'schema']);
                } catch (e) {
                    broken.push(`${method} ${path} ${status}: ${e.message}`);
                }
            }
        }

        operations.push({
            method: method.toUpperCase(), path, statuses,
            like: new RegExp('^' + path.replaceAll(/\{\w+\}/g, '[^/]+') + '$')
        });
    }
}

ok(!broken.length, `the schemas of ${operations.length} operations and their examples fit together`);
broken.forEach(note);

// without a word about other members, an object takes all of them

// but those that others are made of

const open = ['/FilingContent', '/Claim', '/Withdrawal', '/Evidence/properties/evidence', '/Journal/if', '/Journal/then'];
const loose = [];

// generators of clients drop what stands beside a $ref, and make a value without a type any

const dropped = [];

(function look(value, at) {
    if (value === null || typeof value !== 'object') {
        return;
    }

    if (value.properties && value.additionalProperties !== false && value.unevaluatedProperties !== false
        && !open.includes(at) && !/\/allOf\/\d+$/.test(at))
    {
        loose.push(at);
    }

    if ((value.$ref && Object.keys(value).length > 1) || ((value.enum || 'const' in value) && !value.type)) {
        dropped.push(at);
    }

    Object.entries(value).forEach(([name, inner]) => look(inner, `${at}/${name}`));
})({ ...api.components.schemas, paths: api.paths, responses: api.components.responses }, '');

ok(!loose.length, 'no object takes members that are not described');
loose.forEach(note);

ok(!dropped.length, 'a $ref stands alone, and what has values has a type');
dropped.forEach(note);


// the answers

const lines = readFileSync(answers, 'utf8').split('\n').filter(line => line);

let checked = 0;
let pages = 0;

function wrong(answer, path, why) {
    const what = `${answer.method} ${path} ${answer.status}: ${why}`;

    problems.set(what, (problems.get(what) ?? 0) + 1);
}

for (const line of lines) {
    const answer = JSON.parse(line);
    const method = answer.method === 'HEAD' ? 'GET' : answer.method;
    const type = answer.content_type.split(';')[0].trim();
    const path = answer.path.replace(/\?.*/, '').replace(/^\/mpk\/v1/, '');

    // nginx' own pages: a path or a request that never was the API's

    if (!/json$/.test(type) && /<center>nginx/.test(answer.body)) {
        pages++;
        continue;
    }

    const there = operations.filter(operation => operation.like.test(path));

    // the path's other methods are refused as each of its operations says

    const operation = there.find(one => one.method === method)
        ?? ([401, 405].includes(answer.status) ? there[0] : undefined);

    checked++;

    if (!there.length) {
        wrong(answer, path, 'its path is not described');
        continue;
    }

    if (!operation) {
        wrong(answer, there[0].path, 'its method is not described');
        continue;
    }

    const status = operation.statuses[answer.status];

    if (!status) {
        wrong(answer, operation.path, 'its status is not described');
        continue;
    }

    status.seen++;

    const check = status.types[type];

    if (!check) {
        wrong(answer, operation.path, `its type ${type} is not described`);
        continue;
    }

    if (answer.method === 'HEAD') {
        continue;
    }

    const bodies = type === 'application/x-ndjson' ? answer.body.split('\n').filter(one => one) : [answer.body];

    for (const body of bodies) {
        let value;

        try {
            value = /json$/.test(type) ? JSON.parse(body) : body;
        } catch (e) {
            wrong(answer, operation.path, e.message);
            continue;
        }

        if (!check(value)) {
            wrong(answer, operation.path, ajv.errorsText(check.errors));
        }
    }
}

ok(problems.size === 0, `${checked} answers are as it says`);
[...problems].slice(0, 30).forEach(([what, times]) => note(`${what} (${times})`));

ok(checked >= enough, `they are ${enough} at least`);
note(`${pages} pages of nginx' own passed over`);

for (const { method, path, statuses } of operations) {
    const unseen = Object.keys(statuses).filter(status => !statuses[status].seen);

    if (unseen.length) {
        note(`unseen: ${method} ${path} ${unseen.join(' ')}`);
    }
}

console.log(`1..${count}`);
