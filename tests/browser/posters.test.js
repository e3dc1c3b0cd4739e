// The picture that a figure shows before anything moves, and without scripts: a moment of its recorded run, as the figure
// itself draws it. With POSTERS=overwrite the pictures are written anew.

const assert = require("node:assert/strict");
const { readFileSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const { after, before, test } = require("node:test");
const { Desk, ROOT, launch, open, stepTo } = require("./support.js");

/** The page, the figure's word and run, and the sentence of the moment; which one of several. */
const POSTERS = [
  ["04-receive", "queue", "receive", /came back/, 3],
  ["05-visibility", "queue", "visibility", /received “Order 1”/],
  ["06-dead-letters", "queue", "dead-letters", /was moved here/],
  ["10-groups", "queue", "groups", /“B1” was sent/],
  ["11-deduplication", "queue", "deduplication", /not added/],
  ["13-both", "queue", "both", /was deleted/, 35],
  ["13-both", "stream", "both", /got \d+ records?/, 2],
  ["14-put", "stream", "put", /went to shard/, 5],
  ["15-get", "stream", "get", /got \d+ records?/],
  ["18-hot-keys", "stream", "hot-keys", /refused/, 10],
  ["19-reshard", "stream", "reshard", /resharded/, 3],
  ["20-checkpoints", "stream", "checkpoints", /checkpoints-2 read/],
  ["21-fan-out", "stream", "fan-out", /pushed/, 3],
  ["22-sqs-function", "function", "sqs-function", /ended well/, 2],
  ["23-half-a-batch", "queue", "half-a-batch", /came back/, 10],
  ["26-kinesis-function", "function", "kinesis-function", /ended well/, 2],
  ["27-blocked-shard", "function", "blocked-shard", /invoked/, 6],
];

let desk, browser;
before(async () => {
  [desk, browser] = await Promise.all([Desk.start(), launch()]);
});
after(() => Promise.all([desk?.stop(), browser?.close()]));

for (const [page, word, run, moment, nth] of POSTERS) {
  test(`the poster of the ${word} in ${page}`, async () => {
    const tab = await open(browser, `${desk.origin}/${page}.html`);
    const figure = tab.locator(`lab-${word}`);
    await stepTo(figure, moment, nth);
    const parts = await figure.evaluate((figure) => {
      const parts = [figure.about, figure.stage, figure.querySelector(".lab-said")].map((part) => part.cloneNode(true));
      parts[1].removeAttribute("style");
      return parts.map((part) => part.outerHTML).join("\n");
    });
    // A line for each thing, so that a change of one is a change of one line. Markdown takes an empty line for an end.
    const poster = parts.replace(/(<\/(?:li|p|ul|ol|div|section)>)(?!\n)/g, "$1\n").trim();
    const file = join(ROOT, `book/figures/posters/${run}-${word}.html`);
    if (process.env.POSTERS === "overwrite") writeFileSync(file, `${poster}\n`);
    else assert.equal(readFileSync(file, "utf8").trim(), poster, "run POSTERS=overwrite tests/browser/run posters.test.js");
    await tab.context().close();
  });
}
