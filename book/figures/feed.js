// The one feed that all figures of a page share: what happens in the local cloud that runs on this machine.

import { Timeline } from "./director.js";
import { nothing, reduce } from "./store.js";

/** Where the local cloud is unless the desk has served this page. */
const USUAL = "http://127.0.0.1:4566";
const TRY_AGAIN_MS = 5000;

class Feed extends EventTarget {
  /** Where the desk is; null as long as none has answered. */
  origin = null;
  /** What the local cloud holds; null before the feed's first event. */
  cloud = null;
  /** Whether the feed is open. */
  connected = false;
  /** What happens, each at its time on the stage. */
  timeline = null;
  /** Settles when it is known whether there is a desk. */
  found = this.#find();
  #ahead = 0;
  #source = null;
  #last = null;

  /** The time on the local cloud's clock, in ms. */
  now() {
    return performance.now() + this.#ahead;
  }

  /** Opens the feed if there is a desk, and again whenever this page is looked at. */
  async open() {
    await this.found;
    if (!this.origin || this.#source) return;
    this.#listen();
    // A browser has only six connections to a desk: pages that nobody looks at leave them to others.
    document.addEventListener("visibilitychange", () => {
      this.#source.close();
      if (!document.hidden) this.#listen();
    });
  }

  async #find() {
    if (window.lab) this.origin = window.lab.origin;
    // Pages from elsewhere have no business with this machine.
    else if (["localhost", "127.0.0.1", "[::1]"].includes(location.hostname)) {
      const answer = await fetch(`${USUAL}/lab/health`).catch(() => null);
      if (answer?.ok) this.origin = USUAL;
    }
  }

  #listen() {
    const after = this.#last ? `?after=${this.#last}` : "";
    const source = new EventSource(`${this.origin}/lab/events${after}`);
    source.onopen = () => this.#connect(true);
    source.onerror = () => {
      this.#connect(false);
      if (source.readyState === EventSource.CLOSED) {
        setTimeout(() => this.#source === source && !document.hidden && this.#listen(), TRY_AGAIN_MS);
      }
    };
    source.onmessage = ({ lastEventId, data }) => {
      this.#last = lastEventId;
      this.#take(JSON.parse(data));
    };
    this.#source = source;
  }

  #connect(connected) {
    this.connected = connected;
    this.dispatchEvent(new Event("change"));
  }

  #take(event) {
    const now = performance.now();
    const ahead = event.at - now;
    if (event.kind === "state") {
      this.cloud = reduce(nothing, event);
      this.timeline = new Timeline(this.cloud, now);
      this.#ahead = ahead;
    } else {
      this.cloud = reduce(this.cloud, event);
      this.timeline.push(event, now);
      // The clock never goes back; an event that is late says nothing about it.
      this.#ahead = Math.max(this.#ahead, ahead);
    }
    this.dispatchEvent(new CustomEvent("change", { detail: event }));
  }
}

export const feed = new Feed();
