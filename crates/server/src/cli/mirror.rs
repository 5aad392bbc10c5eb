//! The tree as static files (C2SP tlog-tiles), for any web server.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use indicatif::ProgressBar;
use serde_json::json;
use tlog::tile::{TileId, TileKind, encode_bundle, encode_hashes, partial_width};
use tlog::{Hash, Nodes, TreeSize};

use crate::cli::Answer;
use crate::cli::data_dir::media_to_read;
use crate::cli::failure::Failure;
use crate::cli::server::read_named;
use crate::config::DATA_DEFAULT;
use crate::store::layout::{CHECKPOINT, WAL};
use crate::store::media::Media;
use crate::store::nodes::{TailView, TreeNodes, sealed_bundle};
use crate::store::recover::{Recovered, open_note, recover};
use crate::store::wal::{Wal, WalLimits};

/// Hashes or entries of a full tile.
const TILE: u64 = 256;
/// Times a running server's directory is read again because it changed meanwhile.
const ATTEMPTS_MAX: u32 = 5;

/// Write the log's tree as static files: checkpoint, tiles and entry bundles (C2SP tlog-tiles)
///
/// Leaves say nothing of an event without its payload, so a mirror may be public. Only what is new is
/// written, the checkpoint last: a mirror that is being updated is never inconsistent.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  indelible mirror --data /var/lib/indelible /srv/www/log")]
pub struct Mirror {
    /// Directory to write
    dir: PathBuf,
    /// Data directory to read; the server may go on running
    #[arg(long, env = "INDELIBLE_DATA", default_value = DATA_DEFAULT, value_name = "DIR")]
    data: PathBuf,
    /// Print {size, written} as JSON
    #[arg(long)]
    json: bool,
}

impl Mirror {
    pub fn run(self, out: &mut dyn Write) -> Result<Answer, Failure> {
        let media = media_to_read(&self.data)?;
        let tree = read_tree(&media)?;
        fs::create_dir_all(&self.dir).map_err(Failure::at(self.dir.display()))?;
        self.refuse_another_log(&tree)?;
        let written = write_tiles(&tree, &self.dir)?;
        // Everything the checkpoint promises is on disk before the checkpoint is.
        rustix::fs::syncfs(File::open(&self.dir)?)?;
        write_file(&self.dir.join("checkpoint"), tree.note.as_bytes())?;
        rustix::fs::syncfs(File::open(&self.dir)?)?;
        if self.json {
            writeln!(out, "{}", json!({"size": tree.size, "written": written}))?;
        } else {
            writeln!(out, "{} mirrors {} entries; {written} files were new", self.dir.display(), tree.size)?;
        }
        Ok(Answer::Holds)
    }

    /// A mirror of another log, or of a longer history of this one, is not written over.
    fn refuse_another_log(&self, tree: &Tree) -> Result<(), Failure> {
        let path = self.dir.join("checkpoint");
        if !path.exists() {
            return Ok(());
        }
        let there = open_note(&read_named(&path)?, &tree.keys)
            .map_err(|why| Failure::new(format!("{} is not of this log ({why}): name another directory", path.display())))?;
        let (size, root) = there;
        if size > tree.size || root_at(tree, size)? != root {
            return Err(Failure::new(format!(
                "{} is of {size} entries that this directory does not extend: the directory was rolled back or altered; run `indelible verify --from-checkpoint {}`",
                path.display(),
                path.display()
            )));
        }
        Ok(())
    }
}

/// A trail as it was read, and the checkpoint up to which it is mirrored.
struct Tree {
    media: Arc<dyn Media>,
    recovered: Recovered,
    keys: Vec<tlog::VerifierKey>,
    note: String,
    size: u64,
}

/// Reads the trail without touching it. A server that moves entries between files meanwhile makes a
/// reading fail; the next one sees them at their new place.
fn read_tree(media: &Arc<dyn Media>) -> Result<Tree, Failure> {
    let mut attempt = 1;
    loop {
        match read_tree_once(media) {
            Err(_) if attempt < ATTEMPTS_MAX => attempt += 1,
            done => return done,
        }
    }
}

fn read_tree_once(media: &Arc<dyn Media>) -> Result<Tree, Failure> {
    // Read first: the entries read after it are at least as many.
    let note = String::from_utf8(media.read(CHECKPOINT).map_err(Failure::at(CHECKPOINT))?)?;
    let examined = Wal::examine(Arc::clone(media), WAL, WalLimits::default())?;
    let recovered = recover(media.as_ref(), &examined)?.ok_or_else(|| Failure::new("there is no entry in this trail"))?;
    let state = &recovered.core.state;
    let keys: Vec<_> = state.rotations.iter().map(|rotation| rotation.old.clone()).chain([state.vkey.clone()]).collect();
    let (size, root) = open_note(&note, &keys).map_err(Failure::at(CHECKPOINT))?;
    let tree = Tree { media: Arc::clone(media), recovered, keys, note, size };
    if size > tree.recovered.core.size() || root_at(&tree, size)? != root {
        return Err(Failure::new("the entries do not match the newest checkpoint; run `indelible verify`"));
    }
    Ok(tree)
}

fn nodes(tree: &Tree) -> TreeNodes<'_> {
    TreeNodes::new(tree.media.as_ref(), TailView::Owned(&tree.recovered.tail), tree.recovered.core.state.segment_leaves)
}

fn root_at(tree: &Tree, size: u64) -> Result<Hash, Failure> {
    tlog::prove::root_at(&nodes(tree), TreeSize(size)).map_err(|why| Failure::new(why.to_string()))
}

/// Writes every tile and bundle that is not there yet, and says how many.
fn write_tiles(tree: &Tree, dir: &Path) -> Result<u64, Failure> {
    let bar = ProgressBar::new(tree.size);
    let mut written = 0;
    for level in 0..8_u8 {
        let hashes = tree.size.checked_shr(8 * u32::from(level)).unwrap_or(0);
        if hashes == 0 {
            break;
        }
        for n in 0..hashes.div_ceil(TILE) {
            let width = if (n + 1) * TILE <= hashes { TILE as u16 } else { partial_width(TreeSize(tree.size), level) };
            written += write_new(dir, TileId { kind: TileKind::Hashes(level), n, width }, || hashes_of(tree, level, n, width))?;
            if level == 0 {
                written += write_new(dir, TileId { kind: TileKind::Entries, n, width }, || bundle_of(tree, n, width))?;
                bar.inc(u64::from(width));
            }
        }
    }
    bar.finish_and_clear();
    Ok(written)
}

fn hashes_of(tree: &Tree, level: u8, n: u64, width: u16) -> Result<Vec<u8>, Failure> {
    let nodes = nodes(tree);
    let hashes: Result<Vec<Hash>, _> = (0..u64::from(width)).map(|at| nodes.node(level * 8, n * TILE + at)).collect();
    Ok(encode_hashes(&hashes?))
}

fn bundle_of(tree: &Tree, n: u64, width: u16) -> Result<Vec<u8>, Failure> {
    let (first, end) = (n * TILE, n * TILE + u64::from(width));
    let leaves = match tree.recovered.tail.leaves(first, end) {
        Some(leaves) => leaves,
        None => sealed_bundle(tree.media.as_ref(), tree.recovered.core.state.segment_leaves, n)?,
    };
    Ok(encode_bundle(leaves.iter().map(|leaf| leaf.as_slice()))?)
}

/// Writes a tile that is not there. Tiles never change, so one of the right length stays.
fn write_new(dir: &Path, tile: TileId, bytes: impl FnOnce() -> Result<Vec<u8>, Failure>) -> Result<u64, Failure> {
    let path = dir.join("tile").join(tile.to_string());
    if path.exists() {
        return Ok(0);
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(Failure::at(parent.display()))?;
    }
    write_file(&path, &bytes()?)?;
    Ok(1)
}

/// Under its name a file is always whole.
fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let temporary = path.with_extension("tmp");
    fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, path)).map_err(Failure::at(path.display()))
}
