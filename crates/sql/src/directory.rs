//! The lake of a data directory on this machine, whether or not a server runs there.

use std::path::Path;

use indelible::cli::data_dir::{derived_path, trail_path};
use indelible::cli::failure::Failure;
use indelible::search::LAKE;
use indelible::search::lake::Listing;

use crate::files::{Files, Wanted};

/// How often the directory is looked at anew when a file was made again between being listed and being opened: a
/// server makes a few a second at the most.
const LOOKS: u32 = 5;

/// Opens all files of the lake.
///
/// # Errors
/// The directory holds no trail, or something cannot be read.
pub fn open(data: &Path) -> Result<(Listing, Files), Failure> {
    let trail = trail_path(data);
    if !trail.is_dir() {
        return Err(Failure::new(format!("{} holds no trail: give the right directory with --data", data.display())));
    }
    let lake = derived_path(data).join(LAKE);
    let mut looks = 1;
    loop {
        let listing = Listing::in_directories(&trail, &lake)?;
        let wanted = listing.files.iter().map(|file| Wanted { name: &file.name, path: lake.join(&file.name), bytes: file.bytes });
        match Files::open(wanted) {
            Ok(files) => return Ok((listing, files)),
            Err(why) if looks == LOOKS => return Err(why),
            Err(_) => looks += 1,
        }
    }
}
