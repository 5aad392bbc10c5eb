//! Where a connection's secrets are found: never in the log, see `SecretReference`.

use std::path::PathBuf;

use evidence::act::SecretReference;

/// Bytes of a secret. A private key in PEM has some 3 KB, a key set 20 KB.
const SECRET_BYTES_MAX: u64 = 256 << 10;

/// Reads secrets of this machine.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    dir: Option<PathBuf>,
}

impl Secrets {
    /// Files are looked for in `dir`.
    #[must_use]
    pub fn in_dir(dir: PathBuf) -> Self {
        Self { dir: Some(dir) }
    }

    /// The secret, without the line end that an editor puts behind it. Read each time: a changed file
    /// counts from the next request on.
    #[must_use]
    pub fn read(&self, reference: &SecretReference) -> Option<Vec<u8>> {
        let mut found = match reference {
            SecretReference::Env(name) => std::env::var_os(name)?.into_encoded_bytes(),
            SecretReference::File(name) => {
                let path = self.dir.as_ref()?.join(name);
                let length = std::fs::metadata(&path).ok()?.len();
                if length > SECRET_BYTES_MAX {
                    return None;
                }
                std::fs::read(path).ok()?
            }
        };
        while found.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            found.pop();
        }
        Some(found)
    }
}
