//! What holds for any bytes given to the readers of `search`. The fuzz targets call these, and so does
//! `crates/server/tests/search_corpus.rs` with the checked-in corpus.
#![allow(dead_code, reason = "each fuzz target calls one of them")]

use indelible::search::compare::Ready;
use indelible::search::{Cursor, parse};

/// A line is a query that prints and reads back as itself, or an error at a column inside it.
pub fn line(data: &[u8]) {
    let Ok(line) = std::str::from_utf8(data) else { return };
    match parse(line) {
        Ok(query) => {
            assert_eq!(parse(&query.to_string()).as_ref(), Ok(&query));
            query.each_term(&mut |term| {
                let ready = Ready::new(&term.test, 0);
                let _ = (ready.value(line), ready.text(line), ready.prose(line), ready.time(0), ready.times());
            });
        }
        Err(why) => assert!((1..=line.chars().count().max(1)).contains(&why.column), "{why}"),
    }
    if let Ok(cursor) = line.parse::<Cursor>() {
        assert_eq!(cursor.to_string(), line);
    }
}
