// <lab-stream name="KinesisStream" run="put">: shards as ranges of hash keys, a tape of the records in each, which moves on
// as records come, and under it how far each reader is.

import { ease, part } from "./director.js";
import { become, h, isStill, style, text, title } from "./draw.js";
import { Figure } from "./figure.js";
import { behind } from "./store.js";
import { count, duration, number, recordLabel } from "./words.js";

const SHARDS = 12;
/** So many cells of a tape can be seen, the newest at its end; so many as two more are behind the one who puts them there. */
const CELLS = 14;
const WIDTH = CELLS + 2;
const READERS = 4;
/** There is room for so many readers before the first has come, but not in each of many shards. */
const ROOM = 2;
const MANY = 3;
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

    picture(stream, timeline) {
      return streamPicture(stream, timeline);
    }
  },
);

/** A picture of a stream: its `element`, and `draw` to bring it up to date. */
export function streamPicture(stream, timeline) {
  const head = h("div");
  const list = h("ul.lab-shards", { "aria-label": "shards" });
  const folded = h("p.lab-folded");
  const rows = new Map();
  let drawn = -1;

  function draw(stream, moment) {
    const shards = [...stream.shards.values()];
    if (drawn !== moment.count) {
      drawn = moment.count;
      become(head, h("div", title(stream.name, words(stream, shards)), shards.length > 1 && map(shards)));
      text(folded, closed(shards));
    }
    const open = shards.filter((shard) => shard.open || shards.length === 1).slice(0, SHARDS);
    for (const [name, row] of rows) {
      if (!open.some(({ shard }) => shard === name)) row.element.remove(), rows.delete(name);
    }
    const moving = onTheWay(timeline, moment, stream.name);
    for (const shard of open) {
      if (!rows.has(shard.shard)) {
        rows.set(shard.shard, newRow(shard, open.length < MANY ? ROOM : 1));
        list.append(rows.get(shard.shard).element);
      }
      drawRow(rows.get(shard.shard), shard, moving, moment);
    }
  }

  return { element: h("div.lab-stream", head, list, folded), draw };
}

function words(stream, shards) {
  const open = shards.filter((shard) => shard.open).length;
  return [
    open === shards.length ? count(open, "shard") : `${open} of ${shards.length} shards open`,
    stream.consumers.length > 0 && `consumers: ${stream.consumers.join(", ")}`,
    stream.older && "with older records",
    stream.deleted && "the stream is deleted",
  ];
}

/** The events that have begun and not landed: records on their way onto the tape, readers on theirs. */
function onTheWay(timeline, { time, count }, name) {
  const cues = [];
  for (let i = count; i < timeline.cues.length && timeline.cues[i].lands < time + 2000; i++) {
    const cue = timeline.cues[i];
    if (cue.event.stream === name && cue.starts <= time) cues.push(cue);
  }
  return cues;
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
      { style, "data-key": shard },
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

/** What is said of closed shards: they take no more records, but have theirs, and readers read them. */
function closed(shards) {
  const those = shards.length > 1 ? shards.filter((shard) => !shard.open) : [];
  if (!those.length) return "";
  const one = (shard) => {
    const readers = [...shard.readers.values()].map((reader) => `${reader.name} ${place(shard, reader)}`);
    return `${number(shard.shard)} (${[count(shard.puts, "record"), ...readers].join(", ")})`;
  };
  return `Closed: ${those.map(one).join(", ")}`;
}

function newRow({ shard }, room) {
  const name = `shard ${number(shard)}`;
  const head = h("p.lab-shard-head");
  const tape = h("ol.lab-tape", { "aria-label": `records of ${name}`, style: `--cells: ${WIDTH}` });
  const readers = h("ul.lab-readers", { "aria-label": `readers of ${name}`, style: `--cells: ${WIDTH}` });
  const element = h("li.lab-shard", head, tape, h("p.lab-producer", "producer"), readers);
  return { element, head, tape, readers, cells: new Map(), marks: new Map(), drawn: -1, room };
}

function drawRow(row, shard, moving, { count: landed, time }) {
  if (row.drawn !== landed) {
    row.drawn = landed;
    const keys = `hash keys ${digits(shard.from)}… to ${digits(shard.to)}…`;
    const refused = [
      shard.refusedPuts && `${count(shard.refusedPuts, "put")} refused`,
      shard.refusedReads && `${count(shard.refusedReads, "read")} refused`,
    ].filter(Boolean);
    const open = shard.open ? "" : "closed, ";
    become(
      row.head,
      h(
        "p.lab-shard-head",
        h("b", `shard ${number(shard.shard)}`),
        ` ${open}${keys}, ${count(shard.puts, "record")} `,
        refused.length > 0 && h("span.lab-refused", refused.join(", ")),
      ),
    );
  }
  const own = moving.filter(({ event }) => event.shard === shard.shard);
  drawTape(row, shard, own, time);
  drawReaders(row, shard, own, time);
}

/** Each record has a cell as wide as the others, so they never meet: what moves is the tape's end. */
function drawTape(row, shard, own, time) {
  const coming = own.filter(({ event }) => event.kind === "put");
  const gone = (cue) => (isStill() ? 0 : ease(part(cue, time)));
  const records = [...shard.records.slice(-CELLS - 1), ...coming.map(({ event }) => event)];
  const first = shard.puts + coming.length - records.length;
  const end = shard.puts + coming.map(gone).reduce((sum, one) => sum + one, 0);
  row.end = end;
  const kept = new Set();
  records.forEach((record, i) => {
    const x = CELLS - end + first + i;
    if (x <= -1 || x >= CELLS + 1) return;
    kept.add(record.sequence);
    let cell = row.cells.get(record.sequence);
    if (!cell) {
      const { sequence, key, data } = record;
      cell = h("li.lab-record", { "data-key": sequence, title: `key ${key}: ${data}` }, h("span", recordLabel(record)));
      row.cells.set(sequence, cell);
      row.tape.append(cell);
    }
    style(cell, "--x", x.toFixed(3));
  });
  for (const [sequence, cell] of row.cells) if (!kept.has(sequence)) cell.remove(), row.cells.delete(sequence);
}

/** How many records of its shard a reader has before it. */
function index(shard, position) {
  if (position === undefined) return shard.puts - shard.records.length;
  return shard.puts - behind(shard, position);
}

function drawReaders(row, shard, own, time) {
  const all = [...shard.readers.values()];
  // Those that have moved last; in the order in which they came.
  const shown = all.slice(-READERS);
  for (const [name, mark] of row.marks) {
    if (!shown.some((reader) => reader.name === name)) mark.element.remove(), row.marks.delete(name);
  }
  row.room = Math.max(row.room, shown.length);
  style(row.readers, "--rows", String(row.room));
  shown.forEach((reader, y) => {
    const { name } = reader;
    if (!row.marks.has(name)) {
      const [where, label] = [h("span.lab-cursor", "▲"), h("small")];
      const element = h("li.lab-mark", { "data-key": `${shard.shard} ${name}` }, where, h("b", name), " ", label);
      row.marks.set(name, { element, label });
      row.readers.append(element);
    }
    const { element, label } = row.marks.get(name);
    const moves = own.find(({ event }) => (event.reader ?? event.consumer) === name && event.last);
    const now = index(shard, reader.position);
    const next = moves ? index(shard, moves.event.last) : now;
    const done = moves && !isStill() ? ease(part(moves, time)) : 0;
    const x = CELLS - row.end + now + (next - now) * done;
    style(element, "--x", Math.min(CELLS, Math.max(0, x)).toFixed(3));
    style(element, "--y", String(y));
    element.classList.toggle("lab-turned", x > CELLS / 2);
    const got = reader.got ? `got ${reader.got}, ` : "";
    text(label, `${got}${place(shard, reader)}`);
  });
}

function place(shard, { position, behind_ms }) {
  const missing = behind(shard, position);
  return missing ? `${missing} behind${behind_ms ? `, ${duration(behind_ms)}` : ""}` : "at the end";
}

/** The first two hexadecimal digits of a hash key. */
function digits(key) {
  return BigInt(key).toString(16).padStart(32, "0").slice(0, 2);
}
