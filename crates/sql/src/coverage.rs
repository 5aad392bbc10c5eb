//! Says how much of the log an answer covers, as a search does.

use std::io::{self, Write};

use indelible::search::lake::{Listing, Missing};

/// Ranges named one by one; a lake that is being derived again may have hundreds.
const RANGES_SHOWN: usize = 10;

/// Writes what the rows cover and what they do not.
///
/// # Errors
/// It cannot be written.
pub fn write(rows: u64, listing: &Listing, out: &mut dyn Write) -> io::Result<()> {
    let covered = covered(listing);
    let shown: Vec<_> = covered.iter().take(RANGES_SHOWN).map(|(first, last)| format!("{first} to {last}")).collect();
    let range = match (shown.len(), covered.len() > shown.len()) {
        (0, _) => "no entries".to_owned(),
        (_, false) => format!("entries {}", shown.join(", ")),
        (_, true) => format!("entries {}, and {} ranges more", shown.join(", "), covered.len() - shown.len()),
    };
    writeln!(
        out,
        "{rows} {}; covers {range} in {} of the lake, of a log of {} with root {}",
        if rows == 1 { "row" } else { "rows" },
        match listing.files.len() {
            1 => "1 file".to_owned(),
            files => format!("{files} files"),
        },
        listing.size,
        listing.root
    )?;
    for Missing { first, last, why } in listing.missing.iter().take(RANGES_SHOWN) {
        writeln!(out, "NOT IN THE LAKE: entries {first} to {last}: {}", why.words())?;
    }
    if let Some(more) = listing.missing.len().checked_sub(RANGES_SHOWN).filter(|more| *more > 0) {
        writeln!(out, "NOT IN THE LAKE: {more} ranges more")?;
    }
    Ok(())
}

/// The ranges of the log that are not missing.
fn covered(listing: &Listing) -> Vec<(u64, u64)> {
    let (mut covered, mut at) = (Vec::new(), 0);
    let ends = listing.files.iter().map(|file| file.last.saturating_add(1)).max().unwrap_or(0).max(listing.size);
    for (first, end) in listing.missing.iter().map(|gap| (gap.first, gap.last.saturating_add(1))).chain([(ends, ends)]) {
        if at < first {
            covered.push((at, first - 1));
        }
        at = at.max(end);
    }
    covered
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use indelible::search::lake::Why;

    fn said(size: u64, gaps: &[(u64, u64)]) -> String {
        let missing = gaps.iter().map(|(first, last)| Missing { first: *first, last: *last, why: Why::NotDerived }).collect();
        let listing = Listing { origin: "o".into(), size, root: "R".into(), files: Vec::new(), missing };
        let mut out = Vec::new();
        write(1, &listing, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_covered_is_what_is_not_missing() {
        assert!(said(10, &[]).starts_with("1 row; covers entries 0 to 9 in 0 files of the lake, of a log of 10 with root R\n"));
        assert!(said(10, &[(0, 9)]).starts_with("1 row; covers no entries in"));
        assert!(said(10, &[(2, 3), (7, 9)]).contains("covers entries 0 to 1, 4 to 6 in"));
        assert!(said(10, &[(0, 4)]).contains("NOT IN THE LAKE: entries 0 to 4: not derived yet"));
        assert!(said(0, &[]).contains("covers no entries in"));
        let many: Vec<_> = (0..30).map(|n| (2 * n, 2 * n)).collect();
        let text = said(60, &many);
        assert!(text.contains("and 20 ranges more in") && text.ends_with("NOT IN THE LAKE: 20 ranges more\n"), "{text}");
    }
}
