// What is said about an event, in a sentence, and how things are called in a few letters.

const MAX_LABEL = 16;

/** A message's body, short enough for a small box: the number in it if it has one. */
export function label(text) {
  const number = /"(?:Message|Msg|order)":\s*"?([^",}]+)/.exec(text);
  return number ? number[1] : text.length > MAX_LABEL ? `${text.slice(0, MAX_LABEL - 1)}…` : text || "…";
}

/** A record's data, or its key if the data is long and says nothing. */
export function recordLabel({ data, key }) {
  const short = label(data);
  return short.endsWith("…") ? label(key) : short;
}

/** `3 messages`. */
export function count(n, thing) {
  return `${n} ${thing}${n === 1 ? "" : "s"}`;
}

/** `62 ms`, `1.2 s`, `27 s`, `5 min`, `2 h`. */
export function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${+(ms / 1000).toFixed(1)} s`;
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return `${Math.round(ms / 3_600_000)} h`;
}

/** `3` of shardId-000000000003. */
export function number(shard) {
  return String(Number(shard.split("-").pop()));
}

/** The sentence about an event, given the cloud after it; none if there is nothing to say. */
export function sentence(event, cloud) {
  const text = SENTENCES[event.kind]?.(event, message(event, cloud), cloud);
  return text && `${text.replace(/^(a|the|message|shard) /, capital)}.`;
}

/** Given the event, what its message is called, if it has one, and the cloud. */
const SENTENCES = {
  clock: ({ moved_ms }) => `the clock was moved ahead by ${duration(moved_ms)}`,
  fault: ({ fault, target }) => `a fault on request: ${fault} for ${target}`,

  "queue-created": ({ queue }) => `the queue ${queue} was created`,
  "queue-deleted": ({ queue }) => `the queue ${queue} was deleted`,
  purged: ({ queue }) => `${queue} was purged: all its messages are gone`,
  sent: ({ body, group, until, from, at }) => {
    const how = from ? `was moved here from ${from}` : "was sent";
    return `${named(body)} ${how}${group ? `, group ${group}` : ""}${until ? `, delayed for ${duration(until - at)}` : ""}`;
  },
  deduplicated: (_, it) => `a message was sent again and not added: its id is that of ${it}`,
  arrived: (_, it) => `the delay of ${it} is over: it is visible`,
  received: ({ reader, receives, until, at }, it) => {
    const again = receives > 1 ? `, delivery ${receives}` : "";
    const hidden = until > at ? `it is hidden for ${duration(until - at)}` : "it stays visible";
    return `${reader} received ${it}${again}: ${hidden}`;
  },
  empty: ({ reader }) => `${reader} asked and got nothing`,
  hidden: ({ until, at }, it) => {
    const what = until > at ? `stays hidden for ${duration(until - at)} from now` : "was handed back: it is visible again";
    return `${it} ${what}`;
  },
  returned: (_, it) => `${it} was not deleted in time: it came back`,
  deleted: (_, it) => `${it} was deleted`,
  dead: ({ to }, it) => `${it} was received too often: it goes to ${to}`,
  expired: (_, it) => `${it} is older than the queue keeps it: it is lost`,
  refused: ({ operation, code }) => `${operation} was refused: ${code}`,

  "stream-created": ({ stream, shards }) => `the stream ${stream} was created with ${count(shards.length, "shard")}`,
  "stream-deleted": ({ stream }) => `the stream ${stream} was deleted`,
  resharded: ({ shards }) => {
    const open = shards.filter((shard) => shard.open).length;
    return `the stream was resharded: ${open} of its ${shards.length} shards are open`;
  },
  put: (event) => {
    const [name, key] = [recordLabel(event), label(event.key)];
    const record = name === key ? "a record" : `the record “${name}”`;
    return `${record} with the key “${key}” went to shard ${number(event.shard)}`;
  },
  throttled: ({ shard, operation }) => `shard ${number(shard)} refused ${operation}: it is at its limit`,
  got: ({ shard, reader, records }) => `${reader} read shard ${number(shard)} and got ${count(records, "record")}`,
  consumer: ({ consumer, state }) => `the consumer ${consumer} is ${state.toLowerCase()}`,
  pushed: ({ shard, consumer, records }) => `shard ${number(shard)} pushed ${count(records, "record")} to ${consumer}`,

  "function-created": (event) => `the function ${event.function} was created`,
  "function-deleted": (event) => `the function ${event.function} was deleted`,
  mapping: (event) => `the trigger from ${event.source} to ${event.function} is ${event.state.toLowerCase()}`,
  polled: ({ mapping, records }, _, cloud) =>
    `Lambda polled ${cloud.mappings.get(mapping)?.source} and got ${count(records, "record")}`,
  invoked: (event) => {
    const batch = event.records ? ` with a batch of ${event.records}` : "";
    return `Lambda invoked ${event.function}${batch}`;
  },
  ended: (event) =>
    event.ok ? `${event.function} ended well after ${duration(event.ms)}` : `${event.function} failed: ${event.error}`,
};

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}

function named(body) {
  const name = label(body);
  return /^\d+$/.test(name) ? `message ${name}` : name === "…" ? "a message" : `“${name}”`;
}

function message({ queue, message: id }, cloud) {
  const { messages, gone } = cloud.queues.get(queue) ?? {};
  const known = messages?.get(id) ?? gone?.find((one) => one.message === id);
  return named(known?.body ?? "");
}
