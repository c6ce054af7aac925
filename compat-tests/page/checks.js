// Checks of the control port's page: node checks.js BROWSER URL FOLDER LOCKED-URL TOKEN CLUSTER-URL [ONLY] prints "ok name" or "FAIL name: why" for each, and
// leaves pictures in FOLDER. The server has a table shop.orders of 120 rows, which somebody reads and writes all the time, a snapshot, something that was
// compacted, a query log and a log table; the one at LOCKED-URL asks for the token; the one at CLUSTER-URL is one of three nodes, of which the third is down
// and missed a write.
const { chromium } = require('playwright-core');
const [executablePath, url, folder, lockedUrl, token, clusterUrl, only] = process.argv.slice(2);
const QUIET = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const FIRST_PAINT_MS = 500;
const HEADINGS = { live: 'Live statements' };
const headed = (page, section) => page.waitForSelector(`main h2:text-is("${HEADINGS[section] ?? section[0].toUpperCase() + section.slice(1)}")`);
const SECTIONS = ['overview', 'tables', 'console', 'live', 'compactions', 'snapshots', 'cluster', 'log'];

function assert(condition, why) { if (!condition) throw new Error(why); }

const WIDE = { width: 1280, height: 800 };
const REACHED = 'a[href], button:not(:disabled):not([tabindex="-1"]), summary, select, textarea, input, [tabindex="0"]';

// what has the keyboard, as one says it
const focused = page => page.evaluate(() => { const one = document.activeElement; return one.getAttribute('aria-label') ?? (one.id || one.textContent); });
async function tabTo(page, wanted, key = 'Tab') {
  for (let presses = 0; presses < 150; presses++) {
    if (await focused(page) === wanted) return;
    await page.keyboard.press(key);
  }
  throw new Error(`${key} never comes to ${wanted}`);
}
async function enter(page, section) {
  await tabTo(page, section[0].toUpperCase() + section.slice(1));
  await page.keyboard.press('Enter');
  await page.waitForSelector(`nav a[data-key=${section}][aria-current=page]`);
  await headed(page, section);
}
const text = (page, selector) => page.textContent(selector);
const becomes = (page, wanted) => page.waitForFunction(label => { const one = document.activeElement; return (one.getAttribute('aria-label') ?? (one.id || one.textContent)) === label; }, wanted);

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
      const link = await page.locator('nav a[aria-current]').boundingBox();
      assert(link.x >= 0 && link.x + link.width <= 360, `${section} is current, and out of sight: ${JSON.stringify(link)}`);
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
    let asked = 0;
    page.on('request', request => { asked += request.url().endsWith('/execute'); });
    page.on('response', response => { if (response.url().endsWith('/execute')) answers.push(Number(response.headers()['content-length'])); });
    await page.fill('#cql', 'SELECT * FROM shop.many');
    await page.click('text=Run');
    await page.waitForSelector('text=100 rows');
    const first = await page.textContent('tbody tr:first-child');
    await page.evaluate(() => { const next = [...document.querySelectorAll('button')].find(one => one.textContent === 'Next page'); next.click(); next.click(); });
    await page.waitForFunction(text => document.querySelector('tbody tr').textContent !== text, first);
    assert(await page.locator('tbody tr').count() === 100, 'the next page has no 100 rows');
    assert(asked === 2, `${asked} questions for two pages`);
    assert(answers.length && answers.every(size => size > 0 && size < 1e6), `an answer has ${answers} bytes`);
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
    await tabTo(page, 'New console', 'Shift+Tab');
    await page.keyboard.press('Enter');
    await becomes(page, 'CQL statements');
    assert(await page.inputValue('#cql') === '', 'a new console is not empty');
    await page.keyboard.type('SELECT * FROM shop.many LIMIT 250');
    await page.keyboard.press('Control+Enter');
    await page.waitForSelector('text=100 rows');
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.type('1');
    assert(await page.inputValue('#cql') === 'SELECT * FROM shop.many LIMIT 2510', 'it does not go on where it was written');
    await page.keyboard.press('Backspace');
    await tabTo(page, 'Next page');
    for (const rows of [100, 50]) {
      const before = await page.textContent('tbody tr:first-child');
      await page.keyboard.press('Enter');
      await page.waitForFunction(text => document.querySelector('tbody tr').textContent !== text, before);
      await page.waitForSelector(`text=${rows} rows`);
      await becomes(page, rows === 50 ? 'Result' : 'Next page');
    }
    await tabTo(page, 'tab-1', 'Shift+Tab');
    await page.keyboard.press('ArrowLeft');
    await becomes(page, 'tab-0');
    assert(await page.inputValue('#cql') === 'SELECT nosuch FROM shop.orders', 'it is not the first console');
    await page.waitForSelector('.fault:has-text("nosuch")');
    await page.keyboard.press('ArrowRight');
    await page.waitForSelector('text=50 rows');
    await tabTo(page, 'History');
    for (const wanted of ['SELECT * FROM shop.many LIMIT 250', 'SELECT nosuch FROM shop.orders', "SELECT total FROM shop.orders WHERE customer = 'customer 1' LIMIT 3"]) {
      await page.keyboard.press('ArrowDown');
      await page.waitForFunction(value => document.querySelector('#cql').value === value, wanted);
    }
    await page.keyboard.press('Control+Enter');
    await page.waitForSelector('text=3 rows');
    await page.screenshot({ path: `${folder}/wide-console-used.png` });
    await tabTo(page, 'Close this console', 'Shift+Tab');
    await page.keyboard.press('Enter');
    await becomes(page, 'CQL statements');
    assert(await page.locator('[role=tab]').count() === 1, 'it is not closed');
    await page.reload();
    await page.waitForSelector('#cql');
    assert(await page.inputValue('#cql') === 'SELECT nosuch FROM shop.orders', 'the console was forgotten');
    assert(await page.locator('option').count() === 4, 'the history was forgotten');
  },
  async each_section_by_keyboard_alone(browser) {
    const page = await opened(browser, WIDE);
    for (const section of SECTIONS) {
      await enter(page, section);
      await becomes(page, 'main');
      const wanted = await page.$$eval(`main :is(${REACHED})`, all => all.filter(one => one.checkVisibility()).map(one => one.getAttribute('aria-label') ?? (one.id || one.textContent)));
      for (const label of wanted) {
        await tabTo(page, label);
        assert(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle) !== 'none', `one does not see that ${label} has the keyboard`);
      }
    }
    await page.keyboard.press('Control+Home');
    await tabTo(page, 'skip');
    await page.keyboard.press('Enter');
    await becomes(page, 'main');
    assert(!page.faults.length, page.faults.join());
  },
  async tables_by_keyboard_alone(browser) {
    const page = await opened(browser, WIDE);
    await enter(page, 'tables');
    await tabTo(page, 'system_schema');
    await page.keyboard.press('Enter');
    await tabTo(page, 'Filter tables', 'Shift+Tab');
    await page.keyboard.type('Schema.Tab');
    assert((await page.locator('.tree a:visible').allTextContents()).join() === 'tables,tables', 'it does not filter');  // and system_virtual_schema's
    for (let presses = 0; presses < 10; presses++) await page.keyboard.press('Backspace');
    await page.keyboard.type('shop');
    await tabTo(page, 'orders');
    await page.keyboard.press('Enter');
    await becomes(page, 'begin');
    assert(await page.inputValue('[aria-label="Filter tables"]') === 'shop', 'the filter was forgotten');
    await tabTo(page, 'Rows');
    await tabTo(page, 'Next page');
    const first = await text(page, 'tbody tr');
    await page.keyboard.press('Enter');
    await page.waitForFunction(first => document.querySelector('tbody tr').textContent !== first, first);
    assert(await focused(page) === 'Next page', 'the keyboard is lost between pages');
    await page.keyboard.press('Enter');
    await becomes(page, 'Page before');  // there is no next one
    assert(await page.locator('tbody tr').count() === 20, 'it is not the last page');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 50);
    await page.keyboard.press('Enter');
    await becomes(page, 'Next page');
    await tabTo(page, 'How it was made');
  },
  async what_is_drawn_again_stays_as_it_was(browser) {
    const page = await opened(browser, { width: 360, height: 740 });
    await enter(page, 'live');
    await tabTo(page, 'Statements, the newest first');
    const newest = await text(page, 'tbody');
    for (let presses = 0; presses < 4; presses++) await page.keyboard.press('ArrowRight');
    await page.waitForFunction(() => document.activeElement.scrollLeft > 40);
    await page.waitForFunction(before => document.querySelector('tbody').textContent !== before, newest);
    assert(await page.evaluate(() => document.activeElement.scrollLeft > 40), 'it is scrolled back');
    await page.evaluate(() => getSelection().selectAllChildren(document.querySelector('tbody tr')));
    const row = await page.$('tbody tr');
    await page.waitForTimeout(2500);
    assert(await row.evaluate(one => one.isConnected), 'what is to be copied goes away');
    await page.evaluate(() => getSelection().removeAllRanges());
    await enter(page, 'cluster');
    await tabTo(page, 'As the cluster has it');
    await page.keyboard.press('Enter');
    const pre = await page.waitForSelector('details[open] pre');
    await page.waitForFunction(one => !one.isConnected, pre, { timeout: 15000 });
    await page.waitForSelector('details[open] pre');
    assert(await focused(page) === 'As the cluster has it', 'the keyboard is lost');
  },
  async plots_are_of_what_happens(browser) {
    for (const [name, size, scheme] of [['wide', WIDE, 'light'], ['wide-dark', WIDE, 'dark'], ['phone', { width: 360, height: 740 }, 'dark']]) {
      const page = await opened(browser, size, scheme);
      await page.waitForFunction(() => [...document.querySelectorAll('.card polyline')].every(line => line.points.length > 5));
      const cards = await page.$$eval('.card', all => Object.fromEntries(all.map(one => [one.querySelector('h3').textContent, one.querySelector('.value').textContent])));
      assert(Number(cards['Reads a second']) > 0 && Number(cards['Writes a second']) > 0, JSON.stringify(cards));
      await page.screenshot({ path: `${folder}/${name}-plots.png` });
    }
  },
  async the_newest_line_of_the_log_is_first(browser) {
    const page = await opened(browser, WIDE);
    await page.goto(url + '#log');
    await page.waitForSelector('td:has-text("Startup complete")');
    const times = await page.$$eval('tbody tr', all => all.map(row => row.cells[0].textContent));
    assert(times[0] > times.at(-1) && times.join() === [...times].sort().reverse().join(), times.join());
  },
  async nothing_is_recorded_until_one_says_so(browser) {
    const page = await browser.newPage({ viewport: WIDE });
    await page.goto(clusterUrl + '#live');
    await page.waitForSelector('text=Nothing is recorded.');
    await tabTo(page, 'Begin to record');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.fault:has-text("--control-writes")');
    await page.waitForTimeout(2500);  // it is drawn again meanwhile
    assert(await page.$('.fault') && await focused(page) === 'Begin to record', 'why it was refused is gone');
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
  for (const [name, check] of Object.entries(checks).filter(([name]) => !only || name === only)) {
    try { await check(browser); console.log(`ok ${name}`); } catch (error) { console.log(`FAIL ${name}: ${String(error.message).split('\n')[0]}`); }
    for (const context of browser.contexts()) await context.close();
  }
  await browser.close();
})();
