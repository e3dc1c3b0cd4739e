// The store: what the figures know after an event. No browser is needed for it.

const assert = require("node:assert/strict");
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const { before, test } = require("node:test");

const FIGURES = join(__dirname, "../../book/figures");

let store;
before(async () => {
  // A module without a package to say that it is one.
  const text = readFileSync(join(FIGURES, "store.js")).toString("base64");
  store = await import(`data:text/javascript;base64,${text}`);
});

const Q = { queue: "Q", fifo: false, visibility_ms: 30_000, visible: 0, in_flight: 0, delayed: 0, messages: [] };

/** The cloud after these events, which come a second apart. */
function after(...events) {
  return events.reduce((cloud, event, i) => store.reduce(cloud, { at: i * 1000, ...event }), store.nothing);
}

function queue(...events) {
  return after({ kind: "queue-created", ...Q }, ...events.map((event) => ({ queue: "Q", ...event }))).queues.get("Q");
}

function counts({ visible, in_flight, delayed, deletions }) {
  return [visible, in_flight, delayed, deletions];
}

const SENT = { kind: "sent", message: "m1", body: "one" };
const RECEIVED = { kind: "received", message: "m1", until: 99_000, receives: 1, reader: "receive-1" };

test("a message is visible, in flight, gone", () => {
  assert.deepEqual(counts(queue(SENT)), [1, 0, 0, 0]);
  assert.deepEqual(counts(queue(SENT, RECEIVED)), [0, 1, 0, 0]);
  const end = queue(SENT, RECEIVED, { kind: "deleted", message: "m1" });
  assert.deepEqual(counts(end), [0, 0, 0, 1]);
  assert.equal(end.gone[0].body, "one");
});

test("a message that is not deleted comes back", () => {
  const back = queue(SENT, RECEIVED, { kind: "returned", message: "m1" });
  assert.deepEqual(counts(back), [1, 0, 0, 0]);
  assert.equal(back.messages.get("m1").back, true);
  const handed = queue(SENT, RECEIVED, { kind: "hidden", message: "m1", until: 0 });
  assert.equal(handed.messages.get("m1").back, true);
  const longer = queue(SENT, RECEIVED, { kind: "hidden", message: "m1", until: 500_000 });
  assert.deepEqual([longer.messages.get("m1").until, longer.in_flight], [500_000, 1]);
});

test("a delayed message arrives", () => {
  const delayed = { ...SENT, until: 99_000 };
  assert.deepEqual(counts(queue(delayed)), [0, 0, 1, 0]);
  assert.deepEqual(counts(queue(delayed, { kind: "arrived", message: "m1" })), [1, 0, 0, 0]);
});

test("a second delivery and a second deletion count once", () => {
  const twice = [SENT, RECEIVED, { ...RECEIVED, reader: "receive-2", receives: 2 }];
  assert.deepEqual(counts(queue(...twice)), [0, 1, 0, 0]);
  const deletion = { kind: "deleted", message: "m1" };
  assert.deepEqual(counts(queue(...twice, deletion, deletion)), [0, 0, 0, 1]);
});

test("a long queue is counted beyond the messages that are listed", () => {
  const listed = { message: "m1", body: "one", receives: 0, state: "visible" };
  const state = { kind: "state", queues: [{ ...Q, visible: 150, messages: [listed] }] };
  const cloud = after(state, { ...RECEIVED, queue: "Q", message: "m140" }, { kind: "deleted", queue: "Q", message: "m140" });
  assert.deepEqual(counts(cloud.queues.get("Q")), [149, 0, 0, 1]);
});

test("a dead letter goes to the other queue", () => {
  const dead = { ...Q, queue: "D" };
  const cloud = after(
    { kind: "state", queues: [{ ...Q, dead_letter_queue: "D" }, dead] },
    { ...SENT, queue: "Q" },
    { kind: "dead", queue: "Q", message: "m1", to: "D" },
    { ...SENT, queue: "D", from: "Q", receives: 3 },
  );
  assert.equal(cloud.queues.get("Q").messages.size, 0);
  assert.equal(cloud.queues.get("D").messages.get("m1").receives, 3);
});

test("the newest of the things with a name is found, also when it is deleted", () => {
  const created = (queue) => ({ kind: "queue-created", ...Q, queue });
  const cloud = after(created("e-A"), created("e-B"), created("other"), { kind: "queue-deleted", queue: "e-B" });
  assert.equal(store.find(cloud.queues, "e-*").queue, "e-B");
  assert.equal(store.find(cloud.queues, "other").queue, "other");
  assert.equal(store.find(cloud.queues, "f-*"), undefined);
});

test("a reader of a shard is behind by the records after its place", () => {
  const shards = [{ shard: "shardId-000000000000", from: "0", to: "9", open: true, parents: [] }];
  const put = (sequence) => ({ kind: "put", stream: "S", shard: shards[0].shard, sequence, key: "k", data: "d" });
  const got = (reader, rest) => ({ kind: "got", stream: "S", shard: shards[0].shard, reader, ...rest });
  const cloud = after(
    { kind: "stream-created", stream: "S", shards, consumers: [] },
    put("99"),
    put("100"),
    got("early", { records: 1, last: "99", behind_ms: 5 }),
    got("latest", { records: 0, behind_ms: 0 }),
    put("101"),
  );
  const [shard] = cloud.streams.get("S").shards.values();
  const place = (reader) => store.behind(shard, shard.readers.get(reader).position);
  assert.deepEqual([place("early"), place("latest")], [2, 1]);
});

test("an invocation runs and ends", () => {
  const invoked = { kind: "invoked", function: "F", request: "r1", records: 10, running: 1, warm: 0 };
  const ended = { kind: "ended", function: "F", request: "r1", ok: false, error: "poison", ms: 12, running: 0, warm: 1 };
  const cloud = after({ kind: "function-created", function: "F" }, invoked, ended);
  const it = cloud.functions.get("F");
  assert.deepEqual([it.running, it.warm, it.ok, it.failed], [0, 1, 0, 1]);
  assert.equal(it.invocations[0].state, "failed");
});

test("an event of something unknown changes nothing", () => {
  assert.deepEqual(after({ ...SENT, queue: "?", at: 7 }), { ...store.nothing, at: 7 });
  assert.deepEqual(after({ kind: "new-kind", at: 7 }), { ...store.nothing, at: 7 });
});
