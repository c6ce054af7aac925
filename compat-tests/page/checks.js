// Checks of the control port's page: node checks.js BROWSER URL FOLDER LOCKED-URL TOKEN CLUSTER-URL prints "ok name" or "FAIL name: why" for each, and
// leaves pictures in FOLDER. The server has a table shop.orders of 120 rows; the
// one at LOCKED-URL asks for the token; the one at CLUSTER-URL is one of three nodes, of which the third is down and missed a write.
const { chromium } = require('playwright-core');
const [executablePath, url, folder, lockedUrl, token, clusterUrl] = process.argv.slice(2);
const QUIET = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const FIRST_PAINT_MS = 500;
const HEADINGS = { live: 'Live statements' };
const headed = (page, section) => page.waitForSelector(`main h2:text-is("${HEADINGS[section] ?? section[0].toUpperCase() + section.slice(1)}")`);
const SECTIONS = ['overview', 'tables', 'console', 'live', 'compactions', 'snapshots', 'cluster', 'log'];

function assert(condition, why) { if (!condition) throw new Error(why); }

async function opened(browser, size, colorScheme = 'light') {
  const page = await browser.newPage({ viewport: size, colorScheme });
  page.faults = [];
  page.on('pageerror', error => page.faults.push(error.message));
  await page.goto(url);
  await page.waitForSelector('.card');
  return page;
}

const checks = {
  async every_section_is_drawn(browser) {
    const page = await opened(browser, { width: 1280, height: 800 });
    for (const section of SECTIONS) {
      await page.click(`nav a[data-key=${section}]`);
      await page.waitForSelector(`nav a[data-key=${section}][aria-current=page]`);
      await headed(page, section);
      assert(!(await page.$('main .fault')), `${section} says ${await page.textContent('main')}`);
      await page.screenshot({ path: `${folder}/wide-${section}.png` });
    }
    assert(!page.faults.length, page.faults.join());
  },
  async nothing_is_wider_than_a_phone(browser) {
    const page = await opened(browser, { width: 360, height: 740 }, 'dark');
    for (const section of [...SECTIONS, 'tables/shop/orders']) {
      await page.evaluate(hash => { location.hash = hash; }, section);
      await headed(page, section.split('/')[0]);
      if (section.includes('/')) await page.waitForSelector('td');
      await page.waitForFunction(() => document.body.scrollWidth <= innerWidth);
      await page.screenshot({ path: `${folder}/phone-${section.split('/').length > 1 ? 'rows' : section}.png` });
    }
    assert(await page.evaluate(() => getComputedStyle(document.body).backgroundColor) === 'rgb(21, 23, 26)', 'it is not dark');
    assert(!page.faults.length, page.faults.join());
  },
  async it_is_painted_at_once(browser) {
    const times = [];
    for (let round = 0; round < 5; round++) {
      const page = await opened(browser, { width: 1280, height: 800 });
      // it is told a moment after it was painted
      const painted = await page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime);
      times.push(await painted.jsonValue());
      await page.context().close();
    }
    assert(Math.min(...times) <= FIRST_PAINT_MS, `the first paint comes after ${times.map(Math.round)} ms`);
  },
  async several_nodes_are_in_view(browser) {
    for (const [name, size, scheme] of [['wide', { width: 1600, height: 900 }, 'light'], ['phone', { width: 360, height: 740 }, 'dark']]) {
      const page = await browser.newPage({ viewport: size, colorScheme: scheme });
      await page.goto(clusterUrl + '#cluster');
      await page.waitForSelector('#ring text:has-text("2 of 3 up")');
      assert(await page.locator('tbody tr').count() === 3, 'there are not three nodes');
      assert(await page.locator('tbody .down').count() === 1, 'none is down');
      const told = await page.textContent('.fault');
      assert(/Down: 127\.0\.0\.3:\d+\./.test(told) && /Writes wait here for 127\.0\.0\.3:\d+\./.test(told), told);
      await page.waitForFunction(() => document.body.scrollWidth <= innerWidth);
      await page.screenshot({ path: `${folder}/${name}-cluster-of-three.png` });
    }
  },
  async many_rows_come_a_page_at_a_time(browser) {
    const page = await opened(browser, { width: 1280, height: 800 });
    await page.goto(url + '#console');
    const answers = [];
    page.on('response', async response => { if (response.url().endsWith('/execute')) answers.push((await response.body()).length); });
    await page.fill('#cql', 'SELECT * FROM shop.many');
    await page.click('text=Run');
    await page.waitForSelector('text=100 rows');
    await page.click('text=Next page');
    await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 100);
    assert(answers.length && answers.every(size => size < 1e6), `an answer has ${answers} bytes`);
  },
  async rows_come_page_by_page(browser) {
    const page = await opened(browser, { width: 1280, height: 800 });
    await page.goto(url + '#tables/shop/orders');
    await page.waitForSelector('td');
    const first = await page.textContent('tbody tr:first-child');
    assert(await page.locator('tbody tr').count() === 50, 'the first page has no 50 rows');
    await page.click('text=Next page');
    await page.waitForFunction(text => document.querySelector('tbody tr').textContent !== text, first);
    await page.click('text=Next page');
    await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 20);
    await page.click('text=Page before');
    await page.click('text=Page before');
    await page.waitForFunction(text => document.querySelector('tbody tr').textContent === text, first);
    await page.waitForSelector('pre:has-text("CREATE TABLE shop.orders")');
  },
  async console_by_keyboard_alone(browser) {
    const page = await opened(browser, { width: 1280, height: 800 });
    await page.keyboard.press('Tab');
    for (let presses = 0; presses < 20 && await page.evaluate(() => document.activeElement.dataset.key) !== 'console'; presses++) await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#cql');
    for (let presses = 0; presses < 20 && await page.evaluate(() => document.activeElement.id) !== 'cql'; presses++) await page.keyboard.press('Tab');
    await page.keyboard.press('Control+A');
    await page.keyboard.type("SELECT total FROM shop.orders WHERE customer = 'customer 1' LIMIT 3");
    await page.keyboard.press('Control+Enter');
    await page.waitForSelector('text=3 rows');
    assert((await page.textContent('tbody')).startsWith('1.5'), 'it is not the total');
    await page.keyboard.press('Control+A');
    await page.keyboard.type('SELECT nosuch FROM shop.orders');
    await page.keyboard.press('Control+Enter');
    await page.waitForSelector('.fault:has-text("Undefined column name nosuch")');
    await page.click('[aria-label="New console"]');
    assert(await page.inputValue('#cql') === '', 'a new console is not empty');
    await page.reload();
    await page.waitForSelector('#cql');
    assert(await page.inputValue('#cql') === 'SELECT nosuch FROM shop.orders', 'the console was forgotten');
    assert(await page.locator('option').count() === 3, 'the history was forgotten');
  },
  async a_slow_answer_does_not_keep_the_section_before(browser) {
    const page = await opened(browser, { width: 1280, height: 800 });
    await page.goto(url + '#console');
    await page.fill('#cql', 'SELECT 1');
    await page.route('**/queries', async route => { await new Promise(done => setTimeout(done, 2500)); await route.continue(); });
    await page.click('nav a[data-key=live]');
    await page.waitForSelector('h2:has-text("Live statements")');
  },
  async it_only_reads(browser) {
    const page = await opened(browser, { width: 1280, height: 800 });
    await page.goto(url + '#console');
    await page.fill('#cql', 'TRUNCATE shop.orders');
    await page.click('text=Run');
    await page.waitForSelector('.fault:has-text("--control-writes")');
    await page.fill('#cql', 'SELECT count(*) FROM shop.orders');
    await page.click('text=Run');
    await page.waitForSelector('td:has-text("120")');
  },
  async it_asks_for_the_token_once(browser) {
    const page = await browser.newPage({ viewport: { width: 360, height: 740 } });
    const urls = [], faults = [];
    page.on('request', request => urls.push(request.url()));
    page.on('pageerror', error => faults.push(error.message));
    await page.goto(lockedUrl);
    await page.waitForSelector('#token');
    await page.screenshot({ path: `${folder}/phone-locked.png` });
    await page.waitForTimeout(1500);
    assert(await page.$('#token'), 'it asks again and again');
    await page.keyboard.type('not the token');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.fault:has-text("This is not the token.")');
    await page.keyboard.type(token);
    await page.keyboard.press('Enter');
    await page.waitForSelector('.card');
    await page.waitForSelector('#state.up:has-text("connected")');
    await page.reload();
    await page.waitForSelector('.card');
    assert(!(await page.$('#token')), 'it asks again');
    assert(!urls.some(one => one.includes(token)), 'the token is in a URL');
    assert(!faults.length, faults.join());
  },
  async a_server_that_is_gone_is_told(browser) {
    const page = await opened(browser, { width: 1280, height: 800 });
    await page.route('**/node_info', route => route.abort());
    await page.waitForSelector('#state.down:has-text("does not answer")');
    await page.unroute('**/node_info');
    await page.waitForSelector('#state.up:has-text("connected")');
  },
};

(async () => {
  const browser = await chromium.launch({ executablePath, args: QUIET });
  for (const [name, check] of Object.entries(checks)) {
    try { await check(browser); console.log(`ok ${name}`); } catch (error) { console.log(`FAIL ${name}: ${String(error.message).split('\n')[0]}`); }
    for (const context of browser.contexts()) await context.close();
  }
  await browser.close();
})();
