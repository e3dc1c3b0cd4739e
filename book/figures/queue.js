// <lab-queue name="StandardQueue" run="receive">: messages that wait, that are in flight, and that are gone.

import { column, h, some, timer, title } from "./draw.js";
import { Figure } from "./figure.js";
import { count, label } from "./words.js";

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
      return "queue" in event && (!queue || [queue.name, queue.dead_letter_queue].includes(event.queue));
    }

    picture(queue, cloud, now) {
      return queuePicture(queue, cloud, now);
    }
  },
);

export function queuePicture(queue, cloud, now) {
  const words = [
    `${queue.visible} visible`,
    queue.delayed && `${queue.delayed} delayed`,
    `${queue.in_flight} in flight`,
    `${queue.deletions} deleted`,
    queue.duplicates && `${count(queue.duplicates, "duplicate")} not added`,
    queue.refused && `${count(queue.refused, "call")} refused`,
    queue.deleted && "the queue is deleted",
  ];
  const dead = cloud.queues.get(queue.dead_letter_queue);
  const messages = [...queue.messages.values()];
  const flying = messages.filter(({ state }) => state === "in-flight");
  const others = messages.filter(({ state }) => state !== "in-flight");
  return h(
    "div.lab-queue",
    title(queue.name, words),
    h(
      "div.lab-columns",
      queue.fifo ? lanes(messages, now) : [waiting(queue, others, now), readers(queue, flying, now)],
      h("div", ended(queue, dead), dead && deadLetters(dead, now)),
    ),
  );
}

function waiting(queue, messages, now) {
  // Of a long queue not all messages are known.
  const unknown = Array(Math.max(0, queue.visible + queue.delayed - messages.length));
  return column(
    "In the queue",
    some([...messages, ...unknown], MESSAGES, (message) => card(message, now)),
    "empty",
  );
}

function readers(queue, flying, now) {
  const hold = new Map([...queue.readers].filter(([, at]) => now - at < AWAY).map(([reader]) => [reader, []]));
  for (const message of flying) {
    const reader = message.reader ?? "a reader";
    hold.set(reader, [...(hold.get(reader) ?? []), message]);
  }
  const cards = (reader, messages) => {
    const shown = some(messages, MESSAGES, (message) => card(message, now));
    return h("ul.lab-cards", { "aria-label": `in flight with ${reader}` }, shown);
  };
  const box = ([reader, messages]) =>
    h("li.lab-reader", h("span.lab-name", reader), messages.length ? cards(reader, messages) : h("span.lab-none", "asks"));
  return column("In flight", some([...hold].sort(), READERS, box), "nothing", "lab-readers");
}

function ended(queue, dead) {
  const gone = queue.gone.filter(({ state }) => !(dead && state === "dead")).reverse();
  return column(
    "Gone",
    gone.map((message) => box(message, [message.state === "dead" ? "dead letter" : message.state])),
    "nothing",
  );
}

function deadLetters(dead, now) {
  const cards = some([...dead.messages.values()], MESSAGES, (message) => card(message, now));
  return column(`Dead letters: ${dead.name}`, cards, "none", "lab-cards.lab-dead");
}

/** A FIFO queue: a lane for each group. What is behind a message in flight waits, what is before it does not. */
function lanes(messages, now) {
  const groups = Map.groupBy(messages, ({ group }) => group);
  const lane = ([group, messages]) => {
    const isFlying = ({ state }) => state === "in-flight";
    const first = messages.findIndex(isFlying);
    const before = first < 0 ? [] : messages.slice(0, first);
    const rest = messages.slice(before.length);
    const flying = rest.filter(isFlying);
    const behind = rest.filter((message) => !isFlying(message));
    const head = flying.map(({ body }) => label(body)).join(", ");
    const blocked = head && behind.length > 0;
    return h(
      `li.lab-lane${blocked ? ".lab-blocked" : ""}`,
      h("span.lab-name", `group ${group}`),
      blocked ? ` blocked by ${head}` : head ? ` nothing behind ${head}` : " free",
      h(
        "ul.lab-cards",
        { "aria-label": `group ${group}` },
        before.map((message) => card(message, now)),
        flying.map((message) => card(message, now, message.reader)),
        blocked && h("li.lab-gate", "must wait:"),
        some(behind, IN_A_LANE, (message) => card(message, now)),
      ),
    );
  };
  return column("Groups", some([...groups], LANES, lane), "no messages", "lab-lanes");
}

function card(message, now, reader) {
  if (!message) return h("li.lab-card", "…");
  const { state, receives, until, since, from, back } = message;
  const flies = state === "in-flight";
  const over = { "in-flight": "coming back", delayed: "arriving" }[state];
  return box(
    message,
    [
      flies && receives > 1 && `delivery ${receives}`,
      back && "came back",
      from && state === "visible" && `from ${from}`,
      reader,
      state === "delayed" && "delayed",
    ],
    // Of a message that was in flight before the feed was opened, nobody knows since when.
    over && timer(until, until - (since ?? now), over, now),
  );
}

function box(message, words, timer) {
  const kind = message.back && message.state === "visible" ? "back" : message.state;
  return h(
    `li.lab-card.lab-${kind}`,
    { "data-key": message.message, title: message.body },
    h("b", label(message.body)),
    words.filter(Boolean).map((word) => [" ", h("small", word)]),
    " ",
    timer,
  );
}
