// lint.mjs DESCRIPTION: what Redocly and Spectral, with their recommended rules, find in it;
// a line each.

import { createConfig, lint } from '@redocly/openapi-core';
import spectral from '@stoplight/spectral-core';
import { oas } from '@stoplight/spectral-rulesets';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

const [description] = process.argv.slice(2);

const config = await createConfig({ extends: ['recommended'] });

for (const found of await lint({ ref: description, config })) {
    console.log(`redocly ${found.ruleId} ${found.location[0]?.pointer}: ${found.message}`);
}

const linter = new spectral.Spectral();

linter.setRuleset({ extends: [[oas, 'recommended']] });

for (const found of await linter.run(parse(readFileSync(description, 'utf8')))) {
    console.log(`spectral ${found.code} ${found.path.join('/')}: ${found.message}`);
}
