// What all figures have in common: where they take what they show from, their buttons, their words, their movement.

import { feed } from "./feed.js";
import { Player } from "./player.js";
import { find, nothing, reduce } from "./store.js";
import { duration, sentence } from "./words.js";

/** So many sentences stay in sight. */
const SENTENCES = 3;
/** A screen reader is told something no more often than this. In ms. */
const SPEAK_MS = 4000;
export const TICK_MS = 200;
const MOVE_MS = 450;
/** Of a thing that was there before the feed was opened, so many events are played again. */
const AGAIN = 100;

/** A new element. Children are elements and texts; what is null, undefined or false is left out. */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === "function") element[name] = value;
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** The first few, then how many more there are, in `more(n)`. */
export function some(things, most, draw, more = (n) => h("li", { class: "lab-more" }, `+ ${n} more`)) {
  const drawn = things.slice(0, most).map(draw);
  return things.length > most ? [...drawn, more(things.length - most)] : drawn;
}

/** A list with its title, or the word for an empty one. */
export function column(title, items, none, kind = "lab-cards") {
  return h(
    "section",
    { class: "lab-column" },
    h("p", { class: "lab-head" }, title),
    items.length ? h("ul", { class: kind, "aria-label": title }, items) : h("p", { class: "lab-none" }, none),
  );
}

/** What runs down until a time of the local cloud's clock, and the word for its end. */
export function timer(until, total, over, now) {
  const element = h("span", { class: "lab-timer", "data-until": until, "data-total": total, "data-over": over });
  tick(element, now);
  return element;
}

export function tickTimers(stage, now) {
  for (const element of stage.querySelectorAll("[data-until]")) tick(element, now);
}

function tick(element, now) {
  const { until, total, over } = element.dataset;
  const left = until - now;
  const text = left > 0 ? duration(left < 120_000 ? Math.ceil(left / 1000) * 1000 : left) : over;
  if (element.textContent !== text) element.textContent = text;
  element.style.setProperty("--left", Math.min(1, Math.max(0, left / total)).toFixed(3));
}

/** Says what happens: the last sentences in a list, and now and then one for a screen reader. */
export class Voice {
  #list;
  #spoken;
  #last = -SPEAK_MS;
  #waiting = 0;

  constructor(list, spoken) {
    this.#list = list;
    this.#spoken = spoken;
  }

  say(text, atOnce) {
    if (!text) return;
    this.#list.append(h("li", null, text));
    if (this.#list.children.length > SENTENCES) this.#list.firstChild.remove();
    clearTimeout(this.#waiting);
    const wait = atOnce ? 0 : Math.max(0, this.#last + SPEAK_MS - performance.now());
    this.#waiting = setTimeout(() => {
      this.#last = performance.now();
      this.#spoken.textContent = text;
    }, wait);
  }

  clear() {
    clearTimeout(this.#waiting);
    this.#list.replaceChildren();
  }
}

/** Puts a new picture in the place of the old one. What has the same `data-key` in both moves from there to here. */
export function replace(stage, picture) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const keyed = () => (still ? [] : stage.querySelectorAll("[data-key]"));
  const before = new Map();
  for (const element of keyed()) before.set(element.dataset.key, element.getBoundingClientRect());
  const wasEmpty = !stage.hasChildNodes();
  stage.replaceChildren(picture);
  for (const element of keyed()) {
    const from = before.get(element.dataset.key);
    const to = element.getBoundingClientRect();
    if (from) {
      const [x, y] = [from.left - to.left, from.top - to.top];
      if (x || y) element.animate({ transform: [`translate(${x}px, ${y}px)`, "none"] }, { duration: MOVE_MS, easing: "ease-out" });
    } else if (!wasEmpty) {
      element.animate({ transform: ["scale(0.4)", "none"], opacity: [0, 1] }, { duration: MOVE_MS, easing: "ease-out" });
    }
  }
}

/**
 * A figure about one thing of the cloud, which has the attribute `name`, see [`find`]. A subclass says what it is called,
 * `word`, what it looks like, `picture(thing, cloud, now)`, and which events it is about, `concerns(event, thing, cloud)`;
 * without a thing, it is about all of its kind.
 *
 * At first it shows its own content, a `still` of the recorded run. Then it is `live`, or plays the recorded `run`, or what
 * the feed has told, once `again`.
 */
export class Figure extends HTMLElement {
  #shows = "still";
  #player = null;
  #commands = [];
  #voice;
  /** Whether the reader has pressed a button; from then on the figure doesn't change over by itself. */
  #chosen = false;
  #drawing = 0;

  connectedCallback() {
    if (this.controls) return;
    const part = (name, tag) => this.querySelector(`.lab-${name}`) ?? this.appendChild(h(tag, { class: `lab-${name}` }));
    this.about = part("about", "p");
    this.stage = part("stage", "div");
    const told = part("said", "ol");
    const button = (text, press) => {
      const onclick = () => {
        this.#chosen = true;
        press();
      };
      return h("button", { type: "button", onclick }, text);
    };
    this.buttons = {
      play: button("Play", () => this.#play()),
      step: button("Step", async () => (await this.#ready()).step()),
      restart: button("Restart", () => this.#player.restart()),
      again: button("Play it again, slowly", () => this.#again()),
      run: button("Show the recorded run", () => {
        this.#show("still");
        this.#play();
      }),
      live: button("Show mine, live", () => this.#show("live")),
    };
    this.place = h("span", { class: "lab-place" });
    this.controls = h("div", { class: "lab-controls" }, Object.values(this.buttons), this.place);
    const spoken = h("p", { class: "lab-spoken", "aria-live": "polite" });
    this.#voice = new Voice(told, spoken);
    this.append(this.controls, spoken);
    this.setAttribute("role", "group");
    this.setAttribute("aria-label", `Figure: the ${this.word} ${this.getAttribute("name")}`);
    feed.addEventListener("change", ({ detail }) => this.#hear(detail));
    feed.found.then(() => this.#update());
    feed.open();
    setInterval(() => this.#tick(), TICK_MS);
    this.#update();
  }

  /** The reader's own thing, if there is a feed and it has told of one. */
  get mine() {
    return feed.cloud && find(feed.cloud[`${this.word}s`], this.getAttribute("name"));
  }

  /** The player; if there is none, that of the recorded run, at its start. */
  async #ready() {
    if (!this.#player) {
      const answer = await fetch(new URL(`runs/${this.getAttribute("run")}.json`, import.meta.url));
      const { commands, events } = await answer.json();
      this.#commands = commands;
      this.#playFrom("run", reduce(nothing, events[0]), events.slice(1));
    }
    return this.#player;
  }

  #playFrom(shows, start, events, thing) {
    this.#show(shows);
    const changed = (event) => {
      if (event) this.#voice.say(sentence(event, this.#player.cloud), !this.#player.playing);
      else if (this.#player?.position === 0) this.#voice.clear();
      this.#update();
    };
    this.#player = new Player(start, events, (event) => this.#isFor(event, thing, feed.cloud), changed);
  }

  async #play() {
    const player = await this.#ready();
    if (player.playing) return player.pause();
    if (player.over) player.restart();
    player.play();
  }

  #again() {
    const { start, events } = feed.history;
    const mine = this.mine;
    const created = events.findLastIndex(
      (event) => event.kind === `${this.word}-created` && event[this.word] === mine[this.word],
    );
    const from = created < 0 ? Math.max(0, events.length - AGAIN) : created;
    this.#playFrom("again", events.slice(0, from).reduce(reduce, start), events.slice(from), mine);
    this.#play();
  }

  #show(shows) {
    this.#player?.pause();
    this.#player = null;
    this.#shows = shows;
    this.#voice.clear();
    this.stage.style.minHeight = "";
    this.#update();
  }

  #isFor(event, thing, cloud) {
    return event.kind === "clock" || event.kind === "fault" || this.concerns(event, thing, cloud);
  }

  /** Takes note of an event of the feed. */
  #hear(event) {
    const mine = this.mine;
    if (mine && !mine.deleted && !this.#chosen && this.#shows === "still") this.#show("live");
    if (this.#shows !== "live") return this.#update();
    if (event && mine && this.#isFor(event, mine, feed.cloud)) this.#voice.say(sentence(event, feed.cloud));
    this.#update();
  }

  #update() {
    if (!this.#drawing) this.#drawing = requestAnimationFrame(() => this.#draw());
  }

  get #cloud() {
    return this.#player ? this.#player.cloud : feed.cloud;
  }

  get #now() {
    return this.#player ? this.#player.now() : feed.now();
  }

  #draw() {
    this.#drawing = 0;
    if (this.#shows !== "still") {
      const name = this.getAttribute("name");
      const thing = find(this.#cloud[`${this.word}s`], name);
      const picture = thing
        ? this.picture(thing, this.#cloud, this.#now)
        : h("p", { class: "lab-empty" }, `There is no ${this.word} ${name} yet.`);
      // A picture that shrinks would pull the page's text up and down.
      this.stage.style.minHeight = `${this.stage.offsetHeight}px`;
      replace(this.stage, picture);
    }
    this.#drawAround();
  }

  #drawAround() {
    const shows = this.#shows;
    const mine = this.mine;
    const player = this.#player;
    if (shows === "live") {
      const end = mine?.deleted ? " It was deleted: this is how it ended." : "";
      const lost = feed.connected ? "" : " The desk doesn't answer any more.";
      this.about.textContent = `Live from your local cloud: the ${this.word} ${mine?.[this.word] ?? "is not there"}.${end}${lost}`;
    } else if (shows === "again") {
      this.about.textContent = `Your own ${this.word} ${mine?.[this.word] ?? ""}, played again slowly.`;
    } else if (shows === "run") {
      this.about.replaceChildren("A recorded run of ", ...this.#commands.flatMap((command, i) => [i ? ", then " : "", h("code", null, command)]), ".");
    }
    const { play, step, restart, again, run, live } = this.buttons;
    const recorded = this.hasAttribute("run");
    play.hidden = shows === "live" || (!recorded && !player);
    play.textContent = player?.playing ? "Pause" : "Play";
    step.hidden = play.hidden;
    step.disabled = Boolean(player?.over);
    restart.hidden = !player;
    again.hidden = shows !== "live" || !feed.history.events.some((event) => this.#isFor(event, mine, feed.cloud));
    run.hidden = !recorded || shows === "still" || shows === "run";
    live.hidden = !mine || shows === "live";
    this.place.textContent = player ? `${player.position} of ${player.length}` : "";
  }

  #tick() {
    if (this.#shows === "still") return;
    tickTimers(this.stage, this.#now);
  }
}
