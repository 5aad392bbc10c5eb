//! Makes a data directory without serving it.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::cli::Answer;
use crate::cli::data_dir::DataDir;
use crate::cli::failure::Failure;
use crate::cli::new_key::{Rights, make_key};
use crate::config::DATA_DEFAULT;
use crate::store::trail::{Trail, TrailOptions};

/// Make a data directory: its trail, its signing key and an admin key
///
/// The admin key is shown once; the log keeps its hash only.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  indelible init --data /var/lib/indelible --json")]
pub struct Init {
    /// Directory to make; it must not hold a trail yet
    #[arg(long, env = "INDELIBLE_DATA", default_value = DATA_DEFAULT, value_name = "DIR")]
    data: PathBuf,
    /// Name of the log, as verifiers will know it [default: indelible.local/<8 hex digits>/main]
    #[arg(long, value_name = "NAME")]
    origin: Option<String>,
    /// Print {origin, vkey, admin_key} as JSON
    #[arg(long)]
    json: bool,
}

impl Init {
    pub fn run(self, out: &mut dyn Write) -> Result<Answer, Failure> {
        let dir = DataDir::create(&self.data)?;
        if dir.holds_trail() {
            return Err(Failure::new(format!(
                "{} holds a trail already, and nothing was changed: serve it with `indelible serve --data {}`; \
                 if its admin key is lost, `indelible key reset-admin` makes another",
                self.data.display(),
                self.data.display()
            )));
        }
        let trail = Trail::open(dir.media()?, &TrailOptions { origin: self.origin, ..dir.options() })?;
        let key = first_admin_key(&trail)?.ok_or_else(|| Failure::new("the new trail has an admin key already"))?;
        trail.close();
        let state = &trail.view().state;
        if self.json {
            writeln!(out, "{}", json!({"origin": state.origin, "vkey": state.vkey.to_string(), "admin_key": key}))?;
        } else {
            writeln!(out, "origin     {}\nvkey       {}\nadmin key  {key}", state.origin, state.vkey)?;
            writeln!(out, "\nThe admin key is shown this once. Next: indelible serve --data {}", self.data.display())?;
        }
        Ok(Answer::Holds)
    }
}

/// The first start's admin key. A trail that ever had a key gets none: a start that was killed
/// before it could show the key has made it nonetheless, and `key reset-admin` is the recorded way.
pub fn first_admin_key(trail: &Trail) -> Result<Option<String>, Failure> {
    if !trail.view().state.keys.is_empty() {
        return Ok(None);
    }
    make_key(trail, &Rights::admin(), false).map(|token| Some(token.reveal().to_owned()))
}
