//! Finds the values of all columns in one walk over the OCSF form.

use std::borrow::Cow;
use std::sync::LazyLock;

use crate::intake::tape::{Tape, unescape};
use crate::search::lake::column::{COLUMNS, From};
use crate::search::paths::Paths;

/// Number of the column, and which of its paths it is.
static PATHS: LazyLock<Paths<(usize, usize)>> = LazyLock::new(|| {
    Paths::new(COLUMNS.iter().enumerate().flat_map(|(nth, column)| {
        let paths: &[_] = if let From::Ocsf(paths) = column.from { paths } else { &[] };
        paths.iter().enumerate().map(move |(choice, path)| (*path, (nth, choice)))
    }))
});

/// The values of one OCSF form, column by column, as they are written in it.
#[derive(Debug)]
pub(super) struct Values<'a> {
    /// Which path it was, and the value.
    found: [Option<(usize, &'a str)>; COLUMNS.len()],
}

impl<'a> Values<'a> {
    /// Walks over the form. Of several values at one path the first counts; lists on the way are passed through.
    pub(super) fn find(text: &'a str, tape: &Tape) -> Self {
        let mut found = [None; COLUMNS.len()];
        PATHS.each(text, tape, &mut |(column, choice), written, _| {
            if let Some(found) = found.get_mut(column)
                && found.is_none_or(|(known, _)| choice < known)
            {
                *found = Some((choice, written));
            }
        });
        Self { found }
    }

    /// The value of a column.
    pub(super) fn text(&self, column: usize) -> Option<Cow<'a, str>> {
        let (_, written) = (*self.found.get(column)?)?;
        let inner = written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        // Half a surrogate pair is no text: then as it is written.
        Some(inner.map_or(Cow::Borrowed(written), |inner| unescape(inner).unwrap_or(Cow::Borrowed(inner))))
    }

    /// The value of a column of numbers; a text of digits is one.
    pub(super) fn number(&self, column: usize) -> Option<i64> {
        self.text(column)?.parse().ok()
    }
}
