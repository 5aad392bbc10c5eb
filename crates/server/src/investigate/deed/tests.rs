#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use super::*;

#[test]
fn every_line_of_the_table_is_a_search_line_and_the_last_takes_the_rest() {
    for row in &TABLE {
        assert!(parse(row.line).is_ok(), "{}", row.line);
        assert!(!row.why.is_empty());
    }
    assert_eq!(READY.len(), TABLE.len());
    assert_eq!(TABLE[TABLE.len() - 1].line, "");
}

#[test]
fn the_line_of_a_deed_leaves_out_what_earlier_rows_take() {
    let line = line_of(Deed::SignIn).to_string();
    assert!(
        line.contains("class:Authentication") && line.contains("NOT") && line.contains("Account\\ Switch")
            || line.contains("\"Account Switch\""),
        "{line}"
    );
    assert!(parse(&line).is_ok());
}
