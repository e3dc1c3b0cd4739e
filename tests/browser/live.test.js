// The figures beside the real thing: the programs of the book run against the desk while the page is open.

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { writeFileSync } = require("node:fs");
const { after, afterEach, before, beforeEach, test } = require("node:test");
const { Desk, launch, open, overflow, screenshot, serve, stepTo, violations } = require("./support.js");

let desk, browser;
before(async () => (browser = await launch()));
after(() => browser?.close());
beforeEach(async () => (desk = await Desk.start()));
afterEach(() => desk.stop());

async function text(locator) {
  return (await locator.allInnerTexts()).join(" ").replace(/\s+/g, " ");
}

/** Waits until the text of what is found matches. */
async function until(locator, pattern) {
  for (const end = Date.now() + 20_000; ;) {
    const found = await text(locator);
    if (pattern.test(found)) return;
    if (Date.now() > end) assert.fail(`${pattern} didn't come, but ${found}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const button = (figure, name) => figure.getByRole("button", { name, exact: true });
const cards = (figure, place) => figure.locator(`.lab-messages > [data-place^="${place}"]`);
const column = (figure, title) => figure.locator(`section:has(> .lab-head:text-is("${title}"))`);

async function kill(receiver) {
  receiver.kill("SIGKILL");
  await once(receiver, "exit");
}

test("send, two receivers, kill -9 of one: its messages come back and go to the other", async () => {
  await desk.run("create");
  const page = await open(browser, `${desk.origin}/04-receive.html`, { motion: "no-preference" });
  const figure = page.locator("lab-queue");
  await until(figure.locator(".lab-about"), /Live from your local cloud: the queue StandardQueue/);

  await desk.run("send", "--count", "12");
  await until(figure.locator(".lab-title"), /12 visible, 0 in flight/);

  // Its deletes are refused for a while, so it is killed with the messages in its hands.
  await desk.ask("POST", "faults", { kind: "throttle", target: "DeleteMessage", count: 100 });
  const first = desk.spawn("receive");
  await until(cards(figure, "reader"), /\d+ (30|29) s/);
  await until(figure.locator(".lab-at-reader"), new RegExp(`receive-${first.pid} holds \\d+`));
  await kill(first);
  await desk.ask("DELETE", "faults");
  // The picture is about a second behind: what it holds is what it had when it was killed.
  await new Promise((resolve) => setTimeout(resolve, 2500));
  const held = await cards(figure, "reader").count();
  const second = desk.spawn("receive", "--count", String(12 - held));
  if (held < 12) await once(second, "exit");
  else await kill(second);
  await until(figure.locator(".lab-title"), new RegExp(`0 visible, ${held} in flight, ${12 - held} deleted`));
  await until(cards(figure, "reader"), /2\d s/);
  await screenshot(figure, "live-kill-1-in-flight");

  await desk.ask("POST", "clock", { advance_ms: 31_000 });
  await until(cards(figure, "queue"), /\d+ back ×1/);
  await until(figure.locator(".lab-said"), /was not deleted in time: it came back/);
  await until(figure.locator(".lab-title"), new RegExp(`${held} visible, 0 in flight`));
  assert.equal(await figure.locator(".lab-messages .lab-back").count(), held);
  await screenshot(figure, "live-kill-2-came-back");
  assert.deepEqual(await violations(page), []);

  const third = desk.spawn("receive");
  await until(figure.locator(".lab-title"), /0 visible, 0 in flight, 12 deleted/);
  await until(figure.locator(".lab-at-reader").nth(2), new RegExp(`receive-${third.pid}`));
  await screenshot(figure, "live-kill-3-done");
  await kill(third);
  assert.deepEqual(page.faults, []);
});

test("an experiment's queue is shown as it comes, how it ended, and once more, slowly", async () => {
  const page = await open(browser, `${desk.origin}/05-visibility.html`);
  const figure = page.locator("lab-queue");
  assert.match(await text(figure.locator(".lab-about")), /A recorded run/);
  await desk.run("visibility");
  await until(
    figure.locator(".lab-about"),
    /Live from your local cloud: the queue experiment-visibility-[A-Z]{6}\. It was deleted/,
  );
  await button(figure, "Play it again, slowly").click();
  await button(figure, "Restart").click();
  await stepTo(figure, /received “Order 1”/);
  await until(cards(figure, "reader"), /Order 1 5 s/);
  await stepTo(figure, /came back/);
  await until(cards(figure, "queue"), /Order 1 back ×1/);
  await button(figure, "Show the recorded run").click();
  await until(figure.locator(".lab-about"), /A recorded run of cargo run --bin visibility/);
  await button(figure, "Show mine, live").click();
  await until(figure.locator(".lab-about"), /Live/);
  assert.deepEqual(page.faults, []);
});

test("who has chosen the recorded run keeps it", async () => {
  const page = await open(browser, `${desk.origin}/10-groups.html`);
  const figure = page.locator("lab-queue");
  await stepTo(figure, /“B1” was sent/);
  await desk.run("groups");
  await button(figure, "Show mine, live").waitFor();
  await until(figure.locator(".lab-about"), /A recorded run/);
  await button(figure, "Show mine, live").click();
  await until(figure.locator(".lab-title"), /the queue is deleted/);
});

test("records come into a stream, and a reader's mark follows them", async () => {
  await desk.run("create", "kinesis-stream");
  const page = await open(browser, `${desk.origin}/15-get.html`);
  const figure = page.locator("lab-stream");
  await desk.run("put", "--count", "8");
  await until(figure.locator(".lab-shard"), /shard 0 hash keys 00… to ff…, 8 records 1 2 3 4 5 6 7 8 producer/);
  const reader = desk.spawn("get", "--from", "start", "--count", "8");
  await once(reader, "exit");
  await until(figure.locator(".lab-mark"), new RegExp(`get-${reader.pid} got 8, at the end`));
  await desk.run("put", "--count", "2");
  await until(figure.locator(".lab-mark"), new RegExp(`get-${reader.pid} got 8, 2 behind`));
  await screenshot(figure, "live-get");
  assert.deepEqual(page.faults, []);
});

test("shards split and merge, and the fullest refuses", async () => {
  const page = await open(browser, `${desk.origin}/18-hot-keys.html`);
  const figure = page.locator("lab-stream");
  await desk.run("hot-keys");
  await until(figure.locator(".lab-shard").last(), /puts refused/);
  await until(figure.locator(".lab-title"), /4 shards, the stream is deleted/);
  await screenshot(figure, "live-hot-keys");
  await page.goto(`${desk.origin}/19-reshard.html`);
  await desk.run("reshard");
  await until(page.locator(".lab-title"), /2 of 9 shards open/);
  await screenshot(figure, "live-reshard");
  assert.deepEqual(page.faults, []);
});

test("Lambda polls, invokes and logs, and the live page shows all of it", async () => {
  await desk.run("create");
  const page = await open(browser, `${desk.origin}/22-sqs-function.html`);
  const live = await open(browser, `${desk.origin}/lab`, { width: 1920, height: 1080 });
  assert.equal(new URL(live.url()).pathname, "/lab.html");
  const figure = page.locator("lab-function");
  await desk.run("create", "sqs-function");
  await desk.run("deploy", "sqs-function");
  await until(figure.locator(".lab-about"), /Live from your local cloud: the function SQSFunction/);
  await until(column(figure, "Lambda polls"), /nothing: there is no trigger/);
  await desk.run("allow", "sqs-function");
  await desk.run("trigger", "sqs-function");
  await until(column(figure, "Lambda polls"), /StandardQueue enabled/);
  // One message: the log's last lines have room for it, in whatever order others would come.
  await desk.run("send", "--count", "1");
  await until(figure.locator(".lab-lines"), /"Message":1/);
  await until(figure.locator(".lab-title"), /SQSFunction 0 running, 1 warm, 1 ended well, 0 failed/);
  await screenshot(figure, "live-function");

  const cloud = live.locator("lab-cloud");
  await until(cloud, /StandardQueue 0 visible, 0 in flight, 1 deleted/);
  await until(column(cloud, "Functions"), /SQSFunction 0 running/);
  await until(column(cloud, "Roles"), /SQSFunction-Role-\w+ .*AWSLambdaSQSQueueExecutionRole/);
  await until(column(cloud, "Log"), /"Message":1/);
  await screenshot(live, "live-cloud-light");
  assert.deepEqual(await violations(live), [], "in the light theme");
  await live.evaluate(() => document.getElementById("mdbook-theme-navy").click());
  await screenshot(live, "live-cloud-navy");
  assert.deepEqual(await violations(live), [], "in the theme navy");
  const phone = await open(browser, `${desk.origin}/lab`, { width: 320 });
  await until(phone.locator("lab-cloud"), /SQSFunction 0 running/);
  assert.ok((await overflow(phone)) <= 0, "wider than 320 pixels");
  assert.deepEqual([page.faults, live.faults], [[], []]);
});

test("the live page moves the clock and asks for faults", async () => {
  await desk.run("create");
  await desk.run("send", "--count", "1");
  const page = await open(browser, `${desk.origin}/lab.html`);
  const cloud = page.locator("lab-cloud");
  await until(cloud, /StandardQueue 1 visible/);
  await button(cloud, "+ 6 min").click();
  await until(cloud.locator("output"), /6 min ahead/);
  await until(cloud.locator(".lab-said"), /The clock was moved ahead by 6 min/);

  await cloud.getByLabel("Fault").selectOption("throttle");
  await cloud.getByLabel("for", { exact: true }).fill("SendMessage");
  await cloud.getByLabel("times").fill("2");
  await button(cloud, "Ask for it").click();
  await until(cloud, /Waiting to happen: throttle for SendMessage, 2 times/);
  await button(cloud, "Clear").click();
  await until(cloud, /No fault waits/);

  await button(cloud, "Ask for it").click();
  await until(cloud, /Waiting to happen/);
  await desk.run("send", "--count", "1"); // the SDK tries again
  await until(cloud, /No fault waits/);
  await until(cloud, /StandardQueue 2 visible/);
  assert.deepEqual(page.faults, []);
});

test("what a message says is text and nothing else", async () => {
  await desk.run("create");
  const page = await open(browser, `${desk.origin}/04-receive.html`);
  await until(page.locator("lab-queue .lab-about"), /Live/);
  await fetch(desk.origin, {
    method: "POST",
    headers: { "x-amz-target": "AmazonSQS.SendMessage" },
    body: JSON.stringify({ QueueUrl: `${desk.origin}/000000000000/StandardQueue`, MessageBody: "<b>1</b><img src=x>" }),
  });
  await until(page.locator("lab-queue .lab-card"), /<b>1<\/b><img sr…/);
  assert.equal(await page.locator("lab-queue img").count(), 0);
  assert.deepEqual(page.faults, []);
});

test("a page that was out of sight goes on where it was", async () => {
  await desk.run("create");
  const page = await open(browser, `${desk.origin}/04-receive.html`);
  const figure = page.locator("lab-queue");
  await until(figure.locator(".lab-about"), /Live/);
  const look = (hidden) =>
    page.evaluate((hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
  await look(true);
  await desk.run("send", "--count", "3");
  assert.match(await text(figure.locator(".lab-title")), / 0 visible/);
  await look(false);
  await until(figure.locator(".lab-title"), / 3 visible/);
  await until(figure.locator(".lab-said"), /Message 3 was sent/);
});

test("when the desk stops, the figure says so and keeps what it has", async () => {
  await desk.run("create");
  await desk.run("send", "--count", "2");
  const page = await open(browser, `${desk.origin}/04-receive.html`);
  const figure = page.locator("lab-queue");
  await until(figure.locator(".lab-title"), /2 visible/);
  await desk.stop();
  await until(figure.locator(".lab-about"), /The desk doesn't answer any more/);
  await until(figure.locator(".lab-title"), /2 visible/);
  desk = await Desk.start(); // for afterEach
});

test("pages from another server of this machine, such as mdbook serve, find the desk, or play what was recorded", async () => {
  const server = await serve(desk.html);
  try {
    // The usual address is this test's desk, or nothing.
    const usual = (page, answers) =>
      page.route("http://127.0.0.1:4566/**", (route) => {
        const url = route.request().url();
        if (!answers) return route.abort();
        return route.continue({ url: url.replace("http://127.0.0.1:4566", desk.origin) });
      });
    const page = await open(browser);
    await usual(page, false);
    await page.goto(`${server.origin}/05-visibility.html`);
    const figure = page.locator("lab-queue");
    await stepTo(figure, /received “Order 1”/);
    await until(figure.locator(".lab-about"), /A recorded run/);
    const refused = page.faults.filter((fault) => fault.includes("http://127.0.0.1:4566/lab/health"));
    assert.equal(refused.length, 1, "it looks for a desk once");
    assert.deepEqual(page.faults, refused);

    const other = await open(browser);
    await usual(other, true);
    await other.goto(`${server.origin}/04-receive.html`);
    await desk.run("create");
    await until(other.locator("lab-queue .lab-about"), /Live/);
    await desk.run("send", "--count", "2");
    await until(other.locator("lab-queue .lab-title"), /2 visible/);
    await other.goto(`${server.origin}/lab.html`);
    await button(other.locator("lab-cloud"), "+ 30 s").click();
    await until(other.locator("lab-cloud output"), /30 s ahead/);
    assert.deepEqual(other.faults, []);
  } finally {
    server.stop();
  }
});

test("the sidebar marks the pages whose exercise is done", async () => {
  writeFileSync(desk.progress, "04-receive\n");
  const page = await open(browser, `${desk.origin}/06-dead-letters.html`);
  const link = (name) => page.getByRole("navigation").locator(`a[href$="${name}.html"]`).first();
  await until(link("04-receive"), /✓ done/);
  assert.equal(await page.locator(".lab-done").count(), 1);
  writeFileSync(desk.progress, "04-receive\n05-visibility\n");
  await page.evaluate(() => dispatchEvent(new Event("focus")));
  await until(link("05-visibility"), /✓ done/);
  assert.equal(await page.locator(".lab-done").count(), 2);
  assert.deepEqual(page.faults, []);
});
