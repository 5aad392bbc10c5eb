//! A verified copy of a data directory.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::cli::Answer;
use crate::cli::data_dir::{media_to_read, trail_path};
use crate::cli::failure::Failure;
use crate::cli::trail_copy::{bytes_bar, bytes_below, check_vacant, copy_trail, partial_path, sync_parent};
use crate::cli::verify;
use crate::config::DATA_DEFAULT;

/// Copy a data directory and verify the copy; the server may go on running
///
/// The copy holds everything that was acknowledged before the backup began, the signing key
/// included: guard it like the original. It cannot be served where it lies; `indelible restore`
/// makes a data directory of it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  indelible backup --data /var/lib/indelible --to /mnt/backup/indelible-$(date +%F)")]
pub struct Backup {
    /// Data directory to copy; it is only read
    #[arg(long, env = "INDELIBLE_DATA", default_value = DATA_DEFAULT, value_name = "DIR")]
    data: PathBuf,
    /// Directory to make
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Print {to, size, bytes} as JSON
    #[arg(long)]
    json: bool,
}

impl Backup {
    pub fn run(self, out: &mut dyn Write) -> Result<Answer, Failure> {
        media_to_read(&self.data)?;
        check_vacant(&self.to)?;
        let partial = partial_path(&self.to);
        check_vacant(&partial)?;
        let bar = bytes_bar(bytes_below(&trail_path(&self.data)), "copying");
        let made = copy_trail(&self.data, &partial, &bar).and_then(|()| verify::whole(&partial, None));
        bar.finish_and_clear();
        let held = match made {
            Ok(held) => held,
            Err(why) => {
                // Nobody must take it for a backup. What cannot be removed is still called partial.
                let _ = fs::remove_dir_all(&partial);
                return Err(Failure::new(format!("no backup was made: {why}")));
            }
        };
        fs::rename(&partial, &self.to).map_err(Failure::at(self.to.display()))?;
        sync_parent(&self.to)?;
        let bytes = bytes_below(&self.to);
        if self.json {
            writeln!(out, "{}", json!({"to": self.to.display().to_string(), "size": held.size, "bytes": bytes}))?;
        } else {
            writeln!(out, "{} holds {} entries in {bytes} bytes, all verified", self.to.display(), held.size)?;
        }
        Ok(Answer::Holds)
    }
}
