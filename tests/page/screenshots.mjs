// Takes the pictures of docs/screenshots: light, dark and a phone, of a made-up minute with a flip,
// a drain and a dead endpoint. By hand, when the page's looks change:
//   tests/page/run.sh build/ngx_module/page/status_page.hpp build/tests/page/modules screenshots.mjs
// It fills the page's two minutes of lines in its own clock, so it needs no two minutes.
import { fileURLToPath } from 'node:url';
import { launch, open, shows } from './browser.mjs';
import { app, built, World } from './page_server.mjs';

const ROUNDS = 100;
const folder = fileURLToPath(new URL('../../docs/screenshots/', import.meta.url));
const wave = round => Math.round(420 + 90 * Math.sin(round / 7) + 40 * Math.sin(round / 2.3));

async function shoot(browser, name, options) {
  const world = new World();
  let round = 0;
  world.doc.apps.tool = app();
  world.every = () => {
    ++round;
    const green = round > ROUNDS * 0.7, colors = world.doc.apps.app.colors;
    if (round === Math.round(ROUNDS * 0.7)) {
      world.event('weight', { color: 'green', before: '0', after: '1000' });
      world.flip();
    }
    if (round === ROUNDS - 4) world.die('blue', 1);
    world.come(green ? 'green' : 'blue', wave(round), round % 23 === 0 ? 4 : 0);
    colors.green.in_flight = green ? Math.round(wave(round) / 22) : 0;
    colors.blue.in_flight = green ? Math.max(3, 24 - (round - 70)) : Math.round(wave(round) / 22);
  };
  await world.serve(built(process.env.BLUEGREEN_STATUS_PAGE));
  const { page, context } = await open(browser, 'about:blank', options);
  await page.clock.install({ time: world.now });
  await page.goto(world.address);
  await shows(page, '#lead', 'serves');
  while (round < ROUNDS) {
    const before = round;
    await page.clock.runFor(1000);
    while (round === before) await page.clock.runFor(100);
  }
  await shows(page, 'td.is-unhealthy', 'unhealthy');
  await page.screenshot({ path: `${folder}${name}.png` });
  await context.close();
  world.end();
}

const browser = await launch();
try {
  await shoot(browser, 'status-light', { colorScheme: 'light', viewport: { width: 1100, height: 800 } });
  await shoot(browser, 'status-dark', { colorScheme: 'dark', viewport: { width: 1100, height: 800 } });
  await shoot(browser, 'status-phone', { colorScheme: 'light', viewport: { width: 360, height: 900 } });
} finally {
  await browser.close();
}
