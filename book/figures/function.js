// <lab-function name="SQSFunction" run="sqs-function">: who polls for it, what runs, how it ended, what it logged.

import { become, column, h, some, title } from "./draw.js";
import { Figure } from "./figure.js";
import { count, duration } from "./words.js";

const LINES = 8;
const INVOCATIONS = 5;

customElements.define(
  "lab-function",
  class extends Figure {
    word = "function";

    concerns(event, it, cloud) {
      if (event.kind === "polled" ? !event.records : !("function" in event)) return false;
      return !it || it.name === (event.function ?? cloud.mappings.get(event.mapping)?.function);
    }

    picture() {
      return functionPicture();
    }
  },
);

/** A picture of a function: its `element`, and `draw` to bring it up to date. */
export function functionPicture() {
  const element = h("div.lab-function");
  return { element, draw: (it, { cloud, now }) => become(element, whole(it, cloud, now)) };
}

function whole(it, cloud, now) {
  const words = [
    `${it.running} running`,
    it.warm && `${it.warm} warm`,
    `${it.ok} ended well`,
    `${it.failed} failed`,
    it.deleted && "the function is deleted",
  ];
  const mappings = [...cloud.mappings.values()].filter((mapping) => mapping.function === it.name);
  const lines = cloud.log.filter(({ group }) => group.endsWith(`/${it.name}`));
  const invocations = some(it.invocations.toReversed(), INVOCATIONS, (one) => invocation(one, now));
  return h(
    "div.lab-function",
    title(it.name, words),
    h(
      "div.lab-columns",
      column("Source", mappings.map(({ source }) => sourceCard(source, cloud)), "no trigger"),
      column("Lambda polls", mappings.map(poller), "nothing: there is no trigger"),
      column("Invocations, the last one first", invocations, "none yet"),
    ),
    logTail(lines.slice(-LINES)),
  );
}

/** What the function's records come from. */
function sourceCard(source, cloud) {
  const queue = cloud.queues.get(source);
  const words = queue ? `${queue.visible} visible, ${queue.in_flight} in flight` : cloud.streams.has(source) && "stream";
  return h("li.lab-card", h("b", source), " ", h("small", words));
}

function poller({ source, state, brought }) {
  return h(
    `li.lab-card${state === "Enabled" ? "" : ".lab-idle"}`,
    h("b", source),
    " ",
    h("small", state.toLowerCase(), brought && `, brought ${count(brought, "record")}`),
  );
}

function invocation({ request, records, state, error, ms, at }, now) {
  const time = duration(state === "running" ? Math.max(0, now - at) : ms);
  return h(
    `li.lab-card.lab-${state}`,
    { "data-key": request },
    h("b", records ? count(records, "record") : "by hand"),
    " ",
    h("small", `${state}, ${time}${error ? `: ${error}` : ""}`),
  );
}

export function logTail(lines) {
  // What the runtime says of a request is only around what the function has printed.
  const isAround = (line) => /^(INIT_START|START|END|REPORT|XRAY)\b/.test(line);
  const line = ({ line }) => h(`li${isAround(line) ? ".lab-around" : ""}`, { title: line }, line.trimEnd());
  return column("Log", lines.map(line), "nothing yet", "lab-lines");
}
