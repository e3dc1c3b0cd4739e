// <lab-cloud>: the whole local cloud on one page, with its clock and its faults. Without a desk there is nothing to show.

import { feed } from "./feed.js";
import { TICK_MS, Voice, column, h, replace, some, tickTimers } from "./figure.js";
import { functionPicture, logTail } from "./function.js";
import { queuePicture } from "./queue.js";
import { streamPicture } from "./stream.js";
import { count, duration, sentence } from "./words.js";

/** What the feed doesn't tell is asked for this often, in ms. */
const STATUS_MS = 3000;
const THINGS = 20;
const LINES = 20;
const MOVES = { "30 s": 30_000, "1 min": 60_000, "6 min": 360_000, "25 h": 90_000_000 };
const FAULTS = ["duplicate-delivery", "lost-response", "throttle", "fifo-quota", "policy-delay"];

customElements.define(
  "lab-cloud",
  class extends HTMLElement {
    #status = { faults: [], roles: [] };
    #drawing = 0;

    async connectedCallback() {
      if (this.stage) return;
      this.about = this.appendChild(h("p", { class: "lab-about" }, "Looking for the local cloud …"));
      this.stage = h("div", { class: "lab-stage" });
      await feed.found;
      if (!feed.origin) {
        this.about.replaceChildren("No desk answers. Start it with ", h("code", null, "cargo run"), " and load this page again.");
        return;
      }
      const told = h("ol", { class: "lab-said" });
      const spoken = h("p", { class: "lab-spoken", "aria-live": "polite" });
      this.voice = new Voice(told, spoken);
      this.querySelector(".lab-still")?.remove();
      this.append(this.#desk(), told, this.stage, spoken);
      this.setAttribute("role", "group");
      this.setAttribute("aria-label", "The local cloud");
      feed.addEventListener("change", ({ detail }) => {
        if (detail) this.voice.say(sentence(detail, feed.cloud));
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
      const moves = Object.entries(MOVES).map(([text, ms]) =>
        h("button", { type: "button", onclick: () => this.#ask("POST", "clock", { advance_ms: ms }) }, `+ ${text}`),
      );
      const kind = h("select", { name: "kind" }, FAULTS.map((kind) => h("option", null, kind)));
      const target = h("input", { name: "target", size: 14, placeholder: "any" });
      const times = h("input", { name: "count", type: "number", min: 1, max: 100, value: 1 });
      const fault = h(
        "form",
        {
          onsubmit: (event) => {
            event.preventDefault();
            this.#ask("POST", "faults", { kind: kind.value, target: target.value || null, count: Number(times.value) });
          },
        },
        h("label", null, "Fault ", kind),
        h("label", null, "for ", target),
        h("label", null, "times ", times),
        h("button", null, "Ask for it"),
        h("button", { type: "button", onclick: () => this.#ask("DELETE", "faults") }, "Clear"),
        this.waiting,
      );
      return h("div", { class: "lab-desk lab-controls" }, h("div", null, "Clock ", this.clock, moves), fault, this.problem);
    }

    /** Asks the desk for something, then how things are. */
    async #ask(method, what, body) {
      const ask = async (path, options) => {
        const answer = await fetch(`${feed.origin}/lab/${path}`, options);
        const json = await answer.json();
        if (!answer.ok) throw new Error(json.error);
        return json;
      };
      try {
        if (method) {
          const headers = { "Content-Type": "application/json" };
          await ask(what, { method, headers, body: body && JSON.stringify(body) });
        }
        this.#status = await ask("status");
        this.problem.textContent = "";
      } catch (error) {
        this.problem.textContent = `The desk didn't do it: ${error.message}`;
      }
      this.#update();
    }

    #update() {
      if (!this.#drawing) this.#drawing = requestAnimationFrame(() => this.#draw());
    }

    #draw() {
      this.#drawing = 0;
      if (!feed.cloud) return;
      const { cloud } = feed;
      const now = feed.now();
      this.about.textContent = feed.connected
        ? `Live from ${feed.origin}.`
        : `The desk at ${feed.origin} doesn't answer any more. This is what it told last.`;
      const { faults, roles } = this.#status;
      const fault = ({ kind, target, count: times }) => `${kind}${target ? ` for ${target}` : ""}, ${count(times, "time")}`;
      this.waiting.textContent = faults.length ? `Waiting to happen: ${faults.map(fault).join("; ")}` : "No fault waits.";
      const there = (things) => [...things.values()].filter((thing) => !thing.deleted);
      const list = (title, things, draw, none) =>
        column(title, some(things, THINGS, (thing) => h("li", null, draw(thing))), none, "lab-things");
      const role = ({ name, policies }) => [h("b", null, name), " ", h("small", null, policies.join(", ") || "may do nothing")];
      replace(
        this.stage,
        h(
          "div",
          { class: "lab-cloud" },
          list("Queues", there(cloud.queues), (queue) => queuePicture(queue, cloud, now), "no queue"),
          list("Streams", there(cloud.streams), streamPicture, "no stream"),
          list("Functions", there(cloud.functions), (it) => functionPicture(it, cloud, now), "no function"),
          list("Roles", roles, role, "no role"),
          h("section", { class: "lab-column" }, h("p", { class: "lab-head" }, "Log"), logTail(cloud.log.slice(-LINES))),
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
