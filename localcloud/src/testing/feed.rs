//! A listener to `/lab/events`, as a browser's `EventSource` is one.

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// An event that is awaited comes within this time.
const MAX_WAIT: Duration = Duration::from_secs(20);
/// The feed has its own limit for who takes nothing, and an end comes after it.
const MAX_UNTIL_THE_END: Duration = Duration::from_secs(180);

/// Listens to `/lab/events`. It panics when what it waits for does not come in time, and says what came instead.
pub struct Feed {
    lines: BufReader<TcpStream>,
    /// The HTTP status of the answer.
    pub status: u16,
    /// The id of the last event.
    pub last: String,
    /// The events so far, to be shown when a wait is in vain.
    seen: Vec<String>,
}

impl Feed {
    /// Begins with the state, which is returned, too.
    pub fn listen(cloud: SocketAddr) -> (Self, Value) {
        let mut feed = Self::open(cloud, "/lab/events", "");
        let state = feed.next();
        assert_eq!(state["kind"], "state");
        (feed, state)
    }

    /// Asks for the feed with this path and these lines of headers.
    pub fn open(cloud: SocketAddr, path: &str, headers: &str) -> Self {
        let mut stream = TcpStream::connect(cloud).expect("the local cloud listens");
        stream.set_read_timeout(Some(MAX_WAIT)).expect("a timeout");
        // Of HTTP/1.0, so that the events come as they are and not in chunks.
        write!(
            stream,
            "GET {path} HTTP/1.0\r\nhost: localhost\r\n{headers}\r\n"
        )
        .expect("a request");
        let mut lines = BufReader::new(stream);
        let mut line = || {
            let mut line = String::new();
            lines.read_line(&mut line).expect("the head of an answer");
            line
        };
        let status = line().split(' ').nth(1).and_then(|code| code.parse().ok());
        while line() != "\r\n" {}
        Self {
            lines,
            status: status.expect("a status"),
            last: String::new(),
            seen: Vec::new(),
        }
    }

    /// The next event.
    #[expect(
        clippy::should_implement_trait,
        reason = "the feed goes on: there is no end to say None at"
    )]
    pub fn next(&mut self) -> Value {
        self.read(MAX_WAIT).expect("the feed goes on")
    }

    /// The next event, even if it takes long; none when the feed has ended.
    pub fn try_next(&mut self) -> Option<Value> {
        self.read(MAX_UNTIL_THE_END)
    }

    fn read(&mut self, longest: Duration) -> Option<Value> {
        let since = Instant::now();
        loop {
            let last = &self.seen[self.seen.len().saturating_sub(10)..];
            assert!(
                since.elapsed() < longest,
                "no event within {longest:?} after {} events, the last of them {last:#?}",
                self.seen.len()
            );
            let mut line = String::new();
            match self.lines.read_line(&mut line) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => panic!("no event after {last:#?}: {error}"),
            }
            if let Some(id) = line.strip_prefix("id: ") {
                self.last = id.trim_end().to_owned();
            } else if let Some(data) = line.strip_prefix("data: ") {
                self.seen.push(data.trim_end().to_owned());
                return Some(serde_json::from_str(data).expect("JSON"));
            }
        }
    }

    /// The events up to the first one for which this holds.
    pub fn until(&mut self, is_last: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            events.push(self.next());
            if events.last().is_some_and(&is_last) {
                return events;
            }
        }
    }

    /// The events up to the one of this id.
    pub fn until_id(&mut self, id: &str) -> Vec<Value> {
        let mut events = Vec::new();
        while self.last != id {
            events.push(self.next());
        }
        events
    }
}
