//! An execution environment: one process with its Runtime API and its log stream, from its start over one event after
//! another to its end. See <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>.

use super::config::Config;
use super::function_log::{End, FunctionLog, Report};
use super::invocation::{Invoked, Job, Slot, MAX_PAYLOAD};
use super::names::{arn, VERSION};
use super::process::Process;
use super::runtime_api::{Call, Done, Event, RuntimeApi};
use super::state::Shared;
use crate::account::REGION;
use crate::iam::Session;
use bytes::Bytes;
use serde_json::json;
use std::ffi::OsString;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::process::Command;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout, timeout_at, Instant};

// Differs from AWS: one-start: a process that fails to start, or takes more than 10 seconds, fails the invocation; AWS tries once more.
const MAX_START: Duration = Duration::from_secs(10);
// Differs from AWS: idle-processes: a warm process ends after 5 minutes of the machine's time without an event.
const MAX_IDLE: Duration = Duration::from_secs(5 * 60);
/// The last lines of a process that has ended are read for so long.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Starts a process for `config`, has it work on `job`, and keeps it for as long as there is more.
pub async fn run(shared: Arc<Shared>, config: Arc<Config>, slot: Slot, job: Job) {
    let log = Arc::new(FunctionLog::new(
        shared.clock.clone(),
        shared.iam.clone(),
        shared.logs.clone(),
        config.clone(),
        &shared.unique(),
    ));
    let begun = Instant::now();
    let mut environment = match Environment::start(&shared, &config, &log).await {
        Ok(environment) => environment,
        Err(reason) => {
            let failure = Failure::Entrypoint(reason);
            log.init_report(begun.elapsed(), failure.end());
            log.start(&job.request_id);
            let invoked = conclude(&log, &job, Err(failure), Figures::default());
            shared.finish(&config.name, job, invoked);
            return;
        }
    };
    if let Err(failure) = environment.init(begun).await {
        environment.process.kill().await;
        environment.process.drain().await;
        log.init_report(begun.elapsed(), failure.end());
        log.start(&job.request_id);
        let invoked = conclude(&log, &job, Err(failure), Figures::default());
        drop((environment, slot));
        shared.finish(&config.name, job, invoked);
        return;
    }
    let mut init = Some(begun.elapsed());
    // In the log, its lines from the start stand before the first invocation.
    environment.process.drain().await;
    let mut at_hand = Some(job);
    while let Some(job) = at_hand.take() {
        let invoked = environment.work(&job, init.take()).await;
        if environment.ready.is_none() {
            drop((environment, slot));
            shared.finish(&config.name, job, invoked);
            return;
        }
        let parked = shared.park(&config);
        shared.finish(&config.name, job, invoked);
        if let Some((number, jobs)) = parked {
            at_hand = environment.wait(&shared, number, jobs).await;
        }
    }
}

struct Environment {
    config: Arc<Config>,
    log: Arc<FunctionLog>,
    process: Process,
    api: RuntimeApi,
    /// Its credentials end with it.
    _session: Session,
    /// Where the next event goes. None while the process works on one, and when there can be none any more.
    ready: Option<oneshot::Sender<Event>>,
}

/// Why there is no answer.
enum Failure {
    Entrypoint(String),
    Exit(ExitStatus),
    /// The process reported this instead of starting.
    Init(Bytes),
    Timeout(Duration),
    /// The function reported this.
    Function(Bytes),
    TooLarge,
}

impl Failure {
    fn end(&self) -> End {
        match self {
            Failure::Entrypoint(_) => End::Gone("Runtime.InvalidEntrypoint"),
            Failure::Exit(_) => End::Gone("Runtime.ExitError"),
            Failure::Init(_) => End::Gone("Runtime.InitError"),
            Failure::Timeout(_) => End::Timeout,
            Failure::Function(_) | Failure::TooLarge => End::Failure,
        }
    }
}

/// The costs in a report.
#[derive(Default)]
struct Figures {
    duration: Duration,
    init: Option<Duration>,
    memory: Option<u64>,
}

impl Environment {
    async fn start(
        shared: &Shared,
        config: &Arc<Config>,
        log: &Arc<FunctionLog>,
    ) -> Result<Self, String> {
        let bootstrap = config.code.bootstrap()?;
        let unable = |error| format!("fork/exec /var/task/bootstrap: {error}");
        let api = RuntimeApi::listen().await.map_err(unable)?;
        let session = shared.iam.assume(&config.role, &session_name(&config.name));
        let mut command = Command::new(bootstrap);
        command
            .current_dir(config.code.folder())
            .env_clear()
            .envs(from_the_machine())
            .env("TZ", ":UTC")
            .env("AWS_ENDPOINT_URL", &shared.endpoint)
            .envs(config.environment.iter().flatten())
            .env("AWS_LAMBDA_RUNTIME_API", api.address().to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", &config.name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", VERSION)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", config.memory.to_string())
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", &config.log_group)
            .env("AWS_LAMBDA_LOG_STREAM_NAME", log.stream())
            .env("AWS_REGION", REGION)
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", &session.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &session.secret_access_key)
            .env("AWS_SESSION_TOKEN", &session.session_token)
            .env("LAMBDA_TASK_ROOT", config.code.folder())
            .env("_HANDLER", &config.handler);
        if config.json_logs {
            command.env("AWS_LAMBDA_LOG_FORMAT", config.log_format());
        }
        if let Some(level) = &config.log_level {
            command.env("AWS_LAMBDA_LOG_LEVEL", level);
        }
        let sink = log.clone();
        let process = shared
            .processes
            .start(command, shared.unique(), move |line| sink.line(line))
            .await
            .map_err(unable)?;
        Ok(Self {
            config: config.clone(),
            log: log.clone(),
            process,
            api,
            ready: None,
            _session: session,
        })
    }

    /// Waits until the process asks for its first event.
    async fn init(&mut self, begun: Instant) -> Result<(), Failure> {
        let work = async {
            loop {
                tokio::select! {
                    biased;
                    Some(call) = self.api.call() => match call {
                        Call::Next(ready) => {
                            self.ready = Some(ready);
                            return Ok(());
                        }
                        Call::InitError(body) => return Err(Failure::Init(body)),
                        Call::Done { reply, .. } => drop(reply.send(false)),
                    },
                    Ok(status) = self.process.ended() => {
                        let reported = self.last_words(|call| match call {
                            Call::InitError(body) => Some(body),
                            _ => None,
                        });
                        return Err(reported.await.map_or(Failure::Exit(status), Failure::Init));
                    }
                }
            }
        };
        match timeout_at(begun + MAX_START, work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::Timeout(MAX_START)),
        }
    }

    /// Has the process work on one event, until it asks for the next one.
    async fn work(&mut self, job: &Job, init: Option<Duration>) -> Invoked {
        self.log.start(&job.request_id);
        // Differs from AWS: function-time: a function runs, and times out, by the machine's time, whatever the clock shows.
        let longest = Duration::from_secs(self.config.timeout.into());
        let begun = Instant::now();
        let event = event(job, &self.config, longest);
        let work = async {
            let done = self.answer(event).await;
            self.ready = match done {
                Ok(_) => self.readiness().await,
                Err(_) => None,
            };
            done
        };
        let outcome = match timeout_at(begun + longest, work).await {
            Ok(Ok(Done::Answer(body))) => Ok(body),
            Ok(Ok(Done::Error(body))) => Err(Failure::Function(body)),
            Ok(Ok(Done::TooLarge)) => Err(Failure::TooLarge),
            Ok(Err(status)) => Err(Failure::Exit(status)),
            Err(_) => Err(Failure::Timeout(longest)),
        };
        let figures = Figures {
            duration: begun.elapsed().min(longest),
            init,
            memory: self.process.memory(),
        };
        if self.ready.is_none() {
            self.process.kill().await;
        }
        self.process.drain().await;
        conclude(&self.log, job, outcome, figures)
    }

    /// Gives the process the event and waits for what it says, or for its end.
    async fn answer(&mut self, event: Event) -> Result<Done, ExitStatus> {
        if let Some(ready) = self.ready.take() {
            let _ = ready.send(event.clone());
        }
        loop {
            tokio::select! {
                biased;
                Some(call) = self.api.call() => match call {
                    // It lost its connection before it had the event.
                    Call::Next(ready) => drop(ready.send(event.clone())),
                    Call::Done { request_id, outcome, reply } => {
                        let at_hand = request_id == event.request_id;
                        let _ = reply.send(at_hand);
                        if at_hand {
                            return Ok(outcome);
                        }
                    }
                    Call::InitError(_) => {}
                },
                Ok(status) = self.process.ended() => {
                    let done = self.last_words(|call| match call {
                        Call::Done { request_id, outcome, .. } if request_id == event.request_id => Some(outcome),
                        _ => None,
                    });
                    return done.await.ok_or(status);
                }
            }
        }
    }

    /// Waits until the process asks for more; none when it ends instead.
    async fn readiness(&mut self) -> Option<oneshot::Sender<Event>> {
        loop {
            tokio::select! {
                biased;
                Some(call) = self.api.call() => match call {
                    Call::Next(ready) => return Some(ready),
                    Call::Done { reply, .. } => drop(reply.send(false)),
                    Call::InitError(_) => {}
                },
                Ok(_) = self.process.ended() => return None,
            }
        }
    }

    /// Waits for another job; none when there comes none.
    async fn wait(
        &mut self,
        shared: &Shared,
        number: u64,
        mut jobs: oneshot::Receiver<Job>,
    ) -> Option<Job> {
        let idle = sleep(MAX_IDLE);
        tokio::pin!(idle);
        loop {
            tokio::select! {
                biased;
                job = &mut jobs => return job.ok(),
                Some(call) = self.api.call() => match call {
                    Call::Next(ready) => self.ready = Some(ready),
                    Call::Done { reply, .. } => drop(reply.send(false)),
                    Call::InitError(_) => {}
                },
                _ = self.process.ended() => break,
                () = &mut idle => break,
            }
        }
        match shared.unpark(&self.config.name, number) {
            true => None,
            // A job has come at the same moment.
            false => jobs.await.ok(),
        }
    }

    /// Looks through what the process said just before it ended.
    async fn last_words<T>(&mut self, wanted: impl Fn(Call) -> Option<T>) -> Option<T> {
        self.api.close();
        let look = async {
            while let Some(call) = self.api.call().await {
                if let Some(found) = wanted(call) {
                    return Some(found);
                }
            }
            None
        };
        timeout(LAST_WORDS, look).await.ok().flatten()
    }
}

/// The name of the session in which a function's role is assumed. It has two characters at least, a function's name may
/// have one.
fn session_name(function: &str) -> String {
    match function.len() {
        1 => format!("{function}@lambda_function"),
        _ => function.to_owned(),
    }
}

fn event(job: &Job, config: &Config, longest: Duration) -> Event {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let id = job.request_id.replace('-', "");
    Event {
        request_id: job.request_id.clone(),
        deadline_ms: (now + longest).as_millis() as u64,
        function_arn: arn(&config.name),
        trace_id: format!(
            "Root=1-{:08x}-{};Parent={};Sampled=0",
            now.as_secs(),
            &id[..24],
            &id[16..]
        ),
        payload: job.payload.clone(),
    }
}

/// Writes the end of an invocation into the log, and says what its caller gets.
fn conclude(
    log: &FunctionLog,
    job: &Job,
    outcome: Result<Bytes, Failure>,
    figures: Figures,
) -> Invoked {
    let id = &job.request_id;
    let end = outcome.as_ref().map_or_else(Failure::end, |_| End::Success);
    let (payload, is_error) = match outcome {
        Ok(body) => (body, false),
        Err(Failure::Init(body) | Failure::Function(body)) => (body, true),
        Err(Failure::TooLarge) => {
            let message = format!(
                "Response payload size exceeded maximum allowed payload size ({MAX_PAYLOAD} bytes)."
            );
            let kind = "Function.ResponseSizeTooLarge";
            (error(Some(kind), &message), true)
        }
        Err(Failure::Timeout(after)) => {
            let reason = format!("Task timed out after {:.2} seconds", after.as_secs_f64());
            log.line(&format!("{} {id} {reason}", log.now()));
            let message = format!("RequestId: {id} Error: {reason}");
            (error(Some("Sandbox.Timedout"), &message), true)
        }
        Err(Failure::Entrypoint(reason)) => (gone(log, id, end, &reason), true),
        Err(Failure::Exit(status)) => (gone(log, id, end, &describe(status)), true),
    };
    let log_tail = log.report(&Report {
        request_id: id,
        duration: figures.duration,
        init: figures.init,
        memory: figures.memory,
        end,
    });
    Invoked {
        payload,
        error: is_error.then(|| "Unhandled".to_owned()),
        request_id: id.clone(),
        log_tail,
    }
}

fn gone(log: &FunctionLog, request_id: &str, end: End, reason: &str) -> Bytes {
    let message = format!("RequestId: {request_id} Error: {reason}");
    let End::Gone(kind) = end else {
        return error(None, &message);
    };
    log.line(&message);
    log.line(kind);
    error(Some(kind), &message)
}

fn error(kind: Option<&str>, message: &str) -> Bytes {
    let mut error = json!({"errorMessage": message});
    if let Some(kind) = kind {
        error["errorType"] = json!(kind);
    }
    error.to_string().into()
}

fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        use nix::sys::signal::Signal;
        let name = match Signal::try_from(signal) {
            Ok(Signal::SIGABRT) => "aborted",
            Ok(Signal::SIGKILL) => "killed",
            Ok(Signal::SIGSEGV) => "segmentation fault",
            Ok(Signal::SIGTERM) => "terminated",
            _ => return format!("Runtime exited with error: signal: signal {signal}"),
        };
        return format!("Runtime exited with error: signal: {name}");
    }
    match status.code() {
        Some(0) => "Runtime exited without providing a reason".to_owned(),
        code => format!(
            "Runtime exited with error: exit status {}",
            code.unwrap_or(-1)
        ),
    }
}

/// The variables of this machine's own environment without which no program runs.
fn from_the_machine() -> impl Iterator<Item = (&'static str, OsString)> {
    const NAMES: [&str; 5] = ["PATH", "TMPDIR", "SystemRoot", "TEMP", "TMP"];
    NAMES
        .into_iter()
        .filter_map(|name| Some((name, std::env::var_os(name)?)))
}
