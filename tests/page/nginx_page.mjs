// The browser's half of nginx_page_test.py: opens the status page of a real NGINX, says on stdout
// what it has seen, and ends well when the page has followed the flip and a death, silently.
import assert from 'node:assert/strict';
import { launch, open, shows } from './browser.mjs';

const address = process.env.BLUEGREEN_STATUS_ADDRESS;
const browser = await launch();
try {
  const { page, said, asked } = await open(browser, address);
  await shows(page, '#lead', 'blue serves v1');
  await shows(page, 'th', process.env.BLUEGREEN_BLUE_ADDRESS);
  await shows(page, 'td.is-healthy', 'healthy');
  assert.equal(await page.locator('td.is-unhealthy').count(), 0);
  await page.evaluate(() => { window.samePage = true; });
  console.log('blue is shown');
  await shows(page, '#lead', 'green serves v2');
  await shows(page, '#changes', 'green is active now');
  assert.equal(await page.evaluate(() => window.samePage), true);
  assert.deepEqual(said, []);
  assert.deepEqual(asked.filter(one => !one.startsWith(address)), []);
  console.log('green is shown');
  await shows(page, 'td.is-unhealthy', 'unhealthy');
  await shows(page, '#changes', `blue ${process.env.BLUEGREEN_BLUE_ADDRESS} is unhealthy`);
  await shows(page, 'td', 'Connection refused');
  assert.equal(await page.locator('td.is-unhealthy').count(), 1);
  assert.deepEqual(said, []);
  console.log('a dead endpoint is shown');
} finally {
  await browser.close();
}
