// <lab-queue name="StandardQueue" run="receive">: messages that wait, that are in flight, and that are gone.

import { Figure, column, h, some, timer } from "./figure.js";
import { count, label, ordinal } from "./words.js";

/** So many are drawn; of the others there is a number. */
const MESSAGES = 30;
const LANES = 12;
const IN_A_LANE = 10;
const READERS = 6;
/** A reader that has asked within this time is still there, as far as anybody can see. In ms. */
const AWAY = 20_000;

customElements.define(
  "lab-queue",
  class extends Figure {
    word = "queue";

    concerns(event, queue) {
      if (!("queue" in event)) return false;
      return !queue || event.queue === queue.queue || event.queue === queue.dead_letter_queue;
    }

    picture(queue, cloud, now) {
      return queuePicture(queue, cloud, now);
    }
  },
);

export function queuePicture(queue, cloud, now) {
  const dead = cloud.queues.get(queue.dead_letter_queue);
  const counts = [
    `${queue.visible} visible`,
    queue.delayed && `${queue.delayed} delayed`,
    `${queue.in_flight} in flight`,
    `${queue.deletions} deleted`,
    queue.duplicates && `${count(queue.duplicates, "duplicate")} not added`,
    queue.refused && `${count(queue.refused, "call")} refused`,
    queue.deleted && "the queue is deleted",
  ];
  return h(
    "div",
    { class: `lab-queue${queue.deleted ? " lab-over" : ""}` },
    h("p", { class: "lab-title" }, h("b", null, queue.queue), " ", h("span", null, counts.filter(Boolean).join(", "))),
    h("div", { class: "lab-columns" }, queue.fifo ? lanes(queue, now) : [waiting(queue, now), flying(queue, now)], ended(queue, dead, now)),
  );
}

function waiting(queue, now) {
  const messages = [...queue.messages.values()].filter((message) => message.state !== "in-flight");
  // Of a long queue not all messages are known.
  const unknown = Math.max(0, queue.visible + queue.delayed - messages.length);
  const shown = some([...messages, ...Array(unknown)], MESSAGES, (message) => card(message, now));
  return column("In the queue", shown, "empty");
}

function flying(queue, now) {
  const readers = new Map();
  for (const [reader, at] of queue.readers) if (now - at < AWAY) readers.set(reader, []);
  for (const message of queue.messages.values()) {
    if (message.state !== "in-flight") continue;
    const reader = message.reader ?? "a reader";
    readers.set(reader, [...(readers.get(reader) ?? []), message]);
  }
  const boxes = some([...readers].sort(), READERS, ([reader, messages]) =>
    h(
      "li",
      { class: "lab-reader" },
      h("span", { class: "lab-name" }, reader),
      messages.length > 0
        ? h("ul", { class: "lab-cards", "aria-label": `in flight with ${reader}` }, some(messages, MESSAGES, (message) => card(message, now, queue)))
        : h("span", { class: "lab-none" }, "asks"),
    ),
  );
  return column("In flight", boxes, "nothing", "lab-readers");
}

function ended(queue, dead, now) {
  const gone = queue.gone.filter((message) => !(dead && message.state === "dead")).reverse();
  const words = { deleted: "deleted", expired: "expired", dead: "dead letter" };
  const cards = gone.map((message) => box(message, h("small", null, words[message.state])));
  return h(
    "div",
    null,
    column("Gone", cards, "nothing"),
    dead &&
      column(
        `Dead letters: ${dead.queue}`,
        some([...dead.messages.values()], MESSAGES, (message) => card(message, now, dead)),
        "none",
        "lab-cards lab-dead",
      ),
  );
}

/** A FIFO queue: a lane for each group, which a message in flight blocks. */
function lanes(queue, now) {
  const groups = new Map();
  for (const message of queue.messages.values()) groups.set(message.group, [...(groups.get(message.group) ?? []), message]);
  const rows = some([...groups], LANES, ([group, messages]) => {
    const flying = messages.filter((message) => message.state === "in-flight");
    const behind = messages.filter((message) => message.state !== "in-flight");
    const head = flying.map((message) => label(message.body)).join(", ");
    const state = !flying.length ? "free" : behind.length ? `blocked by ${head}` : `nothing behind ${head}`;
    return h(
      "li",
      { class: `lab-lane${flying.length && behind.length ? " lab-blocked" : ""}` },
      h("span", { class: "lab-name" }, `group ${group}`),
      state,
      h(
        "ul",
        { class: "lab-cards", "aria-label": `group ${group}` },
        flying.map((message) => card(message, now, queue, message.reader)),
        flying.length > 0 && behind.length > 0 && h("li", { class: "lab-gate" }, "must wait:"),
        some(behind, IN_A_LANE, (message) => card(message, now)),
      ),
    );
  });
  return column("Groups", rows, "no messages", "lab-lanes");
}

function card(message, now, queue, reader) {
  if (!message) return h("li", { class: "lab-card" }, "…");
  const { state, receives, until, since } = message;
  const total = until - (since ?? until - queue?.visibility_ms);
  return box(
    message,
    receives > 1 && state === "in-flight" && h("small", null, `${ordinal(receives)} time`),
    message.back && h("small", null, "came back"),
    message.from && state === "visible" && h("small", null, `from ${message.from}`),
    reader && h("small", null, reader),
    state === "in-flight" && timer(until, total, "coming back", now),
    state === "delayed" && h("small", null, "delayed"),
    state === "delayed" && timer(until, total, "arriving", now),
  );
}

function box(message, ...more) {
  const kind = message.back && message.state === "visible" ? "back" : message.state;
  return h(
    "li",
    { class: `lab-card lab-${kind}`, "data-key": message.message, title: message.body },
    h("b", null, label(message.body)),
    more,
  );
}
