//! Elasticsearch's bulk body: a line that says what to do, then the document's line.
//!
//! ```text
//! {"create":{"_index":"logs-auth","_id":"7f3"}}
//! {"@timestamp":"2026-01-01T00:00:00Z","user":{"name":"eve"}}
//! {"delete":{"_index":"logs-auth","_id":"7f2"}}
//! ```
//!
//! Raw is the document's line without white space around it. A document that is no JSON is kept as
//! text: a broken line is evidence too. `update` and `delete` are refused one by one: an audit log
//! only keeps. A line that is no action spoils what follows, since lines no longer pair; nothing of
//! such a body is kept, as with Elasticsearch.

use bytes::Bytes;

use super::gather::{Gather, Gathered, Place};
use super::json::skip_space;
use super::limits::{EVENTS_MAX, RECORD_ID_BYTES_MAX};
use super::member::{Span, member, members};
use super::shape::{ShapeError, lines};

/// What an action asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as Elasticsearch names them")]
pub enum Verb {
    Index,
    Create,
    Update,
    Delete,
}

impl Verb {
    /// Its name in requests and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    fn of(body: &[u8], name: Span) -> Option<Self> {
        let name = name.text(body)?;
        [Self::Index, Self::Create, Self::Update, Self::Delete].into_iter().find(|verb| verb.name() == name)
    }
}

/// One action of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it asks for.
    pub verb: Verb,
    /// `_index`.
    pub index: Option<Box<str>>,
    /// `_id`: the sender's own protection against sending twice.
    pub id: Option<Box<str>>,
    /// What becomes of its document.
    pub document: Document,
}

/// What becomes of an item's document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// The next event, in order.
    Kept,
    /// Refused: nested too deeply.
    TooDeep,
    /// Refused: its id is empty or too long to remember.
    IdTooLong,
    /// Refused: nothing is ever changed or removed.
    OnlyKept,
}

/// What a bulk body holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bulk {
    /// The documents to keep, in order of their items.
    pub gathered: Gathered,
    /// All items, in order.
    pub items: Vec<Item>,
}

/// Why nothing of a bulk body is kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BulkError {
    /// Nothing in it.
    #[error("request body is required")]
    Empty,
    /// The last line does not end: the body may have been cut short.
    #[error("The bulk request must be terminated by a newline [\\n]")]
    NoLastNewline,
    /// Where an action should stand there is something else.
    #[error("Malformed action/metadata line [{line}], expected an object with one of create, delete, index, update")]
    NotAnAction {
        /// The line, from 1.
        line: usize,
    },
    /// The body ends behind an action that needs a document.
    #[error("Malformed action/metadata line [{line}], the document of this action is missing")]
    NoDocument {
        /// The action's line, from 1.
        line: usize,
    },
    /// See [`ShapeError`].
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

impl BulkError {
    /// The reason's name in records and metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NoLastNewline => "bulk_cut_short",
            Self::NotAnAction { .. } => "bulk_not_an_action",
            Self::NoDocument { .. } => "bulk_no_document",
            Self::Shape(why) => why.code(),
        }
    }
}

/// Reads a bulk body.
///
/// # Errors
/// [`BulkError`], and nothing of the body may be kept then.
pub fn decode(body: &Bytes) -> Result<Bulk, BulkError> {
    if skip_space(body, 0) == body.len() {
        return Err(BulkError::Empty);
    }
    if body.last() != Some(&b'\n') {
        return Err(BulkError::NoLastNewline);
    }
    let (mut gather, mut items) = (Gather::new(body), Vec::new());
    let mut lines = lines(body).zip(1_usize..);
    while let Some((line, number)) = lines.next() {
        let start = skip_space(body, line.start).min(line.end);
        if start == line.end {
            continue;
        }
        if items.len() >= EVENTS_MAX {
            return Err(ShapeError::TooManyEvents.into());
        }
        let inside = body.get(start..line.end).unwrap_or_default();
        let mut item = action(inside).ok_or(BulkError::NotAnAction { line: number })?;
        if item.verb != Verb::Delete {
            let (document, _) = lines.next().ok_or(BulkError::NoDocument { line: number })?;
            let nth = u32::try_from(items.len()).unwrap_or(u32::MAX).saturating_add(1);
            if item.document == Document::Kept {
                item.document = keep(&mut gather, body, document, nth)?.ok_or(BulkError::NoDocument { line: number })?;
            }
        }
        items.push(item);
    }
    Ok(Bulk { gathered: gather.finish(body), items })
}

/// Reads a body that is one document.
///
/// # Errors
/// An empty body.
pub fn document(body: &Bytes) -> Result<(Gathered, Document), BulkError> {
    let mut gather = Gather::new(body);
    let document = keep(&mut gather, body, 0..body.len(), 1)?.ok_or(BulkError::Empty)?;
    Ok((gather.finish(body), document))
}

/// The document's line; `None` if there is nothing on it.
fn keep(gather: &mut Gather<'_>, body: &[u8], line: std::ops::Range<usize>, nth: u32) -> Result<Option<Document>, ShapeError> {
    let start = skip_space(body, line.start).min(line.end);
    let trimmed = body.get(start..line.end).unwrap_or_default().trim_ascii_end().len();
    if trimmed == 0 {
        return Ok(None);
    }
    let range = start..start + trimmed;
    let place = match Span::whole(body.get(range.clone()).unwrap_or_default()) {
        Some(value) => gather.value(Span { start: range.start + value.start, end: range.start + value.end, depth: value.depth }, nth)?,
        None => gather.text(line, nth)?,
    };
    Ok(Some(match place {
        Place::Kept => Document::Kept,
        Place::Refused(_) => Document::TooDeep,
    }))
}

fn action(line: &[u8]) -> Option<Item> {
    let object = Span::whole(line)?;
    let mut all = members(line, object);
    let (first, None) = (all.next()?, all.next()) else {
        return None;
    };
    let verb = Verb::of(line, first.name)?;
    if !first.value.is_object(line) {
        return None;
    }
    let text = |name: &str| -> Option<Box<str>> { Some(member(line, first.value, name)?.text(line)?.into()) };
    let id = text("_id");
    let document = match (verb, &id) {
        (Verb::Update | Verb::Delete, _) => Document::OnlyKept,
        (_, Some(id)) if !(1..=RECORD_ID_BYTES_MAX).contains(&id.len()) => Document::IdTooLong,
        _ => Document::Kept,
    };
    Some(Item { verb, index: text("_index"), id, document })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use crate::intake::limits::DEPTH_MAX;
    use proptest::prelude::*;

    fn read(body: &str) -> Result<(Vec<String>, Vec<Item>), BulkError> {
        let found = decode(&Bytes::from(body.to_owned()))?;
        let raw = |event: &crate::intake::RawEvent| String::from_utf8(event.raw(&found.gathered.bytes).to_vec()).unwrap();
        Ok((found.gathered.decoded.events.iter().map(raw).collect(), found.items))
    }

    #[test]
    fn index_and_create_keep_the_documents_own_bytes() {
        let (raw, items) =
            read("{\"index\":{}}\n {\"a\" : 1} \r\n\n{ \"create\" : {\"_index\":\"i\",\"_id\":\"7\"} }\n{\"b\":2}\n").unwrap();
        assert_eq!(raw, ["{\"a\" : 1}", "{\"b\":2}"]);
        let first = Item { verb: Verb::Index, index: None, id: None, document: Document::Kept };
        let second = Item { verb: Verb::Create, index: Some("i".into()), id: Some("7".into()), document: Document::Kept };
        assert_eq!(items, [first, second]);
    }

    #[test]
    fn a_document_that_is_no_json_is_kept_as_text() {
        assert_eq!(read("{\"index\":{}}\nplain {text\n").unwrap().0, ["plain {text"]);
    }

    #[test]
    fn update_and_delete_are_refused_one_by_one_and_their_neighbours_kept() {
        let body = "{\"update\":{\"_id\":\"1\"}}\n{\"doc\":{}}\n{\"delete\":{\"_id\":\"1\"}}\n{\"index\":{}}\n{\"kept\":1}\n";
        let (raw, items) = read(body).unwrap();
        assert_eq!(raw, ["{\"kept\":1}"]);
        assert_eq!(items.iter().map(|item| item.document).collect::<Vec<_>>(), [Document::OnlyKept, Document::OnlyKept, Document::Kept]);
    }

    #[test]
    fn lines_that_do_not_pair_spoil_the_whole_body() {
        assert_eq!(read(" \n"), Err(BulkError::Empty));
        assert_eq!(read("{\"index\":{}}\n{\"a\":1}"), Err(BulkError::NoLastNewline));
        assert_eq!(read("{\"index\":{}}\n{\"a\":1}\n{\"index\":{}}\n"), Err(BulkError::NoDocument { line: 3 }));
        assert_eq!(read("{\"index\":{}}\n\n"), Err(BulkError::NoDocument { line: 1 }));
        for line in ["{\"a\":1}", "[]", "7", "{}", "{\"index\":1}", "{\"index\":{},\"create\":{}}", "{\"index\":{}"] {
            assert_eq!(read(&format!("{line}\n{{}}\n")), Err(BulkError::NotAnAction { line: 1 }), "{line}");
        }
    }

    #[test]
    fn a_document_too_deep_or_with_an_id_too_long_is_refused_alone() {
        let deep = "[".repeat(DEPTH_MAX + 1) + &"]".repeat(DEPTH_MAX + 1);
        let long = "x".repeat(RECORD_ID_BYTES_MAX + 1);
        let body = format!("{{\"index\":{{}}}}\n{deep}\n{{\"index\":{{\"_id\":\"{long}\"}}}}\n{{}}\n{{\"index\":{{}}}}\n1\n");
        let (raw, items) = read(&body).unwrap();
        assert_eq!(raw, ["1"]);
        assert_eq!(items.iter().map(|item| item.document).collect::<Vec<_>>(), [Document::TooDeep, Document::IdTooLong, Document::Kept]);
    }

    #[test]
    fn items_over_the_limit_are_refused_with_the_whole_body() {
        let body = "{\"delete\":{}}\n".repeat(EVENTS_MAX + 1);
        assert_eq!(read(&body), Err(BulkError::Shape(ShapeError::TooManyEvents)));
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_every_kept_item_has_an_event(body in r#"(\{"(index|delete)":\{\}\}\n|\{"a":1\}\n|[{}\[\],:" \n]|"_id"|\PC)*"#) {
            if let Ok(found) = decode(&Bytes::from(body)) {
                let kept = found.items.iter().filter(|item| item.document == Document::Kept).count();
                prop_assert_eq!(kept, found.gathered.decoded.events.len());
            }
        }
    }
}
