// What is said about an event, in a sentence.

/** A message's body or a record's data, short enough for a small box: the number in it if it has one. */
export function label(text) {
  const number = /"(?:Message|Msg)":\s*"?([^",}]+)/.exec(text);
  return number ? number[1] : text.length > 16 ? `${text.slice(0, 15)}…` : text || "…";
}

/** `3 messages`. */
export function count(n, thing) {
  return `${n} ${thing}${n === 1 ? "" : "s"}`;
}

/** `1.2 s` or `27 s`, `5 min`, `2 h`. */
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

/** `1st`, `2nd`, … */
export function ordinal(n) {
  const end = n % 100 > 10 && n % 100 < 14 ? 0 : n % 10;
  return `${n}${["th", "st", "nd", "rd"][end] ?? "th"}`;
}

/** The sentence about an event, given the cloud after it; none if there is nothing to say. */
export function sentence(event, cloud) {
  return SENTENCES[event.kind]?.(event, cloud) ?? "";
}

const SENTENCES = {
  clock: ({ moved_ms }) => `The clock was moved ahead by ${duration(moved_ms)}.`,
  fault: ({ fault, target }) => `A fault on request: ${fault}${target ? ` for ${target}` : ""}.`,

  "queue-created": ({ queue }) => `The queue ${queue} was created.`,
  "queue-deleted": ({ queue }) => `The queue ${queue} was deleted.`,
  purged: ({ queue }) => `${queue} was purged: all its messages are gone.`,
  sent: ({ body, group, until, from, at }) =>
    `${capital(named(body))} ${from ? `was moved here from ${from}` : "was sent"}${group ? `, group ${group}` : ""}${
      until ? `, and is delayed for ${duration(until - at)}` : ""
    }.`,
  deduplicated: (event, cloud) =>
    `A message was sent again and not added: its id is that of ${message(event, cloud)}.`,
  arrived: (event, cloud) => `The delay of ${message(event, cloud)} is over: it is visible.`,
  received: (event, cloud) =>
    `${event.reader} received ${message(event, cloud)}${event.receives > 1 ? ` for the ${ordinal(event.receives)} time` : ""}${
      event.until > event.at ? `. It is hidden for ${duration(event.until - event.at)}` : ". It is not hidden"
    }.`,
  empty: ({ reader }) => `${reader} asked and got nothing.`,
  hidden: (event, cloud) =>
    event.until > event.at
      ? `${capital(message(event, cloud))} stays hidden for ${duration(event.until - event.at)} from now.`
      : `${capital(message(event, cloud))} was handed back: it is visible again.`,
  returned: (event, cloud) => `${capital(message(event, cloud))} was not deleted in time: it came back.`,
  deleted: (event, cloud) => `${capital(message(event, cloud))} was deleted.`,
  dead: (event, cloud) => `${capital(message(event, cloud))} was received too often: it goes to ${event.to}.`,
  expired: (event, cloud) => `${capital(message(event, cloud))} was kept for as long as the queue keeps messages: it is lost.`,
  refused: ({ operation, code }) => `${operation} was refused: ${code}.`,

  "stream-created": ({ stream, shards }) => `The stream ${stream} was created with ${count(shards.length, "shard")}.`,
  "stream-deleted": ({ stream }) => `The stream ${stream} was deleted.`,
  resharded: ({ shards }) =>
    `The stream was resharded: ${shards.filter((shard) => shard.open).length} of its ${shards.length} shards are open.`,
  put: ({ shard, key, data }) => `The record ${quoted(data)} with the key ${quoted(key)} went to shard ${number(shard)}.`,
  throttled: ({ shard, operation }) => `Shard ${number(shard)} refused a ${operation}: it is at its limit.`,
  got: ({ shard, reader, records }) =>
    `${reader} read shard ${number(shard)} and got ${records ? count(records, "record") : "nothing"}.`,
  consumer: ({ consumer, state }) => `The consumer ${consumer} is ${state.toLowerCase()}.`,
  pushed: ({ shard, consumer, records }) => `Shard ${number(shard)} pushed ${count(records, "record")} to ${consumer}.`,

  cooled: (event) => `Idle processes of ${event.function} ended.`,
  "function-created": (event) => `The function ${event.function} was created.`,
  "function-deleted": (event) => `The function ${event.function} was deleted.`,
  mapping: (event) => `The trigger from ${event.source} to ${event.function} is ${event.state.toLowerCase()}.`,
  polled: ({ mapping, records }, cloud) => {
    const source = cloud.mappings.get(mapping)?.source ?? "its source";
    return `Lambda polled ${source} and got ${records ? count(records, "record") : "nothing"}.`;
  },
  invoked: (event) =>
    `Lambda invoked ${event.function}${event.records ? ` with a batch of ${event.records}` : ""}.`,
  ended: (event) =>
    event.ok ? `${event.function} ended well after ${duration(event.ms)}.` : `${event.function} failed: ${event.error}.`,
  log: ({ line }) => `Logged: ${line}`,
};

function quoted(text) {
  return `“${label(text)}”`;
}

function named(body) {
  const name = label(body);
  return /^\d+$/.test(name) ? `message ${name}` : name === "…" ? "a message" : `“${name}”`;
}

function message(event, cloud) {
  const queue = cloud.queues.get(event.queue);
  const known = queue?.messages.get(event.message) ?? queue?.gone.find((one) => one.message === event.message);
  return named(known?.body ?? "");
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}
