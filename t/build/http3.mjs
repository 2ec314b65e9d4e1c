// A client that speaks HTTP/3: Debian's Chromium.  A line of JSON on standard input is a
// request, and is answered by one.  With "gone" the client aborts the request once the answer's
// body is "begun" or "whole", or leaves it ("left") as it has begun.

import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';

const { chromium: program, home, hosts, hash } = JSON.parse(process.env.MPK_HTTP3);
const { chromium } = createRequire(`${process.cwd()}/${home}/`)('playwright-core');

const browser = await chromium.launch({ executablePath: program, chromiumSandbox: false, args: [
    '--disable-gpu', `--origin-to-force-quic-on=${hosts}`,
    `--ignore-certificate-errors-spki-list=${hash}`,
] });

const page = await browser.newPage();


async function run({ method, url, headers, body, gone }) {
    const controller = new AbortController();
    const answer = await fetch(url, { method, headers, body, signal: controller.signal });
    const { status } = answer;

    if (!gone) {
        return { status, headers: Object.fromEntries(answer.headers), body: await answer.text() };
    }

    const reader = answer.body.getReader();
    const enough = gone === 'whole' ? answer.headers.get('content-length') : 1;
    let bytes = 0;

    while (bytes < enough) {
        const { value, done } = await reader.read();

        if (done) {
            throw new Error(`the answer has ended after ${bytes} bytes`);
        }

        bytes += value.length;
    }

    if (gone !== 'left') {
        controller.abort();
    }

    return { status };
}

for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    const { origin } = new URL(request.url);
    let result;

    try {
        if (new URL(page.url()).origin !== origin) {
            await page.goto(origin);
        }

        result = await page.evaluate(run, request);
    } catch (error) {
        result = { error: error.message };
    }

    console.log(JSON.stringify(result));
}

await browser.close();
