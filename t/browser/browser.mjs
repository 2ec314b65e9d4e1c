// A browser's page, and what is wrong with it.

import { readFileSync } from 'node:fs';
import { chromium as program, require, sites } from './mpk.mjs';

const { chromium } = require('playwright-core');
const { HtmlValidate } = require('html-validate');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');


// Only our own pages are seen: a sandbox, which a container may not allow, guards nothing.

export function launch() {
    return chromium.launch({ executablePath: program, chromiumSandbox: false,
        handleSIGTERM: false, args: ['--disable-gpu'] });
}


// Four views in which any two of width, colours and JavaScript meet

export const views = [
    { width: 390, scheme: 'light', js: true },
    { width: 390, scheme: 'dark', js: false },
    { width: 1280, scheme: 'dark', js: true },
    { width: 1280, scheme: 'light', js: false },
];

// open(browser, view): a page of its own context, which collects what happens on it
export async function open(browser, view = {}) {
    const { width = 1280, scheme = 'light', js = true, lang = 'en', zone = 'UTC' } = view;
    const phone = width < 600;

    const context = await browser.newContext({
        viewport: { width, height: phone ? 844 : 800 },
        isMobile: phone,
        hasTouch: phone,
        colorScheme: scheme,
        javaScriptEnabled: js,
        locale: lang,
        timezoneId: zone,
        permissions: ['clipboard-read', 'clipboard-write'],
    });

    context.setDefaultTimeout(20000);

    const page = await context.newPage();

    // page.fresh(): forgets what was, for the next to look at

    page.fresh = async () => {
        page.seen = { errors: [], requests: [], answer: null };
        page.staying = false;
        await context.clearCookies();
        await page.unroute('**');
    };

    await page.fresh();

    page.on('pageerror', error => page.seen.errors.push(String(error)));

    // a page with the status of an error is an error to the console, too

    page.on('console', message => {
        const own = message.location().url === page.url()
            && /^Failed to load resource: the server responded with a status/.test(message.text());

        if (['error', 'warning'].includes(message.type()) && !own) {
            page.seen.errors.push(message.text());
        }
    });

    page.on('request', request => page.seen.requests.push(request.url()));

    page.on('response', response => {
        if (response.request().isNavigationRequest() && !page.staying) {
            page.seen.answer = response;
        }
    });

    // a page that reloads itself stays as it is while it is looked at

    page.stay = () => {
        page.staying = true;
        return page.route('**', route => route.fulfill({ status: 204 }));
    };

    page.done = () => context.close();

    return page;
}


// What is wrong: run(page) gives a list of lines, empty for a good page. Where js is set, it
// takes JavaScript to look; where first is set, all views of a language are the same.

const html = new HtmlValidate({
    extends: ['html-validate:recommended', 'html-validate:document'],
    rules: {
        // taste: its case means nothing to a browser
        'doctype-style': 'off',

        // for search engines, which never see these pages
        'long-title': 'off',

        // what went wrong stands before the page's own heading
        'heading-level': ['error', { minInitialRank: 'h2' }],

        // a list may have a name, and an id a dot; ours are made of the shop's numbers
        'aria-label-misuse': ['error', { allowAnyNamable: true }],
        'valid-id': ['error', { relaxed: true }],
    },
});

export const checks = [

    { name: 'axe finds nothing', js: true, run: async page => {
        await page.evaluate(axe);

        const { passes, violations } = await page.evaluate('axe.run({ resultTypes: ["violations"] })');

        return [
            ...passes.length < 10 ? [`only ${passes.length} rules applied`] : [],
            ...violations.flatMap(({ id, help, nodes }) => nodes.map(node =>
                `${id}: ${help}: ${node.html.slice(0, 200)} (${node.failureSummary})`)),
        ];
    } },

    { name: 'html-validate finds nothing', first: true, run: async page => {
        const report = await html.validateString(await page.seen.answer.text());

        return report.results.flatMap(result => result.messages).map(message =>
            `${message.ruleId}: ${message.message} (line ${message.line}: ${message.selector})`);
    } },

    // a phone's browser zooms out until a page fits, so innerWidth would tell nothing

    { name: 'nothing is wider than the screen', run: async page => {
        const { width, height } = page.viewportSize();
        const bad = [];

        for (const narrow of width < 600 ? [width, 320] : [width]) {
            await page.setViewportSize({ width: narrow, height });
            const wide = await page.evaluate('document.documentElement.scrollWidth');

            if (wide > narrow) {
                bad.push(`${wide} px wide on ${narrow}`);
            }
        }

        await page.setViewportSize({ width, height });

        return bad;
    } },

    // 22 px and bold up to 64 characters, 16 px above

    { name: 'the key is large', run: page => page.evaluate(`
        Array.from(document.querySelectorAll('.key code')).flatMap(code => {
            const { fontSize, fontWeight } = getComputedStyle(code);
            const style = fontSize + ' ' + fontWeight;
            return style === (Array.from(code.textContent).length > 64 ? '16px 400' : '22px 600') ? []
                : [ style + ': ' + code.textContent ];
        })`) },

    { name: 'the console is silent', run: async page => page.seen.errors },

    { name: 'nothing is asked of others', run: async page => page.seen.requests
        .filter(url => !Object.values(sites).includes(new URL(url).origin)) },
];
