//! What completeness asks of a record: less than all it means, and far sooner read.

use crate::source::expression::Expression;
use crate::source::kind::Kind;
use crate::source::map::{Scratch, Taken};
use crate::source::places::scalars;
use crate::source::reader::first;

/// When a record happened, its number, and how much of it is understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "as in `Mapped`")]
pub struct Noticed {
    pub time_ms: Option<i64>,
    pub sequence: Option<u64>,
    pub sequence_of: Option<String>,
    pub values: usize,
    pub unmapped: usize,
}

impl Kind {
    /// When a record happened, its number, and how much of it the map reads; `None` when the kind does
    /// not take it.
    #[must_use]
    pub fn notice(&self, taken: Taken, raw: &[u8], received_at: i64, scratch: &mut Scratch) -> Option<Noticed> {
        let mut noticed = None;
        self.with_reader(taken, raw, received_at, scratch, &mut |reader| {
            let text = |expressions: &[Expression]| first(&reader.context, expressions).map(|value| value.as_text().into_owned());
            noticed = Some(Noticed {
                time_ms: reader.time().map(|(_, ms)| ms),
                sequence: text(&self.record.sequence).and_then(|text| text.parse().ok()),
                sequence_of: text(&self.record.sequence_of),
                values: scalars(reader.context.document, 0),
                unmapped: reader.class.read.write_rest(reader.context.document, 0, self.reading.loose, &mut Vec::new()),
            });
        });
        noticed
    }
}
