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
  /** After which events to stop: how many events each time. */
  #stops;
  #onchange;
  #next;
  #timer;
  /** The time by the recording's clock, and where it goes while the next stop is awaited. */
  #from;
  #to;
  #begun;
  #lasts;

  /**
   * @param start the cloud before the first event
   * @param events in order
   * @param concerns whether an event is one to stop at
   * @param onchange called at each stop, with its event, and when playing begins or ends
   */
  constructor(start, events, concerns, onchange) {
    this.#start = start;
    this.#events = events;
    this.#stops = events.flatMap((event, i) => (concerns(event) ? [i + 1] : []));
    this.#onchange = onchange;
    this.restart();
  }

  /** How many stops there are, and how many there were. */
  get length() {
    return this.#stops.length;
  }

  get position() {
    return this.#stops.filter((stop) => stop <= this.#next).length;
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

  /** Goes to the next stop. */
  #advance() {
    const stop = this.#stops[this.position];
    this.cloud = this.#events.slice(this.#next, stop).reduce(reduce, this.cloud);
    this.#next = stop;
    const event = this.#events[stop - 1];
    this.#from = event.at;
    this.#onchange(event);
  }

  #wait() {
    this.playing = !this.over;
    if (this.over) return this.#onchange();
    const event = this.#events[this.#stops[this.position] - 1];
    // When the clock is moved, its hands jump.
    this.#to = Math.max(this.#from, event.at - (event.moved_ms ?? 0));
    const pace = Math.min(SHORT, Math.max(SHORTEST, WHOLE / this.length));
    this.#lasts = Math.min(LONGEST, Math.max(pace, this.#to - this.#from));
    this.#begun = performance.now();
    this.#timer = setTimeout(() => {
      this.#advance();
      this.#wait();
    }, this.#lasts);
  }
}
