// A headless Chromium for the page's tests: Debian's, driven by Playwright's library. Everything the
// page says on the console and every address it asks for is kept, for the test to look at.
import { createRequire } from 'node:module';
import { join } from 'node:path';

export async function launch() {
  const folder = process.env.BLUEGREEN_PAGE_MODULES;
  if (!folder) throw new Error('BLUEGREEN_PAGE_MODULES: not set, expected the folder that run.sh filled');
  const { chromium } = createRequire(join(folder, 'package.json'))('playwright-core');
  return chromium.launch({ executablePath: process.env.BLUEGREEN_CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
}

export async function open(browser, address, options = {}) {
  const context = await browser.newContext({ locale: 'en-GB', timezoneId: 'UTC', viewport: { width: 1100, height: 900 }, ...options });
  const page = await context.newPage(), said = [], asked = [];
  page.on('console', message => { if (['error', 'warning'].includes(message.type())) said.push(message.text()); });
  page.on('pageerror', error => said.push(String(error)));
  page.on('request', request => asked.push(request.url()));
  await page.goto(address);
  return { page, said, asked, context };
}

// Waits until a function in the page says yes. Asked from here: Playwright's own waiting would build
// its question from a string in the page, which the page's policy rightly refuses.
export async function until(page, question, argument, limit = 15000) {
  const deadline = Date.now() + limit;
  while (!await page.evaluate(question, argument)) {
    if (Date.now() > deadline) {
      throw new Error(`${JSON.stringify(argument ?? question.toString())}: not so within ${limit} ms; the page says:\n${await page.innerText('body')}`);
    }
    await new Promise(done => setTimeout(done, 50));
  }
}

export const shows = (page, selector, text) => until(page,
  ([where, what]) => [...document.querySelectorAll(where)].some(one => !one.closest('[hidden]') && one.textContent.includes(what)),
  [selector, text]);
