#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn a_moment_reads_back_and_any_other_text_is_refused(time_ms: i64, index: u64, text: String) {
        let moment = Moment { time_ms, index };
        prop_assert_eq!(moment.to_string().parse(), Ok(moment));
        if let Ok(read) = text.parse::<Moment>() {
            prop_assert_eq!(read.to_string(), text);
        }
    }
}

#[test]
fn of_what_happened_at_the_same_time_the_greater_index_is_newer() {
    let at = |time_ms, index| Moment { time_ms, index };
    assert!(at(1, 9) < at(2, 0) && at(2, 0) < at(2, 1) && at(i64::MAX, 5) < Moment::END);
    assert_eq!(Moment::END.condition(), Query::All);
}
