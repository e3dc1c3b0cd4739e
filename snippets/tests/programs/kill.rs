//! Kills the consumer of the page *Checkpoints* a hundred times, starts it again each time, and compares what it has
//! handled with what the page promises.

use crate::session::{self, green, inputs};
use aws_sdk_kinesis::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use aws_sdk_kinesis::Client;
use localcloud::testing::{self, Running};
use localcloud::{ids, LocalCloud, Options};
use rand::RngExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use std::{fs, thread};

/// So many consumers, each with a stream of its own, run and die beside each other.
const CONSUMERS: usize = 4;
const KILLS: usize = 25;
const RECORDS: usize = 400;
/// The consumer's batch: what it may handle again after a kill, and no more.
const BATCH: usize = 10;
const SEED: u64 = 1;

#[test]
fn a_consumer_killed_a_hundred_times_loses_nothing_and_repeats_a_batch_at_most() {
    inputs("kill", ["cargo run --bin checkpoints"]).unless_green(&green(), || {
        kill_a_hundred_times();
        true
    });
}

fn kill_a_hundred_times() {
    let cloud = LocalCloud::start(Options::default()).expect("the local cloud starts");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kill");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for the checkpoints");
    let done = AtomicBool::new(false);
    let repeats: Vec<usize> = thread::scope(|scope| {
        // A shard is read five times a second: here a second is short.
        scope.spawn(|| {
            while !done.load(Relaxed) {
                cloud.clock().advance(Duration::from_secs(1));
                thread::sleep(Duration::from_millis(20));
            }
        });
        let consumers: Vec<_> = (0..CONSUMERS)
            .map(|n| {
                let (cloud, folder) = (&cloud, &folder);
                scope.spawn(move || repeats(cloud, folder, n))
            })
            .collect();
        let outcomes: Vec<_> = consumers.into_iter().map(|consumer| consumer.join()).collect();
        done.store(true, Relaxed);
        outcomes.into_iter().map(|outcome| outcome.expect("its promises are kept")).collect()
    });
    println!("{} kills, handled again: {repeats:?}", CONSUMERS * KILLS);
    assert!(repeats.iter().all(|&again| again > 0), "kills that hit nothing: {repeats:?}");
}

/// Kills a consumer again and again, and lets it finish at last. Returns how often it has handled a record again.
fn repeats(cloud: &LocalCloud, folder: &Path, n: usize) -> usize {
    let name = format!("kill-{n}");
    fill(cloud, &name);
    let file = folder.join(&name).with_extension("json");
    let mut random = ids::source(SEED, &name);
    // The records below this number are handled.
    let mut next = 0;
    let mut repeats = 0;
    for kill in 0..=KILLS {
        let mut consumer = Consumer::start(cloud, &name, &file);
        let most = if kill == KILLS { RECORDS } else { random.random_range(0..3 * BATCH) };
        let mut handled: Vec<usize> = Vec::new();
        while handled.len() < most && next.max(handled.last().map_or(0, |last| last + 1)) < RECORDS
        {
            handled.push(consumer.handled().expect("it goes on"));
        }
        // Until its first record it starts, asks where it is, and reads.
        let longest = if most == 0 { 150 } else { 3 };
        thread::sleep(Duration::from_micros(random.random_range(0..longest * 1000)));
        handled.extend(consumer.kill());

        let Some(&first) = handled.first() else {
            continue;
        };
        let end = first + handled.len();
        assert_eq!(handled, Vec::from_iter(first..end), "{name}, kill {kill}: in order");
        assert!(first <= next, "{name}, kill {kill}: lost {:?}", next..first);
        assert!(next - first <= BATCH, "{name}, kill {kill}: repeated {:?}", first..next);
        repeats += next.min(end) - first;
        next = next.max(end);
    }
    assert_eq!(next, RECORDS, "{name}: lost at the end");
    repeats
}

/// A stream with numbered records.
fn fill(cloud: &LocalCloud, stream: &str) {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(cloud.endpoint())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "made-up", None, None, "test"))
        .build();
    let kinesis = Client::from_conf(config);
    let record = |n: usize| {
        let record = PutRecordsRequestEntry::builder().partition_key("key");
        record.data(Blob::new(n.to_string())).build().expect("a record")
    };
    let work = async {
        let creation = kinesis.create_stream().stream_name(stream);
        creation.shard_count(1).send().await.expect("a stream");
        snippets::active(&kinesis, stream).await.expect("it is active");
        let putting = kinesis.put_records().stream_name(stream);
        let putting = putting.set_records(Some((0..RECORDS).map(record).collect()));
        let answer = putting.send().await.expect("an answer");
        assert_eq!(answer.failed_record_count, Some(0));
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work);
}

/// A process of `cargo run --bin checkpoints`.
struct Consumer(Running);

impl Consumer {
    fn start(cloud: &LocalCloud, stream: &str, file: &Path) -> Self {
        let mut command = testing::command(cloud, session::built("checkpoints"));
        command.args(["--stream", stream, "--file"]).arg(file);
        Self(session::start(cloud, &mut command))
    }

    /// The next record that it has handled; none when it has died.
    fn handled(&mut self) -> Option<usize> {
        std::iter::from_fn(|| self.0.line()).find_map(|line| line.parse().ok())
    }

    /// Ends it with what the system has for that (SIGKILL): it learns nothing of it. What it handled until then.
    fn kill(mut self) -> Vec<usize> {
        self.0.kill();
        std::iter::from_fn(|| self.handled()).collect()
    }
}
