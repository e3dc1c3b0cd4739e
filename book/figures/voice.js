// Says what happens: the last sentences for the eye, and now and then one for a screen reader.

import { h, isStill } from "./draw.js";

const SENTENCES = 3;
/** Who wants no motion gets a list of steps. */
const STEPS = 6;
/** A screen reader is told something no more often than this. In ms. */
const SPEAK_MS = 4000;

export class Voice {
  /** For a screen reader; belongs into the page. */
  spoken = h("p.lab-spoken", { "aria-live": "polite" });
  #list;
  #shown = [];
  #last = -SPEAK_MS;
  #waiting;

  constructor(list) {
    this.#list = list;
    list.classList.toggle("lab-steps", isStill());
  }

  /** How many sentences there is room for. */
  get most() {
    return isStill() ? STEPS : SENTENCES;
  }

  /** Shows these sentences, each of which is an object with `said`; the newest is the last one. */
  show(sentences, atOnce) {
    const newest = sentences.at(-1);
    const old = this.#shown;
    if (newest === old.at(-1) && sentences.length === old.length) return;
    const lines = new Map(old.map((sentence, i) => [sentence, this.#list.children[i]]));
    this.#list.replaceChildren(...sentences.map((sentence) => lines.get(sentence) ?? h("li", sentence.said)));
    this.#shown = sentences;
    if (!newest) return;
    clearTimeout(this.#waiting);
    const wait = atOnce ? 0 : this.#last + SPEAK_MS - performance.now();
    this.#waiting = setTimeout(() => {
      this.#last = performance.now();
      this.spoken.textContent = newest.said;
    }, wait);
  }

  say(said) {
    if (said) this.show([...this.#shown, { said }].slice(-this.most));
  }

  clear() {
    clearTimeout(this.#waiting);
    this.#shown = [];
    this.#list.replaceChildren();
  }
}
