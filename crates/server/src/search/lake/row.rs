//! Finds the values of all columns in one walk over the OCSF form.

use std::borrow::Cow;
use std::sync::LazyLock;

use crate::intake::tape::{NodeKind, Tape, unescape};
use crate::search::lake::column::{COLUMNS, From};

/// Where the walk is: names that lead on, and columns whose value would stand here.
#[derive(Debug, Default)]
struct Place {
    below: Vec<(&'static str, Place)>,
    /// Number of the column, and which of its paths this is.
    wanted: Vec<(usize, usize)>,
}

static PLACES: LazyLock<Place> = LazyLock::new(|| {
    let mut root = Place::default();
    for (nth, column) in COLUMNS.iter().enumerate() {
        let From::Ocsf(paths) = column.from else { continue };
        for (choice, path) in paths.iter().enumerate() {
            root.want(path, (nth, choice));
        }
    }
    root
});

impl Place {
    fn want(&mut self, path: &[&'static str], wanted: (usize, usize)) {
        let Some((name, rest)) = path.split_first() else {
            self.wanted.push(wanted);
            return;
        };
        let at = self.below.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            self.below.push((name, Self::default()));
            self.below.len() - 1
        });
        if let Some((_, place)) = self.below.get_mut(at) {
            place.want(rest, wanted);
        }
    }
}

/// The values of one OCSF form, column by column, as they are written in it.
#[derive(Debug)]
pub(super) struct Values<'a> {
    text: &'a str,
    /// Which path it was, and the value.
    found: [Option<(usize, &'a str)>; COLUMNS.len()],
}

impl<'a> Values<'a> {
    /// Walks over the form. Of several values at one path the first counts; lists on the way are passed through.
    pub(super) fn find(text: &'a str, tape: &Tape) -> Self {
        let mut values = Self { text, found: [None; COLUMNS.len()] };
        values.walk(tape, 0, &PLACES);
        values
    }

    fn walk(&mut self, tape: &Tape, at: u32, place: &Place) {
        let Some(node) = tape.node(at) else { return };
        match node.kind {
            NodeKind::Null => {}
            NodeKind::Array => tape.children(at).for_each(|(child, _)| self.walk(tape, child, place)),
            NodeKind::Object => {
                for (child, member) in tape.children(at) {
                    let name = self.slice(member.name);
                    if let Some((_, below)) = place.below.iter().find(|(known, _)| *known == name) {
                        self.walk(tape, child, below);
                    }
                }
            }
            NodeKind::Text { .. } | NodeKind::Number | NodeKind::Bool(_) => {
                let written = self.slice(node.value);
                for (column, choice) in &place.wanted {
                    if let Some(found) = self.found.get_mut(*column)
                        && found.is_none_or(|(known, _)| *choice < known)
                    {
                        *found = Some((*choice, written));
                    }
                }
            }
        }
    }

    fn slice(&self, (from, to): (u32, u32)) -> &'a str {
        self.text.get(from as usize..to as usize).unwrap_or_default()
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
