//! The library of the programs: where they connect, when they stop, how they say what went wrong.
//! The pages show each part where it is first needed.

mod args;
mod connect;
pub mod cost;
mod error;
mod print;
mod queue;
pub mod quotas;
mod stream;
mod template;
mod time;

pub use args::{flag, no_options, options, Args, QueueArgs, StreamArgs};
pub use connect::{connect, endpoint, named, LOCAL};
pub use error::{Error, Result};
pub use print::reader_gone;
#[doc(hidden)]
pub use print::{print_error_line, print_line};
pub use queue::{
    delete, is_scratch, letters, queue_url, receive_count, receive_one, scratch_fifo_queue,
    scratch_name, scratch_queue,
};
pub use stream::{
    active, delete_stream, from_the_start, hash_key, is_open, iterator, put, read, register,
    scratch_stream, shards, uuid, without_retries,
};
pub use template::{Template, TEMPLATES};
pub use time::{pass, until_ctrl_c};
