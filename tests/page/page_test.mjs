// What the person on call sees, in a real Chromium: each test has a server of its own and ends with
// a look at the console (silent) and at the addresses asked for (the page's own and no other).
import test, { after, before } from 'node:test';
import assert from 'node:assert/strict';
import { launch, open, shows, until } from './browser.mjs';
import { app, built, World } from './page_server.mjs';

const parts = built(process.env.BLUEGREEN_STATUS_PAGE);
let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); });

function look(name, check, { quiet = true, ...options } = {}, prepare = () => {}) {
  test(name, { timeout: 60000 }, async () => {
    const world = new World();
    prepare(world);
    await world.serve(parts);
    const { page, said, asked, context } = await open(browser, world.address, options);
    try {
      await check(page, world);
      if (quiet) assert.deepEqual(said, []);
      assert.deepEqual(asked.filter(one => !one.startsWith(world.address)), []);
    } finally {
      await context.close();
      world.end();
    }
  });
}

look('page renders figures, landmarks and words for the lines', async (page, world) => {
  world.every = () => { world.come('blue', 100, 5); world.doc.apps.app.colors.blue.in_flight = 4; };
  await shows(page, '#lead', 'blue serves v1.2.2');
  await shows(page, 'section.active dd', '100');
  await shows(page, 'section.active dd', '5 %');
  await shows(page, 'section.active dd', '1.02 ms');   // the half: the edge of the first bucket
  await shows(page, 'section.active dd', '65.5 ms');   // one in fifty is slow, so 99 % is the second's
  assert.match(await page.locator('section.active svg').first().getAttribute('aria-label'), /^Requests per second, last \d+ readings: lowest/);
  for (const role of ['banner', 'main', 'contentinfo']) assert.equal(await page.getByRole(role).count(), 1, role);
  assert.equal(await page.locator('th:not([scope])').count(), 0);
  assert.equal(await page.locator('#banner').isHidden(), true);
});

look('page follows a flip in place and shows the drain', async (page, world) => {
  world.doc.apps.app.colors.blue.in_flight = 8;
  await shows(page, '#lead', 'blue serves');
  await page.evaluate(() => { window.sameCard = document.querySelector('section.blue'); });
  world.flip();
  await shows(page, '#lead', 'green serves v1.2.3');
  await shows(page, '#changes', 'green is active now');
  await shows(page, '#events td', 'flip');
  await shows(page, 'section p', 'Draining: 8 of 8');
  world.doc.apps.app.colors.blue.in_flight = 2;
  await shows(page, 'section p', 'Draining: 2 of 8');
  assert.equal(await page.locator('progress:visible').evaluate(bar => bar.value / bar.max), 0.75);
  world.doc.apps.app.colors.blue.in_flight = 0;
  await shows(page, 'section p', 'Drained');
});

look('page shows a dead endpoint and says so once', async (page, world) => {
  await shows(page, 'td.is-healthy', 'healthy');
  world.die('blue', 1);
  await shows(page, 'td.is-unhealthy', 'unhealthy');
  await shows(page, '#changes', 'blue 172.20.0.2:8000 is unhealthy.');
  await shows(page, 'td', 'connection refused');
  assert.equal(await page.locator('td.is-unhealthy').count(), 1);
});

const kHostile = `<script>window.caught=1</script><img src=x onerror="window.caught=1">"'&lt;\u202e` + 'x'.repeat(5000);
look('hostile strings are text and fit the width of a phone', async page => {
  await shows(page, '#lead', '<script>window.caught=1</script><img');
  await shows(page, 'td', '<script>');
  assert.equal(await page.evaluate(() => window.caught), undefined);
  assert.equal(await page.locator('img').count(), 0);
  assert.equal(await page.locator('script').count(), 1);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'no sideways scrolling');
}, { viewport: { width: 360, height: 640 } }, world => {
  const one = app();
  one.release = one.colors.blue.release = kHostile;
  Object.assign(one.colors.blue.endpoints[0], { address: kHostile, health: kHostile, last_error: kHostile, since: kHostile });
  one.flags = [kHostile];
  world.doc.apps = JSON.parse(JSON.stringify({ a: one }).replace('"a"', '"__proto__"'));
  world.doc.apps[kHostile] = app();
  world.event(kHostile, { app: kHostile, color: kHostile, endpoint: kHostile, text: kHostile });
});

look('page believes no type in the document', async page => {
  await shows(page, '#lead', 'nothing known serves');
}, {}, world => {
  world.doc.apps.app = { active: 7, flags: 'x', weight: 'y', colors: { blue: [], green: { endpoints: [null, 3], latency: 1, responses: 2 } } };
  world.doc.events = [null, 'x', { time: {} }];
  world.doc.workers = null;
});

look('page works at 360 pixels', async page => {
  await shows(page, '#lead', 'blue serves');
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
}, { viewport: { width: 360, height: 640 }, isMobile: true });

look('page changes to another application and keeps it in the address', async page => {
  await page.getByRole('button', { name: /^tool/ }).click();
  await shows(page, '#route', 'tool, generation');
  assert.equal(new URL(page.url()).hash, '#tool');
  await page.reload();
  await shows(page, '#route', 'tool, generation');
}, {}, world => { world.doc.apps.tool = app(); });

look('banner tells that the document cannot be fetched, and goes when it can', async (page, world) => {
  await shows(page, '#lead', 'blue serves');
  world.silent = true;
  await shows(page, '#banner', 'cannot be read');
  world.silent = false;
  world.status = 500;
  await shows(page, '#banner', 'the answer was 500');
  world.status = 200;
  await until(page, () => document.getElementById('banner').hidden);
  await shows(page, '#changes', 'Figures come again.');
}, { quiet: false });

look('banner tells a region that is not ok, from a 503 as well', async (page, world) => {
  await shows(page, '#banner', 'The control region is damaged: /run/control (checksum)');
  await shows(page, '#banner', 'The telemetry region is missing');
  world.doc.control.state = world.doc.telemetry.state = 'ok';
  world.status = 200;
  await until(page, () => document.getElementById('banner').hidden);
}, { quiet: false }, world => {
  world.status = 503;
  world.doc.control = { state: 'damaged', path: '/run/control', reason: 'checksum' };
  world.doc.telemetry.state = 'missing';
});

look('page asks nothing while it is hidden', async (page, world) => {
  await shows(page, '#lead', 'blue serves');
  const hide = hidden => page.evaluate(value => {
    Object.defineProperty(document, 'hidden', { value, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
  await hide(true);
  await page.evaluate(() => new Promise(done => setTimeout(done, 1500)));  // a round under way may end
  const asked = world.asked.length;
  await page.evaluate(() => new Promise(done => setTimeout(done, 2500)));
  assert.equal(world.asked.length, asked);
  world.flip();
  await hide(false);
  await shows(page, '#lead', 'green serves');
});
