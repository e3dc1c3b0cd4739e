//! What the README's figures about the local cloud come from: the CPU that it takes per operation, beside a bare
//! axum server that gets the same requests and answers with as many bytes; how soon a long poll wakes; how long
//! the start takes and what memory is used.
//!
//!     cargo bench -p localcloud
//!
//! Both servers are processes of their own, so that their CPU can be told from that of the client. They take
//! turns, round after round; a figure is the median of its rounds. CPU is read from `/proc`: on systems without
//! it only the times are measured.

use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::Router;
use bytes::Bytes;
use http_body_util::BodyExt;
use localcloud::{LocalCloud, Options};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Messages sent, received and deleted in a round: a multiple of 10 for each connection.
const MESSAGES: usize = 8_000;
const ROUNDS: usize = 9;
const CONNECTIONS: [usize; 2] = [1, 16];
const KEPT: [usize; 3] = [10, 10_000, 1_000_000];
const WAKES: usize = 500;
const STARTS: usize = 21;

fn main() -> Result {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--serve", name] => serve(name),
        [.., "--bench"] => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(measure()),
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
    let ask = || {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.write_all(b"GET /lab/health HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        std::io::Result::Ok(status.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
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

async fn answer(request: Request) -> Response {
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
    /// What the local cloud answered, for the bare server: its client works with these.
    answers: Option<Answers>,
}

#[derive(Clone)]
struct Answers {
    sent: String,
    one: String,
    ten: String,
    deleted: String,
    ten_deleted: String,
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

    /// What its threads have used so far.
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

    async fn clients(&self, count: usize, queue: &str) -> Result<Vec<Client>> {
        let mut clients = Vec::new();
        for _ in 0..count {
            clients.push(Client::connect(self, queue).await?);
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

// The client: HTTP/1.1 on one connection, with the headers of an SDK.

const HEADERS: &str = "\
    content-type: application/x-amz-json-1.0\r\n\
    x-amzn-query-mode: true\r\n\
    user-agent: aws-sdk-rust/1.3.10 ua/2.1 api/sqs/1.119.0 os/linux lang/rust/1.94.1 m/E,b\r\n\
    x-amz-user-agent: aws-sdk-rust/1.3.10 ua/2.1 api/sqs/1.119.0 os/linux lang/rust/1.94.1 m/E,b\r\n\
    x-amz-date: 20261123T090000Z\r\n\
    authorization: AWS4-HMAC-SHA256 Credential=test/20261123/us-east-1/sqs/aws4_request, SignedHeaders=content-type;\
    host;x-amz-date;x-amz-target;x-amz-user-agent;x-amzn-query-mode, Signature=\
    5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7\r\n\
    amz-sdk-request: attempt=1; max=3\r\n\
    amz-sdk-invocation-id: 3fe95b4e-52d1-4bc1-92a1-8e0fd5f2c9a1\r\n";

struct Client {
    stream: tokio::net::TcpStream,
    port: u16,
    queue: String,
    answers: Option<Answers>,
    request: String,
    response: Vec<u8>,
}

impl Client {
    async fn connect(server: &Server, queue: &str) -> Result<Self> {
        let stream = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).await?;
        stream.set_nodelay(true)?;
        let port = server.port;
        Ok(Self {
            stream,
            port,
            queue: format!("\"QueueUrl\":\"http://127.0.0.1:{port}/000000000000/{queue}\""),
            answers: server.answers.clone(),
            request: String::new(),
            response: Vec::new(),
        })
    }

    /// Sends `body` and returns the body of the answer. `known` is the answer that the bare server stands in for.
    async fn call(
        &mut self,
        operation: &str,
        body: &str,
        known: Option<fn(&Answers) -> &String>,
    ) -> Result<String> {
        let known = self.answers.as_ref().zip(known).map(|(a, known)| known(a));
        let path = known.map_or(String::new(), |answer| answer.len().to_string());
        self.request.clear();
        write!(
            self.request,
            "POST /{path} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nx-amz-target: AmazonSQS.{operation}\r\n{HEADERS}\
             content-length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        )?;
        self.stream.write_all(self.request.as_bytes()).await?;
        self.response.clear();
        let (head, length) = loop {
            if self.stream.read_buf(&mut self.response).await? == 0 {
                return Err("the server closed the connection".into());
            }
            if let Some(found) = split(&self.response)? {
                break found;
            }
        };
        while self.response.len() < head + length {
            if self.stream.read_buf(&mut self.response).await? == 0 {
                return Err("the server closed the connection".into());
            }
        }
        let answer = std::str::from_utf8(&self.response[head..])?;
        if !self.response.starts_with(b"HTTP/1.1 200") {
            return Err(format!("{operation}: {answer}").into());
        }
        Ok(known.map_or(answer, String::as_str).to_owned())
    }

    async fn send(&mut self) -> Result<String> {
        let body = format!("{{{},\"MessageBody\":\"{:a<100}\"}}", self.queue, "");
        self.call("SendMessage", &body, Some(|a| &a.sent)).await
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
        for _ in 0..messages / work.step() {
            match work {
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

/// Where the body of an answer begins and how long it is, once its headers are there.
fn split(response: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(end) = response.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
        return Ok(None);
    };
    let length = std::str::from_utf8(&response[..end])?
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .ok_or("no content-length")?;
    Ok(Some((end + 4, length.parse()?)))
}

fn handles(received: &str) -> impl Iterator<Item = &str> {
    let after = received.split("\"ReceiptHandle\":\"").skip(1);
    after.filter_map(|rest| rest.split('"').next())
}

/// What a client does with each message.
#[derive(Clone, Copy)]
enum Work {
    Fill,
    Send,
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
            Work::Send | Work::Ones | Work::Lives => 1,
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
    Ok(Answers {
        sent,
        one,
        ten,
        deleted,
        ten_deleted,
    })
}

async fn create_queue(cloud: &Server, name: &str) -> Result<Client> {
    let mut client = Client::connect(cloud, name).await?;
    let body = format!("{{\"QueueName\":\"{name}\"}}");
    client.call("CreateQueue", &body, None).await?;
    Ok(client)
}

async fn per_operation(cloud: &Server, echo: &Server) -> Result {
    create_queue(cloud, "Busy").await?;
    println!(
        "| CPU in µs | connections | local cloud | bare axum | ratio (over {ROUNDS} rounds) |"
    );
    println!("|---|---|---|---|---|");
    for connections in CONNECTIONS {
        let phases = [Work::Send, Work::Tens, Work::Send, Work::Ones];
        let mut times: [[Vec<f64>; 2]; 4] = Default::default();
        for round in 0..=ROUNDS {
            for (which, server) in [cloud, echo].into_iter().enumerate() {
                for (phase, work) in phases.into_iter().enumerate() {
                    let time = cost(server, "Busy", connections, work, MESSAGES).await?;
                    // The first round warms up.
                    if round > 0 {
                        times[phase][which].push(time);
                    }
                }
            }
        }
        let [sent, tens, _, ones] = times;
        for (name, [ours, bare]) in [
            ("a message sent: SendMessage", sent),
            ("a message received and deleted, 10 a call", tens),
            ("a message received and deleted, 1 a call", ones),
        ] {
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
        run(cloud, &format!("Keeps{kept}"), 1, Work::Fill, kept).await?;
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
    queue: &str,
    connections: usize,
    work: Work,
    messages: usize,
) -> Result<f64> {
    let before = server.cpu().unwrap_or_default();
    run(server, queue, connections, work, messages).await?;
    let used = server.cpu().unwrap_or_default().saturating_sub(before);
    Ok(used.as_secs_f64() * 1e6 / messages as f64)
}

async fn run(
    server: &Server,
    queue: &str,
    connections: usize,
    work: Work,
    messages: usize,
) -> Result {
    let local = tokio::task::LocalSet::new();
    let clients = server.clients(connections, queue).await?;
    let running: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            local.spawn_local(async move {
                let done = client.run(work, messages / connections).await;
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
