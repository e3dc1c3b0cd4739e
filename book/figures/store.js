// What the local cloud holds, as far as its feed tells: one value, and a pure function from it and an event to the next
// value. The events are those of localcloud/src/events/event.rs. All times are milliseconds on the local cloud's clock.

// So much is kept; figures draw less.
const MESSAGES = 200;
const RECORDS = 60;
const GONE = 8;
const INVOCATIONS = 12;
const LINES = 60;
const DELETED_THINGS = 20;
/** So many records a stream's state has at the most. */
const LISTED = 100;

/** Before the first event. */
export const nothing = {
  at: 0,
  queues: new Map(),
  streams: new Map(),
  functions: new Map(),
  mappings: new Map(),
  log: [],
};

/** The cloud after this event. */
export function reduce(cloud, event) {
  const { kind, at } = event;
  const [things, key, changes] = THINGS.find(([, , changes]) => kind in changes) ?? [];
  const next =
    kind in CLOUD ? CLOUD[kind](cloud, event) : changes ? changed(cloud, things, event[key], changes[kind], event) : cloud;
  return { ...next, at };
}

/**
 * The thing that a figure is about: the one with this name, or, if the name ends in `*`, the newest whose name begins so.
 * What was deleted is found too, as long as nothing newer has the name.
 */
export function find(things, name) {
  if (!name.endsWith("*")) return things.get(name);
  const begin = name.slice(0, -1);
  return [...things.values()].filter((thing) => thing.name.startsWith(begin)).pop();
}

/** How many of the known records of a shard are behind this position. */
export function behind(shard, position) {
  return shard.records.filter(({ sequence }) => isAfter(sequence, position)).length;
}

/** Sequence numbers are decimal text of more digits than a number holds. */
export function isAfter(sequence, position = "") {
  return sequence.length === position.length ? sequence > position : sequence.length > position.length;
}

/** What an event changes in the cloud as a whole. */
const CLOUD = {
  state: (_, { queues = [], streams = [], functions = [], mappings = [] }) => ({
    ...nothing,
    queues: new Map(queues.map((queue) => [queue.queue, newQueue(queue)])),
    streams: new Map(streams.map((stream) => [stream.stream, newStream(stream)])),
    functions: new Map(functions.map((it) => [it.function, newFunction(it)])),
    mappings: new Map(mappings.map((mapping) => [mapping.mapping, mapping])),
  }),
  "queue-created": (cloud, event) => ({ ...cloud, queues: newest(cloud.queues, newQueue(event)) }),
  "stream-created": (cloud, event) => ({ ...cloud, streams: newest(cloud.streams, newStream(event)) }),
  "function-created": (cloud, event) => ({ ...cloud, functions: newest(cloud.functions, newFunction(event)) }),
  mapping: (cloud, event) => {
    const mappings = new Map(cloud.mappings);
    if (event.state === "Deleted") mappings.delete(event.mapping);
    else mappings.set(event.mapping, { ...mappings.get(event.mapping), ...event });
    return { ...cloud, mappings };
  },
  log: (cloud, event) => ({ ...cloud, log: [...cloud.log, event].slice(-LINES) }),
};

const QUEUE = {
  "queue-changed": (queue, { messages, ...attributes }) => ({ ...queue, ...attributes }),
  "queue-deleted": (queue) => ({ ...queue, deleted: true }),
  purged: (queue) => ({ ...queue, messages: new Map(), visible: 0, in_flight: 0, delayed: 0 }),
  sent: (queue, { message, body, group, until, from, receives = 0, at }) =>
    counted(queue, null, { message, body, group, from, until, since: at, receives, state: until ? "delayed" : "visible" }),
  deduplicated: (queue) => ({ ...queue, duplicates: queue.duplicates + 1 }),
  arrived: (queue, event) => moved(queue, event, "delayed", { state: "visible" }),
  received: (queue, event) => {
    const { until, receives, reader, at } = event;
    const state = until > at ? "in-flight" : "visible";
    return moved(seen(queue, event), event, "visible", { state, until, receives, reader, since: at, back: false });
  },
  empty: seen,
  hidden: (queue, event) => {
    const { until, at } = event;
    return moved(queue, event, "in-flight", until > at ? { state: "in-flight", until, since: at } : BACK);
  },
  returned: (queue, event) => moved(queue, event, "in-flight", BACK),
  deleted: gone,
  dead: gone,
  expired: gone,
  refused: (queue) => ({ ...queue, refused: queue.refused + 1 }),
};

const STREAM = {
  "stream-deleted": (stream) => ({ ...stream, deleted: true }),
  resharded: (stream, { shards }) => {
    const known = ({ shard }) => stream.shards.get(shard);
    return { ...stream, shards: new Map(shards.map((shard) => [shard.shard, { ...newShard, ...known(shard), ...shard }])) };
  },
  consumer: (stream, { consumer, state }) => {
    const others = stream.consumers.filter((name) => name !== consumer);
    return { ...stream, consumers: state === "DELETING" ? others : [...others, consumer] };
  },
  put: ofShard((shard, event) => ({ ...shard, puts: shard.puts + 1, records: [...shard.records, event].slice(-RECORDS) })),
  throttled: ofShard((shard, { operation }) => {
    const refused = operation.startsWith("Put") ? "refusedPuts" : "refusedReads";
    return { ...shard, [refused]: shard[refused] + 1 };
  }),
  got: ofShard(read),
  pushed: ofShard(read),
};

const FUNCTION = {
  "function-deleted": (it) => ({ ...it, deleted: true }),
  invoked: (it, { request, records, at, running, warm }) => {
    const invocation = { request, records, at, state: "running" };
    return { ...it, running, warm, invocations: [...it.invocations, invocation].slice(-INVOCATIONS) };
  },
  ended: (it, { request, ok, error, ms, running, warm }) => {
    const state = ok ? "ok" : "failed";
    const end = (one) => (one.request === request ? { ...one, ms, error, state } : one);
    return { ...it, running, warm, invocations: it.invocations.map(end), [state]: it[state] + 1 };
  },
  cooled: (it, { running, warm }) => ({ ...it, running, warm }),
};

const MAPPING = {
  polled: (mapping, { records }) => ({ ...mapping, brought: records }),
};

/** Where things of a kind are kept, by which key an event names one, and what it changes. */
const THINGS = [
  ["queues", "queue", QUEUE],
  ["streams", "stream", STREAM],
  ["functions", "function", FUNCTION],
  ["mappings", "mapping", MAPPING],
];

/** The owner of such things with one of them changed; none if it isn't known. */
function changed(owner, things, name, change, event) {
  const thing = owner[things].get(name);
  return thing ? { ...owner, [things]: new Map(owner[things]).set(name, change(thing, event)) } : owner;
}

function ofShard(change) {
  return (stream, event) => changed(stream, "shards", event.shard, change, event);
}

function newQueue({ messages = [], ...queue }) {
  const known = new Map(messages.map((message) => [message.message, message]));
  const counts = { visible: 0, in_flight: 0, delayed: 0, deletions: 0, duplicates: 0, refused: 0 };
  return { ...counts, gone: [], readers: new Map(), ...queue, name: queue.queue, messages: known };
}

const newShard = { records: [], puts: 0, refusedPuts: 0, refusedReads: 0, readers: new Map() };

function newStream({ shards, records = [], consumers = [], ...stream }) {
  const known = shards.map((shard) => {
    const own = records.filter((record) => record.shard === shard.shard);
    return [shard.shard, { ...newShard, ...shard, records: own.slice(-RECORDS), puts: own.length }];
  });
  return { ...stream, name: stream.stream, consumers, shards: new Map(known), older: records.length >= LISTED };
}

function newFunction(it) {
  return { running: 0, warm: 0, ...it, name: it.function, invocations: [], ok: 0, failed: 0 };
}

/** The things with one more at their end. Of those that were deleted, only the last are kept. */
function newest(things, thing) {
  const kept = new Map(things);
  kept.delete(thing.name);
  const deleted = [...kept.values()].filter((thing) => thing.deleted);
  deleted.slice(0, -DELETED_THINGS).forEach(({ name }) => kept.delete(name));
  return kept.set(thing.name, thing);
}

/** A message that is visible again although somebody had it. */
const BACK = { state: "visible", back: true };

const COUNTS = { visible: "visible", "in-flight": "in_flight", delayed: "delayed" };

/** The queue with one message less in the state `from`, if any, and this one, if any, as it is now. */
function counted(queue, from, message) {
  const next = { ...queue, messages: new Map(queue.messages) };
  if (from) next[COUNTS[from]] = Math.max(0, next[COUNTS[from]] - 1);
  if (message) {
    next[COUNTS[message.state]] += 1;
    if (next.messages.has(message.message) || next.messages.size < MESSAGES) next.messages.set(message.message, message);
  }
  return next;
}

/**
 * The state that a message leaves. Of a long queue not all messages are known: such a one was in the state `assumed`. A
 * standard queue may also deliver or delete what is gone already.
 */
function left(queue, known, assumed) {
  const all = queue.visible + queue.in_flight + queue.delayed;
  return known ? known.state : all > queue.messages.size && assumed;
}

function moved(queue, { message: id, group }, assumed, change) {
  const known = queue.messages.get(id);
  const before = known ?? queue.gone.find((one) => one.message === id) ?? { message: id, body: "", group };
  return counted(queue, left(queue, known, assumed), { ...before, ...change });
}

function gone(queue, { message: id, kind }) {
  const known = queue.messages.get(id);
  const from = left(queue, known, "in-flight");
  const next = counted(queue, from, null);
  next.messages.delete(id);
  if (from && kind === "deleted") next.deletions += 1;
  if (known) next.gone = [...next.gone, { ...known, state: kind }].slice(-GONE);
  return next;
}

/** The queue, knowing that this reader asked it. */
function seen(queue, { reader, at }) {
  return { ...queue, readers: new Map(queue.readers).set(reader, at) };
}

/** The shard with a reader's position: the sequence number of the last record that it has read. */
function read(shard, { reader, consumer, last, records, behind_ms }) {
  const name = reader ?? consumer;
  // Nothing came and nothing is behind: the reader is at the end, wherever it began.
  const end = behind_ms === 0 && !records ? shard.records.at(-1)?.sequence : undefined;
  const position = last ?? end ?? shard.readers.get(name)?.position;
  return { ...shard, readers: new Map(shard.readers).set(name, { name, position, behind_ms, got: records }) };
}
