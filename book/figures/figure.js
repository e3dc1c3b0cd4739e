// What all figures have in common: where they take what they show from, their buttons and their words.

import { button, h, replace, tickTimers } from "./draw.js";
import { feed } from "./feed.js";
import { Player } from "./player.js";
import { find, nothing, reduce } from "./store.js";
import { Voice } from "./voice.js";
import { sentence } from "./words.js";

/** Of a thing that was there before the feed was opened, so many events are played again. */
const AGAIN = 100;
const TICK_MS = 200;

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
  #recording;
  #commands = [];
  #voice;
  /** Whether the reader has pressed a button; from then on the figure doesn't change over by itself. */
  #chosen = false;
  #drawing = 0;

  connectedCallback() {
    if (this.controls) return;
    this.about = this.querySelector(".lab-about");
    this.stage = this.querySelector(".lab-stage");
    this.#voice = new Voice(this.querySelector(".lab-said"));
    const fromStart = () => {
      this.#show("still");
      this.#play();
    };
    this.buttons = {
      play: button("Play", () => this.#play()),
      step: button("Step", async () => (await this.#ready()).step()),
      restart: button("Restart", () => this.#player.restart()),
      again: button("Play it again, slowly", () => this.#again()),
      run: button("Show the recorded run", fromStart),
      live: button("Show mine, live", () => this.#show("live")),
    };
    this.place = h("span.lab-place");
    this.controls = h("div.lab-controls", Object.values(this.buttons), this.place);
    this.controls.addEventListener("click", () => (this.#chosen = true));
    this.append(this.controls, this.#voice.spoken);
    this.setAttribute("role", "group");
    this.setAttribute("aria-label", `Figure: the ${this.word} ${this.getAttribute("name")}`);
    feed.addEventListener("change", ({ detail }) => this.#hear(detail));
    feed.open();
    setInterval(() => this.#shows !== "still" && tickTimers(this.stage, this.#now), TICK_MS);
    this.#update();
  }

  /** The reader's own thing, if there is a feed and it has told of one. */
  get mine() {
    return this.#find(feed.cloud);
  }

  get #cloud() {
    return this.#player ? this.#player.cloud : feed.cloud;
  }

  get #now() {
    return this.#player ? this.#player.now() : feed.now();
  }

  #find(cloud) {
    return cloud && find(cloud[`${this.word}s`], this.getAttribute("name"));
  }

  #isFor(event, thing, cloud) {
    return event.kind === "clock" || event.kind === "fault" || this.concerns(event, thing, cloud);
  }

  /** Takes note of an event of the feed. */
  #hear(event) {
    const { mine } = this;
    if (mine && !mine.deleted && !this.#chosen && this.#shows === "still") this.#show("live");
    else if (this.#shows === "live" && event && this.#isFor(event, mine, feed.cloud)) {
      this.#voice.say(sentence(event, feed.cloud));
    }
    this.#update();
  }

  #show(shows) {
    this.#player?.pause();
    this.#player = null;
    this.#shows = shows;
    this.#voice.clear();
    this.stage.style.minHeight = "";
    this.#update();
  }

  /** The player; if there is none, that of the recorded run, at its start. */
  async #ready() {
    if (this.#player) return this.#player;
    const url = new URL(`runs/${this.getAttribute("run")}.json`, import.meta.url);
    this.#recording ??= fetch(url).then((answer) => answer.json());
    const { commands, events } = await this.#recording;
    this.#commands = commands;
    // Who presses twice meanwhile gets one player.
    if (!this.#player) this.#playFrom("run", reduce(nothing, events[0]), events.slice(1));
    return this.#player;
  }

  async #play() {
    const player = await this.#ready();
    if (player.playing) return player.pause();
    if (player.over) player.restart();
    player.play();
  }

  #again() {
    const { start, events } = feed.history;
    const { mine, word } = this;
    const created = events.findLastIndex((event) => event.kind === `${word}-created` && event[word] === mine.name);
    const from = created < 0 ? Math.max(0, events.length - AGAIN) : created;
    this.#playFrom("again", events.slice(0, from).reduce(reduce, start), events.slice(from), mine);
    this.#play();
  }

  #playFrom(shows, start, events, thing) {
    this.#show(shows);
    const onchange = (event) => {
      const player = this.#player;
      if (event) this.#voice.say(sentence(event, player.cloud), !player.playing);
      else if (player?.position === 0) this.#voice.clear();
      this.#update();
    };
    this.#player = new Player(start, events, (event) => this.#isFor(event, thing, feed.cloud), onchange);
  }

  #update() {
    this.#drawing ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#drawing = 0;
    if (this.#shows !== "still") {
      const thing = this.#find(this.#cloud);
      replace(this.stage, thing ? this.picture(thing, this.#cloud, this.#now) : `There is no such ${this.word} yet.`);
      // A picture that shrinks would pull the page's text up and down.
      this.stage.style.minHeight = `${this.stage.offsetHeight}px`;
    }
    this.#tell();
    this.#offer();
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
    };
    if (this.#shows in words) this.about.replaceChildren(...words[this.#shows]);
  }

  /** Offers the buttons that make sense now. */
  #offer() {
    const { mine } = this;
    const [shows, player] = [this.#shows, this.#player];
    const { play, step, restart, again, run, live } = this.buttons;
    play.textContent = player?.playing ? "Pause" : "Play";
    play.hidden = step.hidden = shows === "live";
    step.disabled = Boolean(player?.over);
    restart.hidden = !player;
    again.hidden = shows !== "live" || !feed.history.events.some((event) => this.#isFor(event, mine, feed.cloud));
    run.hidden = shows === "still" || shows === "run";
    live.hidden = !mine || shows === "live";
    this.place.textContent = player ? `${player.position} of ${player.length}` : "";
  }
}
