//! Why a command could not be done: what happened, to what, what to do.

use std::any::Any;
use std::fmt;
use std::io;

/// The message for standard error.
#[derive(Debug)]
pub struct Failure {
    message: String,
    closed_output: bool,
}

impl Failure {
    /// A failure in these words.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), closed_output: false }
    }

    /// Whether it is only that nobody reads our output any more.
    pub fn is_closed_output(&self) -> bool {
        self.closed_output
    }

    /// Says to what it happened: `.map_err(Failure::at(&path))`.
    pub fn at<E: fmt::Display>(what: impl fmt::Display) -> impl FnOnce(E) -> Self {
        move |why| Self::new(format!("{what}: {why}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(why: E) -> Self {
        let closed_output = (&why as &dyn Any).downcast_ref::<io::Error>().is_some_and(|why| why.kind() == io::ErrorKind::BrokenPipe);
        Self { message: why.to_string(), closed_output }
    }
}
