//! The receipt of one event.

use std::io::Write;

use clap::Args;

use crate::cli::Answer;
use crate::cli::failure::Failure;
use crate::cli::safe_text::escape;
use crate::cli::server::ServerArgs;

/// Show the receipt of one event: a proof (C2SP tlog-proof) that it stands in the log
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  indelible receipt 12345 > 12345.tlog-proof")]
pub struct Receipt {
    /// Index of the event in the log
    index: u64,
    #[command(flatten)]
    server: ServerArgs,
}

impl Receipt {
    pub fn run(self, out: &mut dyn Write) -> Result<Answer, Failure> {
        let receipt = self.server.connect()?.fetch(&format!("/v1/events/{}/receipt", self.index))?;
        // A receipt is ASCII with LF; anything else is not one, and is shown as what it is.
        write!(out, "{}", escape(&receipt.text()))?;
        Ok(Answer::Holds)
    }
}
