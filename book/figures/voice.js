// Says what happens: the last sentences for the eye, and now and then one for a screen reader.

import { h } from "./draw.js";

const SENTENCES = 3;
/** A screen reader is told something no more often than this. In ms. */
const SPEAK_MS = 4000;

export class Voice {
  /** For a screen reader; belongs into the page. */
  spoken = h("p.lab-spoken", { "aria-live": "polite" });
  #list;
  #last = -SPEAK_MS;
  #waiting;

  constructor(list) {
    this.#list = list;
  }

  say(sentence, atOnce) {
    if (!sentence) return;
    this.#list.append(h("li", sentence));
    if (this.#list.children.length > SENTENCES) this.#list.firstElementChild.remove();
    clearTimeout(this.#waiting);
    const wait = atOnce ? 0 : this.#last + SPEAK_MS - performance.now();
    this.#waiting = setTimeout(() => {
      this.#last = performance.now();
      this.spoken.textContent = sentence;
    }, wait);
  }

  clear() {
    clearTimeout(this.#waiting);
    this.#list.replaceChildren();
  }
}
