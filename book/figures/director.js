// The director: it stands between what happened and what is seen. A timeline gives each event of a feed, live or recorded,
// a time of its own on the stage; a plan gives each message of a queue a row and a path; a director moves the time. All of
// it is values and functions of the time: the same moment looks the same, played forward, back or again.

import { reduce } from "./store.js";

/** A message takes so long from place to place. In ms, as all times. */
export const HOP = 400;
/** A moved clock sweeps the timers for so long. */
const SWEEP = 1200;
/** A message with more to show than there is time for is never further behind than this; then its hops are shorter. */
const BEHIND = 2000;
/** What was recorded takes about so long as a whole, and each event at least, or at most, so long. */
const WHOLE = 30_000;
const SHORTEST = 40;
const SHORT = 900;
const LONGEST = 1800;
/** Between the messages of a batch. */
const BATCH = 80;
/** So many events of a live feed can be seen again. */
const KEPT = 3000;
const DROPPED = 500;
/** What has arrived at its end stays to be seen so long before something else may have its row. */
const REST = 250;

/** What no other event passes on the stage: what was before is over when it begins. */
const BARRIERS =
  /^(clock|purged|resharded|(queue|stream|function)-(created|deleted))$/;

/** The thing that makes one way through the figure: its events follow each other, a hop apart. */
function keyOf({ queue, message, shard, reader, consumer, request, records, kind }) {
  if (message) return `${queue}/${message}`;
  if (request) return request;
  if ((kind === "got" || kind === "pushed") && records) return `${shard}/${reader ?? consumer}`;
}

/** When each event begins to be seen, `starts`, and when it has arrived, `lands`: from then on it is part of the cloud. */
export class Timeline {
  /** In the order in which they land. */
  cues = [];
  /** In the order of the feed; so many of the first are not kept any more. */
  feed = [];
  dropped = 0;
  /** A count of cues and the cloud after them. */
  #seen;
  #last = new Map();
  #barrier;
  #end;
  #sweeps = [];
  #anchors;

  /** @param start the cloud at the time `from` */
  constructor(start, from) {
    this.from = this.#barrier = this.#end = from;
    this.start = start;
    this.#seen = [0, start];
    this.#anchors = [[from, start.at]];
  }

  /** When the last event has landed. */
  get end() {
    return this.#end;
  }

  /** Takes the next event of the feed, to be seen at `base` or as soon as what it follows has been seen. */
  push(event, base) {
    const key = keyOf(event);
    const isBarrier = BARRIERS.test(event.kind);
    let starts = Math.max(base, isBarrier ? this.#end : this.#barrier);
    const before = this.#last.get(key);
    if (before !== undefined) starts = Math.max(starts, Math.min(before + HOP, Math.max(before, base + BEHIND)));
    // A dead letter goes to its queue in one hop, which two events tell of.
    const left = event.from && this.#last.get(`${event.from}/${event.message}`);
    if (left) starts = Math.max(starts, left);
    const hop = event.kind === "clock" ? SWEEP : key || event.kind === "put" ? HOP : 0;
    const cue = { event, starts, lands: starts + hop };
    if (key) this.#last.set(key, starts);
    if (event.kind === "clock") this.#sweeps.push(cue);
    this.#end = Math.max(this.#end, cue.lands);
    if (isBarrier) this.#barrier = cue.lands;
    let i = this.cues.length;
    while (i && this.cues[i - 1].lands > cue.lands) i -= 1;
    this.cues.splice(i, 0, cue);
    this.feed.push(cue);
    return cue;
  }

  /** Says that at this time of the stage the cloud's clock, without the times that it was moved, showed `at`. */
  anchor(time, at) {
    this.#anchors.push([time, at]);
  }

  /** The time on the cloud's clock. While it is moved, it runs fast. */
  clock(time) {
    const after = this.#anchors.findIndex(([t]) => t > time);
    const [t0, at0] = this.#anchors.at(after < 0 ? -1 : Math.max(0, after - 1));
    const [t1, at1] = after > 0 ? this.#anchors[after] : [t0 + 1, at0 + 1];
    const moved = this.#sweeps.map((cue) => cue.event.moved_ms * part(cue, time));
    return at0 + ((time - t0) * (at1 - at0)) / (t1 - t0) + moved.reduce((sum, ms) => sum + ms, 0);
  }

  /** How many cues have landed. */
  landed(time) {
    let [low, high] = [0, this.cues.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.cues[middle].lands <= time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The cloud after the first `count` cues. */
  cloud(count) {
    let [done, cloud] = this.#seen[0] > count ? [0, this.start] : this.#seen;
    while (done < count) cloud = reduce(cloud, this.cues[done++].event);
    this.#seen = [done, cloud];
    return cloud;
  }

  /** Forgets the oldest events, if there are very many, and none that lands after this time. */
  trim(time) {
    if (this.cues.length < KEPT || this.landed(time) < DROPPED) return;
    const count = this.landed(time);
    const cloud = this.cloud(count);
    this.start = this.cloud(DROPPED);
    this.#seen = [count - DROPPED, cloud];
    this.from = this.cues.splice(0, DROPPED).at(-1).lands;
    // The feed's order differs a little: what is still to be shown stays.
    const first = this.feed.findIndex(({ lands }) => lands > this.from);
    this.feed.splice(0, first);
    this.dropped += first;
    for (const [key, starts] of this.#last) if (starts < this.from) this.#last.delete(key);
  }
}

/** How far a cue, or a visit of a message, is at this time: from 0 to 1. */
export function part({ starts, lands }, time) {
  return time >= lands ? 1 : time <= starts ? 0 : (time - starts) / (lands - starts);
}

/** Slow, fast, slow. */
export function ease(part) {
  return part * part * (3 - 2 * part);
}

/** The timeline of what was recorded, at a pace that the eye can follow. Only what `concerns` the figure takes time. */
export function recorded(start, events, concerns) {
  const timeline = new Timeline(start, 0);
  const pace = Math.min(SHORT, Math.max(SHORTEST, WHOLE / Math.max(1, events.filter(concerns).length)));
  let [base, before, moved] = [0, { at: start.at }, 0];
  for (const event of events) {
    const jump = event.moved_ms ?? 0;
    if (concerns(event)) {
      const together = event.at === before.at && event.kind === before.kind;
      const gap = event.at - before.at - jump;
      base += together ? Math.min(pace, BATCH) : Math.min(LONGEST, Math.max(pace, gap));
      before = event;
      moved += jump;
    }
    const cue = timeline.push(event, base);
    if (event.kind === "clock") base = Math.max(base, cue.lands);
    if (before === event) timeline.anchor(base + HOP, event.at - moved);
  }
  return timeline;
}

/** The time on the stage: live it is the time, or behind it; of what was recorded it has an end. */
export class Director {
  playing = true;
  speed = 1;
  #head;
  #until = null;
  #catching = false;
  #mark;
  #now;

  /** @param now the time; live, the timeline's times are this clock's */
  constructor(timeline, isLive, now = () => performance.now()) {
    this.timeline = timeline;
    this.isLive = isLive;
    this.#now = now;
    this.#mark = now();
    this.#head = isLive ? this.#mark : timeline.from;
    this.playing = isLive;
  }

  get limit() {
    return this.isLive ? this.#now() : this.timeline.end;
  }

  /** How far the picture is behind what it could show. */
  get behind() {
    return this.limit - this.head;
  }

  get over() {
    return !this.isLive && this.head >= this.timeline.end;
  }

  /** The moment that is seen now. */
  get head() {
    const now = this.#now();
    const passed = now - this.#mark;
    this.#mark = now;
    if (!this.playing) return this.#head;
    const speed = this.#catching ? Math.max(8, (now - this.#head) / 250) : this.speed;
    this.#head = Math.min(this.limit, this.#head + passed * speed);
    if (this.#head >= this.limit) this.#catching = false;
    const stop = this.#until ?? (this.isLive ? Infinity : this.timeline.end);
    if (this.#head >= stop) {
      this.#head = stop;
      this.pause();
    }
    return this.#head;
  }

  play() {
    if (this.over) this.seek(this.timeline.from);
    this.head;
    this.#until = null;
    this.playing = true;
  }

  pause() {
    this.playing = this.#catching = false;
    this.#until = null;
  }

  /** Shows this moment, and waits. */
  seek(time) {
    this.pause();
    this.head;
    this.#head = Math.min(this.limit, Math.max(this.timeline.from, time));
  }

  /** Plays to this moment; if it was still on the way to another one, from there. */
  playTo(time) {
    if (this.#until !== null) this.seek(this.#until);
    this.head;
    this.#until = time;
    this.playing = true;
  }

  /** Where a step has to go on from: the moment that it is on its way to. */
  get aim() {
    return this.#until ?? this.head;
  }

  /** Runs after the live feed until it is there. */
  catchUp() {
    this.play();
    this.#catching = true;
    this.speed = 1;
  }
}

/** Groups share the rows evenly, in so many bands. */
const BANDS = [1, 2, 3, 4, 6];
/** Readers have so many places; a place is given away when its reader has not asked for so long. */
const PLACES = 4;
const AWAY = 20_000;

/**
 * The rows and paths of a queue's messages, and of its dead-letter queue's. A message keeps its row from its first place
 * to its last, and in a row nothing passes anything: so no two ever meet. A message for which no row is free is only
 * counted, in `skipped`, by the time at which that was.
 */
export class Plan {
  /** What is drawn: the messages with a row, each with its `visits`. */
  cards = new Set();
  groups = [];
  /** Who is at each place for readers, and since when; what is there later is at the end. */
  places = [];
  /** When something was sent, and when it could only be counted. */
  sends = [];
  skipped = [];
  #rows;
  #known = new Map();
  #heap = new Map();
  #read = 0;
  #born = 0;

  constructor(name, rows, bands = 0) {
    this.name = name;
    this.rows = rows;
    this.bands = bands;
    this.#rows = Array(rows);
  }

  /** The plan with all that the timeline has now: this one, or, if its bands are too few, a new one. */
  follow(timeline) {
    this.#read = Math.max(this.#read, timeline.dropped);
    while (this.#read < timeline.dropped + timeline.feed.length) {
      this.#add(timeline.feed[this.#read++ - timeline.dropped]);
      if (this.groups.length > BANDS[this.bands] && this.bands < BANDS.length - 1) {
        return new Plan(this.name, this.rows, this.bands + 1).begin(timeline).follow(timeline);
      }
    }
    for (const card of this.cards) if (card.vanish < timeline.from) this.cards.delete(card);
    for (const times of [this.sends, this.skipped]) if (times.length > KEPT) times.splice(0, DROPPED);
    return this;
  }

  /** What is there before the first event. */
  begin(timeline) {
    const [cloud, time] = [timeline.cloud(0), timeline.from];
    this.#read = timeline.dropped;
    for (const queue of cloud.queues.values()) this.#attributes(queue);
    for (const name of [this.name, this.dead]) {
      for (const message of cloud.queues.get(name)?.messages.values() ?? []) {
        const { message: id, body, group, state, reader, receives } = message;
        const home = name === this.name ? "queue" : "dead";
        const visit = { starts: time, lands: time, ...message, place: home, since: time };
        if (state === "in-flight") visit.place = this.#place(reader ?? "a reader", time);
        this.#enter(`${name}/${id}`, { body, group }, [{ ...visit, receives }], time);
      }
    }
    return this;
  }

  /** The rows of a group: the first, and how many. */
  band(group) {
    if (!this.fifo) return [0, this.rows];
    const size = Math.floor(this.rows / BANDS[this.bands]);
    const i = this.groups.indexOf(group);
    // Its first row says which group it is.
    return i < BANDS[this.bands] ? [i * size + 1, size - 1] : [0, 0];
  }

  #attributes({ queue, name = queue, fifo, dead_letter_queue }) {
    if (name !== this.name) return;
    this.fifo = fifo ?? this.fifo;
    this.dead = dead_letter_queue ?? this.dead;
  }

  #add(cue) {
    const { event, starts, lands } = cue;
    const { kind, queue, message, at, until, receives, reader } = event;
    if (kind === "queue-created" || kind === "queue-changed") this.#attributes(event);
    if (kind === "queue-created" && queue === this.name) this.#clear(starts);
    if (!queue || (queue !== this.name && queue !== this.dead)) return;
    const key = `${queue}/${message}`;
    const home = queue === this.name ? "queue" : "dead";
    const go = (place, change) => this.#go(key, { starts, lands, place, ...change });
    const gone = { state: kind, back: false, until: undefined };
    if (reader) this.#place(reader, starts);
    switch (kind) {
      case "sent":
        return this.#sent(cue, key, home);
      case "received":
        go(this.#place(reader, starts), { state: "in-flight", until, since: at, receives, back: false });
        // Who may see it at once again has only looked.
        if (until <= at) this.#go(key, { starts: lands, lands: lands + HOP, place: home, state: "visible", until: undefined });
        return;
      case "arrived":
        return go(home, { state: "visible", until: undefined });
      case "hidden":
        if (until > at) return go(undefined, { until, since: at });
      case "returned":
        return go(home, { state: "visible", until: undefined, back: true });
      case "deleted":
      case "expired":
        return go("gone", gone);
      case "dead":
        return go("dead", { ...gone, state: "visible" });
      case "purged":
        for (const [key, card] of this.#known) {
          if (key.startsWith(`${queue}/`)) this.#go(key, { starts, lands: starts + HOP, place: "gone", ...gone, state: "deleted" });
        }
        for (const key of this.#heap.keys()) if (key.startsWith(`${queue}/`)) this.#heap.delete(key);
    }
  }

  /** A new queue of the same name has nothing of the old one. */
  #clear(time) {
    for (const card of this.cards) card.vanish ??= time;
    this.#rows.fill();
    this.#known.clear();
    this.#heap.clear();
  }

  #sent({ event, starts, lands }, key, home) {
    const { body, group, until, at, from, message, receives = 0 } = event;
    const visit = { starts, lands, place: home, state: until ? "delayed" : "visible", until, since: at, receives, back: false };
    // From a queue of this figure it comes as the card that it was.
    const dead = from && this.#known.get(`${from}/${message}`);
    const moved = (card) => card.body === body && card.visits.at(-1).place === "gone" && card.visits.at(-2)?.place === "dead";
    const redriven = from && from === this.dead && [...this.cards].findLast(moved);
    if (dead?.visits.at(-1).place === home) return void this.#known.set(key, dead);
    if (redriven) {
      redriven.visits.pop();
      redriven.left = undefined;
      this.#known.set(key, redriven);
      return this.#go(key, visit);
    }
    this.sends.push(starts);
    const first = { ...visit, lands: starts, place: "sender", state: "new", until: undefined };
    if (!this.#enter(key, { body, group }, [first, visit], starts)) this.skipped.push(starts);
  }

  /** Gives a message a row, if there is one, and its first visits. */
  #enter(key, { body = "", group }, visits, time) {
    if (group !== undefined && !this.groups.includes(group)) this.groups.push(group);
    // Who begins at the sender needs a while until it comes to where the last one of its row still is.
    const isBehind = visits[0].place === "sender" && visits.at(-1).place === "queue";
    const row = this.#row(group, time, isBehind ? 0 : HOP + REST);
    if (row === undefined) {
      this.#heap.set(key, { body, group, visit: visits.at(-1) });
      return;
    }
    this.#heap.delete(key);
    const id = key.slice(key.indexOf("/") + 1);
    const card = { key: `${key}#${this.#born++}`, id, body, group, row, visits, follows: this.#rows[row] };
    this.#rows[row] = card;
    this.#known.set(key, card);
    this.cards.add(card);
    return card;
  }

  /** A row that is free at this time: best a new one, then that of a message long gone, then of an old dead letter. */
  #row(group, time, rest) {
    const [first, count] = this.band(group);
    let best;
    for (let row = first; row < first + count; row++) {
      const card = this.#rows[row];
      if (!card) return row;
      const isGone = card.left + rest <= time;
      const { place, lands } = card.visits.at(-1);
      const isDead = place === "dead" && lands + REST <= time;
      const rank = isGone ? card.left : isDead ? Number.MAX_SAFE_INTEGER : Infinity;
      if (rank < (best?.rank ?? Infinity)) best = { row, rank, card };
    }
    if (!best) return;
    best.card.vanish ??= Math.max(best.card.visits.at(-1).lands + REST, time);
    for (const [key, card] of this.#known) if (card === best.card) this.#known.delete(key);
    return best.row;
  }

  #go(key, { place, ...change }) {
    let card = this.#known.get(key);
    const { starts } = change;
    if (card && card.visits[0].starts > starts) {
      // It goes before it was to come out of the heap.
      Object.assign(card, { vanish: -Infinity, left: card.visits[0].starts });
      this.#known.delete(key);
      card = undefined;
    }
    if (!card) {
      const waits = this.#heap.get(key);
      const visit = { ...waits?.visit, starts, lands: starts, state: "visible" };
      if (place === "gone") this.#heap.delete(key);
      // Of what was never seen to come, nothing but its number could be drawn.
      if (place === "gone" || !waits) return;
      card = this.#enter(key, waits, [visit], starts);
      if (!card) return void (this.#heap.get(key).visit = { ...visit, ...change, place: place ?? visit.place });
    }
    if (card.follows && (place === "gone" || place === "dead")) {
      card.follows.vanish = Math.min(card.follows.vanish, starts);
      card.follows = undefined;
    }
    const before = card.visits.at(-1);
    card.visits.push({ ...before, ...change, place: place ?? before.place });
    if (place !== "gone") return;
    card.left = starts;
    this.#next(card.group, change.lands + REST);
  }

  /** Draws the one that has waited longest, now that there is a row. */
  #next(group, time) {
    for (const [key, { visit, ...info }] of this.#heap) {
      if (this.fifo && info.group !== group) continue;
      if (visit.place !== "queue" || visit.state === "in-flight") continue;
      const from = Math.max(time, visit.lands);
      return void this.#enter(key, info, [{ ...visit, starts: from, lands: from }], from);
    }
  }

  /** The place of a reader, such as `reader 0`: its own, or, if there are very many, that of the others. */
  #place(reader, time) {
    let i = this.places.findIndex((stays) => stays.at(-1).reader === reader);
    if (i < 0) {
      const isFree = (stays) => stays.at(-1).seen + AWAY < time;
      if (this.places.length < PLACES) i = this.places.push([]) - 1;
      else i = this.places.findIndex(isFree);
      if (i < 0) return `reader ${PLACES - 1}`;
      this.places[i].push({ reader, from: time });
    }
    this.places[i].at(-1).seen = time;
    return `reader ${i}`;
  }
}

/** Where a card is at this time: between which visits, and how far; null if it is not there yet, or not any more. */
export function seen({ visits, vanish = Infinity }, time) {
  if (time < visits[0].starts || time >= vanish) return null;
  let i = visits.length - 1;
  while (visits[i].starts > time) i -= 1;
  const to = visits[i];
  const done = part(to, time);
  const from = visits[Math.max(0, i - 1)];
  return { from, to, part: done, now: done < 1 ? from : to };
}

/** The widths of the places, in hundredths of the whole: sender, queue, all readers, gone and, if there are any, dead letters. */
const WIDTHS = [12, 19, 48, 21];
const WITH_DEAD = [11, 18, 37, 17, 17];
const GAP = 1;

/** Where each place is, as [from, width] in hundredths, and how wide a card is. */
export function geometry({ dead, places }) {
  const widths = dead ? WITH_DEAD : WIDTHS;
  const names = ["sender", "queue", "readers", "gone", "dead"];
  const zones = {};
  let from = 0;
  widths.forEach((width, i) => {
    zones[names[i]] = [from, width];
    from += width;
  });
  const [first, all] = zones.readers;
  const readers = Math.max(2, places.length);
  for (let i = 0; i < readers; i++) zones[`reader ${i}`] = [first + (all / readers) * i, all / readers];
  zones.width = Math.min(widths[1], widths[3], all / readers) - 2 * GAP;
  delete zones.readers;
  return zones;
}

/** How far from the left a card is that is `done` of its way from one place to the next: from 0 to 1. */
export function distance({ from, to }, zones, done) {
  const x = ({ place }) => zones[place][0] + GAP;
  return x(from) + (x(to) - x(from)) * done;
}
