// Every page of the book in a real browser: no errors, nothing asked for elsewhere, nothing wider than the window, no
// violation that axe-core finds, and pictures without scripts.

const assert = require("node:assert/strict");
const { after, before, test } = require("node:test");
const { Desk, PAGES, launch, open, overflow, violations } = require("./support.js");

let desk, browser;
before(async () => {
  [desk, browser] = await Promise.all([Desk.start(), launch()]);
});
after(() => Promise.all([desk?.stop(), browser?.close()]));

for (const name of PAGES) {
  test(`${name} in a browser`, async () => {
    const url = `${desk.origin}/${name}.html`;
    const page = await open(browser, url);
    assert.ok((await overflow(page)) <= 0, "wider than 1280 pixels");
    assert.deepEqual(await violations(page), [], "in the light theme");
    await page.evaluate(() => document.getElementById("mdbook-theme-navy").click());
    assert.deepEqual(await violations(page), [], "in the theme navy");
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });

  test(`${name} on a phone, with and without scripts`, async () => {
    const url = `${desk.origin}/${name}.html`;
    for (const scripts of [true, false]) {
      const page = await open(browser, url, { width: 320, scripts });
      assert.ok((await overflow(page)) <= 0, `wider than 320 pixels, scripts: ${scripts}`);
      for (const figure of await page.locator("lab-queue, lab-stream, lab-function").all()) {
        assert.ok(await figure.locator(".lab-stage .lab-title").isVisible(), "no picture");
        assert.match(await figure.locator(".lab-about").textContent(), /^A recorded run of cargo run /);
        assert.ok((await figure.locator(".lab-said li").count()) > 0, "no words");
        assert.equal(await figure.getByRole("button", { name: "Play" }).count(), scripts ? 1 : 0);
      }
      assert.deepEqual(page.faults, []);
      await page.context().close();
    }
  });
}

test("the other dark and light themes, on a page with everything", async () => {
  const page = await open(browser, `${desk.origin}/06-dead-letters.html`);
  for (const theme of ["rust", "coal", "ayu"]) {
    await page.evaluate((theme) => document.getElementById(`mdbook-theme-${theme}`).click(), theme);
    assert.deepEqual(await violations(page), [], theme);
  }
  await page.context().close();
});

test("without scripts the live page says what it needs", async () => {
  const page = await open(browser, `${desk.origin}/lab.html`, { scripts: false });
  assert.match(await page.locator("lab-cloud").textContent(), /needs a browser that runs scripts.*cargo run/);
  await page.context().close();
});

test("in print a figure is its picture and its words", async () => {
  const page = await open(browser, `${desk.origin}/05-visibility.html`);
  await page.emulateMedia({ media: "print" });
  const figure = page.locator("lab-queue");
  assert.ok(await figure.locator(".lab-stage .lab-title").isVisible());
  assert.ok(await figure.locator(".lab-said").isVisible());
  assert.ok(!(await figure.locator(".lab-controls").isVisible()));
  await page.context().close();
});

test("the page to print has all figures, and asks for nothing elsewhere", async () => {
  const page = await open(browser, `${desk.origin}/print.html`);
  const figures = page.locator("lab-queue, lab-stream, lab-function");
  assert.ok((await figures.count()) >= 16);
  for (const figure of await figures.all()) assert.ok(await figure.locator(".lab-stage .lab-title").isVisible());
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test("what has no page says so, with the book around it", async () => {
  const page = await open(browser, `${desk.origin}/nowhere.html`);
  assert.match(await page.locator("main").textContent(), /404/);
  const faults = page.faults.filter((fault) => !fault.endsWith("/nowhere.html"));
  assert.deepEqual(faults, []);
  await page.context().close();
});
