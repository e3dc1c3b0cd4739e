// <lab-queue name="StandardQueue" run="receive">: each message on its way from the sender to a slot in the queue, to its
// receiver, and from there away, back, or to the dead letters.

import { Plan, distance, ease, geometry, seen } from "./director.js";
import { become, h, isStill, style, text, title } from "./draw.js";
import { Figure } from "./figure.js";
import { count, duration, label } from "./words.js";

/** So many messages have a row; of the others there is a number. */
const ROWS = 12;
/** A reader that has asked within this time is still there, as far as anybody can see. In ms. */
const AWAY = 20_000;
const SECOND = 1000;

customElements.define(
  "lab-queue",
  class extends Figure {
    word = "queue";

    concerns(event, queue) {
      return "queue" in event && (!queue || [queue.name, queue.dead_letter_queue].includes(event.queue));
    }

    picture(queue, timeline) {
      return queuePicture(queue, timeline, ROWS);
    }
  },
);

/** A picture of a queue: its `element`, and `draw` to bring it up to date. */
export function queuePicture(queue, timeline, rows) {
  let plan = new Plan(queue.name, rows).begin(timeline);
  const [head, places] = [h("div"), h("div.lab-zones")];
  const list = h("ul.lab-messages", { "aria-label": `messages of ${queue.name}` });
  const board = h("div.lab-board", { style: `--rows: ${rows}` }, places, list);
  const cards = new Map();
  let drawn = [];

  function draw(queue, moment) {
    const { time, cloud, count, now } = moment;
    plan = plan.follow(timeline);
    const dead = plan.dead && cloud.queues.get(plan.dead);
    const zones = geometry(plan);
    const at = new Map();
    for (const card of plan.cards) {
      const place = seen(card, time);
      if (place) at.set(card, place);
    }
    for (const [card, { element }] of cards) if (!at.has(card)) element.remove(), cards.delete(card);
    const second = Math.ceil(now / 250);
    if (drawn[0] !== count || drawn[1] !== second || drawn[2] !== plan) {
      drawn = [count, second, plan];
      become(head, h("div", title(queue.name, words(queue))));
      become(places, h("div.lab-zones", zoneElements(plan, zones, queue, dead, at, moment), bands(plan, queue)));
    }
    style(board, "--w", String(zones.width));
    const waits = queue.fifo ? waiting(queue) : new Set();
    for (const [card, place] of at) {
      if (!cards.has(card)) {
        cards.set(card, newCard(card));
        list.append(cards.get(card).element);
      }
      move(cards.get(card), place, zones);
      dress(cards.get(card), place, now, waits.has(card.id));
    }
  }

  return { element: h("div.lab-queue", head, board), draw };
}

function words(queue) {
  return [
    `${queue.visible} visible`,
    queue.delayed && `${queue.delayed} delayed`,
    `${queue.in_flight} in flight`,
    `${queue.deletions} deleted`,
    queue.duplicates && `${count(queue.duplicates, "duplicate")} not added`,
    queue.refused && `${count(queue.refused, "call")} refused`,
    queue.deleted && "the queue is deleted",
  ];
}

function zoneElements(plan, zones, queue, dead, at, { time, now, cloud }) {
  const inQueue = [...at.values()].filter(({ now }) => now.place === "queue").length;
  const lately = (times) => times.filter((t) => t > time - SECOND && t <= time).length;
  const zone = (name, head, ...below) =>
    h(
      `div.lab-zone.lab-at-${name.split(" ")[0]}${below.includes("away") ? ".lab-away" : ""}`,
      { "data-key": name, style: `left: ${zones[name][0]}%; width: ${zones[name][1]}%` },
      h("p.lab-head", { title: head }, head),
      h("p.lab-below", below.filter(Boolean).join(", ")),
    );
  const rate = lately(plan.sends);
  const counted = lately(plan.skipped);
  const heap = Math.max(0, queue.visible + queue.delayed - inQueue);
  const readers = Object.keys(zones)
    .filter((name) => name.startsWith("reader "))
    .map((name) => {
      const stays = plan.places[name.split(" ")[1]] ?? [];
      const stay = stays.findLast(({ from }) => from <= time);
      if (!stay) return zone(name, name === "reader 0" ? "Receivers" : "", "");
      const holds = [...queue.messages.values()].filter((one) => one.state === "in-flight" && one.reader === stay.reader).length;
      const last = Math.max(...[queue, dead].map((queue) => queue?.readers.get(stay.reader) ?? -Infinity));
      const is = holds ? `holds ${holds}` : now - last < AWAY ? "asks" : "away";
      return zone(name, stay.reader, is);
    });
  return [
    zone("sender", "Sender", rate > 0 && `${rate} a second`, counted > 0 && `${rate - counted} drawn`),
    zone("queue", "In the queue", heap ? `+ ${heap} more` : queue.visible + queue.delayed === 0 && "empty"),
    readers,
    zone("gone", "Gone", queue.deletions > 0 && `${queue.deletions} deleted`),
    plan.dead && zone("dead", "Dead letters", dead ? `${dead.visible + dead.in_flight} in ${dead.name}` : ""),
  ].flat();
}

/** The messages that wait because an earlier one of their group is in flight. */
function waiting({ messages }) {
  const [flying, waits] = [new Set(), new Set()];
  for (const { message, group, state } of messages.values()) {
    if (state === "in-flight") flying.add(group);
    else if (flying.has(group)) waits.add(message);
  }
  return waits;
}

/** A FIFO queue: a lane for each group. What is behind a message in flight waits, what is before it does not. */
function bands(plan, queue) {
  if (!queue.fifo) return [];
  const waits = waiting(queue);
  return plan.groups.map((group) => {
    const [first, size] = plan.band(group);
    if (!size) return [];
    const messages = [...queue.messages.values()].filter((message) => message.group === group);
    const head = messages.filter(({ state }) => state === "in-flight").map(({ body }) => label(body));
    const blocked = messages.some(({ message }) => waits.has(message));
    const is = !messages.length ? "empty" : blocked ? "blocked by" : head.length ? "nothing behind" : "free";
    return h(
      `div.lab-band${blocked ? ".lab-blocked" : ""}`,
      { "data-key": `band ${group}`, style: `--from: ${first - 1}; --size: ${size + 1}` },
      h("b", `group ${group}`),
      ` ${is} ${head.join(", ")}`,
    );
  });
}

function newCard({ key, body, row }) {
  const [words, timer, place] = [h("small"), h("span.lab-timer"), h("span.lab-spoken")];
  // Where there is no room, the number is enough.
  const [, word, number] = /^(\D+ )?(.*)$/.exec(label(body));
  const name = h("b", word && h("span.lab-word", word), number);
  const element = h("li.lab-card", { "data-key": key, title: body }, name, " ", words, " ", timer, " ", place);
  style(element, "--y", String(row));
  return { element, words, timer, place };
}

function move({ element }, place, zones) {
  const done = isStill() ? Math.floor(place.part) : ease(place.part);
  style(element, "--x", distance(place, zones, done).toFixed(2));
}

const SPOKEN = { sender: "with the sender", queue: "in the queue", gone: "gone", dead: "among the dead letters" };

/** What a card says. On its way it says what it said before: it is not there yet. */
function dress({ element, words, timer, place }, { now: visit, part }, now, waits) {
  const { state, receives, until, since, back } = visit;
  const flies = state === "in-flight";
  const kind = back && state === "visible" ? "back" : visit.place === "dead" && !flies ? "letter" : state;
  const name = `lab-card lab-${kind}${part < 1 ? " lab-moves" : ""}`;
  if (element.className !== name) element.className = name;
  if (element.dataset.place !== visit.place) element.dataset.place = visit.place;
  const often = receives > (back || visit.place === "dead" ? 0 : 1) && visit.place !== "gone" ? `×${receives}` : "";
  text(words, [back && !flies && visit.place === "queue" && "back", often, waits && "waits"].filter(Boolean).join(" "));
  text(place, SPOKEN[visit.place] ?? "in flight");
  const left = until === undefined ? 0 : Math.max(0, until - now);
  text(timer, until === undefined ? "" : left ? duration(Math.ceil(left / 1000) * 1000) : "0 s");
  const total = until - (since ?? now);
  style(timer, "--left", until === undefined ? "0" : Math.min(1, left / Math.max(1, total)).toFixed(2));
}
