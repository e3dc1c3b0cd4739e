// <lab-cloud>: the whole local cloud on one page, with its clock and its faults. Without a desk there is nothing to show.

import { button, column, h, replace, some, tickTimers, title } from "./draw.js";
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
const LINES = 20;
const MOVES = { "30 s": 30_000, "1 min": 60_000, "6 min": 360_000, "25 h": 90_000_000 };
const FAULTS = ["duplicate-delivery", "lost-response", "throttle", "fifo-quota", "stream-quota", "policy-delay"];

customElements.define(
  "lab-cloud",
  class extends HTMLElement {
    #status = { faults: [], roles: [] };
    #drawing = 0;

    async connectedCallback() {
      if (this.stage) return;
      this.stage = h("div.lab-stage");
      await feed.found;
      if (!feed.origin) return;
      this.about = this.appendChild(h("p.lab-about"));
      const told = h("ol.lab-said");
      const voice = new Voice(told);
      this.querySelector(".lab-still")?.remove();
      this.append(this.#desk(), told, this.stage, voice.spoken);
      this.setAttribute("role", "group");
      this.setAttribute("aria-label", "The local cloud");
      feed.addEventListener("change", ({ detail }) => {
        if (detail) voice.say(sentence(detail, feed.cloud));
        this.#update();
      });
      feed.open();
      setInterval(() => this.#tick(), TICK_MS);
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
      const { cloud } = feed;
      if (!cloud) return;
      const now = feed.now();
      const { faults, roles } = this.#status;
      this.about.textContent = feed.connected
        ? `Live from ${feed.origin}.`
        : `The desk at ${feed.origin} doesn't answer any more. This is what it told last.`;
      const fault = ({ kind, target, count: n }) => `${kind}${target ? ` for ${target}` : ""}, ${count(n, "time")}`;
      this.waiting.textContent = faults.length ? `Waiting to happen: ${faults.map(fault).join("; ")}` : "No fault waits.";
      const list = (name, things, draw, none) => {
        const there = [...things.values()].filter((thing) => !thing.deleted);
        return column(
          name,
          some(there, THINGS, (thing) => h("li", draw(thing))),
          none,
          "lab-things",
        );
      };
      const role = ({ name, policies }) => title(name, policies.length ? policies : ["may do nothing"]);
      replace(
        this.stage,
        h(
          "div.lab-cloud",
          list("Queues", cloud.queues, (queue) => queuePicture(queue, cloud, now), "no queue"),
          list("Streams", cloud.streams, streamPicture, "no stream"),
          list("Functions", cloud.functions, (it) => functionPicture(it, cloud, now), "no function"),
          list("Roles", roles, role, "no role"),
          logTail(cloud.log.slice(-LINES)),
        ),
      );
      this.#tick();
    }

    #tick() {
      tickTimers(this.stage, feed.now());
      const moved = this.#status.clock?.moved_ms;
      const time = new Date(feed.now()).toLocaleTimeString("en-GB");
      this.clock.textContent = `${time}${moved ? `, ${duration(moved)} ahead` : ""}`;
    }
  },
);
