// The second window with the speaker notes: it shows those of the page that the book's window is on, and leads it.

const assert = require("node:assert/strict");
const { after, before, test } = require("node:test");
const { Desk, launch, open } = require("./support.js");

let desk, browser;
before(async () => {
  [desk, browser] = await Promise.all([Desk.start(), launch()]);
});
after(() => Promise.all([desk?.stop(), browser?.close()]));

test("the speaker notes follow the book and lead it", async () => {
  const book = await open(browser, `${desk.origin}/04-receive.html`);
  await book.locator("details.notes summary").press("Enter");
  const opened = book.context().waitForEvent("page");
  await book.getByRole("button", { name: "Open in a second window" }).press("Enter");
  const notes = await opened;
  notes.on("pageerror", (error) => book.faults.push(error.stack));
  const shows = (title, point) =>
    Promise.all([
      notes.getByRole("heading", { name: title, exact: true }).waitFor(),
      notes.getByText(point).waitFor(),
    ]);
  await shows("Receiving and deleting", "Receive, work, delete.");
  assert.match(await notes.locator("main").textContent(), /Minute 0 of \d+/);

  await book.goto(`${desk.origin}/05-visibility.html`);
  await shows("Messages that come back", /^Point:/);
  await notes.keyboard.press("ArrowLeft");
  await book.waitForURL("**/04-receive.html");
  await shows("Receiving and deleting", "Receive, work, delete.");
  await notes.getByRole("link", { name: "Next page" }).click();
  await book.waitForURL("**/05-visibility.html");
  assert.deepEqual(book.faults, []);
  await book.context().close();
});
