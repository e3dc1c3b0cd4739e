// Each figure with its recorded run: from the first event to the last, what it shows on the way, and how it is used.

const assert = require("node:assert/strict");
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const { after, before, test } = require("node:test");
const { Desk, PAGES, ROOT, launch, open, overflow, screenshot, stepTo } = require("./support.js");

let desk, browser;
before(async () => {
  [desk, browser] = await Promise.all([Desk.start(), launch()]);
});
after(() => Promise.all([desk?.stop(), browser?.close()]));

/** The page's figure. */
async function figureOn(name, options) {
  const page = await open(browser, `${desk.origin}/${name}.html`, options);
  return page.locator("lab-queue, lab-stream, lab-function").first();
}

async function text(locator) {
  return (await locator.allInnerTexts()).join(" ").replace(/\s+/g, " ");
}

const button = (figure, name) => figure.getByRole("button", { name, exact: true });
const column = (figure, title) => figure.locator(`section:has(> .lab-head:text-is("${title}")) .lab-card`);
/** The cards at a place: `queue`, `reader`, `gone` or `dead`. */
const cards = (figure, place) => figure.locator(`.lab-messages > [data-place^="${place}"]`);

/** The figures of the book. */
const FIGURES = PAGES.flatMap((page) => {
  const elements = readFileSync(join(ROOT, `book/${page}.md`), "utf8").matchAll(
    /<lab-(queue|stream|function) .*run="(.*)"/g,
  );
  return [...elements].map(([, word, run]) => ({ page, word, run }));
});

for (const { page, word, run } of FIGURES) {
  test(`the ${word} in ${page}, from the start to the end of its run`, async () => {
    for (const [theme, width] of [
      ["light", 1280],
      ["navy", 320],
    ]) {
      const tab = await open(browser, `${desk.origin}/${page}.html`, { theme, width });
      const figure = tab.locator(`lab-${word}`);
      await stepTo(figure, /./);
      const length = Number((await figure.locator(".lab-place").textContent()).split(" of ")[1]);
      await stepTo(figure, /./, Math.ceil(length / 2) - 1);
      await screenshot(figure, `${page}-${word}-${theme}`);
      assert.ok((await overflow(tab)) <= 0, `wider than ${width} pixels`);
      if (theme === "light") {
        await stepTo(figure);
        assert.equal(await figure.locator(".lab-place").textContent(), `${length} of ${length}`);
        assert.ok(await button(figure, "Step").isDisabled(), "there is no step after the last");
        assert.match(await figure.locator(".lab-title").textContent(), /^[A-Za-z]/);
      }
      assert.deepEqual(tab.faults, []);
      await tab.context().close();
    }
  });
}

test("a message that is not deleted goes, runs down, comes back, and goes again", async () => {
  const figure = await figureOn("05-visibility");
  await stepTo(figure, /was sent/);
  assert.match(await text(cards(figure, "queue")), /Order 1/);
  await stepTo(figure, /received “Order 1”/);
  assert.equal(await cards(figure, "queue").count(), 0);
  assert.match(await text(cards(figure, "reader")), /Order 1 5 s/);
  await stepTo(figure, /clock was moved/);
  assert.match(await text(cards(figure, "reader")), /Order 1 0 s/);
  await stepTo(figure, /came back/);
  assert.match(await text(cards(figure, "queue")), /Order 1 back ×1/);
  await stepTo(figure, /delivery 2/);
  assert.match(await text(cards(figure, "reader")), /Order 1 ×2 5 s/);
  await stepTo(figure, /was deleted/);
  assert.match(await text(figure.locator(".lab-title")), /the queue is deleted/);
});

test("messages of a receiver that was killed come back and are received by another", async () => {
  const figure = await figureOn("04-receive");
  await stepTo(figure, /receive-1 received/);
  assert.match(await text(figure.locator(".lab-at-reader").first()), /receive-1 holds 1/);
  assert.match(await text(cards(figure, "reader 0")), /\d+ 30 s/);
  await stepTo(figure, /came back/);
  assert.match(await text(cards(figure, "queue")), /\d+ back ×1/);
  await stepTo(figure, /receive-2 received message \d+, delivery 2/);
  assert.match(await text(figure.locator(".lab-at-reader").last()), /receive-2 holds 1/);
  assert.match(await text(cards(figure, "reader 1")), /\d+ ×2 30 s/);
  await stepTo(figure);
  assert.match(await text(figure.locator(".lab-title")), /0 visible, 0 in flight, 12 deleted/);
});

test("what is behind a message in flight waits, and no other group does", async () => {
  const figure = await figureOn("10-groups");
  const lane = (group) => figure.locator(`.lab-band:has-text("group ${group}")`);
  await stepTo(figure, /“A2” was sent/);
  assert.match(await text(lane("A")), /group A blocked by A1/);
  assert.match(await text(cards(figure, "reader")), /A1 \d+ s/);
  assert.match(await text(cards(figure, "queue")), /A2 waits/);
  await stepTo(figure, /“B1” was sent/);
  assert.match(await text(lane("B")), /group B free/);
  await stepTo(figure, /handed back/);
  assert.match(await text(lane("A")), /group A free/);
  assert.match(await text(cards(figure, "queue")), /A1 back ×1 .*A2/);
  await stepTo(figure, /“A2” was deleted/);
  assert.match(await text(cards(figure, "gone")), /A2/);
  const row = (label) => figure.locator(`.lab-messages > :has-text("${label}")`).evaluate((card) => card.style.getPropertyValue("--y"));
  assert.notEqual(await row("A2"), await row("A1"), "a row for each message");
});

test("a message that was received too often is among the dead letters", async () => {
  const figure = await figureOn("06-dead-letters");
  await stepTo(figure, /delivery 3/);
  assert.match(await text(cards(figure, "reader")), /12,50 ×3/);
  await stepTo(figure, /was moved here from experiment-orders/);
  assert.match(await text(cards(figure, "dead")), /12,50 ×3 among the dead letters/);
  await stepTo(figure, /was moved here from experiment-dead-letters/);
  assert.equal(await cards(figure, "dead").count(), 0);
});

test("a duplicate is told and not added", async () => {
  const figure = await figureOn("11-deduplication");
  await stepTo(figure, /not added/);
  assert.equal(await figure.locator(".lab-messages .lab-card").count(), 1);
  await stepTo(figure, /not added/);
  assert.match(await text(figure.locator(".lab-title")), /0 visible, 0 in flight, 1 deleted, 2 duplicates not added/);
});

test("a hot key fills one shard, which refuses the rest", async () => {
  const figure = await figureOn("18-hot-keys");
  await stepTo(figure, /refused/);
  const full = await figure
    .locator(".lab-range")
    .evaluateAll((ranges) => ranges.map((range) => range.style.getPropertyValue("--full")));
  assert.deepEqual(full.map(Number), [0, 0, 0, 1]);
  assert.match(
    await text(figure.locator(".lab-shard").last()),
    /shard 3 hash keys c0… to ff…, \d+ records \d+ puts? refused/,
  );
});

test("children stand below their parents, which are closed", async () => {
  const figure = await figureOn("19-reshard");
  await stepTo(figure, /resharded: 2 of its 9 shards are open/);
  const rows = await figure.locator(".lab-map ul").all();
  const rowTexts = await Promise.all(rows.map((row) => text(row.locator("b"))));
  assert.deepEqual(rowTexts, ["0", "1 2", "3 4 5 6", "7 8"]);
  assert.equal(await figure.locator(".lab-range:has-text('closed')").count(), 7);
});

test("a reader's mark stands behind the last record that it has read", async () => {
  const figure = await figureOn("15-get");
  await stepTo(figure, /read shard 0 and got \d+ record/);
  assert.match(await text(figure.locator(".lab-mark")), /get-1 got 5, (at the end|\d+ behind)/);
});

test("a batch that failed comes back whole, or the poison alone", async () => {
  const figure = await figureOn("23-half-a-batch");
  await stepTo(figure, /came back/, 10);
  assert.equal(await cards(figure, "queue").count(), 10);
});

test("an invocation runs, ends, and has its lines in the log", async () => {
  const figure = await figureOn("22-sqs-function");
  await stepTo(figure, /invoked SQSFunction/, 2);
  assert.match(await text(column(figure, "Lambda polls")), /StandardQueue enabled/);
  assert.match(await text(column(figure, "Invocations, the last one first").first()), /\d record running/);
  await stepTo(figure, /ended well/);
  assert.match(await text(column(figure, "Invocations, the last one first").first()), /\d record ok, /);
  assert.match(await text(figure.locator(".lab-lines")), /"Message":1/);
});

test("play goes on by itself, pauses, and begins again", async () => {
  const figure = await figureOn("05-visibility", { motion: "no-preference" });
  await button(figure, "Play").click();
  await figure.locator(".lab-place").filter({ hasText: "3 of" }).waitFor();
  await button(figure, "Pause").click();
  const place = await figure.locator(".lab-place").textContent();
  await new Promise((resolve) => setTimeout(resolve, 2500));
  assert.equal(await figure.locator(".lab-place").textContent(), place, "it is paused");
  await button(figure, "Restart").click();
  await figure.locator(".lab-place").filter({ hasText: "0 of" }).waitFor();
  assert.deepEqual(figure.page().faults, []);
});

test("the timer runs down while the run is played", async () => {
  const figure = await figureOn("05-visibility");
  await stepTo(figure, /received “Order 1”/);
  await button(figure, "Play").click();
  await figure.locator(".lab-timer").filter({ hasText: /^4 s$/ }).waitFor();
});

test("a figure is used from the keyboard alone", async () => {
  const figure = await figureOn("05-visibility");
  const page = figure.page();
  await button(figure, "Play").focus();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Step", "Back has nowhere to go");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Space");
  await figure.locator(".lab-place").filter({ hasText: "2 of" }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Step", "the focus stays");
});

test("a screen reader is told the last thing, in a sentence, and not too often", async () => {
  const figure = await figureOn("18-hot-keys");
  const spoken = figure.locator("[aria-live=polite]");
  assert.equal(await spoken.count(), 1);
  await stepTo(figure, /went to shard/);
  await figure.page().waitForTimeout(50);
  assert.equal(await spoken.textContent(), "A record with the key “berlin” went to shard 3.");
  await spoken.evaluate((element) => {
    window.spoken = 0;
    new MutationObserver(() => window.spoken++).observe(element, { childList: true });
  });
  await button(figure, "Play").click();
  await figure.page().waitForTimeout(4500);
  const [times, place] = [
    await figure.page().evaluate(() => window.spoken),
    await figure.locator(".lab-place").textContent(),
  ];
  assert.ok(Number(place.split(" ")[0]) > 20, `much has happened: ${place}`);
  assert.ok(times <= 2, `spoken ${times} times`);
});

// The speaker notes are no figure. Comments are for those who read the scripts, and not counted.
test("the code of all figures together is less than 75 KB", async () => {
  const page = await open(browser, `${desk.origin}/lab.html`);
  await page.locator("lab-cloud .lab-controls").waitFor();
  const code = await page.evaluate(async () => {
    const names = performance.getEntriesByType("resource").map(({ name }) => name);
    const scripts = names.filter((name) => /\/figures\/(?!notes)[^/]*\.js$/.test(name));
    const texts = await Promise.all(scripts.map(async (name) => (await fetch(name)).text()));
    return texts.join("").replace(/^ *\/\*\*[^]*?\*\/\n|^ *\/\/.*\n/gm, "");
  });
  const bytes = Buffer.byteLength(code);
  assert.ok(bytes > 50_000 && bytes < 75_000, `${bytes} bytes`);
});

test("what moves moves only for those who like it", async () => {
  for (const [motion, moves] of [
    ["no-preference", true],
    ["reduce", false],
  ]) {
    const figure = await figureOn("05-visibility", { motion });
    await stepTo(figure, /was created/);
    const moment = (n) => figure.getByLabel("Moment").evaluate((scale, n) => {
      scale.value = n;
      scale.dispatchEvent(new Event("input"));
    }, n);
    await moment(2);
    await cards(figure, "queue").waitFor();
    await figure.evaluate((figure) => {
      figure.seen = new Set();
      const look = () => {
        figure.seen.add(figure.querySelector(".lab-card").style.getPropertyValue("--x"));
        requestAnimationFrame(look);
      };
      look();
    });
    await button(figure, "Step").click();
    await figure.locator(".lab-place").filter({ hasText: "3 of" }).waitFor();
    await cards(figure, "reader").waitFor();
    assert.equal(await figure.evaluate((figure) => figure.seen.size > 3), moves, motion);
  }
});

test("a run goes back as it came, by the button, on the scale, and from the keyboard, which turns no page", async () => {
  const figure = await figureOn("05-visibility");
  const picture = () => figure.locator(".lab-stage").innerHTML();
  const pictures = [];
  await button(figure, "Step").click();
  for (let n = 1; n < 6; n++) {
    await figure.locator(".lab-place").filter({ hasText: `${n} of` }).waitFor();
    pictures.push(await picture());
    await button(figure, "Step").click();
  }
  for (let n = 5; n >= 1; n--) {
    await button(figure, "Back").click();
    await figure.locator(".lab-place").filter({ hasText: `${n} of` }).waitFor();
    assert.equal(await picture(), pictures[n - 1], `moment ${n}`);
  }
  const scale = figure.getByLabel("Moment");
  await scale.focus();
  await figure.page().keyboard.press("ArrowRight");
  await figure.locator(".lab-place").filter({ hasText: "2 of" }).waitFor();
  assert.equal(await picture(), pictures[1]);
  assert.match(await scale.getAttribute("aria-valuetext"), /^2 of /);
  assert.match(figure.page().url(), /05-visibility/);
});

test("the text below a figure stays where it is", async () => {
  for (const name of ["04-receive", "06-dead-letters", "19-reshard", "22-sqs-function"]) {
    const figure = await figureOn(name);
    await stepTo(figure, /./);
    const heights = new Set();
    for (const part of [0, 0.2, 0.4, 0.6, 0.8, 1]) {
      await figure.getByLabel("Moment").evaluate((scale, part) => {
        scale.value = Math.round(scale.max * part);
        scale.dispatchEvent(new Event("input"));
      }, part);
      await figure.page().waitForTimeout(60);
      heights.add(await figure.evaluate((figure) => figure.offsetHeight));
    }
    assert.equal(heights.size, 1, `${name}: ${[...heights]}`);
    await figure.page().context().close();
  }
});
