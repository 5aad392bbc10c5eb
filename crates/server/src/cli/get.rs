//! One event.

use std::io::Write;

use clap::Args;

use crate::cli::Answer;
use crate::cli::failure::Failure;
use crate::cli::safe_text::escape;
use crate::cli::server::ServerArgs;

/// Show one event
///
/// As JSON with characters that a terminal would obey written as escapes; its exact bytes with --raw.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  indelible get 12345\n  indelible get 12345 --ocsf\n  indelible get 12345 --proof > 12345.json && indelible-verify --key \"$VKEY\" 12345.json"
)]
pub struct Get {
    /// Index of the event in the log
    index: u64,
    /// The bytes that the source sent, unchanged
    #[arg(long, conflicts_with = "proof")]
    raw: bool,
    /// The event file: enough to check the event offline with indelible-verify
    #[arg(long)]
    proof: bool,
    /// What the event means as well: kind, identities, OCSF
    #[arg(long, conflicts_with_all = ["proof", "raw"])]
    ocsf: bool,
    #[command(flatten)]
    server: ServerArgs,
}

impl Get {
    pub fn run(self, out: &mut dyn Write) -> Result<Answer, Failure> {
        let server = self.server.connect()?;
        let index = self.index;
        if self.raw {
            out.write_all(&server.fetch(&format!("/v1/events/{index}/raw"))?.body)?;
            return Ok(Answer::Holds);
        }
        let query = match (self.proof, self.ocsf) {
            (true, _) => "?proof=1",
            (_, true) => "?ocsf=1",
            _ => "",
        };
        let event = server.fetch(&format!("/v1/events/{index}{query}"))?.text();
        writeln!(out, "{}", escape(event.trim_end()))?;
        Ok(Answer::Holds)
    }
}
