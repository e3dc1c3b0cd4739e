// What the tests share: a desk of their own, a browser without a network, and the programs of the book.

const { execFile, spawn } = require("node:child_process");
const { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } = require("node:fs");
const { createServer } = require("node:http");
const { extname, join } = require("node:path");
const { tmpdir } = require("node:os");
const { chromium } = require("playwright-core");

const ROOT = join(__dirname, "../..");
const TARGET = process.env.BROWSER_TARGET;
const PROGRAMS = join(TARGET, "debug");
const SCREENSHOTS = join(TARGET, "browser/screenshots");
mkdirSync(SCREENSHOTS, { recursive: true });

const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** The pages of the book, as the summary has them, without their ending. */
const PAGES = [...readFileSync(join(ROOT, "book/SUMMARY.md"), "utf8").matchAll(/\]\((.*)\.md\)/g)].map(([, page]) => page);

/** The desk with the book, on a port of its own. */
class Desk {
  static async start() {
    const desk = new Desk();
    desk.temporary = mkdtempSync(join(tmpdir(), "browser-"));
    desk.process = spawn(join(PROGRAMS, "lab"), ["--port", "0", "--book", ROOT], {
      env: { ...process.env, TMPDIR: desk.temporary, LAB_PROGRESS: desk.progress },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let printed = "";
    for await (const text of desk.process.stdout) {
      printed += text;
      if (printed.includes("^C stops it.")) break;
    }
    [desk.origin] = printed.match(/http:\/\/127\.0\.0\.1:\d+/);
    return desk;
  }

  /** The file with the pages that are done. */
  get progress() {
    return join(this.temporary, "progress.txt");
  }

  async stop() {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.kill("SIGTERM");
    await ended;
    rmSync(this.temporary, { recursive: true });
  }

  /** The rendered book, as files. */
  get html() {
    const folder = readdirSync(this.temporary).find((name) => name.startsWith("queues-and-streams-"));
    return join(this.temporary, folder);
  }

  get #environment() {
    const environment = { ...process.env, AWS_ENDPOINT_URL: this.origin };
    for (const name of ["LAB_TARGET", "LAB_NAME", "CARGO"]) delete environment[name];
    return { env: environment, cwd: this.temporary };
  }

  /** Runs a program of the book to its end. */
  run(program, ...args) {
    return new Promise((resolve, reject) => {
      execFile(join(PROGRAMS, program), args, this.#environment, (error, stdout, stderr) =>
        error ? reject(new Error(`${program}: ${stdout}${stderr}`)) : resolve(stdout),
      );
    });
  }

  /** Starts a program of the book and leaves it running. */
  spawn(program, ...args) {
    return spawn(join(PROGRAMS, program), args, { ...this.#environment, stdio: "ignore" });
  }

  async ask(method, path, body) {
    const answer = await fetch(`${this.origin}/lab/${path}`, { method, body: body && JSON.stringify(body) });
    return answer.json();
  }
}

/** The same pages, from a server that is no desk: all that `mdbook serve` does for the figures. */
async function serve(folder) {
  const types = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".json": "application/json" };
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url.split("?")[0]);
    try {
      const content = readFileSync(join(folder, path));
      response.writeHead(200, { "Content-Type": types[extname(path)] ?? "application/octet-stream" }).end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { origin: `http://127.0.0.1:${server.address().port}`, stop: () => server.close() };
}

/** Chromium, in which no name but this machine's leads anywhere. */
function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ],
  });
}

/** A page that notes in `faults` what goes wrong in it and what it asks for elsewhere. */
async function open(browser, url, { theme = "light", width = 1280, height = 900, motion = "reduce", scripts = true } = {}) {
  const context = await browser.newContext({
    viewport: { width, height },
    reducedMotion: motion,
    javaScriptEnabled: scripts,
    colorScheme: theme === "light" ? "light" : "dark",
  });
  const page = await context.newPage();
  page.faults = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) page.faults.push(`${message.text()} ${message.location().url}`);
  });
  page.on("pageerror", (error) => page.faults.push(error.stack));
  page.on("request", (request) => {
    const { protocol, hostname } = new URL(request.url());
    if (protocol !== "data:" && hostname !== "127.0.0.1") page.faults.push(`asks for ${request.url()}`);
  });
  await page.addInitScript((theme) => location.hostname && localStorage.setItem("mdbook-theme", theme), theme);
  if (url) await page.goto(url);
  return page;
}

/** How many pixels the page is wider than its window, or something in a figure beyond the figure. */
function overflow(page) {
  return page.evaluate(() => {
    const right = (element) => Math.round(element.getBoundingClientRect().right);
    const figures = [...document.querySelectorAll("lab-queue, lab-stream, lab-function, lab-cloud")];
    const beyond = figures.flatMap((figure) => [...figure.querySelectorAll("*")].map((it) => right(it) - right(figure)));
    return Math.max(document.documentElement.scrollWidth - innerWidth, ...beyond);
  });
}

/** What axe-core finds in the page as it is now, a line each. */
async function violations(page) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => axe.run());
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`),
  );
}

/** Presses Step until the sentence of the event is the `nth` to match; without a pattern, to the end. */
async function stepTo(figure, pattern, nth = 1) {
  await figure.getByRole("button", { name: "Step" }).click();
  await figure.locator(".lab-place").filter({ hasText: " of " }).waitFor();
  const found = await figure.evaluate(
    async ({ buttons, children }, [pattern, nth]) => {
      const said = [...children].find((child) => child.matches(".lab-said"));
      for (let seen = 0; ;) {
        await new Promise((drawn) => setTimeout(() => requestAnimationFrame(drawn)));
        if (pattern && new RegExp(pattern).test(said.lastElementChild?.textContent) && ++seen === nth) return true;
        if (buttons.step.disabled) return !pattern;
        buttons.step.click();
      }
    },
    [pattern?.source, nth],
  );
  if (!found) throw new Error(`${pattern} isn't said ${nth} times`);
}

function screenshot(what, name) {
  const path = join(SCREENSHOTS, `${name}.png`);
  // The bar that stays at the top would be in the middle of a tall figure.
  return what.screenshot({ path, animations: "disabled", style: "#mdbook-menu-bar { visibility: hidden }" });
}

module.exports = { Desk, PAGES, ROOT, launch, open, overflow, screenshot, serve, stepTo, violations };
