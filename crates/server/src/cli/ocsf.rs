//! Checks events against the OCSF schema.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::Answer;
use crate::cli::failure::Failure;
use crate::cli::safe_text::escape;
use crate::ocsf::{OCSF_VERSION, check};

/// Check events against OCSF 1.8.0
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  indelible ocsf check events.ndjson")]
pub struct Ocsf {
    #[command(subcommand)]
    command: OcsfCommand,
}

#[derive(Debug, Subcommand)]
enum OcsfCommand {
    /// Check types, enumerations, required attributes and constraints; exit code 1 when one is not valid
    Check {
        /// Files with one event a line, or one event; - for standard input
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

impl Ocsf {
    pub fn run(self, out: &mut dyn Write) -> Result<Answer, Failure> {
        let OcsfCommand::Check { files } = self.command;
        let (mut valid, mut faulty) = (0_u64, 0_u64);
        for file in files {
            let text = if file.as_os_str() == "-" {
                std::io::read_to_string(std::io::stdin())?
            } else {
                std::fs::read_to_string(&file).map_err(Failure::at(file.display().to_string()))?
            };
            for (nth, event) in serde_json::Deserializer::from_str(&text).into_iter::<serde_json::Value>().enumerate() {
                let event = event.map_err(|why| Failure::new(format!("{}: event {}: {why}", file.display(), nth + 1)))?;
                let faults = check(&event);
                if faults.is_empty() {
                    valid += 1
                } else {
                    faulty += 1
                }
                for fault in faults {
                    writeln!(out, "{}: event {}: {}", file.display(), nth + 1, escape(&fault.to_string()))?;
                }
            }
        }
        writeln!(out, "{valid} valid, {faulty} not, by OCSF {OCSF_VERSION}")?;
        Ok(if faulty == 0 { Answer::Holds } else { Answer::DoesNotHold })
    }
}
