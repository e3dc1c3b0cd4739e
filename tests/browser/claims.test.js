// The marks of the claims: each claim of the ledger is found in its page's text. No browser is needed for it.

const assert = require("node:assert/strict");
const { readdirSync, readFileSync } = require("node:fs");
const { join } = require("node:path");
const { before, test } = require("node:test");

const BOOK = join(__dirname, "../../book");
const read = (name) => readFileSync(join(BOOK, name), "utf8");
const QUOTAS = read("quotas.html");
const LEDGER = read("claims.txt");

let claims;
before(async () => {
  // A module without a package to say that it is one.
  const text = Buffer.from(read("theme/claims.js")).toString("base64");
  claims = await import(`data:text/javascript;base64,${text}`);
});

/** A page as its reader sees it: quotas filled in, curly apostrophes, no marks of style. */
function shown(page) {
  const value = (_, id) => new RegExp(`ANCHOR: ${id} -->\n(.*)\n`).exec(QUOTAS)[1];
  return read(page)
    .replace(/<!--.*?-->/g, "")
    .replace(/\{\{#include quotas\.html:([a-z-]+)\}\}/g, value)
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/<[^>]+>/g, "")
    .replace(/[*`]/g, "")
    .replace(/(\w)'(\w)/g, "$1’$2");
}

for (const page of readdirSync(BOOK).filter((name) => LEDGER.includes(`\n${name}\n`))) {
  test(`the claims of ${page} are in its text`, () => {
    const all = claims.claimsOf(LEDGER, page);
    assert.ok(all.length > 0);
    const text = shown(page);
    const missing = all.filter(({ text: claim }) => !claims.pattern(claim).test(text));
    assert.deepEqual(missing, []);
  });
}

test("what is no claim has no mark, and each claim has evidence", () => {
  const ledger = "a.md\n  One.\n    no claim: a name\n  Two, at most.\n    quota wait-max\n    recorded at-most-ten\nb.md\n  Three.\n    quota x\n";
  assert.deepEqual(claims.claimsOf(ledger, "a.md"), [
    { page: "a.md", text: "Two, at most.", evidence: ["quota wait-max", "recorded at-most-ten"] },
  ]);
});
