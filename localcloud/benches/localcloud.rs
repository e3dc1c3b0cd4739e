//! Measures the README's figures about the local cloud: the CPU that it takes per operation, beside a bare
//! axum server that gets the same requests and answers with as many bytes; how soon a long poll wakes; how long
//! the start takes and what memory is used; what it costs to run a function.
//!
//!     cargo bench -p localcloud
//!
//! Both servers are processes of their own, so that their CPU can be told from that of the client. They take
//! turns, round after round; a figure is the median of its rounds. CPU is read from `/proc`: on systems without
//! it only the times are measured.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, Method, Request};
use axum::response::{IntoResponse, Response};
use axum::Router;
use bytes::Bytes;
use http_body_util::BodyExt;
use localcloud::client::{self, Connection};
use localcloud::{LocalCloud, Options};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Messages sent, received and deleted in a round: a multiple of 10 for each connection.
const MESSAGES: usize = 8_000;
/// Messages of FIFO queues and records of streams in a round.
const ORDERED: usize = 4_000;
/// The shards of a stream: so many that none is ever asked for more than it gives in a second.
const SHARDS: usize = 320;
const READS_A_SECOND: usize = 5;
/// Records in a full answer of `GetRecords` here.
const FULL: usize = 100;
const ROUNDS: usize = 5;
const CONNECTIONS: [usize; 2] = [1, 16];
const KEPT: [usize; 3] = [10, 10_000, 1_000_000];
const WAKES: usize = 500;
const STARTS: usize = 21;
/// How long a server may take for its first answer.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> Result {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    if let Ok(api) = std::env::var("AWS_LAMBDA_RUNTIME_API") {
        return runtime.block_on(function(&api));
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--serve", name] => serve(name),
        [.., "--bench"] => runtime.block_on(measure()),
        // Built by `cargo test --all-targets`: nothing to prove here.
        _ => Ok(()),
    }
}

// The servers, each in a process of its own.

/// Prints the port, and the microseconds to the first answer; serves until its standard input ends.
fn serve(name: &str) -> Result {
    let begun = Instant::now();
    let (port, _server) = match name {
        "localcloud" => {
            let cloud = LocalCloud::start(Options::default())?;
            (cloud.address().port(), Running::Cloud { _cloud: cloud })
        }
        _ => echo()?,
    };
    while !is_healthy(port) {}
    println!("{port} {}", begun.elapsed().as_micros());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

enum Running {
    Cloud { _cloud: LocalCloud },
    Echo { _runtime: tokio::runtime::Runtime },
}

fn is_healthy(port: u16) -> bool {
    let request = Request::get("/lab/health").body(Bytes::new());
    let request = request.expect("a request");
    let answer = client::ask(&format!("127.0.0.1:{port}"), request, PATIENCE);
    answer.is_ok_and(|answer| answer.status().is_success())
}

/// The bare server: `POST /N` is read whole and answered with N bytes and the headers of SQS.
fn echo() -> Result<(u16, Running)> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    let port = listener.local_addr()?.port();
    runtime.spawn(async { axum::serve(listener, Router::new().fallback(answer)).await });
    Ok((port, Running::Echo { _runtime: runtime }))
}

async fn answer(request: axum::extract::Request) -> Response {
    static FILLER: [u8; 65_536] = [b'.'; 65_536];
    let size = request.uri().path()[1..].parse().unwrap_or(0);
    let _ = request.into_body().collect().await;
    let headers = [
        (CONTENT_TYPE, "application/x-amz-json-1.0"),
        (
            HeaderName::from_static("x-amzn-requestid"),
            "00000000-0000-4000-8000-000000000000",
        ),
    ]
    .map(|(name, value)| (name, HeaderValue::from_static(value)));
    (headers, Bytes::from_static(&FILLER).slice(..size)).into_response()
}

/// A server as the client sees it. It ends with this value.
struct Server {
    child: Child,
    port: u16,
    started: Duration,
    /// The local cloud's answers, for the bare server: its client works with these.
    answers: Option<Answers>,
}

#[derive(Clone)]
struct Answers {
    sent: String,
    one: String,
    ten: String,
    deleted: String,
    ten_deleted: String,
    fifo_sent: String,
    put: String,
    iterator: String,
    got_one: String,
    got_full: String,
}

impl Server {
    fn start(name: &str) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--serve", name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let output = child.stdout.take().ok_or("no output")?;
        BufReader::new(output).read_line(&mut line)?;
        let (port, micros) = line.trim().split_once(' ').ok_or("the server ended")?;
        Ok(Self {
            child,
            port: port.parse()?,
            started: Duration::from_micros(micros.parse()?),
            answers: None,
        })
    }

    async fn connect(&self) -> Result<Connection> {
        Ok(Connection::open(&format!("127.0.0.1:{}", self.port)).await?)
    }

    /// The CPU time of its threads so far.
    fn cpu(&self) -> Option<Duration> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).ok()?;
        let mut nanos = 0;
        for thread in threads {
            let times = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            nanos += times.split(' ').next()?.parse::<u64>().ok()?;
        }
        Some(Duration::from_nanos(nanos))
    }

    /// Resident memory in MB.
    fn memory(&self) -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib * 1024.0 / 1e6)
    }

    /// Clients that are ready for their work.
    async fn clients(&self, count: usize, place: &str, work: Work) -> Result<Vec<Client>> {
        let mut clients = Vec::new();
        for n in 0..count {
            let mut client = Client::connect(self, place).await?;
            if matches!(work, Work::Get(_)) {
                client.find_shards(n, count).await?;
            }
            clients.push(client);
        }
        Ok(clients)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

// The client: one connection, with the headers of an SDK.

const HEADERS: [(&str, &str); 8] = [
    ("content-type", "application/x-amz-json-1.0"),
    ("x-amzn-query-mode", "true"),
    ("user-agent", AGENT),
    ("x-amz-user-agent", AGENT),
    ("x-amz-date", "20261123T090000Z"),
    (
        "authorization",
        "AWS4-HMAC-SHA256 Credential=test/20261123/us-east-1/sqs/aws4_request, SignedHeaders=content-type;\
         host;x-amz-date;x-amz-target;x-amz-user-agent;x-amzn-query-mode, Signature=\
         5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
    ),
    ("amz-sdk-request", "attempt=1; max=3"),
    ("amz-sdk-invocation-id", "3fe95b4e-52d1-4bc1-92a1-8e0fd5f2c9a1"),
];
const AGENT: &str = "aws-sdk-rust/1.3.10 ua/2.1 api/sqs/1.119.0 os/linux lang/rust/1.94.1 m/E,b";

struct Client {
    connection: Connection,
    queue: String,
    stream: String,
    answers: Option<Answers>,
    /// One for each shard that this client reads.
    iterators: Vec<String>,
    /// How many messages it has sent to a FIFO queue, or records it has put into a stream.
    sent: u64,
}

/// Tells one client's messages from another's, as deduplication does.
static CLIENTS: AtomicU64 = AtomicU64::new(0);

impl Client {
    async fn connect(server: &Server, place: &str) -> Result<Self> {
        let connection = server.connect().await?;
        let port = server.port;
        Ok(Self {
            connection,
            queue: format!("\"QueueUrl\":\"http://127.0.0.1:{port}/000000000000/{place}\""),
            stream: format!("\"StreamName\":\"{place}\""),
            answers: server.answers.clone(),
            iterators: Vec::new(),
            sent: CLIENTS.fetch_add(1, Ordering::Relaxed) << 32,
        })
    }

    /// Asks SQS, sending `body`, and returns the body of the answer. `known` is the answer that the bare server
    /// stands in for.
    async fn call(
        &mut self,
        operation: &str,
        body: &str,
        known: Option<fn(&Answers) -> &String>,
    ) -> Result<String> {
        self.ask(&format!("AmazonSQS.{operation}"), "", body, known)
            .await
    }

    /// Asks Kinesis.
    async fn call_kinesis(
        &mut self,
        operation: &str,
        body: &str,
        known: Option<fn(&Answers) -> &String>,
    ) -> Result<String> {
        self.ask(&format!("Kinesis_20131202.{operation}"), "", body, known)
            .await
    }

    async fn ask(
        &mut self,
        target: &str,
        path: &str,
        body: &str,
        known: Option<fn(&Answers) -> &String>,
    ) -> Result<String> {
        let known = self.answers.as_ref().zip(known).map(|(a, known)| known(a));
        let path = known.map_or(path.to_owned(), |answer| answer.len().to_string());
        let mut request = Request::post(format!("/{path}")).header("x-amz-target", target);
        for (name, value) in HEADERS {
            request = request.header(name, value);
        }
        let request = request.body(Bytes::copy_from_slice(body.as_bytes()))?;
        let answer = self.connection.ask(request).await?;
        let is_fine = answer.status().is_success();
        let answer = std::str::from_utf8(answer.body())?;
        if !is_fine {
            return Err(format!("{target}: {answer}").into());
        }
        Ok(known.map_or(answer, String::as_str).to_owned())
    }

    async fn send(&mut self) -> Result<String> {
        let body = format!("{{{},\"MessageBody\":\"{:a<100}\"}}", self.queue, "");
        self.call("SendMessage", &body, Some(|a| &a.sent)).await
    }

    async fn send_to(&mut self, groups: usize) -> Result<String> {
        self.sent += 1;
        let (id, group) = (self.sent, self.sent % groups as u64);
        let body = format!(
            "{{{},\"MessageBody\":\"{:a<100}\",\"MessageGroupId\":\"{group}\",\"MessageDeduplicationId\":\"{id}\"}}",
            self.queue, ""
        );
        self.call("SendMessage", &body, Some(|a| &a.fifo_sent))
            .await
    }

    async fn put(&mut self) -> Result<String> {
        self.sent += 1;
        let body = format!("{{{},{}}}", self.stream, record(self.sent));
        self.call_kinesis("PutRecord", &body, Some(|a| &a.put))
            .await
    }

    /// Gives itself its part of the shards, with an iterator at the start of each.
    async fn find_shards(&mut self, n: usize, of: usize) -> Result {
        self.iterators.clear();
        for shard in (0..SHARDS).skip(n).step_by(of) {
            if let Some(answers) = &self.answers {
                self.iterators.push(answers.iterator.clone());
                continue;
            }
            let body = format!(
                "{{{},\"ShardId\":\"shardId-{shard:012}\",\"ShardIteratorType\":\"TRIM_HORIZON\"}}",
                self.stream
            );
            let answer = self.call_kinesis("GetShardIterator", &body, None).await?;
            let iterator = answer.split('"').nth(3).ok_or("no iterator")?;
            self.iterators.push(iterator.to_owned());
        }
        Ok(())
    }

    /// The `n`th reading of this client, `limit` records from the start of a shard. A second passes before its shards
    /// would refuse.
    async fn get(&mut self, n: usize, limit: usize) -> Result<String> {
        if n.is_multiple_of(self.iterators.len() * READS_A_SECOND) {
            let second = "{\"advance_ms\":1000}";
            self.ask("", "lab/clock", second, None).await?;
        }
        let iterator = &self.iterators[n % self.iterators.len()];
        let body = format!("{{\"ShardIterator\":\"{iterator}\",\"Limit\":{limit}}}");
        let known: fn(&Answers) -> &String = match limit {
            1 => |a| &a.got_one,
            _ => |a| &a.got_full,
        };
        let answer = self.call_kinesis("GetRecords", &body, Some(known)).await?;
        match answer.matches("\"PartitionKey\"").count() {
            got if got == limit => Ok(answer),
            got => Err(format!("got {got} of {limit} records").into()),
        }
    }

    async fn send_ten(&mut self) -> Result<String> {
        let entries: Vec<_> = (0..10)
            .map(|n| format!("{{\"Id\":\"{n}\",\"MessageBody\":\"{:a<100}\"}}", ""))
            .collect();
        let body = format!("{{{},\"Entries\":[{}]}}", self.queue, entries.join(","));
        self.call("SendMessageBatch", &body, None).await
    }

    async fn receive(&mut self, most: usize) -> Result<String> {
        let body = format!(
            "{{{},\"MaxNumberOfMessages\":{most},\"WaitTimeSeconds\":20}}",
            self.queue
        );
        let known: fn(&Answers) -> &String = if most == 1 { |a| &a.one } else { |a| &a.ten };
        self.call("ReceiveMessage", &body, Some(known)).await
    }

    async fn delete(&mut self, received: &str) -> Result<String> {
        let handle = handles(received).next().ok_or("no message")?;
        let body = format!("{{{},\"ReceiptHandle\":\"{handle}\"}}", self.queue);
        self.call("DeleteMessage", &body, Some(|a| &a.deleted))
            .await
    }

    async fn delete_ten(&mut self, received: &str) -> Result<String> {
        let entries: Vec<_> = handles(received)
            .enumerate()
            .map(|(n, handle)| format!("{{\"Id\":\"{n}\",\"ReceiptHandle\":\"{handle}\"}}"))
            .collect();
        if entries.len() != 10 {
            return Err(format!("received {} of 10 messages", entries.len()).into());
        }
        let body = format!("{{{},\"Entries\":[{}]}}", self.queue, entries.join(","));
        self.call("DeleteMessageBatch", &body, Some(|a| &a.ten_deleted))
            .await
    }

    async fn run(&mut self, work: Work, messages: usize) -> Result {
        for n in 0..messages / work.step() {
            match work {
                Work::SendTo(groups) => drop(self.send_to(groups).await?),
                Work::Put => drop(self.put().await?),
                Work::Get(limit) => drop(self.get(n, limit).await?),
                Work::Fill => drop(self.send_ten().await?),
                Work::Send => drop(self.send().await?),
                Work::Tens => {
                    let received = self.receive(10).await?;
                    self.delete_ten(&received).await?;
                }
                Work::Ones => {
                    let received = self.receive(1).await?;
                    self.delete(&received).await?;
                }
                Work::Lives => {
                    self.send().await?;
                    let received = self.receive(1).await?;
                    self.delete(&received).await?;
                }
            }
        }
        Ok(())
    }
}

fn handles(received: &str) -> impl Iterator<Item = &str> {
    let after = received.split("\"ReceiptHandle\":\"").skip(1);
    after.filter_map(|rest| rest.split('"').next())
}

/// A record of 100 bytes, in JSON.
fn record(key: u64) -> String {
    format!("\"PartitionKey\":\"{key:020}\",\"Data\":\"{:Y<136}\"", "")
}

/// A client's work with each message.
#[derive(Clone, Copy)]
enum Work {
    Fill,
    Send,
    /// Send to a FIFO queue, to so many groups in turn.
    SendTo(usize),
    /// Put a record.
    Put,
    /// Get so many records in a call.
    Get(usize),
    /// Receive and delete, ten in a call.
    Tens,
    /// Receive and delete, one in a call.
    Ones,
    /// Send, receive and delete one.
    Lives,
}

impl Work {
    fn step(self) -> usize {
        match self {
            Work::Fill | Work::Tens => 10,
            Work::Get(limit) => limit,
            Work::Send | Work::SendTo(_) | Work::Put | Work::Ones | Work::Lives => 1,
        }
    }
}

// The measurements.

async fn measure() -> Result {
    let mut cloud = Server::start("localcloud")?;
    let mut echo = Server::start("echo")?;
    if cloud.cpu().is_some() {
        echo.answers = Some(answers(&cloud).await?);
        per_operation(&cloud, &echo).await?;
        cloud = Server::start("localcloud")?;
        flat(&cloud, &echo).await?;
        cloud = Server::start("localcloud")?;
    } else {
        println!("The CPU of another process can't be read on this system.");
    }
    wakes(&cloud).await?;
    drop((cloud, echo));
    functions().await?;
    starts()
}

/// Creates a queue and has each kind of call answered once.
async fn answers(cloud: &Server) -> Result<Answers> {
    let mut client = create_queue(cloud, "Sample").await?;
    let sent = client.send().await?;
    let one = client.receive(1).await?;
    let deleted = client.delete(&one).await?;
    client.send_ten().await?;
    let ten = client.receive(10).await?;
    let ten_deleted = client.delete_ten(&ten).await?;
    let fifo_sent = create_queue(cloud, "Sample.fifo").await?.send_to(1).await?;
    for stream in ["Puts", "Gets"] {
        create_stream(cloud, stream).await?;
    }
    let put = Client::connect(cloud, "Puts").await?.put().await?;
    let mut reader = fill_stream(cloud, "Gets").await?;
    reader.find_shards(0, SHARDS).await?;
    let iterator = reader.iterators[0].clone();
    let got_one = reader.get(0, 1).await?;
    let got_full = reader.get(0, FULL).await?;
    Ok(Answers {
        sent,
        one,
        ten,
        deleted,
        ten_deleted,
        fifo_sent,
        put,
        iterator,
        got_one,
        got_full,
    })
}

async fn create_queue(cloud: &Server, name: &str) -> Result<Client> {
    let mut client = Client::connect(cloud, name).await?;
    let fifo = match name.ends_with(".fifo") {
        true => ",\"Attributes\":{\"FifoQueue\":\"true\"}",
        false => "",
    };
    let body = format!("{{\"QueueName\":\"{name}\"{fifo}}}");
    client.call("CreateQueue", &body, None).await?;
    Ok(client)
}

async fn create_stream(cloud: &Server, name: &str) -> Result {
    let mut client = Client::connect(cloud, name).await?;
    let stream = client.stream.clone();
    let body = format!("{{{stream},\"ShardCount\":{SHARDS}}}");
    client.call_kinesis("CreateStream", &body, None).await?;
    let body = format!("{{{stream}}}");
    for _ in 0..1000 {
        let summary = client
            .call_kinesis("DescribeStreamSummary", &body, None)
            .await?;
        if summary.contains("\"ACTIVE\"") {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err("the stream is not ready".into())
}

/// Puts twice as many records as are read into each shard, more or less.
async fn fill_stream(cloud: &Server, name: &str) -> Result<Client> {
    let mut client = Client::connect(cloud, name).await?;
    for batch in 0..2 * SHARDS * FULL / 500 {
        let records: Vec<_> = (0..500)
            .map(|n| format!("{{{}}}", record((batch * 500 + n) as u64)))
            .collect();
        let body = format!("{{{},\"Records\":[{}]}}", client.stream, records.join(","));
        let answer = client.call_kinesis("PutRecords", &body, None).await?;
        if !answer.contains("\"FailedRecordCount\":0") {
            return Err("the stream took only a part".into());
        }
    }
    Ok(client)
}

/// One of the things that every round does on both servers.
struct Phase {
    /// None: it only makes ready for the next one.
    name: Option<&'static str>,
    place: &'static str,
    work: Work,
    messages: usize,
}

const PHASES: [Phase; 11] = {
    const fn phase(name: &'static str, place: &'static str, work: Work, messages: usize) -> Phase {
        Phase {
            name: Some(name),
            place,
            work,
            messages,
        }
    }
    [
        phase("a message sent: SendMessage", "Busy", Work::Send, MESSAGES),
        phase(
            "a message received and deleted, 10 a call",
            "Busy",
            Work::Tens,
            MESSAGES,
        ),
        Phase {
            name: None,
            place: "Busy",
            work: Work::Send,
            messages: MESSAGES,
        },
        phase(
            "a message received and deleted, 1 a call",
            "Busy",
            Work::Ones,
            MESSAGES,
        ),
        phase("FIFO, 1 group: sent", "One.fifo", Work::SendTo(1), ORDERED),
        phase(
            "FIFO, 1 group: received and deleted, 1 a call",
            "One.fifo",
            Work::Ones,
            ORDERED,
        ),
        phase(
            "FIFO, 1,000 groups: sent",
            "Many.fifo",
            Work::SendTo(1000),
            ORDERED,
        ),
        phase(
            "FIFO, 1,000 groups: received and deleted, 1 a call",
            "Many.fifo",
            Work::Ones,
            ORDERED,
        ),
        phase("a record put: PutRecord", "Puts", Work::Put, ORDERED),
        phase(
            "a record got: GetRecords, 1 a call",
            "Gets",
            Work::Get(1),
            ORDERED,
        ),
        phase(
            "a record got: GetRecords, 100 a call",
            "Gets",
            Work::Get(FULL),
            ORDERED * 20,
        ),
    ]
};

async fn per_operation(cloud: &Server, echo: &Server) -> Result {
    for queue in ["Busy", "One.fifo", "Many.fifo"] {
        create_queue(cloud, queue).await?;
    }
    println!(
        "| CPU in µs | connections | local cloud | bare axum | ratio (over {ROUNDS} rounds) |"
    );
    println!("|---|---|---|---|---|");
    for connections in CONNECTIONS {
        let mut times: [[Vec<f64>; 2]; PHASES.len()] = Default::default();
        for round in 0..=ROUNDS {
            for (which, server) in [cloud, echo].into_iter().enumerate() {
                for (phase, times) in PHASES.iter().zip(&mut times) {
                    let Phase {
                        place,
                        work,
                        messages,
                        ..
                    } = *phase;
                    let time = cost(server, place, connections, work, messages).await?;
                    // The first round warms up.
                    if round > 0 {
                        times[which].push(time);
                    }
                }
            }
        }
        for (phase, [ours, bare]) in PHASES.iter().zip(times) {
            let Some(name) = phase.name else { continue };
            let mut ratios: Vec<f64> = ours.iter().zip(&bare).map(|(a, b)| a / b).collect();
            let (ours, bare) = (median(ours), median(bare));
            ratios.sort_by(f64::total_cmp);
            println!(
                "| {name} | {connections} | {ours:.1} | {bare:.1} | **{:.2}** ({:.2}-{:.2}) |",
                ours / bare,
                ratios[0],
                ratios[ratios.len() - 1]
            );
        }
    }
    Ok(())
}

async fn flat(cloud: &Server, echo: &Server) -> Result {
    for kept in KEPT {
        create_queue(cloud, &format!("Keeps{kept}")).await?;
        let filling = cloud
            .clients(1, &format!("Keeps{kept}"), Work::Fill)
            .await?;
        run(filling, Work::Fill, kept).await?;
    }
    println!();
    println!("| CPU in µs to send, receive and delete a message | connections | local cloud | bare axum | ratio |");
    println!("|---|---|---|---|---|");
    for connections in CONNECTIONS {
        let mut times: [Vec<f64>; KEPT.len()] = Default::default();
        let mut bare = Vec::new();
        for _ in 0..ROUNDS {
            for (kept, times) in KEPT.into_iter().zip(&mut times) {
                let queue = format!("Keeps{kept}");
                times.push(cost(cloud, &queue, connections, Work::Lives, MESSAGES).await?);
            }
            bare.push(cost(echo, "", connections, Work::Lives, MESSAGES).await?);
        }
        let bare = median(bare);
        for (kept, times) in KEPT.into_iter().zip(times) {
            let time = median(times);
            println!(
                "| {kept} messages in the queue | {connections} | {time:.1} | {bare:.1} | {:.2} |",
                time / bare
            );
        }
    }
    let kept: usize = KEPT.iter().sum();
    println!();
    println!(
        "Memory with {kept} messages of 100 bytes: {:.0} MB",
        cloud.memory().unwrap_or(f64::NAN)
    );
    Ok(())
}

/// The server's CPU in µs per message.
async fn cost(
    server: &Server,
    place: &str,
    connections: usize,
    work: Work,
    messages: usize,
) -> Result<f64> {
    let clients = server.clients(connections, place, work).await?;
    let before = server.cpu().unwrap_or_default();
    run(clients, work, messages).await?;
    let used = server.cpu().unwrap_or_default().saturating_sub(before);
    Ok(used.as_secs_f64() * 1e6 / messages as f64)
}

async fn run(clients: Vec<Client>, work: Work, messages: usize) -> Result {
    let local = tokio::task::LocalSet::new();
    let each = messages / clients.len();
    let running: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            local.spawn_local(async move {
                let done = client.run(work, each).await;
                done.map_err(|error| error.to_string())
            })
        })
        .collect();
    local.await;
    for client in running {
        client.await??;
    }
    Ok(())
}

/// How long after a send was answered, and after it left, the waiting receive is answered.
async fn wakes(cloud: &Server) -> Result {
    let mut sender = create_queue(cloud, "Waits").await?;
    let mut receiver = Client::connect(cloud, "Waits").await?;
    let (mut after_answer, mut after_send) = (Vec::new(), Vec::new());
    for _ in 0..WAKES {
        let receive = async {
            let received = receiver.receive(10).await?;
            let woken = Instant::now();
            receiver.delete(&received).await?;
            Ok(woken)
        };
        let send = async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let sent = Instant::now();
            sender.send().await?;
            Ok((sent, Instant::now()))
        };
        let (woken, sent): (Result<_>, Result<_>) = tokio::join!(receive, send);
        let (woken, (sent, answered)) = (woken?, sent?);
        after_answer.push(millis(woken.saturating_duration_since(answered)));
        after_send.push(millis(woken.saturating_duration_since(sent)));
    }
    println!();
    println!("| A long poll wakes, ms | median | p99 |");
    println!("|---|---|---|");
    for (name, mut times) in [
        ("after the send's answer", after_answer),
        ("after the send's request", after_send),
    ] {
        times.sort_by(f64::total_cmp);
        println!(
            "| {name} | {:.3} | {:.3} |",
            times[WAKES / 2],
            times[WAKES * 99 / 100]
        );
    }
    Ok(())
}

/// From `LocalCloud::start` to the first answer of `/lab/health`, and the memory then.
fn starts() -> Result {
    let (mut times, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let cloud = Server::start("localcloud")?;
        times.push(millis(cloud.started));
        memory.extend(cloud.memory());
    }
    println!();
    println!("Start to the first answer: {:.1} ms", median(times));
    if !memory.is_empty() {
        println!("Memory when idle: {:.1} MB", median(memory));
    }
    Ok(())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

// A function: this program itself, which then speaks the Runtime API and answers each event with itself.

const INVOCATIONS: usize = 2_000;
const PROCESSES: usize = 11;

async fn function(api: &str) -> Result {
    let mut runtime = Connection::open(api).await?;
    let path = "/2018-06-01/runtime/invocation";
    loop {
        let event = ask(
            &mut runtime,
            Method::GET,
            &format!("{path}/next"),
            Bytes::new(),
        )
        .await?;
        let id = event.headers().get("lambda-runtime-aws-request-id");
        let id = id.ok_or("no request id")?.to_str()?;
        let response = format!("{path}/{id}/response");
        ask(&mut runtime, Method::POST, &response, event.body().clone()).await?;
    }
}

async fn ask(
    connection: &mut Connection,
    method: Method,
    path: &str,
    body: impl Into<Bytes>,
) -> Result<axum::http::Response<Bytes>> {
    let request = Request::builder().method(method).uri(path);
    let answer = connection.ask(request.body(body.into())?).await?;
    match answer.status().is_success() {
        true => Ok(answer),
        false => Err(format!("{path}: {answer:?}").into()),
    }
}

/// Invocations of a warm function, one after the other, and what it takes to start a process for one.
async fn functions() -> Result {
    let server = Server::start("localcloud")?;
    let mut connection = server.connect().await?;
    create_function(&mut connection).await?;
    let event = r#"{"Records":[{"body":"a message of some hundred characters, as a batch of one from a queue brings it to its function"}]}"#;
    let path = "/2015-03-31/functions/Echo";
    let invocations = format!("{path}/invocations");
    let mut starts = Vec::new();
    for memory in 128..128 + PROCESSES {
        let change = format!("{{\"MemorySize\":{memory}}}");
        let configuration = format!("{path}/configuration");
        ask(&mut connection, Method::PUT, &configuration, change).await?;
        tokio::time::sleep(Duration::from_millis(350)).await;
        let begun = Instant::now();
        ask(&mut connection, Method::POST, &invocations, event).await?;
        starts.push(millis(begun.elapsed()));
    }
    let (begun, before) = (Instant::now(), server.cpu());
    for _ in 0..INVOCATIONS {
        ask(&mut connection, Method::POST, &invocations, event).await?;
    }
    let took = begun.elapsed();
    println!();
    println!("| A function | |");
    println!("|---|---|");
    println!(
        "| invocations a second of a warm process, one after the other | {:.0} |",
        INVOCATIONS as f64 / took.as_secs_f64()
    );
    if let (Some(before), Some(after)) = (before, server.cpu()) {
        let each = (after - before).as_secs_f64() * 1e6 / INVOCATIONS as f64;
        println!("| CPU of the local cloud per invocation | {each:.0} µs |");
    }
    println!(
        "| the first invocation of a new process, its start included | {:.1} ms |",
        median(starts)
    );
    Ok(())
}

/// A function that may write its log, with this program as its code.
async fn create_function(connection: &mut Connection) -> Result {
    use base64::prelude::{Engine, BASE64_STANDARD};
    const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    const POLICY: &str = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
    for parameters in [
        [
            ("Action", "CreateRole"),
            ("AssumeRolePolicyDocument", TRUST),
        ],
        [("Action", "AttachRolePolicy"), ("PolicyArn", POLICY)],
    ] {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("Version", "2010-05-08"), ("RoleName", "echo")])
            .extend_pairs(parameters)
            .finish();
        ask(connection, Method::POST, "/", form).await?;
    }
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("bootstrap", zip::write::SimpleFileOptions::default())?;
    zip.write_all(&std::fs::read(std::env::current_exe()?)?)?;
    let zip = BASE64_STANDARD.encode(zip.finish()?.into_inner());
    let function = format!(
        "{{\"FunctionName\":\"Echo\",\"Runtime\":\"provided.al2023\",\"Handler\":\"bootstrap\",\
         \"Role\":\"arn:aws:iam::000000000000:role/echo\",\"Code\":{{\"ZipFile\":\"{zip}\"}}}}"
    );
    ask(connection, Method::POST, "/2015-03-31/functions", function).await?;
    tokio::time::sleep(Duration::from_millis(350)).await;
    Ok(())
}
