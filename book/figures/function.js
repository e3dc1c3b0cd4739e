// <lab-function name="SQSFunction" run="sqs-function">: who polls for it, what runs, how it ended, what it logged.

import { Figure, column, h, some } from "./figure.js";
import { count, duration } from "./words.js";

const LINES = 8;
const INVOCATIONS = 8;

customElements.define(
  "lab-function",
  class extends Figure {
    word = "function";

    concerns(event, it, cloud) {
      if (event.kind === "polled" && !event.records) return false;
      const name = event.function ?? cloud?.mappings.get(event.mapping)?.function ?? event.group?.split("/").pop();
      const known = "function" in event || "mapping" in event || event.kind === "log";
      return known && (!it || name === it.function);
    }

    picture(it, cloud, now) {
      return functionPicture(it, cloud, now);
    }
  },
);

export function functionPicture(it, cloud, now) {
  const words = [
    `${it.running} running`,
    it.warm && `${it.warm} warm`,
    `${it.ok} ended well`,
    `${it.failed} failed`,
    it.deleted && "the function is deleted",
  ];
  const mappings = [...cloud.mappings.values()].filter((mapping) => mapping.function === it.function);
  const invocations = [...it.invocations].reverse();
  const lines = cloud.log.filter(({ group }) => group.endsWith(`/${it.function}`));
  return h(
    "div",
    { class: `lab-function${it.deleted ? " lab-over" : ""}` },
    h("p", { class: "lab-title" }, h("b", null, it.function), " ", h("span", null, words.filter(Boolean).join(", "))),
    h(
      "div",
      { class: "lab-columns" },
      column("Lambda polls", mappings.map(poller), "nothing: there is no trigger"),
      column("Invocations, the last one first", some(invocations, INVOCATIONS, (one) => invocation(one, now)), "none yet"),
    ),
    h("p", { class: "lab-head" }, "Log"),
    logTail(lines.slice(-LINES)),
  );
}

function poller({ source, state, polled }) {
  return h(
    "li",
    { class: `lab-card lab-poller${state === "Enabled" ? "" : " lab-idle"}` },
    h("b", null, source),
    h("small", null, state.toLowerCase()),
    polled && h("small", null, `last brought ${count(polled.records, "record")}`),
  );
}

function invocation({ request, records, state, error, ms, at }, now) {
  const time = duration(state === "running" ? Math.max(0, now - at) : ms);
  return h(
    "li",
    { class: `lab-card lab-${state}`, "data-key": request },
    h("b", null, records ? count(records, "record") : "by hand"),
    h("small", null, `${state}, ${time}`),
    error && h("small", null, error),
  );
}

export function logTail(lines) {
  if (!lines.length) return h("p", { class: "lab-none" }, "nothing logged yet");
  return h("ul", { class: "lab-lines", "aria-label": "log" }, lines.map(({ line }) => h("li", null, line.trimEnd())));
}
