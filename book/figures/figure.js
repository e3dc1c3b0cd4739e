// What all figures have in common: where they take what they show from, their buttons and their words.

import { Director, recorded } from "./director.js";
import { button, h, isStill } from "./draw.js";
import { feed } from "./feed.js";
import { find, nothing, reduce } from "./store.js";
import { Voice } from "./voice.js";
import { duration, sentence } from "./words.js";

/** Of a thing that was there before the feed was opened, so many events are played again. */
const AGAIN = 100;
/** Timers run down in such steps, in ms. */
const TICK_MS = 200;
/** The buttons and the scale are looked at again so often, in ms. */
const OFFER_MS = 150;
/** Who is further behind than this is offered to catch up. In ms. */
const LATE = 2500;
const SPEEDS = [0.25, 0.5, 1, 2, 4];
/** At so many moments of a run it is measured how tall its picture gets. */
const MEASURES = 40;
/** Among so many of the last events it is looked for what to say. */
const LOOK_BACK = 200;
const AT_ONCE = 12;

/** The recorded runs that are played, by name. Figures of the same run share its clock. */
const runs = new Map();

/**
 * A figure about one thing of the cloud, which has the attribute `name`, see [`find`]. A subclass says what it is called,
 * `word`, which events it is about, `concerns(event, thing, cloud)`, without a thing about all of its kind, and how to make
 * its `picture()`: an `element`, and `draw(thing, moment)` that brings it up to date.
 *
 * At first it shows its own content, a `still` of the recorded run. Then it is `live`, or plays the recorded `run`, or what
 * the feed has told, once `again`.
 */
export class Figure extends HTMLElement {
  #shows = "still";
  #director = null;
  #picture = null;
  #commands = [];
  #voice;
  #thing;
  #stops = { cues: [] };
  /** Whether the reader has pressed a button; from then on the figure doesn't change over by itself. */
  #chosen = false;
  #frame = 0;
  #offered = 0;

  connectedCallback() {
    if (this.controls) return;
    this.about = this.querySelector(".lab-about");
    this.stage = this.querySelector(".lab-stage");
    this.#voice = new Voice(this.querySelector(".lab-said"));
    this.buttons = {
      play: button("Play", () => this.#play()),
      back: button("Back", () => this.#back()),
      step: button("Step", () => this.#step()),
      restart: button("Restart", () => this.#seek(this.#director.timeline.from)),
      catchUp: button("Catch up", () => (isStill() ? this.#show("live") : this.#director.catchUp())),
      again: button("Play it again, slowly", () => this.#again()),
      run: button("Show the recorded run", () => this.#play(true)),
      live: button("Show mine, live", () => this.#show("live")),
    };
    const oninput = () => this.#seek(this.#stops.cues[this.scale.value - 1]?.lands ?? this.#director.timeline.from);
    this.scale = h("input.lab-scale", { type: "range", min: 0, "aria-label": "Moment", oninput });
    const onchange = () => (this.#director.speed = Number(this.speed.value));
    const speeds = SPEEDS.map((speed) => h("option", { value: speed, ...(speed === 1 && { selected: "" }) }, `${speed}x`));
    this.speed = h("select.lab-speed", { "aria-label": "Speed", onchange }, speeds);
    this.place = h("span.lab-place");
    const { play, back, step, restart, ...others } = this.buttons;
    const transport = h("span.lab-transport", play, back, step, restart, this.speed, this.scale, this.place);
    this.controls = h("div.lab-controls", transport, Object.values(others));
    this.controls.addEventListener("click", (event) => {
      this.#chosen ||= event.target.matches("button");
      this.#wake();
    });
    // Arrows are for the scale here, and turn no page.
    this.addEventListener("keydown", (event) => event.key.startsWith("Arrow") && event.stopPropagation());
    // What this says later may be shorter, and must not pull the page up.
    this.about.style.minHeight = `${this.about.offsetHeight}px`;
    this.append(this.controls, this.#voice.spoken);
    this.setAttribute("role", "group");
    this.setAttribute("aria-label", `Figure: the ${this.word} ${this.getAttribute("name")}`);
    feed.addEventListener("change", () => this.#hear());
    feed.open();
    setInterval(() => this.#shows !== "still" && this.#wake(), TICK_MS);
    this.#wake();
  }

  /** The reader's own thing, if there is a feed and it has told of one. */
  get mine() {
    return this.#find(feed.cloud);
  }

  #find(cloud) {
    return cloud && find(cloud[`${this.word}s`], this.getAttribute("name"));
  }

  #isFor(event, thing, cloud) {
    return event.kind === "clock" || event.kind === "fault" || this.concerns(event, thing, cloud);
  }

  #hear() {
    const { mine } = this;
    if (mine && !mine.deleted && !this.#chosen && this.#shows === "still") this.#show("live");
    if (this.#shows === "live" && feed.timeline !== this.#director.timeline) this.#show("live");
    this.#wake();
  }

  #show(shows, director) {
    this.#shows = shows;
    this.#director = shows === "live" ? new Director(feed.timeline, true) : director;
    this.#director.speed = Number(this.speed.value);
    this.#picture = null;
    this.#stops = { cues: [] };
    this.#offered = 0;
    this.#voice.clear();
    this.#wake();
  }

  /** What is played; if nothing is, the recorded run, at its start. */
  async #ready(isFresh) {
    if (this.#director && !isFresh) return this.#director;
    const run = this.getAttribute("run");
    const those = [...document.querySelectorAll(`[run="${run}"]`)].filter((figure) => figure instanceof Figure);
    if (!runs.has(run)) runs.set(run, this.#load(run, those));
    const { timeline, commands } = await runs.get(run);
    // Who presses twice meanwhile gets one.
    if (this.#director && !isFresh) return this.#director;
    const director = new Director(timeline, false);
    for (const figure of those) if (figure === this || figure.#shows === "still") figure.#follow(director, commands);
    return director;
  }

  #follow(director, commands) {
    this.#commands = commands;
    this.#show("run", director);
    this.#measure();
  }

  /** Makes room for the tallest picture of what is known, so that the text below stays where it is. */
  #measure() {
    const { timeline } = this.#director;
    for (let i = 0; i <= MEASURES; i++) {
      const time = timeline.from + ((timeline.end - timeline.from) * i) / MEASURES;
      const count = timeline.landed(time);
      const cloud = timeline.cloud(count);
      this.#paint(this.#find(cloud), { timeline, time, cloud, count, now: timeline.clock(time) });
    }
  }

  async #load(run, those) {
    const answer = await fetch(new URL(`runs/${run}.json`, import.meta.url));
    const { commands, events } = await answer.json();
    const concerns = (event) => those.some((figure) => figure.#isFor(event, undefined, feed.cloud ?? nothing));
    return { commands, timeline: recorded(reduce(nothing, events[0]), events.slice(1), concerns) };
  }

  async #play(isFresh) {
    const director = await this.#ready(isFresh);
    if (director.playing && !isFresh) director.pause();
    else director.play();
    this.#wake();
  }

  async #step() {
    const director = await this.#ready();
    const next = this.#list().find(({ lands }) => lands > director.aim);
    if (next) this.#to(next.lands);
  }

  async #back() {
    const director = await this.#ready();
    const before = this.#list().filter(({ lands }) => lands <= director.head);
    this.#seek(before.at(-2)?.lands ?? director.timeline.from);
  }

  #to(time) {
    if (isStill()) return this.#seek(time);
    this.#director.playTo(time);
    this.#wake();
  }

  #seek(time) {
    this.#director.seek(time);
    this.#wake();
  }

  #again() {
    const { mine, word } = this;
    const events = feed.timeline.cues.map(({ event }) => event);
    const created = events.findLastIndex((event) => event.kind === `${word}-created` && event[word] === mine.name);
    const from = created < 0 ? Math.max(0, events.length - AGAIN) : created;
    const before = feed.timeline.cloud(from);
    const concerns = (event) => this.#isFor(event, mine, feed.cloud);
    this.#show("again", new Director(recorded(before, events.slice(from), concerns), false));
    this.#measure();
    this.#director.play();
  }

  /** The events to stop at, in the order in which they are seen. */
  #list() {
    const { timeline } = this.#director;
    const thing = this.#shows === "run" ? undefined : this.mine;
    const known = this.#stops;
    if (known.timeline !== timeline || known.count !== timeline.feed.length + timeline.dropped || known.name !== thing?.name) {
      const cloud = this.#shows === "run" ? timeline.cloud(timeline.cues.length) : feed.cloud;
      const cues = timeline.cues.filter(({ event }) => this.#isFor(event, thing, cloud));
      this.#stops = { timeline, count: timeline.feed.length + timeline.dropped, name: thing?.name, cues };
    }
    return this.#stops.cues;
  }

  #wake() {
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#frame = 0;
    const director = this.#director;
    if (director) {
      const { timeline } = director;
      const time = director.head;
      const count = timeline.landed(time);
      const cloud = this.#say(timeline, count);
      const thing = this.#find(cloud);
      this.#paint(thing, { timeline, time, cloud, count, now: timeline.clock(time) });
      if (director.isLive) timeline.trim(time);
      // Nothing moves once all has landed; the timers have a pace of their own.
      if (director.playing && time < timeline.end + TICK_MS) this.#wake();
    }
    const now = performance.now();
    if (now - this.#offered > OFFER_MS || !director?.playing) {
      this.#offered = now;
      this.#tell();
      this.#offer();
    }
  }

  #paint(thing, moment) {
    if (!thing) {
      this.#picture = null;
      const none = `There is no such ${this.word} yet.`;
      if (this.stage.textContent !== none) this.stage.replaceChildren(none);
      return;
    }
    if (this.#picture?.name !== thing.name) {
      this.#picture = this.picture(thing, moment.timeline);
      this.#picture.name = thing.name;
      this.stage.replaceChildren(this.#picture.element);
    }
    this.#picture.draw(thing, moment);
    // A picture that shrinks would pull the page's text up and down.
    const height = this.stage.offsetHeight;
    if (height > (parseFloat(this.stage.style.minHeight) || 0)) this.stage.style.minHeight = `${height}px`;
  }

  /** Says the last things that have landed. Each has its sentence from the cloud as it was then. */
  #say(timeline, count) {
    const thing = this.#shows === "run" ? undefined : this.mine;
    for (let i = Math.max(0, count - AT_ONCE); i < count; i++) {
      const cue = timeline.cues[i];
      cue.said ??= sentence(cue.event, timeline.cloud(i + 1)) ?? "";
    }
    const cloud = timeline.cloud(count);
    const last = [];
    for (let i = count - 1; i >= 0 && i > count - LOOK_BACK && last.length < this.#voice.most; i--) {
      const cue = timeline.cues[i];
      if (!this.#isFor(cue.event, thing, cloud)) continue;
      cue.said ??= sentence(cue.event, cloud) ?? "";
      if (cue.said) last.unshift(cue);
    }
    this.#voice.show(last, !this.#director.playing);
    return cloud;
  }

  /** Says in words where the picture comes from. */
  #tell() {
    const { mine, word } = this;
    const commands = this.#commands.flatMap((command, i) => [i ? ", then " : "", h("code", command)]);
    const end = mine?.deleted ? " It was deleted: this is how it ended." : "";
    const lost = feed.connected ? "" : " The desk doesn't answer any more.";
    const words = {
      live: [`Live from your local cloud: the ${word} ${mine?.name ?? "is not there"}.${end}${lost}`],
      again: [`Your own ${word} ${mine?.name ?? ""}, played again slowly.`],
      run: ["A recorded run of ", ...commands, "."],
    }[this.#shows];
    const text = words?.map((word) => word.textContent ?? word).join("");
    if (words && this.about.textContent !== text) this.about.replaceChildren(...words);
  }

  /** Offers the buttons that make sense now. */
  #offer() {
    const { mine } = this;
    const [shows, director] = [this.#shows, this.#director];
    const { play, back, step, restart, catchUp, again, run, live } = this.buttons;
    const cues = director ? this.#list() : [];
    const position = director ? cues.filter(({ lands }) => lands <= director.aim).length : 0;
    const isLate = director?.isLive && (director.behind > LATE || !director.playing);
    set(play, director?.playing ? "Pause" : "Play");
    step.disabled = Boolean(director) && position === cues.length;
    back.disabled = restart.disabled = position === 0;
    this.scale.disabled = !director;
    this.scale.max = cues.length;
    this.scale.value = position;
    catchUp.hidden = !isLate;
    again.hidden = shows !== "live" || !cues.length;
    run.hidden = shows === "still" || shows === "run";
    live.hidden = !mine || shows === "live";
    const behind = isLate ? `${duration(director.behind)} behind` : "live, about a second behind";
    set(this.place, !director ? "" : director.isLive ? behind : `${position} of ${cues.length}`);
    this.scale.setAttribute("aria-valuetext", this.place.textContent || "not yet played");
  }
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
