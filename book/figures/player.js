// Plays what was recorded: a start and the events after it, at a pace that the eye can follow.

import { reduce } from "./store.js";

/** All events together take about this long, but none less or more than its bounds. In ms. */
const WHOLE = 30_000;
const SHORTEST = 40;
const SHORT = 900;
const LONGEST = 1800;

export class Player {
  playing = false;
  #start;
  #events;
  #concerns;
  #onchange;
  #pace;
  #next;
  #timer;
  /** The time by the recording's clock, and where it goes while the next event is awaited. */
  #from;
  #to;
  #begun;
  #lasts;

  /**
   * @param start the cloud before the first event
   * @param events in order
   * @param concerns whether an event is one to stop at
   * @param onchange called after each event that concerns, with the event, and when playing begins or ends
   */
  constructor(start, events, concerns, onchange) {
    this.#start = start;
    this.#events = events;
    this.#concerns = concerns;
    this.#onchange = onchange;
    this.#pace = Math.min(SHORT, Math.max(SHORTEST, WHOLE / this.length));
    this.restart();
  }

  /** How many events there are to see, and how many were seen. */
  get length() {
    return this.#events.filter(this.#concerns).length;
  }

  get position() {
    return this.#events.slice(0, this.#next).filter(this.#concerns).length;
  }

  get over() {
    return this.position === this.length;
  }

  /** The recording's clock, in ms. */
  now() {
    if (!this.playing) return this.#from;
    const part = Math.min(1, (performance.now() - this.#begun) / this.#lasts);
    return this.#from + part * (this.#to - this.#from);
  }

  restart() {
    this.pause();
    this.cloud = this.#start;
    this.#next = 0;
    this.#from = this.#start.at;
    this.#onchange();
  }

  /** Goes on to the next event that concerns. */
  step() {
    this.pause();
    this.#advance();
  }

  play() {
    this.playing = true;
    this.#wait();
    this.#onchange();
  }

  pause() {
    if (!this.playing) return;
    this.#from = this.now();
    this.playing = false;
    clearTimeout(this.#timer);
    this.#onchange();
  }

  #advance() {
    let event;
    do {
      event = this.#events[this.#next++];
      this.cloud = reduce(this.cloud, event);
    } while (!this.#concerns(event) && this.#next < this.#events.length);
    this.#from = event.at;
    this.#onchange(event);
  }

  #wait() {
    if (this.over) {
      this.playing = false;
      return;
    }
    const next = this.#events.slice(this.#next).find(this.#concerns);
    // When the clock is moved, its hands jump.
    this.#to = Math.max(this.#from, next.at - (next.moved_ms ?? 0));
    this.#lasts = Math.min(LONGEST, Math.max(this.#pace, this.#to - this.#from));
    this.#begun = performance.now();
    this.#timer = setTimeout(() => {
      this.#advance();
      this.#wait();
      if (this.over) this.#onchange();
    }, this.#lasts);
  }
}
