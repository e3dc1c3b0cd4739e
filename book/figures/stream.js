// <lab-stream name="KinesisStream" run="put">: shards as ranges of hash keys, the records in them, and how far each reader is.

import { Figure, h, some } from "./figure.js";
import { behind, isAfter } from "./store.js";
import { count, duration, label, number } from "./words.js";

const SHARDS = 12;
/** Of each shard the last records are drawn, as many as fit into so many letters. */
const LETTERS = 100;
const LETTERS_OF_MANY = 40;
const MANY = 5;
/** Hash keys are numbers of 128 bits. */
const ALL_KEYS = 2n ** 128n;

customElements.define(
  "lab-stream",
  class extends Figure {
    word = "stream";

    concerns(event, stream) {
      if (!("stream" in event) || (event.kind === "got" && !event.records)) return false;
      return !stream || event.stream === stream.stream;
    }

    picture(stream) {
      return streamPicture(stream);
    }
  },
);

export function streamPicture(stream) {
  const shards = [...stream.shards.values()];
  const open = shards.filter((shard) => shard.open).length;
  const words = [
    open === shards.length ? count(open, "shard") : `${open} of ${shards.length} shards open`,
    stream.consumers.length && `consumers: ${stream.consumers.join(", ")}`,
    stream.deleted && "the stream is deleted",
  ];
  return h(
    "div",
    { class: `lab-stream${stream.deleted ? " lab-over" : ""}` },
    h("p", { class: "lab-title" }, h("b", null, stream.stream), " ", h("span", null, words.filter(Boolean).join(", "))),
    shards.length > 1 && map(stream),
    h("ul", { class: "lab-shards", "aria-label": "shards" }, some(shards, SHARDS, (shard) => row(shard, shards.length < MANY ? LETTERS : LETTERS_OF_MANY))),
  );
}

/** All shards by their hash keys, from left to right; below each one its children. */
function map(stream) {
  const generations = [];
  const depths = new Map();
  for (const shard of stream.shards.values()) {
    const depth = Math.max(0, ...(shard.parents ?? []).map((parent) => (depths.get(parent) ?? -1) + 1));
    depths.set(shard.shard, depth);
    (generations[depth] ??= []).push(shard);
  }
  const most = Math.max(1, ...[...stream.shards.values()].map(({ puts }) => puts));
  const percent = (key) => Number((BigInt(key) * 10_000n) / ALL_KEYS) / 100;
  const cell = (shard) => {
    const left = percent(shard.from);
    const width = percent(shard.to) - left;
    return h(
      "li",
      { class: `lab-range${shard.open ? "" : " lab-closed"}`, style: `left: ${left}%; width: ${width}%; --full: ${shard.puts / most}` },
      h("b", null, number(shard.shard)),
      h("small", null, shard.open ? shard.puts : `${shard.puts} closed`),
    );
  };
  return h(
    "div",
    { class: "lab-map" },
    generations.map((shards) => h("ul", { "aria-label": "ranges of hash keys" }, shards.map(cell))),
    h("p", { class: "lab-axis" }, h("span", null, "hash key 00…"), h("span", null, "ff…")),
  );
}

function row(shard, room) {
  const words = [
    shard.open ? "" : "closed",
    `hash keys ${digits(shard.from)}… to ${digits(shard.to)}…`,
    count(shard.puts, "record"),
  ];
  const refusals = [
    shard.refusedPuts && `${count(shard.refusedPuts, "put")} refused`,
    shard.refusedReads && `${count(shard.refusedReads, "read")} refused`,
  ].filter(Boolean);
  return h(
    "li",
    { class: `lab-shard${shard.open ? "" : " lab-closed"}` },
    h(
      "p",
      { class: "lab-head" },
      h("b", null, `shard ${number(shard.shard)}`),
      ` ${words.filter(Boolean).join(", ")} `,
      refusals.length > 0 && h("span", { class: "lab-refused" }, refusals.join(", ")),
    ),
    h("ol", { class: "lab-log", "aria-label": `records of shard ${number(shard.shard)}` }, log(shard, room)),
  );
}

/** The last records of a shard, and each reader behind the last one that it has read. */
function log(shard, room) {
  let letters = 0;
  const shown = shard.records.toReversed().filter((record) => (letters += label(record.data).length + 2) < room).reverse();
  const readers = [...shard.readers].map(([name, reader]) => ({ name, ...reader }));
  const at = (sequence) => readers.filter(({ position }) => position === sequence).map((reader) => mark(shard, reader));
  const first = shown[0]?.sequence;
  const before = readers.filter(({ position }) => !position || !first || isAfter(first, position));
  const earlier = shard.puts - shown.length;
  return [
    earlier > 0 && h("li", { class: "lab-more" }, `${earlier} earlier`),
    before.map((reader) => mark(shard, reader)),
    shown.map((record) => [
      h(
        "li",
        { class: "lab-record", "data-key": record.sequence, title: `key ${record.key}: ${record.data}` },
        label(record.data),
      ),
      at(record.sequence),
    ]),
  ];
}

function mark(shard, { name, position, behind_ms }) {
  const missing = behind(shard, position);
  const age = missing && behind_ms ? `, ${duration(behind_ms)}` : "";
  return h(
    "li",
    { class: "lab-mark", "data-key": `${shard.shard} ${name}` },
    `${name} `,
    h("small", null, missing ? `${missing} behind${age}` : "at the end"),
  );
}

/** The first two hexadecimal digits of a hash key. */
function digits(key) {
  return BigInt(key).toString(16).padStart(32, "0").slice(0, 2);
}
