// <lab-stream name="KinesisStream" run="put">: shards as ranges of hash keys, the records in them, and how far each reader is.

import { h, some, title } from "./draw.js";
import { Figure } from "./figure.js";
import { behind, isAfter } from "./store.js";
import { count, duration, number, recordLabel } from "./words.js";

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
      const idle = event.kind === "got" && !event.records;
      return "stream" in event && !idle && (!stream || event.stream === stream.name);
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
    stream.consumers.length > 0 && `consumers: ${stream.consumers.join(", ")}`,
    stream.older && "with older records",
    stream.deleted && "the stream is deleted",
  ];
  const room = shards.length < MANY ? LETTERS : LETTERS_OF_MANY;
  return h(
    "div.lab-stream",
    title(stream.name, words),
    shards.length > 1 && map(shards),
    h(
      "ul.lab-shards",
      { "aria-label": "shards" },
      some(shards, SHARDS, (shard) => row(shard, room)),
    ),
  );
}

/** All shards by their hash keys, from left to right; below each one its children. */
function map(shards) {
  const depths = new Map();
  for (const { shard, parents } of shards) {
    depths.set(shard, Math.max(0, ...parents.map((parent) => (depths.get(parent) ?? -1) + 1)));
  }
  const generations = Map.groupBy(shards, ({ shard }) => depths.get(shard));
  const most = Math.max(1, ...shards.map(({ puts }) => puts));
  const percent = (key) => Number((BigInt(key) * 10_000n) / ALL_KEYS) / 100;
  const range = ({ shard, from, to, open, puts }) => {
    const left = percent(from);
    const style = `left: ${left}%; width: ${percent(to) - left}%; --full: ${puts / most}`;
    return h(
      `li.lab-range${open ? "" : ".lab-closed"}`,
      { style },
      h("b", number(shard)),
      " ",
      h("small", `${puts}${open ? "" : " closed"}`),
    );
  };
  return h(
    "div.lab-map",
    [...generations.values()].map((shards) => h("ul", { "aria-label": "ranges of hash keys" }, shards.map(range))),
    h("p.lab-axis", h("span", "hash key 00…"), h("span", "ff…")),
  );
}

function row(shard, room) {
  const name = `shard ${number(shard.shard)}`;
  const keys = `hash keys ${digits(shard.from)}… to ${digits(shard.to)}…`;
  const refused = [
    shard.refusedPuts && `${count(shard.refusedPuts, "put")} refused`,
    shard.refusedReads && `${count(shard.refusedReads, "read")} refused`,
  ].filter(Boolean);
  return h(
    `li.lab-shard${shard.open ? "" : ".lab-closed"}`,
    h("b", name),
    ` ${shard.open ? "" : "closed, "}${keys}, ${count(shard.puts, "record")} `,
    refused.length > 0 && h("span.lab-refused", refused.join(", ")),
    h("ol.lab-log", { "aria-label": `records of ${name}` }, log(shard, room)),
  );
}

/** The last records of a shard, and each reader behind the last one that it has read. */
function log(shard, room) {
  const fits = (record) => (room -= recordLabel(record).length + 2) > 0;
  const shown = shard.records.toReversed().filter(fits).reverse();
  const readers = [...shard.readers.values()];
  const marks = (those) => readers.filter(those).map((reader) => mark(shard, reader));
  const earlier = shard.puts - shown.length;
  const record = ({ sequence, key, data, ...rest }) =>
    h("li.lab-record", { "data-key": sequence, title: `key ${key}: ${data}` }, recordLabel({ key, data, ...rest }));
  return [
    earlier > 0 && h("li.lab-more", `${earlier} earlier`),
    marks(({ position }) => !shown.length || isAfter(shown[0].sequence, position)),
    shown.map((one) => [record(one), marks(({ position }) => position === one.sequence)]),
  ];
}

function mark(shard, { name, position, behind_ms, got }) {
  const missing = behind(shard, position);
  const age = behind_ms ? `, ${duration(behind_ms)}` : "";
  const place = missing ? `${missing} behind${age}` : "at the end";
  return h(
    "li.lab-mark",
    { "data-key": `${shard.shard} ${name}` },
    `${name} `,
    h("small", got ? `got ${got}, ${place}` : place),
  );
}

/** The first two hexadecimal digits of a hash key. */
function digits(key) {
  return BigInt(key).toString(16).padStart(32, "0").slice(0, 2);
}
