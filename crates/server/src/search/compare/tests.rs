#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

use proptest::prelude::*;

use super::*;
use crate::search::query::{Query, Term};

fn ready(value: &str) -> Ready {
    let Query::Term(Term { test, .. }) = crate::search::parse(&format!("resource:{value}")).unwrap() else { panic!("no condition") };
    Ready::new(&test, 0)
}

fn holds(value: &str, of: &str) -> bool {
    ready(value).value(of)
}

#[test]
fn a_value_is_compared_whole_and_without_regard_to_case() {
    assert!(holds("Admin", "aDMIN") && holds("ZÜRICH", "zürich"));
    assert!(!holds("Admin", "Administrator") && !holds("Admin", ""));
    assert!(holds("\"\"", ""));
}

#[test]
fn wildcards_stand_for_any_characters_or_one() {
    for (pattern, fits, does_not) in
        [("iam.*Policy*", "iam.attachuserpolicy", "s3.putbucketpolicy"), ("a?c", "aXc", "ac"), ("*a*b*", "xaab", "ba"), ("*", "", "")]
    {
        assert!(holds(pattern, fits), "{pattern} {fits}");
        assert!(pattern == "*" || !holds(pattern, does_not), "{pattern} {does_not}");
    }
}

#[test]
fn addresses_are_compared_as_addresses() {
    assert!(holds("10.0.0.0/8", "10.200.1.1") && !holds("10.0.0.0/8", "11.0.0.1"));
    assert!(holds("10.0.0.0/8", "::ffff:10.1.1.1"), "an IPv4 address that came as IPv6");
    assert!(holds("2001:db8::/32", "2001:DB8:1::1") && !holds("2001:db8::/32", "2001:db9::1"));
    assert!(holds("2001:db8::1", "2001:0DB8:0:0::1"));
    assert!(holds("[10.0.0.5 TO 10.0.0.20]", "10.0.0.10") && !holds("[10.0.0.5 TO 10.0.0.20]", "10.0.0.100"));
    assert!(!holds("10.0.0.0/8", "10.0.0.0/9") && holds("10.0.0.0/8", "10.0.0.0/8"));
}

#[test]
fn numbers_are_compared_as_numbers_and_texts_as_texts() {
    assert!(holds(">=10", "10") && holds(">=10", "9000") && !holds(">=10", "9") && !holds(">=10", "x"));
    assert!(holds("[1.5 TO 2}", "1.75") && !holds("[1.5 TO 2}", "2"));
    assert!(holds("[2026-01-01 TO 2026-02-01}", "2026-01-31T23:59:59Z") && !holds("[2026-01-01 TO 2026-02-01}", "2026-02-01"));
    assert!(holds(">18446744073709551614", "18446744073709551615"), "no digit is lost");
}

#[test]
fn text_is_found_by_its_words_in_their_order() {
    let finds = |text: &str, value: &str| ready(&format!("\"{text}\"")).text(value);
    assert!(finds("cross-account", "a Cross account role") && finds("cross-account", "cross/ACCOUNT"));
    assert!(!finds("cross-account", "account cross") && !finds("cross-account", "cross the account") && !finds("cross", "across"));
    assert!(finds("user_1", "id=user_1;") && !finds("user", "user_1"));
    assert!(finds("=;", "id=;") && !finds("=;", "id=1;"), "without words it is looked for as it stands");
    assert!(ready("adm*").text("the ADMIN") && !ready("adm*").text("badmin"));
}

proptest! {
    #[test]
    fn a_pattern_fits_what_its_regular_expression_fits(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
        prop_assume!(pattern.contains(['*', '?']));
        let regex = format!("^{}$", pattern.replace('*', ".*").replace('?', "."));
        prop_assert_eq!(holds(&pattern, &text), regex::Regex::new(&regex).unwrap().is_match(&text));
    }

    #[test]
    fn no_value_is_too_odd_to_be_compared(value: String, text: String) {
        let test = Ready::new(&Test::Is(value.clone()), 0);
        prop_assert!(test.value(&value));
        let _ = (test.value(&text), test.text(&text), test.prose(&text));
        let test = Ready::new(&Test::Between(Bound::Including(value.clone()), Bound::Excluding(text.clone())), 0);
        let _ = (test.value(&value), test.time(0));
    }
}
