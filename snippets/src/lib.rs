//! What the programs share: where they connect, when they stop, how they say what went wrong.
//! The pages show each part where it is first needed.

mod args;
mod connect;
mod error;
mod queue;
mod template;
mod time;

pub use args::{flag, Args};
pub use connect::{connect, named};
pub use error::{Error, Result};
pub use queue::{
    delete, is_scratch, letters, queue_url, receive_count, receive_one, scratch_fifo_queue,
    scratch_queue,
};
pub use template::{Template, TEMPLATES};
pub use time::{pass, until_ctrl_c};
