// <lab-cloud>: the whole local cloud on one page, with its clock and its faults. Without a desk there is nothing to show.

import { Director } from "./director.js";
import { become, button, column, h, some, text, title } from "./draw.js";
import { feed } from "./feed.js";
import { functionPicture, logTail } from "./function.js";
import { queuePicture } from "./queue.js";
import { streamPicture } from "./stream.js";
import { Voice } from "./voice.js";
import { count, duration, sentence } from "./words.js";

/** What the feed doesn't tell is asked for this often, in ms. */
const STATUS_MS = 3000;
const TICK_MS = 200;
const THINGS = 20;
/** So many messages of each queue have a row. */
const ROWS = 6;
const LINES = 20;
const MOVES = { "30 s": 30_000, "1 min": 60_000, "6 min": 360_000, "25 h": 90_000_000 };
const FAULTS = ["duplicate-delivery", "lost-response", "throttle", "fifo-quota", "stream-quota", "policy-delay"];

customElements.define(
  "lab-cloud",
  class extends HTMLElement {
    #status = { faults: [], roles: [] };
    #drawing = 0;
    #director = null;
    #told = 0;
    #drawn = [];
    #lists = new Map();

    async connectedCallback() {
      if (this.stage) return;
      this.stage = h("div.lab-stage");
      this.rest = h("div.lab-cloud");
      const list = (name, make) => {
        const items = h("ul.lab-things", { "aria-label": name });
        const none = h("p.lab-none", `no ${name.toLowerCase().slice(0, -1)}`);
        this.#lists.set(name.toLowerCase(), { items, none, make, pictures: new Map() });
        return h("section.lab-column", h("p.lab-head", name), items, none);
      };
      this.stage.append(
        h(
          "div.lab-cloud",
          list("Queues", (queue, timeline) => queuePicture(queue, timeline, ROWS)),
          list("Streams", streamPicture),
          list("Functions", functionPicture),
        ),
        this.rest,
      );
      await feed.found;
      if (!feed.origin) return;
      this.about = this.appendChild(h("p.lab-about"));
      const told = h("ol.lab-said");
      const voice = (this.voice = new Voice(told));
      this.querySelector(".lab-still")?.remove();
      this.append(this.#desk(), told, this.stage, voice.spoken);
      this.setAttribute("role", "group");
      this.setAttribute("aria-label", "The local cloud");
      feed.addEventListener("change", () => this.#update());
      feed.open();
      setInterval(() => this.#update(), TICK_MS);
      setInterval(() => document.hidden || this.#ask(), STATUS_MS);
      this.#ask();
    }

    /** The desk's controls. */
    #desk() {
      this.clock = h("output");
      this.waiting = h("span");
      this.problem = h("p", { role: "alert" });
      const moves = Object.entries(MOVES).map(([text, advance_ms]) =>
        button(`+ ${text}`, () => this.#ask("POST", "clock", { advance_ms })),
      );
      const kind = h(
        "select",
        FAULTS.map((kind) => h("option", kind)),
      );
      const target = h("input", { size: 14, placeholder: "any" });
      const times = h("input", { type: "number", min: 1, max: 100, value: 1 });
      const onsubmit = (event) => {
        event.preventDefault();
        this.#ask("POST", "faults", { kind: kind.value, target: target.value || null, count: Number(times.value) });
      };
      return h(
        "form.lab-controls",
        { onsubmit },
        h("span", "Clock ", this.clock),
        moves,
        h("label", "Fault ", kind),
        h("label", "for ", target),
        h("label", "times ", times),
        h("button", "Ask for it"),
        button("Clear", () => this.#ask("DELETE", "faults")),
        this.waiting,
        this.problem,
      );
    }

    /** Asks the desk for something, if anything, then how things are. */
    async #ask(method, path, body) {
      const ask = async (path, options) => {
        const answer = await fetch(`${feed.origin}/lab/${path}`, options);
        const json = await answer.json();
        if (!answer.ok) throw new Error(json.error);
        return json;
      };
      try {
        const headers = { "Content-Type": "application/json" };
        if (method) await ask(path, { method, headers, body: JSON.stringify(body) });
        this.#status = await ask("status");
        this.problem.textContent = "";
      } catch (error) {
        this.problem.textContent = `The desk didn't do it: ${error.message}`;
      }
      this.#update();
    }

    #update() {
      this.#drawing ||= requestAnimationFrame(() => this.#draw());
    }

    #draw() {
      this.#drawing = 0;
      const { timeline } = feed;
      if (!timeline) return;
      if (this.#director?.timeline !== timeline) {
        this.#director = new Director(timeline, true);
        this.#told = 0;
        for (const { pictures } of this.#lists.values()) {
          pictures.forEach(({ item }) => item.remove());
          pictures.clear();
        }
      }
      const time = this.#director.head;
      const count = timeline.landed(time);
      for (; this.#told < count; this.#told++) {
        if (count - this.#told > this.voice.most) continue;
        this.voice.say(sentence(timeline.cues[this.#told].event, timeline.cloud(this.#told + 1)));
      }
      const cloud = timeline.cloud(count);
      const moment = { timeline, time, cloud, count, now: timeline.clock(time) };
      for (const [name, list] of this.#lists) this.#drawList(list, cloud[name], moment);
      if (this.#drawn[0] !== count || this.#drawn[1] !== this.#status) this.#drawRest(cloud, count);
      const known = timeline.cues.length;
      timeline.trim(time);
      this.#told -= known - timeline.cues.length;
      this.#tick();
      if (time < timeline.end + TICK_MS) this.#update();
    }

    /** Each thing has a picture for as long as it is there. */
    #drawList({ items, none, make, pictures }, things, moment) {
      const there = [...things.values()].filter((thing) => !thing.deleted).slice(0, THINGS);
      none.hidden = there.length > 0;
      for (const [name, { item }] of pictures) {
        if (!there.some((thing) => thing.name === name)) item.remove(), pictures.delete(name);
      }
      for (const thing of there) {
        if (!pictures.has(thing.name)) {
          const picture = make(thing, moment.timeline);
          picture.item = items.appendChild(h("li", picture.element));
          pictures.set(thing.name, picture);
        }
        pictures.get(thing.name).draw(thing, moment);
      }
    }

    #drawRest(cloud, drawn) {
      this.#drawn = [drawn, this.#status];
      const { faults, roles } = this.#status;
      const fault = ({ kind, target, count: n }) => `${kind}${target ? ` for ${target}` : ""}, ${count(n, "time")}`;
      text(this.waiting, faults.length ? `Waiting to happen: ${faults.map(fault).join("; ")}` : "No fault waits.");
      const role = ({ name, policies }) => h("li", title(name, policies.length ? policies : ["may do nothing"]));
      const all = column("Roles", some(roles, THINGS, role), "no role", "lab-things");
      become(this.rest, h("div.lab-cloud", all, logTail(cloud.log.slice(-LINES))));
    }

    #tick() {
      text(
        this.about,
        feed.connected
          ? `Live from ${feed.origin}, about a second behind.`
          : `The desk at ${feed.origin} doesn't answer any more. This is what it told last.`,
      );
      const moved = this.#status.clock?.moved_ms;
      const time = new Date(feed.now()).toLocaleTimeString("en-GB");
      this.clock.textContent = `${time}${moved ? `, ${duration(moved)} ahead` : ""}`;
    }
  },
);
