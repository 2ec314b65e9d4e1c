// TAP, the way to the harness (see %calls in browser.t), and what all tests know.

import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

export const { chromium, home, sites } = JSON.parse(process.env.MPK_BROWSER);

// the packages are installed elsewhere, where import does not look
export const require = createRequire(`${process.cwd()}/${home}/`);


// messages.en['keys.title']: the catalogues that the module has been built with

const folder = 'ngx_mpk_module/pages';

export const messages = Object.fromEntries(readdirSync(folder)
    .filter(file => /^[a-z]{2}\.json$/.test(file))
    .map(file => [file.slice(0, 2), JSON.parse(readFileSync(`${folder}/${file}`, 'utf8'))]));

export const languages = Object.keys(messages).sort();


// said(message): a pattern for what a page makes of it
export function said(message) {
    const text = message.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{\{.*?\}\}/g, '.+');

    return new RegExp(`^${text}$`);
}


const answers = [];

createInterface({ input: process.stdin })
    .on('line', line => answers.shift()(JSON.parse(line)));

export async function mpk(...call) {
    const { error, result } = await new Promise(resolve => {
        answers.push(resolve);
        console.log('@' + JSON.stringify(call));
    });

    if (error) {
        throw new Error(error);
    }

    return result;
}


let tests = 0;

// test(name, run): fails with what run() throws, or when it takes too long
export async function test(name, run) {
    const late = sleep(60000, null, { ref: false })
        .then(() => { throw new Error('not done in 60 s'); });

    late.catch(() => {});
    tests++;

    try {
        await Promise.race([run(), late]);
        console.log(`ok - ${name}`);
    } catch (error) {
        console.log(`not ok - ${name}`);

        const where = /(flows|orders|pages)\.mjs:\d+/.exec(error.stack)?.[0];

        // a browser that is gone adds all that it ever logged
        const what = error.message.split(/\n(?:Browser logs|Call log):/)[0];

        for (const line of `${what}${where ? `\n(${where})` : ''}`.split('\n')) {
            console.log(`# ${line}`);
        }
    }
}

export function done() {
    console.log(`1..${tests}`);
}


let orders = 0;

// a number of an order that no other test uses
export function id() {
    return `B-${++orders}`;
}
