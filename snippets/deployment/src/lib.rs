//! The library of the programs about Lambda.

mod code;
mod deploy;
mod function;
mod log;
mod picky;
mod runs;
mod scratch;
mod stack;
mod trigger;

pub use code::zipped;
pub use deploy::{deploy, deploy_with};
pub use function::Function;
pub use log::{lines, Line};
pub use picky::{picky, three_runs};
pub use runs::{Runs, TEN};
pub use scratch::{is_lambdas, Scratch};
pub use stack::{allow, create_stack, delete_stack, output, parameter, stack_gone};
pub use trigger::{delete_trigger, queue_arn, stream_arn, trigger, trigger_of, until};
