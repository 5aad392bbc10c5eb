//! Secrets of connections: found where the act says, never kept in the log, never shown.
//!
//! `env:NAME` is a variable of the process. `file:NAME` is DATA/secrets/NAME, a regular file that
//! only its owner may read. One line end at its end is not part of the secret.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use evidence::act::SecretReference;

/// Directory of secrets below the data directory.
pub const SECRETS_DIR: &str = "secrets";
/// Longest secret in bytes: a private key with its chain takes a few thousand.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// A secret. `Debug` hides it, and there is no `Display`: whoever needs it says so.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// Why a secret was not found. Says where it was looked for, never what was there.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is not set.
    #[error("the environment variable {0} is not set: set it for the server's process and restart it")]
    NoVariable(String),
    /// The file is not there or cannot be read.
    #[error("the secret in {path} cannot be read: {error}; write it there with mode 0600, as the user that runs the server")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Others may read it.
    #[error("the secret in {path} has mode {mode:04o}, so others than its owner may read or change it: run `chmod 0600 {path}`")]
    Open {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A directory, a device or a link.
    #[error("{path} is no regular file: write the secret itself there, not a link to it")]
    NotAFile {
        /// Which file.
        path: PathBuf,
    },
    /// Empty, too long, or not text.
    #[error(
        "the secret {reference} is empty, longer than {SECRET_BYTES_MAX} bytes, or no UTF-8 text: put one secret there and nothing else"
    )]
    Unusable {
        /// Where it was found.
        reference: SecretReference,
    },
}

/// Where the secrets of one data directory are.
#[derive(Clone, Debug)]
pub struct Secrets {
    dir: PathBuf,
    variable: fn(&str) -> Option<OsString>,
}

impl Secrets {
    /// Secrets of the data directory at `data` and of this process's environment.
    #[must_use]
    pub fn of(data: &Path) -> Self {
        Self { dir: data.join(SECRETS_DIR), variable: |name| std::env::var_os(name) }
    }

    /// Finds a secret as it is now: a file may be replaced while the server runs.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn resolve(&self, reference: &SecretReference) -> Result<Secret, SecretError> {
        let bytes = match reference {
            SecretReference::Env(name) => match (self.variable)(name) {
                Some(value) => value.into_encoded_bytes(),
                None => return Err(SecretError::NoVariable(name.clone())),
            },
            SecretReference::File(name) => read(self.dir.join(name))?,
        };
        let text = String::from_utf8(bytes).ok().filter(|text| text.len() as u64 <= SECRET_BYTES_MAX);
        let text = text.map(|text| without_line_end(&text).to_owned()).filter(|text| !text.is_empty());
        text.map(Secret).ok_or_else(|| SecretError::Unusable { reference: reference.clone() })
    }
}

fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

fn read(path: PathBuf) -> Result<Vec<u8>, SecretError> {
    let failed = |error| SecretError::Unreadable { path: path.clone(), error };
    // Neither follows a link nor waits for a pipe's writer; what was opened is what is looked at.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    let file = match std::fs::OpenOptions::new().read(true).custom_flags(flags).open(&path) {
        Ok(file) => file,
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => return Err(SecretError::NotAFile { path }),
        Err(error) => return Err(failed(error)),
    };
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(SecretError::NotAFile { path });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SecretError::Open { path, mode });
    }
    let mut bytes = Vec::new();
    file.take(SECRET_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn write(dir: &Path, name: &str, bytes: &[u8], mode: u32) {
        fs::write(dir.join(name), bytes).unwrap();
        fs::set_permissions(dir.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_secret_is_found_where_the_act_says_and_only_if_its_owner_alone_may_read_it() {
        let data = tempfile::tempdir().unwrap();
        let dir = data.path().join(SECRETS_DIR);
        fs::create_dir(&dir).unwrap();
        let mut secrets = Secrets::of(data.path());
        secrets.variable = |name| (name == "OKTA_TOKEN").then(|| "from the environment".into());
        let resolve = |text: &str| secrets.resolve(&text.parse().unwrap());
        assert_eq!(resolve("env:OKTA_TOKEN").unwrap().reveal(), "from the environment");
        assert!(resolve("env:OTHER").unwrap_err().to_string().contains("OTHER is not set"));
        write(&dir, "token", b"s3cret\n", 0o600);
        let secret = resolve("file:token").unwrap();
        assert_eq!((secret.reveal(), format!("{secret:?}").as_str()), ("s3cret", "Secret(hidden)"));
        for mode in [0o640, 0o604, 0o620] {
            write(&dir, "token", b"s3cret\n", mode);
            assert!(resolve("file:token").unwrap_err().to_string().contains("chmod 0600"));
        }
        assert!(resolve("file:missing").unwrap_err().to_string().contains("mode 0600"));
        symlink(dir.join("token"), dir.join("link")).unwrap();
        fs::create_dir(dir.join("folder")).unwrap();
        for name in ["file:link", "file:folder"] {
            assert!(matches!(resolve(name), Err(SecretError::NotAFile { .. })), "{name}");
        }
        let long = vec![b'x'; usize::try_from(SECRET_BYTES_MAX).unwrap() + 1];
        for (name, bytes) in [("empty", &b"\n"[..]), ("binary", b"\xff"), ("long", &long)] {
            write(&dir, name, bytes, 0o600);
            let why = resolve(&format!("file:{name}")).unwrap_err();
            assert!(matches!(why, SecretError::Unusable { .. }) && !why.to_string().contains("xxx"), "{why}");
        }
    }
}
