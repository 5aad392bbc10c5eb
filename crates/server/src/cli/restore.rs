//! A data directory out of a backup.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use crate::cli::Answer;
use crate::cli::data_dir::DataDir;
use crate::cli::failure::Failure;
use crate::cli::server::read_named;
use crate::cli::trail_copy::{bytes_bar, bytes_below, check_vacant, copy_trail, partial_path, sync_parent};
use crate::cli::verify;
use crate::store::keys::rebind;

/// Make a data directory out of a backup, after verifying it
///
/// Give the newest checkpoint you know of with --not-before: a backup that is behind it would begin a
/// second history, and is refused.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  indelible restore --from /mnt/backup/indelible-2026-11-22 --data /var/lib/indelible --not-before checkpoint"
)]
pub struct Restore {
    /// The backup
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// Data directory to make
    #[arg(long, env = "INDELIBLE_DATA", value_name = "DIR")]
    data: PathBuf,
    /// A checkpoint that the backup must not be behind
    #[arg(long, value_name = "FILE")]
    not_before: Option<PathBuf>,
}

impl Restore {
    pub fn run(self, out: &mut dyn Write) -> Result<Answer, Failure> {
        check_vacant(&self.data)?;
        let partial = partial_path(&self.data);
        check_vacant(&partial)?;
        let not_before = self.not_before.as_deref().map(read_named).transpose()?;
        verify::whole(&self.from, not_before.as_deref()).map_err(Failure::at("nothing was restored"))?;
        let bar = bytes_bar(bytes_below(&self.from), "copying");
        let copied = copy_trail(&self.from, &partial, &bar).and_then(|()| verify::whole(&partial, not_before.as_deref()));
        bar.finish_and_clear();
        let held = copied.map_err(|why| {
            // A copy that failed is of no use; one that cannot be removed is still called partial.
            let _ = fs::remove_dir_all(&partial);
            Failure::new(format!("nothing was restored: {why}"))
        })?;
        // An empty directory in the way is replaced.
        fs::rename(&partial, &self.data).map_err(Failure::at(self.data.display()))?;
        sync_parent(&self.data)?;
        let dir = DataDir::open(&self.data)?;
        rebind(dir.media()?.as_ref(), &dir.options().directory)?;
        writeln!(
            out,
            "{} holds {} entries, all verified; serve it with `indelible serve --data {}`",
            self.data.display(),
            held.size,
            self.data.display()
        )?;
        writeln!(std::io::stderr(), "never start the directory that was backed up again: one key in two places grows two histories")?;
        Ok(Answer::Holds)
    }
}
