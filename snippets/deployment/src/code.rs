//! The code of a function, as Lambda takes it.

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::Architecture;
use snippets::{endpoint, Result};
use std::io::{Cursor, Write};
use std::path::PathBuf;
use std::{env, fs};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

// ANCHOR: zipped
/// A zip with the function's program in it. The runtime `provided.al2023` starts the file `bootstrap`.
pub fn zipped(program: &str) -> Result<Blob> {
    let path = built(program);
    let executable = fs::read(&path).map_err(|error| {
        let build = build_command();
        format!("{}: {error}\n  build it with `{build}`", path.display())
    })?;
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .unix_permissions(0o755);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", options).map_err(|error| error.to_string())?;
    zip.write_all(&executable)?;
    let written = zip.finish().map_err(|error| error.to_string())?;
    Ok(Blob::new(written.into_inner()))
}
// ANCHOR_END: zipped

/// Where the build puts the program: for AWS cargo lambda, for the local cloud cargo itself, beside this program.
fn built(program: &str) -> PathBuf {
    if endpoint().is_none() {
        return ["target", "lambda", program, "bootstrap"].iter().collect();
    }
    let beside = || Some(env::current_exe().ok()?.parent()?.to_owned());
    let folder = env::var_os("LAB_FUNCTIONS").map(PathBuf::from).or_else(beside);
    let file = format!("{program}{}", env::consts::EXE_SUFFIX);
    folder.unwrap_or_default().join(file)
}

fn build_command() -> &'static str {
    match endpoint() {
        None => "cargo lambda build --release --arm64 --package functions",
        Some(_) => "cargo build --package functions",
    }
}

/// The architecture that the program is built for: on AWS, arm64 costs less; the local cloud runs it on this machine.
pub fn architecture() -> Architecture {
    match endpoint() {
        None => Architecture::Arm64,
        Some(_) if cfg!(target_arch = "aarch64") => Architecture::Arm64,
        Some(_) => Architecture::X8664,
    }
}
