// The director: when things are seen, and where. First without a browser, then, with a recorded feed, frame by frame.

const assert = require("node:assert/strict");
const { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { join } = require("node:path");
const { after, before, test } = require("node:test");

const FIGURES = join(__dirname, "../../book/figures");

let director, store, folder;
before(async () => {
  // Modules without a package to say that they are.
  folder = mkdtempSync(join(tmpdir(), "director-"));
  for (const name of ["director.js", "store.js"]) cpSync(join(FIGURES, name), join(folder, name));
  writeFileSync(join(folder, "package.json"), '{"type": "module"}');
  director = await import(join(folder, "director.js"));
  store = await import(join(folder, "store.js"));
});
after(() => folder && rmSync(folder, { recursive: true }));

const Q = { queue: "Q", fifo: false, visibility_ms: 30_000, visible: 0, in_flight: 0, delayed: 0 };
const START = { kind: "state", at: 0, queues: [Q] };
const sent = (message, at, rest) => ({ kind: "sent", queue: "Q", message, body: message, at, ...rest });
const received = (message, at, rest) =>
  ({ kind: "received", queue: "Q", message, at, until: at + 30_000, receives: 1, reader: "receive-1", ...rest });
const deleted = (message, at) => ({ kind: "deleted", queue: "Q", message, at });

/** The timeline of a live feed: each event as it comes. */
function live(events, start = START) {
  const timeline = new director.Timeline(store.reduce(store.nothing, start), 0);
  for (const event of events) timeline.push(event, event.at);
  return timeline;
}

const planOf = (timeline, rows = 12, name = "Q") => new director.Plan(name, rows).begin(timeline).follow(timeline);

/** A sequence that is the same each time. */
function random(seed) {
  return () => (seed = (seed * 48271) % 2147483647) / 2147483647;
}

/** Senders, receivers that delete most of what they get and let the rest come back, and a queue for dead letters. */
function traffic(seed, { perSecond, seconds, readers = 2, fifo = false }) {
  const next = random(seed);
  const events = [];
  let n = 0;
  for (let at = 0; at < seconds * 1000; at += 1000 / perSecond) {
    const message = `m${++n}`;
    const group = fifo ? `g${Math.floor(next() * 5)}` : undefined;
    events.push(sent(message, at, { group, body: String(n) }));
    let time = at + next() * (next() < 0.2 ? 4000 : 30);
    for (let receives = 1; receives <= 4; receives++) {
      const reader = `receive-${Math.floor(next() * readers)}`;
      if (receives === 4) {
        events.push({ kind: "dead", queue: "Q", message, to: "D", at: time });
        events.push({ kind: "sent", queue: "D", message, body: String(n), from: "Q", receives: 3, at: time + 0.01 });
        if (next() < 0.5) events.push({ kind: "deleted", queue: "D", message, at: time + 500 });
        break;
      }
      events.push(received(message, time, { group, receives, reader, until: time + 700 }));
      time += next() * 60;
      if (next() < 0.7) {
        events.push(deleted(message, time));
        break;
      }
      time += 700;
      events.push({ kind: "returned", queue: "Q", message, at: time });
      time += next() * 20;
    }
  }
  return events.sort((a, b) => a.at - b.at);
}

const WITH_DEAD = { ...START, queues: [{ ...Q, dead_letter_queue: "D" }, { ...Q, queue: "D" }] };

/** Where each card is at a time: its row, and from where to where. */
function places(plan, time) {
  const zones = director.geometry(plan);
  return [...plan.cards].flatMap((card) => {
    const place = director.seen(card, time);
    if (!place) return [];
    const x = director.distance(place, zones, director.ease(place.part));
    return [{ card, place, row: card.row, from: x, to: x + zones.width }];
  });
}

/** A card's way, to say which went wrong. */
function way({ key, visits, vanish }) {
  return `${key} ${visits.map(({ place, starts, lands }) => `${place} ${Math.round(starts)}-${Math.round(lands)}`)}, gone ${vanish}`;
}

function overlaps(plan, from, to, every = 16) {
  const found = [];
  for (let time = from; time < to; time += every) {
    const cards = places(plan, time).sort((a, b) => a.row - b.row || a.from - b.from);
    for (let i = 1; i < cards.length; i++) {
      const [a, b] = [cards[i - 1], cards[i]];
      if (a.row === b.row && b.from < a.to) found.push(`${time}: ${way(a.card)} and ${way(b.card)}`);
    }
  }
  return found;
}

test("a message takes a hop for each place, and each begins where the last one ended", () => {
  const timeline = live([sent("m1", 100), received("m1", 101), deleted("m1", 102)]);
  assert.deepEqual(timeline.cues.map(({ starts, lands }) => [starts, lands]), [[100, 500], [500, 900], [900, 1300]]);
  const [card] = planOf(timeline).cards;
  assert.deepEqual(card.visits.map(({ place }) => place), ["sender", "queue", "reader 0", "gone"]);
  const zones = director.geometry(planOf(timeline));
  const x = (time) => director.distance(director.seen(card, time), zones, director.ease(director.seen(card, time).part));
  for (const time of [500, 900, 1300]) assert.ok(Math.abs(x(time) - x(time - 0.01)) < 0.01, `no jump at ${time}`);
});

test("what a card says is what it was until it has arrived", () => {
  const [card] = planOf(live([sent("m1", 0), received("m1", 1), deleted("m1", 2)])).cards;
  const state = (time) => director.seen(card, time).now.state;
  assert.deepEqual([0, 399, 400, 799, 800, 1199, 1200].map(state),
    ["new", "new", "visible", "visible", "in-flight", "in-flight", "deleted"]);
});

test("the cloud of a moment is that of what has landed, forward and back", () => {
  const timeline = live(traffic(3, { perSecond: 20, seconds: 10 }));
  const counts = (time) => {
    const { visible, in_flight, deletions } = timeline.cloud(timeline.landed(time)).queues.get("Q");
    return [visible, in_flight, deletions];
  };
  const times = Array.from({ length: 60 }, (_, i) => i * 200);
  const forward = times.map(counts);
  assert.deepEqual(times.toReversed().map(counts).reverse(), forward);
  assert.ok(forward.at(-1)[2] > 100, String(forward.at(-1)));
});

test("live is about a second behind at the book's pace, and never more than its bound", () => {
  const late = (events) => Math.max(...live(events).cues.map(({ event, lands }) => lands - event.at));
  const pace = Array.from({ length: 100 }, (_, i) => [
    sent(`m${i}`, i * 100),
    received(`m${i}`, i * 100 + 5),
    deleted(`m${i}`, i * 100 + 10),
  ]).flat();
  assert.ok(late(pace) <= 1200, `${late(pace)} ms`);
  const busy = Array.from({ length: 400 }, (_, i) => received("m1", i * 10, { until: i * 10, receives: i }));
  assert.ok(late([sent("m1", 0), ...busy]) <= 2400, `${late(busy)} ms`);
});

for (const [name, options, rows] of [
  ["the book's pace", { perSecond: 10, seconds: 40 }, 12],
  ["ten senders", { perSecond: 100, seconds: 20 }, 12],
  ["four readers and few rows", { perSecond: 25, seconds: 30, readers: 4 }, 5],
  ["seven readers", { perSecond: 8, seconds: 30, readers: 7 }, 8],
  ["five groups", { perSecond: 12, seconds: 30, fifo: true }, 12],
]) {
  test(`no card meets another, and each goes its way in the feed's order: ${name}`, () => {
    for (let seed = 1; seed <= 5; seed++) {
      const start = { ...WITH_DEAD, queues: WITH_DEAD.queues.map((queue) => ({ ...queue, fifo: Boolean(options.fifo) })) };
      const timeline = live(traffic(seed, options), start);
      const plan = planOf(timeline, rows);
      assert.deepEqual(overlaps(plan, 0, timeline.end).slice(0, 3), []);
      assert.ok(plan.cards.size > 50, `${plan.cards.size} are drawn`);
      for (const { visits } of plan.cards) {
        assert.ok(visits.every(({ starts }, i) => !i || starts >= visits[i - 1].starts), JSON.stringify(visits));
      }
    }
  });
}

test("at the book's pace every message is drawn, and of a hundred a second some", () => {
  const drawn = (perSecond) => {
    const events = Array.from({ length: perSecond * 20 }, (_, i) => {
      const at = (i * 1000) / perSecond;
      return [sent(`m${i}`, at), received(`m${i}`, at + 4), deleted(`m${i}`, at + 8)];
    }).flat();
    const plan = planOf(live(events));
    assert.equal(plan.sends.length, perSecond * 20);
    return 1 - plan.skipped.length / plan.sends.length;
  };
  assert.equal(drawn(10), 1);
  const some = drawn(100);
  assert.ok(some > 0.1 && some < 0.2, String(some));
});

test("a dead letter goes to its place as the card that it was, and a redriven one comes back as it", () => {
  const events = JSON.parse(readFileSync(join(FIGURES, "runs/dead-letters.json"))).events;
  const start = store.reduce(store.nothing, events[0]);
  const timeline = director.recorded(start, events.slice(1), ({ queue }) => queue);
  const plan = planOf(timeline, 12, "experiment-orders");
  assert.equal(plan.cards.size, 1);
  const [{ visits }] = plan.cards;
  const way = visits.map(({ place }) => place).filter((place, i, all) => place !== all[i - 1]);
  assert.deepEqual(way, ["sender", ...Array(3).fill(["queue", "reader 0"]).flat(), "queue", "dead", "reader 0", "dead", "queue", "reader 0", "gone"]);
});

test("a moved clock sweeps the timers, and then goes on as before", () => {
  const timeline = live([{ kind: "clock", at: 31_000, moved_ms: 30_000 }].map((event) => ({ ...event })));
  const moved = timeline.cues[0];
  const before = timeline.clock(moved.starts);
  const middle = timeline.clock((moved.starts + moved.lands) / 2);
  assert.ok(middle > before + 14_000 && middle < before + 17_000, `${before} ${middle}`);
  assert.equal(timeline.clock(moved.lands + 500) - timeline.clock(moved.lands), 500);
});

test("nothing passes what changes the whole queue", () => {
  const timeline = live([sent("m1", 0), received("m1", 1), { kind: "purged", queue: "Q", at: 2 }, sent("m2", 3)]);
  assert.deepEqual(timeline.cues.map(({ event }) => event.kind), ["sent", "received", "purged", "sent"]);
  assert.ok(timeline.cues[3].starts >= timeline.cues[2].lands);
});

test("the head plays, waits, goes back, runs slowly and catches up", () => {
  let now = 0;
  const timeline = live([sent("m1", 0)]);
  const it = new director.Director(timeline, true, () => now);
  now = 5000;
  assert.equal(it.head, 5000);
  it.pause();
  now = 9000;
  assert.deepEqual([it.head, it.behind], [5000, 4000]);
  it.seek(1000);
  it.speed = 0.25;
  it.play();
  now = 13_000;
  assert.equal(it.head, 2000);
  it.catchUp();
  for (let frame = 0; frame < 200 && it.behind > 0; frame++) now += 16, it.head;
  assert.equal(it.behind, 0);
  assert.ok(now < 16_500, `caught up after ${now - 13_000} ms`);
  const replay = new director.Director(timeline, false, () => now);
  replay.playTo(300);
  now += 1000;
  assert.deepEqual([replay.head, replay.playing], [300, false]);
});

test("a long feed is forgotten from its beginning", () => {
  const timeline = live([], WITH_DEAD);
  const plan = planOf(timeline);
  for (const event of traffic(9, { perSecond: 100, seconds: 60 })) {
    timeline.push(event, event.at);
    timeline.cloud(timeline.landed(event.at));
    plan.follow(timeline);
    timeline.trim(event.at);
  }
  assert.ok(timeline.cues.length <= 4100, `${timeline.cues.length} cues`);
  assert.ok(timeline.feed.length <= 4200, `${timeline.feed.length} in the feed`);
  assert.ok(plan.cards.size < 1200, `${plan.cards.size} cards`);
  assert.deepEqual(overlaps(plan, timeline.from, timeline.end, 100), []);
});

// In a browser whose time stands still between the frames, so that nothing depends on how fast this machine is. The feeds were
// recorded from the book's programs; with FEEDS=overwrite they are recorded anew.

const FEEDS = {
  queue: { page: "04-receive", create: "standard-queue", programs: ["send", "receive", "receive"] },
  stream: { page: "15-get", create: "kinesis-stream", programs: ["put", "get", "get"] },
};
const RECORDED_MS = 6000;
const FRAME_MS = 1000 / 60;

const feedFile = (name) => join(__dirname, `feeds/${name}.json`);

/** What the feed tells while these programs run. */
async function record({ create, programs }) {
  const { Desk } = require("./support.js");
  const desk = await Desk.start();
  const running = [];
  const stop = new AbortController();
  const events = [];
  try {
    await desk.run("create", create);
    const answer = await fetch(`${desk.origin}/lab/events`, { signal: stop.signal });
    const listen = async () => {
      let text = "";
      for await (const bytes of answer.body) {
        text += Buffer.from(bytes).toString();
        const parts = text.split("\n\n");
        text = parts.pop();
        for (const part of parts) {
          const data = /^data: ?(.*)$/m.exec(part);
          if (data) events.push(JSON.parse(data[1]));
        }
      }
    };
    const listening = listen().catch(() => {});
    running.push(...programs.map((program) => desk.spawn(program)));
    await new Promise((resolve) => setTimeout(resolve, RECORDED_MS));
    stop.abort();
    await listening;
  } finally {
    for (const program of running) program.kill("SIGKILL");
    await desk.stop();
  }
  const start = events[0].at;
  const plain = (value) => (typeof value === "number" ? value - start : value);
  return events.map((event) => ({ ...event, at: plain(event.at), ...(event.until && { until: plain(event.until) }) }));
}

/** The same programs ten times at once, a little later each. */
function tenfold([state, ...events]) {
  const all = [];
  for (let i = 0; i < 10; i++) {
    for (const event of events) all.push({ ...event, at: event.at + i * 9, ...(event.message && { message: `${event.message}-${i}` }) });
  }
  return [state, ...all.sort((a, b) => a.at - b.at)];
}

/** Stops the page's time, and gives the test the feed and the frames. */
function stage() {
  const state = { now: 0, frames: [], intervals: [] };
  performance.now = () => state.now;
  window.requestAnimationFrame = (call) => state.frames.push(call);
  window.setInterval = (call, ms) => state.intervals.push({ call, ms, next: state.now + ms });
  window.EventSource = class {
    constructor() {
      window.source = this;
    }
    close() {}
  };
  window.nextFrame = (ms) => {
    state.now += ms;
    for (const interval of state.intervals) {
      if (interval.next > state.now) continue;
      interval.next = state.now + interval.ms;
      interval.call();
    }
    for (const call of state.frames.splice(0)) call(state.now);
    return state.now;
  };
}

/** Plays a feed frame by frame and says what was seen. */
function watch({ events, frames, ms }) {
  const seen = { frames: 0, overlaps: [], outside: [], jumps: [], ways: {}, most: 0, heights: [], built: 0 };
  const figure = document.querySelector("lab-queue, lab-stream");
  const known = new Map();
  const before = new Map();
  let next = 0;
  window.source.onopen();
  for (let frame = 0; frame < frames; frame++) {
    const now = window.nextFrame(ms);
    for (; next < events.length && events[next].at <= now; next++) {
      window.source.onmessage({ lastEventId: String(next), data: JSON.stringify(events[next]) });
    }
    // Until the feed has told of the thing there is the still of the recorded run.
    if (!/^Live/.test(figure.querySelector(".lab-about").textContent)) continue;
    const boxes = [...figure.querySelectorAll(".lab-card, .lab-record, .lab-mark")].map((element) => [element, element.getBoundingClientRect()]);
    seen.frames += 1;
    seen.most = Math.max(seen.most, boxes.length);
    const height = Math.round(figure.getBoundingClientRect().height);
    if (boxes.length && !seen.heights.includes(height)) seen.heights.push(height);
    boxes.forEach(([a, one], i) => {
      for (const [b, other] of boxes.slice(i + 1)) {
        const wide = Math.min(one.right, other.right) - Math.max(one.left, other.left);
        const high = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
        if (wide > 0.5 && high > 0.5) seen.overlaps.push(`${frame}: ${a.textContent} and ${b.textContent}`);
      }
      if (!a.matches(".lab-card")) return;
      const { key, place } = a.dataset;
      if (known.has(key) && known.get(key) !== a) seen.built += 1;
      known.set(key, a);
      const way = (seen.ways[key] ??= []);
      if (way.at(-1) !== place) way.push(place);
      const zone = figure.querySelector(`.lab-zone[data-key="${place}"]`).getBoundingClientRect();
      const isThere = one.left >= zone.left - 1 && (place === "sender" || one.right <= zone.right + 1);
      if (!a.matches(".lab-moves") && !isThere) seen.outside.push(`${frame}: ${a.textContent}`);
      if (before.has(key) && Math.abs(before.get(key) - one.left) > 120) seen.jumps.push(`${frame}: ${a.textContent}`);
      before.set(key, one.left);
    });
  }
  seen.last = figure.querySelector(".lab-title").textContent;
  return seen;
}

let browser, desk;
for (const [name, feed, times] of [
  ["one sender and two receivers", "queue", 1],
  ["ten senders and two receivers", "queue", 10],
  ["one producer and two readers", "stream", 1],
]) {
  test(`frame by frame: ${name}`, async () => {
    const { Desk, launch, open } = require("./support.js");
    if (process.env.FEEDS === "overwrite" && times === 1) {
      const lines = (await record(FEEDS[feed])).map((event) => JSON.stringify(event));
      writeFileSync(feedFile(feed), `[\n${lines.join(",\n")}\n]\n`);
    }
    desk ??= await Desk.start();
    browser ??= await launch();
    const told = JSON.parse(readFileSync(feedFile(feed)));
    const events = times === 1 ? told : tenfold(told);
    const page = await open(browser, null, { motion: "no-preference" });
    await page.addInitScript(stage);
    await page.goto(`${desk.origin}/${FEEDS[feed].page}.html`);
    await page.waitForFunction(() => window.source);
    const frames = Math.ceil((events.at(-1).at + 3000) / FRAME_MS);
    const seen = await page.evaluate(watch, { events, frames, ms: FRAME_MS });
    assert.ok(seen.frames >= 300 && seen.most > 10, `${seen.frames} frames, ${seen.most} cards`);
    assert.deepEqual(seen.overlaps.slice(0, 3), [], "cards overlap");
    assert.deepEqual(seen.outside.slice(0, 3), [], "a card rests outside its place");
    assert.deepEqual(seen.jumps.slice(0, 3), [], "a card jumps");
    assert.equal(seen.built, 0, "a card is built again");
    assert.equal(seen.heights.length, 1, `the figure changes its height: ${seen.heights}`);
    if (feed === "queue") {
      const ways = new Map();
      const readers = new Map();
      for (const { kind, message, reader } of events) {
        if (reader && !readers.has(reader)) readers.set(reader, `reader ${readers.size}`);
        const place = { sent: ["sender", "queue"], received: [readers.get(reader)], deleted: ["gone"], returned: ["queue"] }[kind];
        if (message && place) ways.set(message, [...(ways.get(message) ?? []), ...place]);
      }
      const drawn = Object.entries(seen.ways);
      for (const [key, way] of drawn) {
        const message = key.slice(key.indexOf("/") + 1, key.lastIndexOf("#"));
        const whole = ways.get(message);
        // One that has waited in the heap comes out of it later.
        const from = way[0] === "sender" ? whole : whole.slice(whole.length - way.length);
        assert.deepEqual(way, from, key);
      }
      if (times === 1) assert.equal(drawn.length, ways.size, "every message is seen");
      else assert.ok(drawn.length > ways.size / 12 && drawn.length < ways.size, `${drawn.length} of ${ways.size} are drawn`);
    }
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });
}
after(() => Promise.all([desk?.stop(), browser?.close()]));
