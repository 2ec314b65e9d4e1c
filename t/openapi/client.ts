// client.ts EDGE TOKEN READER: a shop's client of types that openapi-typescript has made of
// docs/openapi.yaml.  It files, reveals and decides, and prints what it was answered as JSON.

import createClient from 'openapi-fetch';
import type { components, paths } from './api.js';

type Schemas = components['schemas'];

declare const process: { argv: [string, string, string, string, string] };

const [, , edge, token, reader] = process.argv;
const email = 'ann@example.com';

function api(bearer: string) {
    return createClient<paths>({ baseUrl: `${edge}/mpk/v1`, headers: { Authorization: `Bearer ${bearer}` } });
}

const shop = api(token);

async function page(url: string, body?: Record<string, unknown>) {
    const { pathname } = new URL(url);
    const response = await fetch(edge + pathname, {
        method: body ? 'POST' : 'GET',
        headers: { Accept: 'application/json', 'Content-Type': 'application/json' },
        ...(body && { body: JSON.stringify(body) })
    });

    return { status: response.status, json: await response.json() };
}

function needed<T>(value: T | null | undefined, what: string): T {
    if (value === null || value === undefined) {
        throw new Error(`no ${what}`);
    }

    return value;
}


// an order, and again with other content

const filing: Schemas['Filing'] = {
    email, purchased_at: new Date().toISOString(), state: 'held',
    items: [{ sku: 'OFF-24', product: 'Office 2024 Home', key: 'AAAAA-BBBBB-CCCCC' }]
};
const path = { id: 'TS-1' };
const filed = await shop.PUT('/orders/{id}', { params: { path }, body: filing });
const differs = await shop.PUT('/orders/{id}', { params: { path }, body: { ...filing, email: 'bob@example.com' } });


// many orders: the member "order" is the line's, "state" may be left out

const lines: Schemas['FilingLine'][] = ['TS-2', 'TS-3'].map(order => {
    const { state, ...rest } = filing;

    return { ...rest, order, ...(order === 'TS-2' && { state }) };
});

const many = await shop.POST('/orders', {
    body: lines[0]!,
    headers: { 'Content-Type': 'application/x-ndjson' },
    bodySerializer: () => lines.map(line => JSON.stringify(line) + '\n').join('')
});
const summary = needed(many.data, 'summary');


// released, mailed, revealed

const released = await shop.POST('/orders/{id}/release', { params: { path } });
const link = await shop.POST('/orders/{id}/links', { params: { path, header: { 'Idempotency-Key': 'first' } }, body: { items: [1] } });
const url = needed(link.data?.url, 'link');
const { json: { nonce } } = await page(url);
const shown = await page(url, { nonce, email });


// reported, listed, decided

const tracked = await page(`${edge}/track`, { order: path.id, email });
const claimed = await page(tracked.json.claim_url, {
    name: 'Ann', order: path.id, email, key: filing.items[0]!.key, category: 'already_used', description: 'In use'
});
const listed = await shop.GET('/claims', { params: { query: { state: 'open' } } });
const claim = needed(listed.data?.claims[0], 'claim');
const decided = await shop.POST('/orders/{id}/claims/{claim}/replace', {
    params: { path: { id: claim.order, claim: claim.claim } },
    body: { key: 'DDDDD-EEEEE-FFFFF', note: null, finding: { result: 'defective', text: 'Activated by somebody else' } }
});


// what the shop reads, and what the role "read" does

const seen = needed((await shop.GET('/orders/{id}', { params: { path } })).data, 'order');
const masked = needed((await api(reader).GET('/orders/{id}', { params: { path } })).data, 'order');
const forbidden = await api(reader).DELETE('/orders/{id}', { params: { path } });
const journal = needed((await shop.GET('/orders/{id}/journal', { params: { path } })).data, 'journal');

console.log(JSON.stringify({
    filed: filed.response.status,
    differs: [differs.error?.status, differs.error?.type, differs.error?.rule],
    many: 'created' in summary ? summary.created : summary.detail,
    released: released.data?.state,
    shown: shown.json.items.map((item: { key: string }) => item.key),
    claimed: claimed.status,
    claim: [claim.order, claim.email, claim.sku, claim.product, claim.category],
    decided: [decided.data?.order, decided.data?.claim?.state],
    seen: [seen.email, seen.views?.map(view => view.channel), seen.claims[0]?.name],
    masked: [masked.used, masked.email, masked.views, masked.claims[0]?.name].map(value => value ?? null),
    forbidden: forbidden.error?.type,
    journal: [journal.verdict, journal.entries.map(entry => entry.event)]
}));
