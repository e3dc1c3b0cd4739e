//! Child processes, and that none of them outlives the local cloud.
//!
//! Each leads a process group, on Windows a job, which is killed as a whole when the local cloud stops; what has left the
//! group is out of reach. Should the local cloud itself be killed, Linux kills the child with it and Windows its job;
//! elsewhere the child loses its connection to the Runtime API, at which a runtime ends.
// Differs from AWS: plain-processes: a function is a plain process of the reader's: no sandbox, no limit of memory or processor.

use crate::lock::lock;
use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop};
use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, PipeReader, PipeWriter, Read, Write};
use std::process::{ExitStatus, Stdio};
use std::sync::{mpsc, Arc, Mutex};
use std::thread;
use std::time::Duration;
use tokio::process::Command;
use tokio::runtime::Handle;
use tokio::sync::{mpsc as async_mpsc, oneshot};

/// In bytes. Text without a newline is taken as a line when it is so long.
const MAX_LINE: u64 = 256 * 1024;
/// A file that was just written can be busy for a moment: another thread was forking and held it open.
const BUSY_TRIES: u32 = 50;

/// Starts processes, and knows those that live.
pub struct Processes {
    orders: Mutex<Option<mpsc::Sender<Order>>>,
    living: Arc<Mutex<Living>>,
}

#[derive(Default)]
struct Living {
    groups: BTreeSet<u32>,
    stopped: bool,
}

struct Order {
    command: CommandWrap,
    reply: oneshot::Sender<io::Result<Box<dyn ChildWrapper>>>,
}

impl Default for Processes {
    fn default() -> Self {
        Self {
            orders: Mutex::new(None),
            living: Arc::default(),
        }
    }
}

impl Processes {
    /// Starts `command`; whatever it writes goes to `sink` line by line, from a thread of its own. The mark is a secret:
    /// a line of the program's that ends in it would be cut.
    pub async fn start(
        &self,
        mut command: Command,
        mark: String,
        sink: impl Fn(&str) + Send + 'static,
    ) -> io::Result<Process> {
        let (reader, writer) = io::pipe()?;
        command
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer.try_clone()?);
        let command = bound_to_this_process(command);
        let (reply, started) = oneshot::channel();
        self.order(Order { command, reply })?;
        let child = started.await.map_err(io::Error::other)??;
        let id = child.id().unwrap_or_default();
        let (passed, marks) = async_mpsc::channel(1);
        let process = Process {
            child,
            id,
            writer,
            mark: format!("{mark}\n"),
            marks,
            living: self.living.clone(),
        };
        thread::Builder::new()
            .name("localcloud-output".to_owned())
            .spawn(move || read_lines(reader, &mark, sink, &passed))?;
        Ok(process)
    }

    /// Kills all there are and starts no more.
    pub fn stop(&self) {
        let mut living = lock(&self.living);
        living.stopped = true;
        for group in &living.groups {
            kill_group(*group);
        }
    }

    /// The death of the thread that started it is what kills a child on Linux, so one thread starts them all.
    fn order(&self, order: Order) -> io::Result<()> {
        let mut orders = lock(&self.orders);
        let sender = match &*orders {
            Some(sender) => sender.clone(),
            None => {
                let (sender, received) = mpsc::channel();
                let (handle, living) = (Handle::current(), self.living.clone());
                thread::Builder::new()
                    .name("localcloud-processes".to_owned())
                    .spawn(move || start_all(&received, &handle, &living))?;
                orders.insert(sender).clone()
            }
        };
        sender
            .send(order)
            .map_err(|_| io::Error::other("the local cloud stops"))
    }
}

fn start_all(orders: &mpsc::Receiver<Order>, handle: &Handle, living: &Mutex<Living>) {
    let _runtime = handle.enter();
    for Order { mut command, reply } in orders {
        let mut tries = 0;
        let outcome = loop {
            // Under the lock: a stop either comes first, or finds the child.
            let mut living = lock(living);
            if living.stopped {
                break Err(io::Error::other("the local cloud stops"));
            }
            match command.spawn() {
                Err(error)
                    if error.kind() == io::ErrorKind::ExecutableFileBusy && tries < BUSY_TRIES =>
                {
                    drop(living);
                    tries += 1;
                    thread::sleep(Duration::from_millis(5));
                }
                outcome => {
                    let started = outcome.as_ref().ok();
                    living.groups.extend(started.and_then(|child| child.id()));
                    break outcome;
                }
            }
        };
        // Nobody waits any more: the child dies with its value.
        let _ = reply.send(outcome);
    }
}

/// A child that runs. It and its group die with this value.
pub struct Process {
    child: Box<dyn ChildWrapper>,
    id: u32,
    /// The local cloud's own end of what the child writes to.
    writer: PipeWriter,
    mark: String,
    marks: async_mpsc::Receiver<()>,
    living: Arc<Mutex<Living>>,
}

impl Process {
    /// Returns when the process has ended. May be called again, and dropped.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    pub async fn kill(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.start_kill();
        let _ = self.child.wait().await;
    }

    /// Returns when all that was written so far has been read: a mark, written behind it, has come through.
    pub async fn drain(&mut self) {
        if self.writer.write_all(self.mark.as_bytes()).is_ok() {
            let _ = tokio::time::timeout(Duration::from_secs(1), self.marks.recv()).await;
        }
    }

    /// The most memory that it has used so far, in bytes, where the system tells.
    pub fn memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id)).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kib * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut living = lock(&self.living);
        let _ = self.child.start_kill();
        living.groups.remove(&self.id);
    }
}

fn read_lines(
    reader: PipeReader,
    mark: &str,
    sink: impl Fn(&str),
    passed: &async_mpsc::Sender<()>,
) {
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    while !passed.is_closed() {
        line.clear();
        let mut limited = reader.by_ref().take(MAX_LINE);
        if !matches!(limited.read_until(b'\n', &mut line), Ok(1..)) {
            return;
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']);
        let before_mark = text.strip_suffix(mark);
        if before_mark != Some("") {
            sink(before_mark.unwrap_or(text));
        }
        if before_mark.is_some() {
            // A mark that nobody has waited for stands for this one.
            let _ = passed.try_send(());
        }
    }
}

fn bound_to_this_process(mut command: Command) -> CommandWrap {
    #[cfg(target_os = "linux")]
    die_with_parent(&mut command);
    let mut command = CommandWrap::from(command);
    command.wrap(KillOnDrop);
    #[cfg(unix)]
    command.wrap(process_wrap::tokio::ProcessGroup::leader());
    #[cfg(windows)]
    command.wrap(process_wrap::tokio::JobObject);
    command
}

#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "no library sets this between fork and exec: pre_exec is the way, and it is unsafe"
)]
fn die_with_parent(command: &mut Command) {
    use nix::sys::{prctl::set_pdeathsig, signal::Signal};
    use nix::unistd::{getppid, Pid};
    let parent = Pid::this();
    let bind = move || {
        set_pdeathsig(Signal::SIGKILL)?;
        match getppid() == parent {
            true => Ok(()),
            false => Err(io::ErrorKind::BrokenPipe.into()),
        }
    };
    // SAFETY: between fork and exec the closure makes two system calls; it allocates nothing and takes no lock.
    unsafe { command.pre_exec(bind) };
}

/// On Windows a job ends with its handle, so with the [`Process`] or with the local cloud.
fn kill_group(leader: u32) {
    #[cfg(unix)]
    if let Some(leader) = i32::try_from(leader).ok().filter(|leader| *leader > 1) {
        use nix::sys::signal::{killpg, Signal};
        // An error means that the group is gone.
        let _ = killpg(nix::unistd::Pid::from_raw(leader), Signal::SIGKILL);
    }
    #[cfg(not(unix))]
    let _ = leader;
}
