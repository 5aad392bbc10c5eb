//! Cells that no spreadsheet takes for a formula.

use std::borrow::Cow;

/// The text, with an apostrophe before it if it begins like a formula, or with a character that a
/// spreadsheet passes over before it looks for one (OWASP, "CSV injection").
#[must_use]
pub fn safe_cell(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '|', '%']) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cell_is_never_a_formula() {
        for formula in ["=HYPERLINK(\"http://x\")", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "|x", "%x"] {
            assert_eq!(safe_cell(formula), format!("'{formula}"));
        }
        assert_eq!(safe_cell("ana@corp.example"), "ana@corp.example");
    }

    proptest! {
        #[test]
        fn a_cell_begins_with_nothing_that_is_run_and_holds_the_whole_text(text: String) {
            let cell = safe_cell(&text);
            prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '|', '%']));
            prop_assert!(cell.ends_with(&text));
        }
    }
}
