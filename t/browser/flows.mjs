// What a customer does with a link. A flow is a name and what happens, in a view.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { open } from './browser.mjs';
import { email, send } from './pages.mjs';
import { id, messages, mpk, sites } from './mpk.mjs';

export const key = 'XK7QX-BBBBB-CCCCC-DDDDD-EEEEE';


// on(browser, view, run): a page that is put away, whatever happens
export async function on(browser, view, run) {
    const page = await open(browser, view);

    try {
        await run(page, messages[view.lang]);
    } finally {
        await page.done();
    }
}

export async function visit(page, over, site) {
    const order = await mpk('file', id(), over ?? {});
    const path = await mpk('mint', order);

    await page.goto((site ?? sites.edge) + path);

    return { order, path };
}

async function type(page, address) {
    await page.fill('#email', address ?? email);
    await send(page, '[type=submit]');
}

export const heading = page => page.textContent('h1');
const focused = (page, selector) => page.evaluate(`document.activeElement.matches(${JSON.stringify(selector)})`);
export const pasted = page => page.evaluate('navigator.clipboard.readText()');

// the focus comes to what is wanted: autofocus waits for the page to be drawn
export async function focus(page, selector) {
    for (let i = 0; i < 200; i++) {
        if (await focused(page, selector)) {
            return;
        }
        await sleep(10);
    }

    assert.fail(`the focus is not on ${selector}`);
}

// press Tab until the focus is on what is wanted; a trap for the keyboard ends it
export async function tab(page, selector) {
    for (let i = 0; i < 30; i++) {
        await page.keyboard.press('Tab');
        if (await focused(page, selector)) {
            return;
        }
    }

    assert.fail(`Tab does not come to ${selector}`);
}

// what Ctrl+C has put into the clipboard of the browser, told by another page of it
async function clipboard(browser) {
    const page = await open(browser);

    try {
        await page.goto(sites.edge);
        return await pasted(page);
    } finally {
        await page.done();
    }
}


// in any view, several at a time

export const flows = {

    'link, email, key': (browser, view) => on(browser, view, async (page, text) => {
        const { order } = await visit(page);

        assert.equal(await heading(page), text['confirm.title']);
        assert(!(await page.content()).includes(key), 'the confirm page holds the key');

        await type(page);
        assert.equal(await heading(page), text['keys.title']);
        assert.equal(await page.textContent('code'), key);
        assert.equal(await page.locator('.copy button').isVisible(), view.js, 'the button is there where it works');
        assert.equal(await mpk('events', order), 'filed link_minted opened viewed');
    }),

    'a wrong email is told, then the right one works': (browser, view) => on(browser, view, async (page, text) => {
        await visit(page);
        await type(page, 'eve@example.com');
        assert.equal(page.seen.answer.status(), 422);
        await focus(page, '[role=alert]');
        assert.match(await page.textContent('[role=alert]'), new RegExp(text['error.title']));
        assert.match(await page.title(), new RegExp(`^${text['error.prefix']}`));
        assert.equal(await page.getAttribute('#email', 'aria-invalid'), 'true');

        await page.click('[role=alert] a');
        await focus(page, '#email');

        await type(page);
        assert.equal(await page.textContent('code'), key);
    }),

    'a wrong kind of email is not sent': (browser, view) => on(browser, view, async page => {
        await visit(page);

        for (const address of [ '', 'ann' ]) {
            await page.fill('#email', address);
            await page.click('[type=submit]');
            await focus(page, '#email:invalid');
        }

        assert.equal(page.seen.requests.length, 1);
    }),

    'an address with umlauts is sent as it is': (browser, view) => on(browser, view, async page => {
        await visit(page, { email: 'ann@xn--mller-kva.example' });
        await type(page, 'jürgen@example.com');
        assert.equal(page.seen.answer.status(), 422);
        await type(page, 'ann@müller.example');
        assert.equal(await page.textContent('code'), key);
    }),

    'the boxes are unticked, and needed': (browser, view) => on(browser, view, async (page, text) => {
        await visit(page, {}, sites.consent);
        assert.equal(await page.locator(':checked').count(), 0);

        await page.fill('#email', email);
        await page.click('[type=submit]');
        await focus(page, '#consent_supply:invalid');
        await page.getByText(text['consent.supply']).click();
        await page.click('[type=submit]');
        await focus(page, '#consent_waiver:invalid');
        await page.getByText(text['consent.waiver']).click();
        await send(page, '[type=submit]');
        assert.equal(await page.textContent('code'), key);
    }),

    'reload shows the key again, and says so': (browser, view) => on(browser, view, async (page, text) => {
        const { order } = await visit(page);

        await type(page);
        await page.reload();
        assert.equal(await page.textContent('code'), key);
        assert.equal(await page.textContent('.note'), text['keys.repeat']);
        assert.equal(await mpk('events', order), 'filed link_minted opened viewed repeated');
    }),

    'Back from the key': (browser, view) => on(browser, view, async (page, text) => {
        await page.goto(sites.edge);
        await visit(page);
        await type(page);
        await page.goBack();
        assert.equal(await heading(page), text['used.title']);
        assert(!(await page.content()).includes(key), 'the key is in what Back shows');
        assert.equal(await page.getAttribute('main a', 'href'), '/track');
    }),

    'a link that is opened twice': (browser, view) => on(browser, view, async (page, text) => {
        const { path } = await visit(page);

        await type(page);
        await on(browser, view, async other => {
            await other.goto(sites.edge + path);
            assert.equal(await heading(other), text['used.title']);
            assert.equal(other.seen.answer.status(), 410);
        });
    }),

    'a link that is open twice shows its key once': (browser, view) => on(browser, view, async (page, text) => {
        const { path } = await visit(page);

        await on(browser, view, async other => {
            await other.goto(sites.edge + path);
            await type(page);
            await type(other);
            assert.equal(await heading(other), text['used.title']);
        });
    }),

    'a held order turns into the key': (browser, view) => on(browser, view, async (page, text) => {
        const order = await mpk('file', id(), { state: 'held' });

        const answer = await page.goto(sites.edge + await mpk('sign', order));
        assert.equal(await heading(page), text['held.title']);
        assert.match(answer.headers().refresh, /^[1-9]\d?$/);
        await mpk('api', 'POST', `orders/${order}/release`);
        await page.reload();
        assert.equal(await heading(page), text['confirm.title']);
        await type(page);
        assert.equal(await page.textContent('code'), key);
    }),

    'times are in the zone of the reader, and those of the evidence are not': (browser, view) => on(browser, { ...view, zone: 'America/New_York' }, async page => {
        const { order } = await visit(page);
        await type(page);
        const said = () => page.locator('time').first().evaluate(time => [ time.dateTime, time.textContent ]);
        const [ at, words ] = await said();
        assert.match(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
        const hour = new Intl.DateTimeFormat('en', { timeZone: view.js ? 'America/New_York' : 'UTC', hour: '2-digit', hour12: false }).format(new Date(at));
        assert.match(words, view.js ? /EST|EDT|GMT-|UTC\u2212|UTC-/ : /UTC/);
        assert(view.js || words.includes(`${hour}:`), `${words} is not ${at}`);
        await page.goto(`${sites.consent}/desk/orders/${order}/evidence?format=html`);
        assert.match((await said())[1], /UTC/);
    }),

    'printed, the page is the key and no buttons': (browser, view) => on(browser, { ...view, scheme: 'dark' }, async page => {
        await visit(page);
        await type(page);
        await page.emulateMedia({ media: 'print' });
        assert(await page.isVisible('code'));
        assert.equal(await page.locator('button, .button').filter({ visible: true }).count(), 0);
        assert.equal(await page.evaluate('getComputedStyle(document.body).backgroundColor'), 'rgb(255, 255, 255)');
        assert.equal(await page.evaluate("getComputedStyle(document.querySelector('code')).color"), 'rgb(0, 0, 0)');
    }),
};


// with JavaScript and a keyboard, one at a time: they share the clipboard, or Redis goes

export const alone = {

    'link, email, key, copied by the button': (browser, view) => on(browser, { ...view, width: 390 }, async (page, text) => {
        const { order } = await visit(page);

        assert.equal(await heading(page), text['confirm.title']);
        assert(!(await page.content()).includes(key), 'the confirm page holds the key');

        await type(page);
        assert.equal(await heading(page), text['keys.title']);
        assert.equal(await page.textContent('code'), key);

        await page.tap('.copy button');
        await page.getByRole('status').getByText(text['copy.done']).waitFor();
        assert.equal(await pasted(page), key);
        assert.equal(await mpk('events', order), 'filed link_minted opened viewed');
    }),

    'a key of many lines is copied as it is': (browser, view) => on(browser, view, async (page, text) => {
        const licence = 'one <licence>\n\n  two &amp; "three"\n';

        await visit(page, { items: [ { sku: 'LIC', product: 'Licence', key: licence } ] });
        await type(page);
        await page.click('.copy button');
        await page.getByRole('status').getByText(text['copy.done']).waitFor();
        assert.equal(await pasted(page), licence);
    }),

    'of two keys, each button copies its own': (browser, view) => on(browser, view, async page => {
        await visit(page, { items: [ 1, 2 ].map(n => ({ sku: `S${n}`, product: `P${n}`, key: `KEY-${n}` })) });
        await type(page);

        for (const n of [ 2, 1 ]) {
            await page.getByRole('button', { name: `P${n}` }).click();
            await page.locator('article', { hasText: `P${n}` }).getByRole('status').getByText(/./).waitFor();
            assert.equal(await pasted(page), `KEY-${n}`);
        }
    }),

    'all keys are copied at once, with their products where those differ': (browser, view) => on(browser, view, async (page, text) => {
        const item = (n, product) => ({ sku: 'S', product, key: `KEY-${n}` });

        for (const [products, copied] of [ [ [ 'P', 'P' ], 'KEY-1\nKEY-2' ], [ [ 'P', 'Q' ], 'P\tKEY-1\nQ\tKEY-2' ] ]) {
            await visit(page, { items: products.map((product, i) => item(i + 1, product)) });
            await type(page);
            await page.click('.copy button:not(.quiet)');
            await page.getByRole('status').getByText(text['copy.done']).waitFor();
            assert.equal(await pasted(page), copied);
        }
    }),

    'a long key is saved as a file': (browser, view) => on(browser, view, async (page, text) => {
        const licence = 'one <licence>\n\n  two &amp; "three"\n';
        const { order } = await visit(page, { items: [ { sku: 'L', product: 'Licence', key: licence }, { sku: 'K', product: 'Key', key } ] });
        await type(page);

        const save = page.getByRole('button', { name: text['copy.save'] });
        assert.equal(await save.count(), 1, 'a short key has no such button');
        const [ download ] = await Promise.all([ page.waitForEvent('download'), save.click() ]);
        assert.equal(download.suggestedFilename(), `${order}-1.txt`);
        assert.equal(readFileSync(await download.path(), 'utf8'), licence);
    }),

    'of many keys some are found, and copied': (browser, view) => on(browser, view, async (page, text) => {
        await visit(page, { items: Array.from({ length: 21 }, (_, i) => ({ sku: 'S', product: i < 20 ? 'Office' : 'Windows 11', key: `KEY-${i}` })) });
        await type(page);
        await page.getByLabel(text['copy.filter']).fill('windows');
        assert.equal(await page.locator('article:visible').count(), 1);
        await page.click('.copy button:not(.quiet)');
        await page.getByRole('status').getByText(text['copy.done']).waitFor();
        assert.equal(await pasted(page), 'KEY-20');
    }),

    'where the browser has no clipboard, the button still copies': (browser, view) => on(browser, view, async (page, text) => {
        await page.addInitScript("Object.defineProperty(navigator, 'clipboard', { value: undefined })");
        await visit(page);
        await type(page);
        await page.click('.copy button');
        await page.getByRole('status').getByText(text['copy.done']).waitFor();
        assert.equal(await clipboard(browser), key);
    }),

    'and where it cannot, it selects the key and says so': (browser, view) => on(browser, view, async (page, text) => {
        await page.addInitScript(`Object.defineProperty(navigator, 'clipboard', { value: undefined });
            document.execCommand = () => false;`);
        await visit(page);
        await type(page);
        await page.click('.copy button');
        await page.getByRole('status').getByText(text['copy.fail']).waitFor();
        assert.equal(await page.evaluate('String(getSelection())'), key);
    }),

    'without JavaScript: link, email, key, selected by hand': (browser, view) => on(browser, { ...view, js: false }, async (page, text) => {
        await visit(page);
        await type(page);
        assert.equal(await heading(page), text['keys.title']);
        assert.equal(await page.locator('.copy button').isVisible(), false, 'there is a button that does nothing');
        await page.click('code');
        await page.keyboard.press('Control+C');
        assert.equal(await clipboard(browser), key);
    }),

    'when Redis is back, "try again" works': (browser, view) => on(browser, view, async (page, text) => {
        const { path } = await visit(page);

        await mpk('redis', 'stop');
        try {
            await type(page);
            assert.equal(await heading(page), text['unavailable.title']);
        } finally {
            await mpk('redis', 'start');
        }
        await send(page, 'main a.button');
        assert.equal(page.url(), sites.edge + path);
        await type(page);
        assert.equal(await page.textContent('code'), key);
    }),

    'the keyboard alone': (browser, view) => on(browser, view, async (page, text) => {
        await visit(page, {}, sites.consent);
        await tab(page, '#email');
        await page.keyboard.type('eve@example.com');

        for (const box of [ '#consent_supply', '#consent_waiver' ]) {
            await tab(page, box);
            await page.keyboard.press('Space');
        }

        await tab(page, '[type=submit]');
        await Promise.all([ page.waitForEvent('load'), page.keyboard.press('Enter') ]);

        await focus(page, '[role=alert]');
        await tab(page, '[role=alert] a');
        await page.keyboard.press('Enter');
        await focus(page, '#email');
        await page.keyboard.type(email);

        for (const box of [ '#consent_supply', '#consent_waiver' ]) {
            await tab(page, box);
            await page.keyboard.press('Space');
        }

        await Promise.all([ page.waitForEvent('load'), page.keyboard.press('Enter') ]);

        await tab(page, '.copy button');
        assert.notEqual(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle'), 'none',
            'nothing shows where the focus is');
        await page.keyboard.press('Enter');
        await page.getByRole('status').getByText(text['copy.done']).waitFor();
        assert.equal(await pasted(page), key);
    }),
};
