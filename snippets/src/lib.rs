//! What the programs share: where they connect, when they stop, how they say what went wrong.
//! The pages show each part where it is first needed.

mod args;
mod connect;
mod error;
mod queue;
mod time;

pub use args::{flag, Args};
pub use connect::{connect, named};
pub use error::{Error, Result};
pub use queue::{is_scratch, letters, queue_url, receive_count, receive_one, scratch_queue};
pub use time::{pass, until_ctrl_c};

/// The template of the page *A standard queue*: each program carries it along and runs in any folder.
pub const STANDARD_QUEUE: &str = include_str!("../../templates/standard-queue.yaml");
