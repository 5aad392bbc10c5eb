#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

use proptest::prelude::*;

use super::*;
use crate::search::field::PATH_PARTS_MAX;

/// What a line is read as, written out again.
fn again(line: &str) -> String {
    parse(line).map_or_else(|why| format!("{}", why.column), |query| query.to_string())
}

#[test]
fn the_line_of_the_manual_is_read_as_it_is_meant() {
    let line = r#"actor:user@corp.example action:iam.*Policy* outcome:failure ip:10.0.0.0/8 NOT source:okta "cross-account" since:7d"#;
    let Query::And(all) = parse(line).unwrap() else { panic!("not seven conditions") };
    assert_eq!(all.len(), 7);
    assert_eq!(all[4], Query::Not(Box::new(parse("source:okta").unwrap())));
    assert_eq!(
        again(line),
        r"actor:user@corp.example action:iam\.*Policy* outcome:failure ip:10.0.0.0/8 NOT source:okta cross-account since:7d"
    );
}

#[test]
fn spellings_of_one_meaning_are_one_tree() {
    for (one, other) in [
        ("a b", "a AND b"),
        ("-a", "NOT a"),
        ("(a)", "a"),
        ("\"a\"", "a"),
        ("actor:(a OR b)", "actor:a OR actor:b"),
        ("STATUS:failure", "outcome:failure"),
        ("src_endpoint.ip:1.2.3.4", "ocsf.src_endpoint.ip:1.2.3.4"),
        ("ip:2001:db8::1", "ip:\"2001:db8::1\""),
        ("index:>=5", "index:[5 TO *]"),
        ("index:<5", "index:{* TO 5}"),
        ("index:[* TO *]", "index:*"),
        (r"CORP\ana", r#""CORP\\ana""#),
        (r"a\*b", "\"a*b\""),
        ("  a  ", "a"),
        ("a OR b c", "a OR (b c)"),
    ] {
        assert_eq!(parse(one).unwrap(), parse(other).unwrap(), "{one} and {other}");
    }
}

#[test]
fn an_error_names_the_column_and_what_to_do() {
    for (line, column, says) in [
        ("actor:", 6, "a value is due"),
        ("a AND", 5, "ends where a condition is due"),
        ("OR a", 1, "before AND or OR"),
        ("a (b", 3, "not closed"),
        ("a )", 3, "closes nothing"),
        ("a \"b", 3, "quote is not closed"),
        ("nobody:x", 1, "there is no field \"nobody\""),
        ("a http://x", 3, "\"quotes\" around a text with a colon"),
        ("since:yesterday", 7, "is no time: write 7d"),
        ("since:[1d TO 2d]", 7, "one time is due"),
        ("time:>=soon", 8, "is no time"),
        ("index:[1 5]", 10, "TO is due"),
        ("index:[1 TO 5", 7, "range is not closed"),
        ("index:[a* TO 5]", 8, "no wildcards"),
        ("act*:x", 1, "no wildcards"),
        ("raw..x:1", 1, "a name is missing"),
        ("\"\"", 1, "nothing in these quotes"),
        ("ip:10.0.0.0/33", 4, "is no address: write 10.1.2.3, 10.0.0.0/8"),
        ("ip:10.1", 4, "a pattern such as 10.1.*"),
        ("()", 2, "before this parenthesis"),
    ] {
        let why = parse(line).unwrap_err();
        assert_eq!(why.column, column, "{line}: {why}");
        assert!(why.why.contains(says), "{line}: {why}");
    }
}

#[test]
fn an_empty_text_and_a_prefix_in_capitals_are_taken() {
    for (one, other) in [("RAW.user:ana", "raw.user:ana"), ("Ocsf.class_uid:1", "ocsf.class_uid:1")] {
        assert_eq!(parse(one).unwrap(), parse(other).unwrap());
    }
    for line in ["raw.x:\"\"", "ocsf.x:\"\"", "actor:\"\"", "ip:::1", "ip:10.0.0.0/8", "ip:10.*", "ip:[10.0.0.1 TO 10.0.0.9]"] {
        assert!(parse(line).is_ok(), "{line}");
    }
}

#[test]
fn limits_are_held() {
    assert!(parse(&"x".repeat(LINE_BYTES_MAX)).is_ok());
    assert!(parse(&"x".repeat(LINE_BYTES_MAX + 1)).is_err());
    assert!(parse(&"x ".repeat(TERMS_MAX)).is_ok());
    assert!(parse(&"x ".repeat(TERMS_MAX + 1)).is_err());
    assert!(parse(&format!("{}*", "x".repeat(PATTERN_CHARS_MAX - 1))).is_ok());
    assert!(parse(&format!("{}*", "x".repeat(PATTERN_CHARS_MAX))).is_err());
    assert!(parse(&format!("raw{}:x", ".a".repeat(PATH_PARTS_MAX))).is_ok());
    assert!(parse(&format!("raw{}:x", ".a".repeat(PATH_PARTS_MAX + 1))).is_err());
    assert!(parse(&format!("{}x", "-".repeat(DEPTH_MAX))).is_ok());
    assert!(parse(&format!("{}x", "-".repeat(DEPTH_MAX + 1))).is_err());
    assert!(parse(&format!("{}x", "(".repeat(4_000))).is_err());
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z0-9_.@/:-]{1,8}", "[ \"\\\\()\\[\\]{}*?:<>-]{1,4}", Just("AND".to_owned()), Just("TO".to_owned()), "\\PC{1,5}",]
}

fn field() -> impl Strategy<Value = Option<Field>> {
    let named = Name::ALL.iter().copied().filter(|name| !name.is_time()).collect::<Vec<_>>();
    let part = || prop::collection::vec("[a-zA-Z][a-zA-Z_ :*-]{0,5}", 1..4);
    prop_oneof![
        Just(None),
        prop::sample::select(named).prop_map(|name| Some(Field::Named(name))),
        part().prop_map(|path| Some(Field::Ocsf(path))),
        part().prop_map(|path| Some(Field::Raw(path))),
    ]
}

fn bound() -> impl Strategy<Value = Bound> {
    prop_oneof![text().prop_map(Bound::Including), text().prop_map(Bound::Excluding)]
}

fn test() -> impl Strategy<Value = Test> {
    let piece = prop_oneof![Just(Piece::Any), Just(Piece::One), any::<char>().prop_map(Piece::Char), Just(Piece::Char('\\'))];
    prop_oneof![
        text().prop_map(Test::Is),
        prop::collection::vec(piece, 0..6).prop_map(|mut pieces| {
            pieces.push(Piece::Any);
            Test::Like(pieces)
        }),
        (bound(), bound()).prop_map(|(low, high)| Test::Between(low, high)),
        bound().prop_map(|low| Test::Between(low, Bound::Open)),
        bound().prop_map(|high| Test::Between(Bound::Open, high)),
    ]
}

fn term() -> impl Strategy<Value = Query> {
    (field(), test()).prop_map(|(field, test)| match (&field, &test) {
        // Free text has no ranges.
        (None, Test::Between(..)) => Query::Term(Term { field: Some(Field::Named(Name::Index)), test }),
        // Addresses are addresses.
        (Some(Field::Named(Name::Ip)), Test::Is(_)) => Query::Term(Term { field, test: Test::Is("10.1.2.3".to_owned()) }),
        _ => Query::Term(Term { field, test }),
    })
}

fn query() -> impl Strategy<Value = Query> {
    term().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|query| Query::Not(Box::new(query))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Query::And),
            prop::collection::vec(inner, 2..4).prop_map(Query::Or),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_reads_back_as_the_same(query in query()) {
        prop_assert_eq!(parse(&query.to_string()), Ok(query.clone()), "{}", query);
    }

    #[test]
    fn any_text_is_a_query_or_an_error_at_a_column_inside_it(line in prop_oneof![any::<String>(), "[a-c:()\"\\[\\]{}*?<>= \\\\-]{0,20}( (AND|OR|NOT|TO) )?[a-c:()\"{}* ]{0,8}"]) {
        match parse(&line) {
            Ok(query) => prop_assert_eq!(parse(&query.to_string()), Ok(query.clone()), "{}", query),
            Err(why) => prop_assert!(why.column >= 1 && why.column <= line.chars().count().max(1)),
        }
    }
}

#[test]
fn a_saved_search_stands_where_it_is_named() {
    let saved = |name: &str| match name {
        "failures" => parse("outcome:failure OR action:*Denied").map_err(|why| why.to_string()),
        "long" => parse(&"a ".repeat(200)).map_err(|why| why.to_string()),
        _ => Err(format!("there is no saved search {name:?}")),
    };
    let again = |line: &str| parse_with(line, &saved);
    assert_eq!(again("saved:failures ip:10.0.0.0/8").unwrap(), parse("(outcome:failure OR action:*Denied) ip:10.0.0.0/8").unwrap());
    assert_eq!(again("NOT saved:\"failures\"").unwrap(), parse("NOT (outcome:failure OR action:*Denied)").unwrap());
    for (line, column, says) in [
        ("a saved:nobody", 9, "there is no saved search \"nobody\""),
        ("a saved:", 8, "the name of a saved search is due"),
        ("saved:fail*", 7, "the name of a saved search is due"),
        ("saved:long saved:long", 18, "more than 256 conditions"),
    ] {
        let why = again(line).unwrap_err();
        assert!(why.column == column && why.why.contains(says), "{line}: {why}");
    }
    let why = parse("saved:failures").unwrap_err();
    assert!(why.column == 7 && why.why.contains("write out what it says"), "{why}");
    assert_eq!(again("\"saved:failures\"").unwrap(), parse("\"saved:failures\"").unwrap());
}
