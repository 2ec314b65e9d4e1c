// Every page in every view, then the flows.

import assert from 'node:assert/strict';
import { checks, launch, open, views } from './browser.mjs';
import * as reveal from './flows.mjs';
import { done, id, languages, messages, mpk, said, sites, test } from './mpk.mjs';
import * as orders from './orders.mjs';
import { pages } from './pages.mjs';

const browser = await launch();

process.on('SIGTERM', async () => {
    await browser.close();
    process.exit(1);
});


// the checks find what is wrong with a page made for them

{
    const page = await open(browser, views[0]);

    await page.goto(sites.broken + await mpk('link', id()));

    const found = {
        'axe finds nothing': /^label: /m,
        'html-validate finds nothing': /^input-missing-label: /m,
        'nothing is wider than the screen': /px wide on 390/,
        'the key is large': /TOO-SMALL/,
        'the console is silent': /Content Security Policy/,
        'nothing is asked of others': /elsewhere\.example/,
    };

    for (const { name, run } of checks) {
        await test(`a broken page is noticed: ${name}`,
            async () => assert.match((await run(page)).join('\n'), found[name]));
    }

    await page.done();
}


// MPK_ONLY: a pattern for the names of the pages and ways to be seen, by default all

const only = new RegExp(process.env.MPK_ONLY ?? '');

// English is seen in every view, another language on the phone, where long words hurt;
// what depends on the language alone is looked at in the first

const more = languages.filter(lang => lang !== 'en');

const seen = [
    ...views.map((view, i) => ({ ...view, lang: 'en', first: i === 0 })),
    ...more.map(lang => ({ ...views[0], lang, first: true })),
];

async function look(page, { lang, width, scheme, js, first }, { name, status, title, heading, button, open: reach }) {
    const what = `${name}, ${lang}, ${width} px, ${scheme}, ${js ? 'with' : 'without'} JavaScript`;

    await page.fresh();

    await test(`${what}: it is the page`, async () => {
        await reach(page);
        assert.equal(page.seen.answer.status(), status);
        assert.match(await page.textContent(heading ?? 'h1'), said(messages[lang][title ?? `${name}.title`]));
        assert.equal(await page.getAttribute('html', 'lang'), lang);
    });

    await page.stay();

    if (button && width === 390) {
        await test(`${what}: the button is on the first screen`, async () => {
            const { y, height } = await page.locator('[type=submit]').boundingBox();
            assert(y + height <= 844, `it ends at ${y + height} px`);
        });
    }

    if (process.env.MPK_SCREENS) {
        const path = `${process.env.MPK_SCREENS}/${name}-${lang}-${width}-${scheme}.png`;
        await page.screenshot({ path, fullPage: true });
    }

    for (const check of checks.filter(check => (js || !check.js) && (first || !check.first))) {
        await test(`${what}: ${check.name}`, async () => {
            const found = await check.run(page);
            assert(found.length === 0, found.join('\n'));
        });
    }
}

// lookAt(pages, lanes): in every view, in so many at a time
async function lookAt(pages, lanes) {
    const next = seen.values();

    await Promise.all(Array.from({ length: lanes }, async () => {
        for (const view of next) {
            const page = await open(browser, view);

            for (const which of pages) {
                await look(page, view, which);
            }

            await page.done();
        }
    }));
}

const wanted = pages.filter(page => only.test(page.name));

await lookAt(wanted.filter(page => !page.alone), 2);
await lookAt(wanted.filter(page => page.alone), 1);


// A customer's ways: on a computer, and on a phone in the dark without JavaScript; of the
// other languages each way is seen on one of them, in turn

async function go(ways, view, turn) {
    const { width, scheme, js, lang } = view;
    const mine = Object.entries(ways).filter(([name], i) => only.test(name)
        && (turn === undefined || i % 2 === turn % 2));

    for (const [name, way] of mine) {
        await test(`${name}: ${lang}, ${width} px, ${scheme}, ${js ? 'with' : 'without'} JavaScript`, () => way(browser, view));
    }
}

const computer = { width: 1280, scheme: 'light', js: true };
const phone = { width: 390, scheme: 'dark', js: false };

await Promise.all([ computer, phone ].map(async (view, lane) => {
    const flows = { ...reveal.flows, ...orders.flows };

    await go(flows, { ...view, lang: 'en' });

    for (const [i, lang] of more.entries()) {
        await go(flows, { ...view, lang }, i + lane);
    }
}));

for (const lang of languages) {
    await go({ ...reveal.alone, ...orders.alone }, { ...computer, lang });
}

await browser.close();
done();
process.exit(0);
