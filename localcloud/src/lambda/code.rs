//! A function's code: the zip that was uploaded, unpacked into a folder of its own.

use super::error::invalid;
use crate::wire::error::ApiError;
use base64::prelude::{Engine, BASE64_STANDARD};
use sha2::{Digest, Sha256};
use std::env::consts::{ARCH, OS};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use zip::ZipArchive;

/// A zip in the request itself, and what becomes of it.
/// See <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
const MAX_ZIP: usize = 50 * 1024 * 1024;
const MAX_UNPACKED: u64 = 250 * 1024 * 1024;
const MAX_STORED: u64 = 2 * 1024 * 1024 * 1024;
const MAX_FILES: usize = 10_000;

/// The program that Lambda starts. Windows runs it under this name only.
const BOOTSTRAP: &str = if cfg!(windows) {
    "bootstrap.exe"
} else {
    "bootstrap"
};

/// The names in the system's temporary folder begin with this.
const PREFIX: &str = "localcloud-functions-";
/// Who can lock this file knows that its local cloud is gone.
const LOCK: &str = "lock";

/// Where the code of all functions is unpacked. The folder ends with this value, or when it is removed.
pub struct Store {
    most_unpacked: u64,
    root: OnceLock<Root>,
    next: AtomicU64,
    stored: Arc<AtomicU64>,
}

/// The code of one function, on disk for as long as somebody holds it.
pub struct Code {
    folder: Folder,
    /// The SHA-256 of the zip in base64, as AWS shows it.
    pub sha256: String,
    /// The bytes of the zip.
    pub size: usize,
    unpacked: u64,
    stored: Arc<AtomicU64>,
}

struct Folder(PathBuf);

impl Folder {
    fn create(path: PathBuf) -> io::Result<Self> {
        #[cfg_attr(not(unix), allow(unused_mut, reason = "no modes there"))]
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        self.stored.fetch_sub(self.unpacked, Ordering::Relaxed);
    }
}

impl Default for Store {
    fn default() -> Self {
        Self {
            most_unpacked: MAX_UNPACKED,
            root: OnceLock::new(),
            next: AtomicU64::default(),
            stored: Arc::default(),
        }
    }
}

impl Store {
    /// Unpacks a zip as it comes in base64.
    ///
    /// # Errors
    ///
    /// `InvalidParameterValueException` when it is no zip or holds what must not be, `RequestEntityTooLargeException`,
    /// `CodeStorageExceededException`, or `ServiceException` when the disk is at fault.
    pub fn unpack(&self, base64: &str) -> Result<Code, ApiError> {
        let zip = BASE64_STANDARD
            .decode(base64)
            .map_err(|_| invalid("ZipFile is not base64"))?;
        if zip.len() > MAX_ZIP {
            return Err(ApiError::sender(
                "RequestEntityTooLargeException",
                format!("Zipped size must be smaller than {MAX_ZIP} bytes"),
            )
            .with_status(413));
        }
        let mut archive = ZipArchive::new(Cursor::new(&zip)).map_err(|_| not_a_zip())?;
        if archive.len() > MAX_FILES {
            return Err(invalid(format!(
                "The zip holds more than {MAX_FILES} files"
            )));
        }
        let mut code = Code {
            folder: self.folder().map_err(disk)?,
            sha256: BASE64_STANDARD.encode(Sha256::digest(&zip)),
            size: zip.len(),
            unpacked: 0,
            stored: self.stored.clone(),
        };
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(|_| not_a_zip())?;
            let Some(name) = entry.enclosed_name().filter(|_| !entry.is_symlink()) else {
                return Err(invalid(
                    "The zip holds a link, or a path that leads out of the function's folder",
                ));
            };
            let path = code.folder.0.join(name);
            if entry.is_dir() {
                fs::create_dir_all(&path).map_err(disk)?;
                continue;
            }
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(disk)?;
            }
            let mut file = File::create(&path).map_err(disk)?;
            let mut buffer = [0; 65_536];
            loop {
                let read = entry.read(&mut buffer).map_err(|_| not_a_zip())?;
                if read == 0 {
                    break;
                }
                code.unpacked += read as u64;
                let stored = self.stored.fetch_add(read as u64, Ordering::Relaxed) + read as u64;
                if code.unpacked > self.most_unpacked {
                    return Err(invalid(format!(
                        "Unzipped size must be smaller than {} bytes",
                        self.most_unpacked
                    )));
                }
                if stored > MAX_STORED {
                    return Err(ApiError::sender(
                        "CodeStorageExceededException",
                        "Code storage limit exceeded: the local cloud keeps 2 GiB of code.",
                    ));
                }
                file.write_all(&buffer[..read]).map_err(disk)?;
            }
        }
        code.make_executable().map_err(disk)?;
        Ok(code)
    }

    /// Deletes everything from the disk.
    pub fn remove(&self) {
        if let Some(root) = self.root.get() {
            let _ = fs::remove_dir_all(&root.folder.0);
        }
    }

    fn folder(&self) -> io::Result<Folder> {
        let root = match self.root.get() {
            Some(root) => root,
            None => {
                sweep();
                let new = Root::create()?;
                self.root.get_or_init(|| new)
            }
        };
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Folder::create(root.folder.0.join(number.to_string()))
    }
}

/// The folder of all code, and a file that stays locked for as long as this process lives.
struct Root {
    folder: Folder,
    _lock: File,
}

impl Root {
    fn create() -> io::Result<Self> {
        let folder = new_folder()?;
        // Locked before it has the name by which others look for it.
        let (unlocked, locked) = (folder.0.join("unlocked"), folder.0.join(LOCK));
        let lock = File::create(&unlocked)?;
        lock.lock()?;
        fs::rename(unlocked, locked)?;
        Ok(Self {
            folder,
            _lock: lock,
        })
    }
}

/// Deletes what local clouds left that had no time to do it themselves.
fn sweep() {
    let entries = fs::read_dir(std::env::temp_dir()).into_iter().flatten();
    for folder in entries.flatten() {
        if !folder.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let lock = File::open(folder.path().join(LOCK));
        if lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(folder.path());
        }
    }
}

/// A folder that nobody else has or can look into. Its name is never used again: whoever had it may delete it twice.
fn new_folder() -> io::Result<Folder> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let (temporary, process) = (std::env::temp_dir(), std::process::id());
    for _ in 0..10_000 {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        match Folder::create(temporary.join(format!("{PREFIX}{process}-{number}"))) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            outcome => return outcome,
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

impl Code {
    pub fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// The program to start.
    ///
    /// # Errors
    ///
    /// Why it can't be started: there is none, or it isn't for this machine.
    pub fn bootstrap(&self) -> Result<PathBuf, String> {
        let path = self.bootstrap_path();
        let mut head = [0; 20];
        let Ok(length) = File::open(&path).and_then(|mut file| file.read(&mut head)) else {
            return Err(
                "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]".to_owned(),
            );
        };
        if runs_here(&head[..length]) {
            return Ok(path);
        }
        Err(format!(
            "fork/exec /var/task/bootstrap: exec format error. The local cloud runs functions on this machine \
             ({ARCH} {OS}), so the zip must hold a bootstrap that was built for it, with cargo build --release"
        ))
    }

    fn bootstrap_path(&self) -> PathBuf {
        let plain = self.folder.0.join("bootstrap");
        match plain.exists() {
            true => plain,
            false => self.folder.0.join(BOOTSTRAP),
        }
    }

    // Differs from AWS: executable-bit: a bootstrap that lacks the executable bit, as zips made on Windows do, runs all the same.
    fn make_executable(&self) -> io::Result<()> {
        #[cfg(unix)]
        if let Ok(file) = File::open(self.bootstrap_path()) {
            use std::os::unix::fs::PermissionsExt;
            file.set_permissions(fs::Permissions::from_mode(0o700))?;
        }
        Ok(())
    }
}

/// Whether a program that begins with these bytes is a script or is built for this system and processor. The system itself can't be
/// asked: it may take what it doesn't know for a shell script.
fn runs_here(head: &[u8]) -> bool {
    match OS {
        "windows" => head.starts_with(b"MZ"),
        _ if head.starts_with(b"#!") => true,
        "macos" => [0xfeed_facf_u32, 0xcafe_babe].iter().any(|magic| {
            head.starts_with(&magic.to_le_bytes()) || head.starts_with(&magic.to_be_bytes())
        }),
        _ => {
            let machine = match ARCH {
                "x86_64" => 62,
                "aarch64" => 183,
                _ => return head.starts_with(b"\x7fELF"),
            };
            head.starts_with(b"\x7fELF") && head.get(18) == Some(&machine)
        }
    }
}

fn not_a_zip() -> ApiError {
    invalid("Could not unzip uploaded file. Please check your file, then try to upload again.")
}

fn disk(error: io::Error) -> ApiError {
    ApiError::sender(
        "ServiceException",
        format!("The code could not be unpacked: {error}"),
    )
    .with_status(500)
}

#[cfg(test)]
mod tests {
    use super::*;
    use zip::write::{SimpleFileOptions, ZipWriter};

    #[test]
    fn what_unpacks_to_too_much_leaves_nothing() {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for name in ["small", "large"] {
            zip.start_file(name, SimpleFileOptions::default())
                .expect("a file");
            zip.write_all(&vec![0; 60_000]).expect("memory");
        }
        let zip = zip.finish().expect("a zip").into_inner();
        let zip = BASE64_STANDARD.encode(zip);
        let mut store = Store {
            most_unpacked: 119_999,
            ..Store::default()
        };
        let refused = store.unpack(&zip).err().expect("a refusal");
        assert_eq!(refused.code, "InvalidParameterValueException");
        assert_eq!(store.stored.load(Ordering::Relaxed), 0);
        let root = store.root.get().expect("a folder").folder.0.clone();
        let left = fs::read_dir(&root).expect("a folder").flatten();
        assert_eq!(
            left.map(|entry| entry.file_name()).collect::<Vec<_>>(),
            [LOCK]
        );
        store.most_unpacked = 120_000;
        let Ok(code) = store.unpack(&zip) else {
            panic!("it fits");
        };
        assert_eq!(store.stored.load(Ordering::Relaxed), 120_000);
        drop((code, store));
        assert!(!root.exists());
    }

    #[test]
    fn a_zip_is_no_larger_than_fifty_megabytes() {
        let zip = BASE64_STANDARD.encode(vec![0; MAX_ZIP + 1]);
        let refused = Store::default().unpack(&zip).err().expect("a refusal");
        assert_eq!(
            (refused.status, refused.code.as_str()),
            (413, "RequestEntityTooLargeException")
        );
        assert_eq!(
            refused.message,
            "Zipped size must be smaller than 52428800 bytes"
        );
    }

    #[test]
    fn what_a_killed_cloud_left_is_swept_away() {
        let left = new_folder().expect("a folder");
        File::create(left.0.join(LOCK)).expect("a file");
        let alive = Root::create().expect("a folder");
        sweep();
        assert!(!left.0.exists());
        assert!(alive.folder.0.exists());
    }
}
