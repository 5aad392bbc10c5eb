//! The one way a measurement fails: it says what was being done and stops the program.

/// Why a measurement could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A system call failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done, and to what.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The peer database refused something.
    #[error("postgresql: {0}")]
    Peer(#[from] postgres::Error),
    /// Something answered otherwise than it must; a figure taken from it would be worthless.
    #[error("{0}")]
    Wrong(String),
}

impl Failure {
    /// For `map_err` on I/O: names what was being done.
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
