//! A Python with the packages that a test wants, installed by name into a directory of their own below the cache
//! directory at the first run.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use aws_lc_rs::digest::{SHA256, digest};
use rustix::fs::{FlockOperation, flock};

fn cache() -> PathBuf {
    let given = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").expect("a home directory")).join(".cache");
    given.unwrap_or_else(home).join("indelible/clients")
}

fn succeed(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}

/// The interpreter. Other versions of the packages have another directory.
pub fn python(requirements: &str) -> PathBuf {
    let name: String = digest(&SHA256, requirements.as_bytes()).as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let dir = cache().join(name);
    std::fs::create_dir_all(&dir).unwrap();
    // Tests run side by side, in one process or several: one of them installs.
    let lock = File::create(dir.join("lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let (python, done) = (dir.join("venv/bin/python"), dir.join("done"));
    if !done.exists() {
        let list = dir.join("requirements.txt");
        std::fs::write(&list, requirements).unwrap();
        succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(dir.join("venv")));
        succeed(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&list));
        std::fs::write(done, "").unwrap();
    }
    python
}
