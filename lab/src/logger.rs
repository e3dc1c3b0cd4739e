//! Writes to stderr what the renderer of the book warns of, and as much of the local cloud as `--log` asks for.

use log::{Level, LevelFilter, Log, Metadata, Record};

struct Logger {
    local_cloud: LevelFilter,
}

/// Begins to write. The local cloud tells each call at the level `debug`.
pub fn start(local_cloud: LevelFilter) {
    if log::set_boxed_logger(Box::new(Logger { local_cloud })).is_ok() {
        log::set_max_level(local_cloud.max(LevelFilter::Warn));
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        match metadata.target() {
            target if target.starts_with("mdbook") => metadata.level() <= Level::Warn,
            target if target.starts_with("localcloud") => metadata.level() <= self.local_cloud,
            _ => false,
        }
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let who = match record.target().starts_with("mdbook") {
                true => "The book",
                false => "The local cloud",
            };
            eprintln!("{who}: {}", record.args());
        }
    }

    fn flush(&self) {}
}
