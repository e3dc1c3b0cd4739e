// What the local cloud holds, as far as its feed tells: one value, and a pure function from it and an event to the next
// value. The events are those of localcloud/src/events.rs. All times are milliseconds on the local cloud's clock.

// So much is kept of each thing; figures draw less.
const MESSAGES = 200;
const RECORDS = 60;
const GONE = 8;
const INVOCATIONS = 12;
const LINES = 60;
const DELETED_THINGS = 20;

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
  const change = CHANGES[event.kind];
  return { ...(change ? change(cloud, event) : cloud), at: event.at };
}

/**
 * The thing that a figure is about: the one with this name, or, if the name ends in `*`, the newest whose name begins so.
 * What was deleted is found too, as long as nothing newer has the name.
 */
export function find(things, name) {
  if (!name.endsWith("*")) return things.get(name);
  const begin = name.slice(0, -1);
  const named = [...things].filter(([name]) => name.startsWith(begin)).map(([, thing]) => thing);
  return named.pop();
}

const CHANGES = {
  state: (cloud, { queues = [], streams = [], functions = [], mappings = [] }) => ({
    ...nothing,
    queues: new Map(queues.map((queue) => [queue.queue, newQueue(queue)])),
    streams: new Map(streams.map((stream) => [stream.stream, newStream(stream)])),
    functions: new Map(functions.map((it) => [it.function, newFunction(it)])),
    mappings: new Map(mappings.map((mapping) => [mapping.mapping, mapping])),
  }),
  "queue-created": (cloud, event) => ({ ...cloud, queues: newest(cloud.queues, event.queue, newQueue(event)) }),
  "queue-changed": ofQueue((queue, { at, kind, messages, ...attributes }) => ({ ...queue, ...attributes })),
  "queue-deleted": ofQueue((queue) => ({ ...queue, deleted: true })),
  purged: ofQueue((queue) => ({ ...queue, messages: new Map(), visible: 0, in_flight: 0, delayed: 0 })),
  sent: ofQueue((queue, { message, body, group, until, from, receives = 0, at }) =>
    counted(queue, null, { message, body, group, from, until, since: at, receives, state: until ? "delayed" : "visible" }),
  ),
  deduplicated: ofQueue((queue) => ({ ...queue, duplicates: queue.duplicates + 1 })),
  arrived: ofQueue((queue, { message }) => changed(queue, message, "delayed", { state: "visible" })),
  received: ofQueue((queue, { message, group, until, receives, reader, at }) =>
    changed(seen(queue, reader, at), message, "visible", {
      ...(group && { group }),
      state: until > at ? "in-flight" : "visible",
      back: false,
      since: at,
      until,
      receives,
      reader,
    }),
  ),
  empty: ofQueue((queue, { reader, at }) => seen(queue, reader, at)),
  hidden: ofQueue((queue, { message, until, at }) =>
    changed(queue, message, "in-flight", until > at ? { state: "in-flight", until, since: at } : BACK),
  ),
  returned: ofQueue((queue, { message }) => changed(queue, message, "in-flight", BACK)),
  deleted: ofQueue((queue, { message }) => gone(queue, message, "deleted")),
  dead: ofQueue((queue, { message, to }) => gone(queue, message, "dead", to)),
  expired: ofQueue((queue, { message }) => gone(queue, message, "expired")),
  refused: ofQueue((queue) => ({ ...queue, refused: queue.refused + 1 })),

  "stream-created": (cloud, event) => ({ ...cloud, streams: newest(cloud.streams, event.stream, newStream(event)) }),
  "stream-deleted": ofStream((stream) => ({ ...stream, deleted: true })),
  resharded: ofStream((stream, event) => ({
    ...stream,
    shards: new Map(event.shards.map((shard) => [shard.shard, { ...newShard(shard), ...stream.shards.get(shard.shard), ...shard }])),
  })),
  put: ofShard((shard, { sequence, key, data, at }) => ({
    ...shard,
    puts: shard.puts + 1,
    records: [...shard.records, { sequence, key, data, at }].slice(-RECORDS),
  })),
  throttled: ofShard((shard, { operation }) =>
    operation.startsWith("Put")
      ? { ...shard, refusedPuts: shard.refusedPuts + 1 }
      : { ...shard, refusedReads: shard.refusedReads + 1 },
  ),
  got: ofShard((shard, event) => read(shard, event.reader, event)),
  pushed: ofShard((shard, event) => read(shard, event.consumer, event)),
  consumer: ofStream((stream, { consumer, state }) => ({
    ...stream,
    consumers: [...stream.consumers.filter((name) => name !== consumer), ...(state === "DELETING" ? [] : [consumer])],
  })),

  "function-created": (cloud, event) => ({ ...cloud, functions: newest(cloud.functions, event.function, newFunction(event)) }),
  "function-deleted": ofFunction((it) => ({ ...it, deleted: true })),
  mapping: (cloud, { mapping, function: name, source, state }) => {
    const mappings = with_(cloud.mappings, mapping, { ...cloud.mappings.get(mapping), mapping, function: name, source, state });
    if (state === "Deleted") mappings.delete(mapping);
    return { ...cloud, mappings };
  },
  polled: (cloud, { mapping, records, at }) => {
    const known = cloud.mappings.get(mapping);
    return known ? { ...cloud, mappings: with_(cloud.mappings, mapping, { ...known, polled: { records, at } }) } : cloud;
  },
  invoked: ofFunction((it, { request, records, at, running, warm }) => ({
    ...it,
    running,
    warm,
    invocations: [...it.invocations, { request, records, at, state: "running" }].slice(-INVOCATIONS),
  })),
  ended: ofFunction((it, { request, ok, error, ms, running, warm }) => ({
    ...it,
    running,
    warm,
    invocations: it.invocations.map((one) =>
      one.request === request ? { ...one, ms, error, state: ok ? "ok" : "failed" } : one,
    ),
    ok: it.ok + (ok ? 1 : 0),
    failed: it.failed + (ok ? 0 : 1),
  })),
  cooled: ofFunction((it, { running, warm }) => ({ ...it, running, warm })),
  log: (cloud, { group, line }) => ({ ...cloud, log: [...cloud.log, { group, line }].slice(-LINES) }),
};

/** A message that is visible again although somebody had it. */
const BACK = { state: "visible", back: true, until: undefined };

const COUNTS = { visible: "visible", "in-flight": "in_flight", delayed: "delayed" };

function newQueue({ messages = [], ...queue }) {
  return {
    visible: 0,
    in_flight: 0,
    delayed: 0,
    deletions: 0,
    duplicates: 0,
    refused: 0,
    gone: [],
    readers: new Map(),
    ...queue,
    messages: new Map(messages.map((message) => [message.message, message])),
  };
}

function newStream({ shards, records = [], consumers = [], ...stream }) {
  const ofShard = (shard) => records.filter((record) => record.shard === shard.shard);
  return {
    ...stream,
    consumers,
    shards: new Map(
      shards.map((shard) => {
        const records = ofShard(shard);
        return [shard.shard, { ...newShard(shard), records: records.slice(-RECORDS), puts: records.length }];
      }),
    ),
  };
}

const newShard = (shard) => ({ ...shard, records: [], puts: 0, refusedPuts: 0, refusedReads: 0, readers: new Map() });

const newFunction = (it) => ({ running: 0, warm: 0, ...it, invocations: [], ok: 0, failed: 0 });

/** A change of the one queue that the event names; none if it isn't known. */
function ofQueue(change) {
  return of("queues", "queue", change);
}

function ofStream(change) {
  return of("streams", "stream", change);
}

function ofFunction(change) {
  return of("functions", "function", change);
}

function ofShard(change) {
  return ofStream((stream, event) => {
    const shard = stream.shards.get(event.shard);
    return shard ? { ...stream, shards: with_(stream.shards, event.shard, change(shard, event)) } : stream;
  });
}

function of(kind, key, change) {
  return (cloud, event) => {
    const thing = cloud[kind].get(event[key]);
    return thing ? { ...cloud, [kind]: with_(cloud[kind], event[key], change(thing, event)) } : cloud;
  };
}

function with_(map, key, value) {
  return new Map(map).set(key, value);
}

/** The things with one more at their end. Of those that were deleted, only the last are kept. */
function newest(things, name, thing) {
  const kept = new Map(things);
  kept.delete(name);
  const deleted = [...kept].filter(([, thing]) => thing.deleted);
  deleted.slice(0, -DELETED_THINGS).forEach(([name]) => kept.delete(name));
  return kept.set(name, thing);
}

/** The queue with its counts changed: one message less in the state `from`, if any, and one more in that of `message`. */
function counted(queue, from, message) {
  const next = { ...queue };
  if (from) next[COUNTS[from]] = Math.max(0, next[COUNTS[from]] - 1);
  if (message) {
    next[COUNTS[message.state]] += 1;
    if (next.messages.has(message.message) || next.messages.size < MESSAGES) {
      next.messages = with_(next.messages, message.message, message);
    }
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

function changed(queue, id, assumed, change) {
  const known = queue.messages.get(id);
  const before = known ?? queue.gone.find((one) => one.message === id) ?? { message: id, body: "" };
  return counted(queue, left(queue, known, assumed), { ...before, ...change });
}

function gone(queue, id, how, to) {
  const known = queue.messages.get(id);
  const from = left(queue, known, "in-flight");
  const next = counted(queue, from, null);
  next.messages = new Map(next.messages);
  next.messages.delete(id);
  if (from && how === "deleted") next.deletions += 1;
  if (known) next.gone = [...next.gone, { ...known, state: how, to }].slice(-GONE);
  return next;
}

/** The queue, knowing that this reader asked it. */
function seen(queue, reader, at) {
  return { ...queue, readers: with_(queue.readers, reader, at) };
}

/** The shard with a reader's position: the sequence number of the last record that it has read. */
function read(shard, reader, { last, records, behind_ms, at }) {
  const before = shard.readers.get(reader);
  // Nothing came and nothing is behind: the reader is at the end, wherever it began.
  const end = behind_ms === 0 && !records ? shard.records.at(-1)?.sequence : undefined;
  const position = last ?? end ?? before?.position;
  return { ...shard, readers: with_(shard.readers, reader, { position, behind_ms, at }) };
}

/** How many of the known records of a shard are behind this position. */
export function behind(shard, position) {
  if (position === undefined) return shard.records.length;
  return shard.records.filter((record) => isAfter(record.sequence, position)).length;
}

/** Sequence numbers are decimal text of more digits than a number holds. */
export function isAfter(sequence, position) {
  return sequence.length === position.length ? sequence > position : sequence.length > position.length;
}
