// The pages: how each is reached, its status, and the message that is its heading. What
// disturbs the others is reached alone; where button is set, a phone shows it at once.

import { id, mpk, sites } from './mpk.mjs';

export const email = 'ann@example.com';

const two = { items: [
    { sku: 'OFF-24', product: 'Office 2024', key: 'XK7QX-BBBBB-CCCCC-DDDDD-EEEEE' },
    { sku: 'WIN-11', product: 'Windows 11 Pro', key: 'VK7JG-NPHTM-C97JM-9MPGT-3V66T' },
] };

const long = { items: [
    { sku: 'S'.repeat(60), product: 'P'.repeat(120), key: 'K'.repeat(128) },
    { sku: 'LIC', product: 'A licence file', key: Array.from({ length: 12 },
        (_, i) => `${i} <licence> & "${'x'.repeat(7 * i)}"`).join('\r\n') },
] };

const fitting = { items: [
    { ...two.items[0], platform: 'windows', edition: 'Home & Student', requires: 'A PC with Windows 10 or 11.',
        activation_url: `https://maker.example/activate?product=office&id=${'1234567890'.repeat(6)}`, support_url: 'https://maker.example/help' },
    { ...two.items[1], platform: 'A PC of your own', requires: 'R'.repeat(120) },
] };

const past = { imported: true, purchased_at: '2026-01-01T00:00:00Z', delivered_at: '2026-01-01T00:00:00Z' };

const link = over => mpk('link', id(), over ?? {});
const go = async (page, path, site = sites.edge) => page.goto(site + await path);

// confirm(page, ...): fills in the form as far as told, and sends it
async function confirm(page, { address, boxes } = {}) {
    if (await page.locator('#email').count()) {
        await page.fill('#email', address ?? email);
    }

    for (const box of await page.locator('[type=checkbox]').all()) {
        await box.setChecked(boxes ?? true);
    }

    // the server answers a form that no browser would send, too

    await page.locator('form').evaluate(form => { form.noValidate = true; });
    await send(page, '[type=submit]');
}

// send(page, button): presses it, and waits for the page that comes
export async function send(page, button) {
    await Promise.all([page.waitForEvent('load'), page.click(button)]);
}

// evidence(page, over): of an order that was viewed with consent
async function evidence(page, over) {
    const order = await mpk('file', id(), { customer_name: 'Ann Example', purchase_ip: '2001:db8::9', account: 'u-1', ...over });

    await go(page, mpk('mint', order), sites.consent);
    await confirm(page);
    await go(page, `/desk/orders/${order}/evidence?format=html`, sites.consent);
}

async function signed(state, claims) {
    const order = await mpk('file', id(), { state });
    return [order, await mpk('sign', order, claims ?? {})];
}

// viewed(over): an order whose keys have been shown
export async function viewed(over) {
    const order = await mpk('file', id(), over ?? {});
    await mpk('confirm', await mpk('mint', order));
    return order;
}

// asked(): where the customer of a new order answers what support asks about a claim
async function asked() {
    const order = await viewed();
    await mpk('report', order);
    await mpk('decide', order, 1, 'needs_info', { message: 'What does it say?' });
    return `${await mpk('claim', order, { items: [1] })}?claim=1`;
}

// withdraw(page): states a withdrawal, up to the page that repeats it
async function withdraw(page) {
    await go(page, `/withdraw?order=${id()}`, sites.consent);
    await page.fill('#name', 'Ann Example');
    await page.fill('#email', 'ann@example.com');
    await send(page, '[type=submit]');
}

// report(page): fills in the form for a claim, and sends it
export async function report(page, key) {
    await page.fill('#name', 'Ann Example');
    await page.fill('#email', email);
    await page.fill('#key', key ?? 'XK7QX-BBBBB-CCCCC-DDDDD-EEEEE');
    await page.selectOption('#category', 'not_accepted');
    await page.fill('#description', 'It says: invalid key.');
    await send(page, '[type=submit]');
}

// fields(page, order): fills in the form of Order Tracking, and sends it
export async function fields(page, order, address) {
    await page.locator('form').evaluate(form => { form.noValidate = true; });
    await page.fill('#order', order);
    await page.fill('#email', address ?? email);
    await send(page, '[type=submit]');
}

async function find(page, order, site) {
    await go(page, '/track', site);
    await fields(page, order);
}

// corrected(page): an order whose address was corrected, after a key was shown, and is to be
// corrected again
async function corrected(page) {
    const order = await mpk('file', id(), { ...two, email: 'anne@example.com' });
    await mpk('confirm', await mpk('mint', order, { items: [1] }), { email: 'anne@example.com' });
    await mpk('api', 'PUT', `orders/${order}/email`, { email, note: 'mistyped' });
    await mpk('api', 'PUT', `orders/${order}/email`, { email: 'anna@example.com', note: 'mistyped' }, 'token', 'support-token');
    await find(page, order);
}

// account(page, count, path): My Account of a customer with so many orders, of every kind

const customers = {};

export async function account(page, count, path) {
    const name = `customer-${count}`;

    await (customers[name] ??= orders(name, count));
    await page.context().addCookies([{ name: 'session', value: name, url: sites.edge }]);
    await go(page, path);
}

async function orders(account, count) {
    for (let i = 0; i < count; i++) {
        const order = await mpk('file', id(), { ...i % 2 && two, account, state: i % 3 ? 'ready' : 'held' });

        if (i % 6 === 0) {
            await mpk('api', 'POST', `orders/${order}/cancel`, { reason: 'fraud', not_sent: true });
        } else if (i % 3 === 1) {
            await mpk('confirm', await mpk('mint', order));
        }
    }
}


export const pages = [
    { name: 'confirm', status: 200, button: true, open: page => go(page, link()) },
    { name: 'confirm-many', status: 200, title: 'confirm.title_many', open: page => go(page, link(two)) },
    { name: 'confirm-long', status: 200, title: 'confirm.title_many', open: page => go(page, link(long)) },
    { name: 'confirm-consent', status: 200, title: 'confirm.title', open: page => go(page, link(), sites.consent) },
    { name: 'confirm-fit', status: 200, title: 'confirm.title_many', open: page => go(page, link(fitting), sites.consent) },
    { name: 'confirm-email', status: 422, title: 'confirm.title', open: async page => {
        await go(page, link());
        await confirm(page, { address: 'eve@example.com' });
    } },
    { name: 'confirm-nobox', status: 422, title: 'confirm.title', open: async page => {
        await go(page, link(), sites.consent);
        await confirm(page, { boxes: false });
    } },
    { name: 'confirm-fit-nobox', status: 422, title: 'confirm.title_many', open: async page => {
        await go(page, link(fitting), sites.consent);
        await confirm(page, { boxes: false });
    } },
    { name: 'keys', status: 200, open: async page => {
        await go(page, link());
        await confirm(page);
    } },
    { name: 'keys-consent', status: 200, title: 'keys.title', open: async page => {
        await go(page, link(), sites.consent);
        await confirm(page);
    } },
    { name: 'keys-long', status: 200, title: 'keys.title_many', open: async page => {
        await go(page, link(long));
        await confirm(page);
    } },
    { name: 'keys-fit', status: 200, title: 'keys.title_many', open: async page => {
        await go(page, link(fitting));
        await confirm(page);
    } },
    { name: 'keys-late', status: 200, title: 'keys.title', open: async page => {
        await go(page, link(past), sites.consent);
        await confirm(page);
    } },
    { name: 'keys-repeat', status: 200, title: 'keys.title_many', open: async page => {
        await go(page, link(two));
        await confirm(page);
        await page.reload();
    } },
    { name: 'used', status: 410, open: async page => {
        const path = await link();
        await mpk('confirm', path);
        await go(page, path);
    } },

    // without a script, a page that looks again by itself is this; nothing is typed there

    { name: 'held', status: 409, open: async page => go(page, (await signed('held'))[1]) },
    { name: 'suspended', status: 409, open: async page => {
        const [order, path] = await signed('ready');
        await mpk('api', 'POST', `orders/${order}/suspend`, { reason: 'dispute' });
        await go(page, path);
    } },
    { name: 'withheld', status: 410, open: async page => {
        const [order, path] = await signed('ready', { iat: Math.floor(Date.now() / 1000) + 30 });
        await mpk('confirm', await mpk('mint', order));
        await mpk('api', 'PUT', `orders/${order}/email`, { email: 'anne@example.com', note: 'mistyped' });
        await go(page, path);
    } },
    { name: 'cancelled', status: 410, open: async page => {
        const [order, path] = await signed('held');
        await mpk('api', 'POST', `orders/${order}/cancel`, { reason: 'fraud', not_sent: true });
        await go(page, path);
    } },
    { name: 'expired', status: 410, open: async page => {
        const now = Math.floor(Date.now() / 1000);
        await go(page, (await signed('ready', { iat: now - 100, exp: now - 61 }))[1]);
    } },
    { name: 'notfound', status: 404, open: page => go(page, '/r/not-a-token') },
    { name: 'limited', status: 429, open: async page => {
        const path = await link();
        await go(page, path);
        for (let i = 0; i < 10; i++) {
            await mpk('confirm', path, { email: `eve${i}@example.com` });
        }
        await confirm(page);
    } },
    { name: 'exhausted', status: 429, open: async page => {
        const path = await link();
        await go(page, path);
        const nonce = await page.getAttribute('[name=nonce]', 'value');
        for (let i = 0; i < 21; i++) {
            await mpk('confirm', path, { nonce });
        }
        await confirm(page);
    } },
    { name: 'refused', status: 403, open: async page => {
        await go(page, `/?to=${await link()}`, sites.foreign);
        await send(page, 'button');
    } },
    { name: 'unavailable', status: 503, alone: true, open: async page => {
        const path = await link();
        await mpk('redis', 'stop');
        try {
            await go(page, path);
        } finally {
            await mpk('redis', 'start');
        }
    } },

    { name: 'track', status: 200, open: page => go(page, '/track') },
    { name: 'track-absent', status: 404, title: 'track.title', open: page => find(page, 'NO-SUCH') },
    { name: 'track-fields', status: 422, title: 'track.title', open: page => find(page, '') },
    { name: 'crowd', status: 429, open: async page => {
        await go(page, '/tight');
        await mpk('lookup', '/tight', 'NO-SUCH', email);
        await fields(page, 'NO-SUCH');
    } },
    { name: 'order', status: 200, open: async page => find(page, await mpk('file', id(), {})) },
    { name: 'order-many', status: 200, title: 'order.title', open: async page => {
        const order = await mpk('file', id(), two);
        await mpk('confirm', await mpk('mint', order));
        await find(page, order);
        for (const summary of await page.locator('summary').all()) {
            await summary.click();
        }
    } },
    { name: 'order-long', status: 200, title: 'order.title', open: async page => {
        const order = 'L'.repeat(40) + id();
        await find(page, await mpk('file', order, long));
    } },
    { name: 'order-consent', status: 200, title: 'order.title', open: async page =>
        find(page, await mpk('file', id(), two), sites.consent) },
    { name: 'order-fit', status: 200, title: 'order.title', open: async page =>
        find(page, await mpk('file', id(), fitting), sites.consent) },
    { name: 'order-held', status: 200, title: 'order.title', open: async page =>
        find(page, await mpk('file', id(), { state: 'held' })) },
    { name: 'order-suspended', status: 200, title: 'order.title', open: async page => {
        const order = await mpk('file', id(), two);
        await mpk('api', 'POST', `orders/${order}/suspend`, { reason: 'dispute', items: [1] });
        await find(page, order);
    } },
    { name: 'order-email', status: 200, title: 'order.title', open: page => corrected(page) },
    { name: 'order-kept', status: 200, title: 'order.title', open: async page => {
        await corrected(page);
        await send(page, '[name=keep] ~ button');
    } },
    { name: 'order-cancelled', status: 200, title: 'order.title', open: async page => {
        const order = await mpk('file', id(), { state: 'held' });
        await mpk('api', 'POST', `orders/${order}/cancel`, { reason: 'fraud', not_sent: true });
        await find(page, order);
    } },

    { name: 'withdraw', status: 200, open: async page => go(page, '/withdraw', sites.consent) },
    { name: 'withdraw-wrong', status: 422, title: 'withdraw.title', open: async page => {
        await go(page, '/withdraw?items=1,2', sites.consent);
        await page.locator('form').evaluate(form => { form.noValidate = true; });
        await send(page, '[type=submit]');
    } },
    { name: 'withdraw-statement', status: 200, title: 'statement.title', open: page => withdraw(page) },
    { name: 'withdraw-receipt', status: 201, title: 'receipt.title', open: async page => {
        await withdraw(page);
        await send(page, '[type=submit]');
    } },

    { name: 'claim', status: 200, open: async page => go(page, await mpk('claim', await viewed())) },
    { name: 'claim-wrong', status: 422, title: 'claim.title', open: async page => {
        await go(page, await mpk('claim', await viewed()));
        await page.locator('form').evaluate(form => { form.noValidate = true; });
        await send(page, '[type=submit]');
    } },

    // the page was open for a day: what is wrong comes back with a fresh form

    { name: 'claim-expired', status: 422, title: 'claim.title', open: async page => {
        const order = await viewed();
        const now = Math.floor(Date.now() / 1000);
        await go(page, await mpk('claim', order));
        await page.locator('form').evaluate((form, path) => { form.action = path; form.noValidate = true; },
            await mpk('claim', order, { iat: now - 90000, exp: now - 3600 }));
        await report(page, ' ');
    } },
    { name: 'claimed', status: 201, open: async page => {
        await go(page, await mpk('claim', await viewed()));
        await report(page);
    } },
    { name: 'claimed-before', status: 409, title: 'claimed.title', open: async page => {
        const order = await viewed();
        await mpk('report', order);
        await go(page, await mpk('claim', order), sites.consent);
        await report(page);
    } },
    { name: 'reply', status: 422, open: async page => {
        const now = Math.floor(Date.now() / 1000);
        await go(page, await asked());
        await page.locator('form').evaluate((form, path) => { form.action = path; },
            await mpk('claim', `B-${now}`, { iat: now - 90000, exp: now - 3600, items: [1] }) + '?claim=1');
        await page.fill('#answer', 'It says <0x8007>.');
        await send(page, '[type=submit]');
    } },
    { name: 'answered', status: 201, open: async page => {
        await go(page, await asked());
        await page.fill('#answer', 'It says <0x8007>.');
        await send(page, '[type=submit]');
    } },
    { name: 'late', status: 403, open: async page =>
        go(page, await mpk('claim', await viewed(past)), sites.consent) },
    { name: 'undelivered', status: 409, open: async page => go(page, await mpk('claim', await mpk('file', id(), {}))) },
    { name: 'decided', status: 403, open: async page =>
        go(page, (await mpk('claim', await viewed())).replace('/claim/', '/claim/files/')) },
    { name: 'refunded', status: 410, open: async page => {
        const order = await viewed();
        await mpk('report', order);
        await mpk('decide', order, 1, 'refund', { reason: 'No key is left.', finding: { result: 'defective', text: 'Blocked by its maker.' } });
        await go(page, await mpk('sign', order));
    } },
    { name: 'order-claims', status: 200, title: 'order.title', open: async page => {
        const order = await viewed({ items: [ 1, 2, 3, 4, 5 ].map(n => ({ sku: `S${n}`, product: `Office ${n} for one PC`,
            support_url: `https://maker.example/help/${n}`, key: `KEY${n}0-AAAAA-BBBBB-CCCCC` })) });
        for (let n = 1; n <= 5; n++) {
            await mpk('report', order, { key: `KEY${n}0-AAAAA-BBBBB-CCCCC` });
        }
        await mpk('decide', order, 2, 'needs_info', { message: 'Please send a picture of the error message.' });
        await mpk('decide', order, 3, 'replace', { key: 'NEW30-AAAAA-BBBBB-CCCCC', note: 'Sorry for the trouble!', finding: { result: 'defective', text: 'Blocked by its maker.' } });
        await mpk('decide', order, 4, 'refund', { reason: 'No key of this product is left.', finding: { result: 'defective', text: 'Blocked by its maker.' } });
        await mpk('decide', order, 5, 'reject', { reason: 'product_use' });
        await find(page, order);
    } },

    { name: 'account', status: 200, open: page => account(page, 45, '/account/keys') },
    { name: 'account-older', status: 200, title: 'account.title', open: page => account(page, 45, '/account/keys?page=2') },
    { name: 'account-none', status: 200, title: 'account.title', open: page => account(page, 0, '/account/keys') },

    { name: 'evidence', status: 200, open: page => evidence(page, two) },
    { name: 'evidence-long', status: 200, title: 'evidence.title', open: async page => {
        await evidence(page, long);
        await page.locator('summary').click();
    } },
    { name: 'evidence-held', status: 200, title: 'evidence.title', open: async page =>
        go(page, `/desk/orders/${await mpk('file', id(), { state: 'held' })}/evidence?format=html`, sites.consent) },

    { name: 'onscreen', status: 200, title: 'keys.title', open: async page => go(page, `/checkout/${await mpk('file', id(), {})}`) },
    { name: 'onscreen-held', status: 409, title: 'held.title', open: async page =>
        go(page, `/checkout/${await mpk('file', id(), { state: 'held' })}`) },
    { name: 'onscreen-consent', status: 200, title: 'confirm.title', open: async page =>
        go(page, `/agreed/${await mpk('file', id(), {})}`) },
    { name: 'fragment', status: 200, title: 'fragment.ready', heading: '.mpk p', open: async page =>
        go(page, `/thanks/${await mpk('file', id(), {})}`) },
    { name: 'fragment-fit', status: 200, title: 'fragment.ready', heading: '.mpk p', open: async page =>
        go(page, `/thanks/${await mpk('file', id(), { items: fitting.items.slice(0, 1) })}`) },
    { name: 'fragment-held', status: 200, title: 'fragment.held', heading: '.mpk p', open: async page =>
        go(page, `/thanks/${await mpk('file', id(), { state: 'held' })}`) },
    { name: 'fragment-suspended', status: 200, title: 'fragment.suspended', heading: '.mpk p', open: async page => {
        const order = await mpk('file', id(), {});
        await mpk('api', 'POST', `orders/${order}/suspend`, { reason: 'fraud' });
        await go(page, `/thanks/${order}`);
    } },
];
