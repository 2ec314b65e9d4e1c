// What a customer does without a link: Order Tracking, My Account, the page after the order.

import assert from 'node:assert/strict';
import { focus, heading, key, on, pasted, tab } from './flows.mjs';
import { account, email, fields, report, send, viewed } from './pages.mjs';
import { id, mpk, said, sites } from './mpk.mjs';

const two = { items: [ 1, 2 ].map(n => ({ sku: `S${n}`, product: `P${n}`, key: `KEY-${n}` })) };

export const flows = {

    'number, email, order, key': (browser, view) => on(browser, view, async (page, text) => {
        const order = await mpk('file', id(), {});

        await page.goto(`${sites.edge}/track`);
        await page.fill('#order', `#${order}`);
        await page.fill('#email', ` ${email.toUpperCase()}`);
        await send(page, '[type=submit]');

        assert.match(await heading(page), said(text['order.title']));
        assert(!(await page.content()).includes(key), 'the order shows the key unasked');

        await send(page, '.items button, .action button');
        assert.equal(await heading(page), text['keys.title']);
        assert.equal(await page.textContent('code'), key);
        assert.equal(await mpk('events', order), 'filed viewed');
    }),

    'each button shows its own key, and all of them all': (browser, view) => on(browser, view, async (page, text) => {
        const order = await mpk('file', id(), two);

        for (const [ button, keys ] of [ [ '.items li:nth-child(2) button', 'KEY-2' ], [ '.items li:nth-child(1) button', 'KEY-1' ],
            [ '.action button', 'KEY-1 KEY-2' ] ])
        {
            await page.goto(`${sites.edge}/track`);
            await fields(page, order);
            await send(page, button);
            assert.equal((await page.locator('code').allTextContents()).join(' '), keys);
        }

        await page.goto(`${sites.edge}/track`);
        await fields(page, order);
        await page.getByText(text['views.title']).click();
        assert.equal(await page.getByText(text['channel.track']).filter({ visible: true }).count(), 3);
    }),

    'a wrong order is told, and what was typed is kept': (browser, view) => on(browser, view, async (page, text) => {
        const order = await mpk('file', id(), {});

        await page.goto(`${sites.edge}/track`);
        await fields(page, order, 'eve@example.com');
        await focus(page, '[role=alert]');
        assert.match(await page.textContent('[role=alert]'), new RegExp(text['track.error_title']));
        assert.equal(await page.inputValue('#order'), order);
        await page.fill('#email', email);
        await send(page, '[type=submit]');
        assert.match(await heading(page), said(text['order.title']));
    }),

    'where boxes come first, Order Tracking leads to them': (browser, view) => on(browser, view, async (page, text) => {
        await page.goto(`${sites.consent}/track`);
        await fields(page, await mpk('file', id(), {}));
        await send(page, 'main a.button');
        assert.equal(await heading(page), text['confirm.title']);
        assert.equal(await page.locator('#email').count(), 0);
        await page.check('#consent_supply');
        await page.check('#consent_waiver');
        await send(page, '[type=submit]');
        assert.equal(await page.textContent('code'), key);
    }),

    'the account has its orders on pages': (browser, view) => on(browser, view, async (page, text) => {
        await account(page, 45, '/account/keys');

        const count = async () => page.locator('article').count();
        const seen = new Set(await page.locator('article h2').allTextContents());

        assert.equal(await count(), 20);
        assert.equal(await page.locator('[rel=prev]').count(), 0);

        for (const left of [ 20, 5 ]) {
            await send(page, '[rel=next]');
            assert.equal(await count(), left);
            (await page.locator('article h2').allTextContents()).forEach(order => seen.add(order));
        }

        assert.equal(seen.size, 45);
        assert.equal(await page.locator('[rel=next]').count(), 0);
        assert.equal(await page.textContent('nav span'), text['account.page'].replace('{{page}}', 3).replace('{{pages}}', 3));
        await send(page, '[rel=prev]');
        assert.equal(await count(), 20);
    }),

    'the account shows a key': (browser, view) => on(browser, view, async page => {
        const name = id();
        const order = await mpk('file', name, { account: `of-${name}` });

        await page.context().addCookies([{ name: 'session', value: `of-${name}`, url: sites.edge }]);
        await page.goto(`${sites.edge}/account/keys`);
        await send(page, 'main button');
        assert.equal(await page.textContent('code'), key);
        assert.equal(await mpk('events', order), 'filed viewed');
    }),

    'after the order the key is there at once': (browser, view) => on(browser, view, async (page, text) => {
        await page.goto(`${sites.edge}/checkout/${await mpk('file', id(), {})}`);
        assert.equal(await page.textContent('code'), key);
        await page.reload();
        assert.equal(await page.textContent('.note'), text['keys.repeat']);
    }),

    'a key that fails is reported, replaced, and the new one shown': (browser, view) => on(browser, view, async (page, text) => {
        const order = await viewed();

        await page.goto(`${sites.edge}/track`);
        await fields(page, order);
        await page.getByText(text['report.title']).click();
        await send(page, '.button[href*="/claim/"]');
        assert.equal(await heading(page), text['claim.title']);
        assert.equal(await page.inputValue('#order'), order);

        await report(page, 'XK7QX');
        await focus(page, '[role=alert]');
        assert.equal(await page.textContent('[role=alert] a'), text['claim.error_key']);
        assert.equal(await page.inputValue('#description'), 'It says: invalid key.');
        await report(page);
        assert.equal(await heading(page), text['claimed.title']);

        await page.setInputFiles('#files', { name: 'error.png', mimeType: 'image/png', buffer: Buffer.alloc(5000) });
        await send(page, '[type=submit]');
        assert.match(page.seen.answer.headers()['x-desk'], new RegExp(`^${order}/1/1 `));

        await mpk('decide', order, 1, 'needs_info', { message: 'What does it say?' });
        await page.goto(`${sites.edge}/track`);
        await fields(page, order);
        await page.getByLabel(text['reply.label']).fill('0x8007');
        await page.getByRole('button', { name: text['reply.button'] }).click();
        await page.waitForLoadState();
        assert.equal(await heading(page), text['answered.title']);

        await mpk('decide', order, 1, 'replace', { key: 'NEW00-AAAAA-BBBBB-CCCCC', note: 'Sorry!', finding: { result: 'defective', text: 'Blocked by its maker.' } });
        await page.goto(`${sites.edge}/track`);
        await fields(page, order);
        assert.match(await page.textContent('.claim'), new RegExp(text['claim.replaced']));
        await send(page, '.items button');
        assert.equal(await page.textContent('code'), 'NEW00-AAAAA-BBBBB-CCCCC');
    }),

    'right after the key, a problem can be reported': (browser, view) => on(browser, view, async (page, text) => {
        await page.goto(`${sites.edge}/checkout/${await mpk('file', id(), {})}`);
        await send(page, 'main a[href*="/claim/"]');
        await report(page);
        assert.equal(await heading(page), text['claimed.title']);
    }),

    'a held order turns into the key by itself': (browser, view) => on(browser, view, async (page, text) => {
        const order = await mpk('file', id(), { state: 'held' });

        await page.goto(`${sites.edge}/checkout/${order}`);
        assert.equal(await heading(page), text['held.title']);
        await mpk('api', 'POST', `orders/${order}/release`);
        await page.getByText(key).waitFor();
        assert.equal(await heading(page), text['keys.title']);
    }),

    "the shop's own page leads to the key": (browser, view) => on(browser, view, async (page, text) => {
        await page.goto(`${sites.edge}/thanks/${await mpk('file', id(), {})}`);
        assert(!(await page.content()).includes(key), "the key is in the shop's page");
        await send(page, '.mpk button');
        assert.equal(await heading(page), text['keys.title']);
        assert.equal(await page.textContent('code'), key);
    }),

    'after the order the boxes come first': (browser, view) => on(browser, view, async page => {
        const order = await mpk('file', id(), {});

        await page.goto(`${sites.edge}/agreed/${order}`);
        await page.check('#consent_supply');
        await page.check('#consent_waiver');
        await send(page, '[type=submit]');
        assert.equal(await page.textContent('code'), key);
        assert.equal(await mpk('events', order), 'filed viewed');
    }),
};

export const alone = {

    'the keyboard alone finds an order': (browser, view) => on(browser, view, async page => {
        const order = await mpk('file', id(), {});

        await page.goto(`${sites.edge}/track`);
        await tab(page, '#order');
        await page.keyboard.type(order);
        await tab(page, '#email');
        await page.keyboard.type(email);
        await Promise.all([ page.waitForEvent('load'), page.keyboard.press('Enter') ]);
        await tab(page, 'button');
        await Promise.all([ page.waitForEvent('load'), page.keyboard.press('Enter') ]);
        await tab(page, '.copy button');
        await page.keyboard.press('Enter');
        await page.getByRole('status').getByText(/./).waitFor();
        assert.equal(await pasted(page), key);
    }),

    'after the order the button copies': (browser, view) => on(browser, { ...view, width: 390 }, async (page, text) => {
        await page.goto(`${sites.edge}/checkout/${await mpk('file', id(), {})}`);
        await page.tap('.copy button');
        await page.getByRole('status').getByText(text['copy.done']).waitFor();
        assert.equal(await pasted(page), key);
    }),
};
