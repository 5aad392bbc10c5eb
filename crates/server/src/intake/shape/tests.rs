#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

use super::accounted::unaccounted;
use super::*;
use proptest::prelude::*;

/// The kept events as text, JSON marked by `j:` and text by `t:`, a refusal by its code.
fn kept(body: &str, media: Media) -> Vec<String> {
    let decoded = decode(body.as_bytes(), media).unwrap();
    let event = |event: &RawEvent| {
        let kind = if event.json { "j" } else { "t" };
        (event.line, format!("{kind}:{}", String::from_utf8_lossy(event.raw(body.as_bytes()))))
    };
    let mut all: Vec<_> = decoded.events.iter().map(event).collect();
    all.extend(decoded.refused.iter().map(|refused| (refused.line, refused.code.code().to_owned())));
    all.sort();
    all.into_iter().map(|(_, text)| text).collect()
}

fn read(body: &str) -> Vec<String> {
    kept(body, Media::Any)
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

#[test]
fn one_value_is_one_event_without_the_white_space_around_it() {
    assert_eq!(read("{\"a\":1}"), ["j:{\"a\":1}"]);
    assert_eq!(read(" \r\n{\n  \"a\": 1\n}\n\t"), ["j:{\n  \"a\": 1\n}"]);
    assert_eq!(read("\"text\"\n"), ["j:\"text\""]);
    assert_eq!(read("42"), ["j:42"]);
}

#[test]
fn each_element_of_an_array_is_one_event() {
    assert_eq!(read("[{\"a\":1}, 2 ,\n[3], \"x\"]"), ["j:{\"a\":1}", "j:2", "j:[3]", "j:\"x\""]);
    assert_eq!(read(" [ ] "), [""; 0]);
}

#[test]
fn a_wrapper_unwraps_only_as_the_sole_member() {
    assert_eq!(read("{\"Records\":[{\"a\":1},{\"b\":2}]}"), ["j:{\"a\":1}", "j:{\"b\":2}"]);
    assert_eq!(read(" { \"records\" : [ 1 , 2 ] }\n"), ["j:1", "j:2"]);
    assert_eq!(read("{\"Records\":[]}"), [""; 0]);
    for whole in [
        r#"{"Records":[1],"x":2}"#,
        r#"{"x":2,"Records":[1]}"#,
        r#"{"Records":[1],"Records":[2]}"#,
        r#"{"Records":{"a":1}}"#,
        r#"{"RECORDS":[1]}"#,
        r#"{"Re\u0063ords":[1]}"#,
        r#"{"a":{"Records":[1]}}"#,
        "{}",
    ] {
        assert_eq!(read(whole), [format!("j:{whole}")]);
    }
}

#[test]
fn everything_else_is_lines() {
    assert_eq!(read("{\"a\":1}\n{\"b\":2}"), ["j:{\"a\":1}", "j:{\"b\":2}"]);
    assert_eq!(read("{\"a\":1} \r\n\n \t\n 2\n"), ["j:{\"a\":1}", "j:2"]);
    assert_eq!(read("[1,2]\n{\"Records\":[3]}\n"), ["j:[1,2]", "j:{\"Records\":[3]}"]);
}

#[test]
fn a_line_that_is_not_json_is_kept_as_text_to_the_byte() {
    assert_eq!(read("{\"a\":1}\n  broken {\t\r\n{\"b\":2}"), ["j:{\"a\":1}", "t:  broken {\t", "j:{\"b\":2}"]);
    assert_eq!(read("Nov 22 sshd[1]: ok"), ["t:Nov 22 sshd[1]: ok"]);
    assert_eq!(read("[1,2,"), ["t:[1,2,"]);
    assert_eq!(read("{\"Records\":[1,2]"), ["t:{\"Records\":[1,2]"]);
    assert_eq!(read("{\"a\":1}{\"b\":2}"), ["t:{\"a\":1}{\"b\":2}"]);
}

#[test]
fn pretty_printed_values_one_after_another_are_lines() {
    assert_eq!(read("{\n\"a\":1\n}\n{\n}"), ["t:{", "t:\"a\":1", "t:}", "t:{", "t:}"]);
    assert_eq!(read("{\n}\n{}\n"), ["t:{", "t:}", "j:{}"]);
}

#[test]
fn plain_text_is_one_event_a_line_and_loses_only_its_line_ends() {
    let body = "one\r\n\r\n {\"a\":1} \n\n \n[two]\r\r\nend\r";
    assert_eq!(kept(body, Media::TextPlain), ["t:one", "t: {\"a\":1} ", "t: ", "t:[two]\r", "t:end\r"]);
    let lines: Vec<_> = decode(body.as_bytes(), Media::TextPlain).unwrap().events.iter().map(|event| event.line).collect();
    assert_eq!(lines, [1, 3, 5, 6, 7]);
}

#[test]
fn only_plain_text_is_taken_from_the_content_type() {
    for value in ["text/plain", "Text/Plain; charset=utf-8", " text/plain;x=y"] {
        assert_eq!(Media::from_content_type(Some(value)), Media::TextPlain);
    }
    for value in [None, Some("application/json"), Some("text/plainer"), Some("")] {
        assert_eq!(Media::from_content_type(value), Media::Any);
    }
}

#[test]
fn a_byte_order_mark_is_skipped_before_json_and_kept_in_text() {
    assert_eq!(read("\u{feff}{\"a\":1}"), ["j:{\"a\":1}"]);
    assert_eq!(read("\u{feff} [1,2]"), ["j:1", "j:2"]);
    assert_eq!(read("\u{feff}1\n2"), ["j:1", "j:2"]);
    assert_eq!(read("\u{feff}text\n2"), ["t:\u{feff}text", "j:2"]);
    assert_eq!(read("\u{feff}\n\u{feff}2\n3"), ["t:\u{feff}2", "j:3"]);
    assert_eq!(kept("\u{feff}{}", Media::TextPlain), ["t:\u{feff}{}"]);
}

#[test]
fn bytes_that_are_not_utf8_stay_in_their_event_which_is_then_text() {
    let body = b"[{\n\"a\":\"\xff\"},\n{\"b\":2}]";
    let decoded = decode(body, Media::Any).unwrap();
    let events: Vec<_> = decoded.events.iter().map(|event| (event.json, event.raw(body))).collect();
    assert_eq!(events, [(false, b"{\n\"a\":\"\xff\"}".as_slice()), (true, b"{\"b\":2}")]);
    let lines = b"\xff\xfe\n{\"a\":1}";
    let decoded = decode(lines, Media::Any).unwrap();
    let events: Vec<_> = decoded.events.iter().map(|event| (event.json, event.raw(lines))).collect();
    assert_eq!(events, [(false, b"\xff\xfe".as_slice()), (true, b"{\"a\":1}")]);
}

#[test]
fn a_body_without_any_event_is_an_error() {
    for body in ["", " \r\n\t", "\u{feff}", "\u{feff} \n"] {
        assert_eq!(decode(body.as_bytes(), Media::Any), Err(ShapeError::Empty), "{body:?}");
    }
    for body in ["", "\n", "\r\n\n"] {
        assert_eq!(decode(body.as_bytes(), Media::TextPlain), Err(ShapeError::Empty), "{body:?}");
    }
}

#[test]
fn an_event_over_the_depth_limit_is_refused_and_its_neighbours_are_kept() {
    let (good, deep) = (nested(DEPTH_MAX), nested(DEPTH_MAX + 1));
    assert_eq!(read(&format!("1\n{good}\n{deep}\n2")), ["j:1".to_owned(), format!("j:{good}"), "too_deep".into(), "j:2".into()]);
    assert_eq!(read(&format!("{{\"Records\":[{deep},{good}]}}")), ["too_deep".to_owned(), format!("j:{good}")]);
    assert_eq!(read(&format!("{{\n\"a\":{good}}}")), ["too_deep"]);
    let body = format!("1\n {deep} \n2");
    let refused = decode(body.as_bytes(), Media::Any).unwrap().refused;
    assert_eq!((&body[refused[0].range()], refused[0].line), (deep.as_str(), 2));
}

#[test]
fn text_that_only_looks_deep_is_kept() {
    let text = format!("{}x", nested(DEPTH_MAX + 1));
    assert_eq!(read(&text), [format!("t:{text}")]);
    assert_eq!(kept(&nested(DEPTH_MAX + 1), Media::TextPlain), [format!("t:{}", nested(DEPTH_MAX + 1))]);
}

#[test]
fn an_event_over_the_size_limit_is_kept_cut_with_its_length_and_hash() {
    for (open, close, json) in [("{\"a\":\"", "\"}", true), ("text ", "", false)] {
        let filler = EVENT_BYTES_MAX - open.len() - close.len();
        let fits = format!("{open}{}{close}", "x".repeat(filler));
        let event = &decode(format!("1\n{fits}\n").as_bytes(), Media::Any).unwrap().events[1];
        assert_eq!((event.json, &event.truncated), (json, &None));

        let long = format!("{open}{}{close}", "x".repeat(filler + 1));
        let body = format!("1\n{long}\n2");
        let decoded = decode(body.as_bytes(), Media::Any).unwrap();
        let [_, event, after] = decoded.events.as_slice() else { panic!("{}", decoded.events.len()) };
        assert_eq!(event.raw(body.as_bytes()), &long.as_bytes()[..EVENT_BYTES_MAX]);
        let truncated = event.truncated.as_ref().unwrap();
        assert_eq!(truncated.bytes, long.len() as u64);
        assert_eq!(truncated.sha256, digest::digest(&digest::SHA256, long.as_bytes()).as_ref());
        assert!(!event.json);
        assert_eq!(after.raw(body.as_bytes()), b"2");
    }
}

#[test]
fn more_events_than_the_limit_refuse_the_whole_request() {
    let array = |count: usize| format!("[{}]", vec!["1"; count].join(","));
    let lines = |count: usize| "1\n".repeat(count);
    let too_many = |body: String, media| decode(body.as_bytes(), media).map(|decoded| decoded.events.len());
    assert_eq!(too_many(array(EVENTS_MAX), Media::Any), Ok(EVENTS_MAX));
    assert_eq!(too_many(array(EVENTS_MAX + 1), Media::Any), Err(ShapeError::TooManyEvents));
    for media in [Media::Any, Media::TextPlain] {
        assert_eq!(too_many(lines(EVENTS_MAX), media), Ok(EVENTS_MAX));
        assert_eq!(too_many(lines(EVENTS_MAX + 1), media), Err(ShapeError::TooManyEvents));
    }
    let broken_array = array(EVENTS_MAX + 1).replace(']', "");
    assert_eq!(too_many(broken_array, Media::Any), Ok(1), "one line of text, however many commas it holds");
}

#[test]
fn refused_events_count_towards_the_limit() {
    let deep = nested(DEPTH_MAX + 1);
    let lines = format!("{}{deep}\n", "1\n".repeat(EVENTS_MAX));
    assert_eq!(decode(lines.as_bytes(), Media::Any), Err(ShapeError::TooManyEvents));
}

fn spans(decoded: &Decoded) -> Vec<Range<usize>> {
    let mut spans: Vec<_> = decoded.events.iter().map(RawEvent::range).collect();
    spans.extend(decoded.refused.iter().map(Refused::range));
    spans.sort_by_key(|span| span.start);
    spans
}

fn check(body: &[u8], media: Media) -> Result<(), TestCaseError> {
    let Ok(decoded) = decode(body, media) else {
        let blank = if media == Media::TextPlain { body } else { body.strip_prefix(BOM).unwrap_or(body) };
        prop_assert!(blank.iter().all(|&byte| json::is_space(byte)), "refused as empty: {:?}", body);
        return Ok(());
    };
    if let Err(error) = unaccounted(body, media == Media::TextPlain, &spans(&decoded)) {
        return Err(TestCaseError::fail(error));
    }
    for event in &decoded.events {
        let parses = serde_json::from_slice::<serde_json::Value>(event.raw(body)).is_ok();
        prop_assert!(!event.json || parses, "marked as JSON: {:?}", event.raw(body));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_bytes_are_all_accounted_for(body in proptest::collection::vec(any::<u8>(), 0..120)) {
        check(&body, Media::Any)?;
        check(&body, Media::TextPlain)?;
    }

    #[test]
    fn any_json_like_body_is_accounted_for(
        body in r#"(\u{feff})?([\[\]{},: \n\r"\\1x]|\{"[Rr]ecords":\[|\{"a":1\}|"a":|\]\}|\r\n|é){0,24}"#
    ) {
        check(body.as_bytes(), Media::Any)?;
        check(body.as_bytes(), Media::TextPlain)?;
    }

    #[test]
    fn the_same_values_come_out_of_every_shape(
        values in proptest::collection::vec("[a-z\u{e9}\"\\\\\n]{0,12}", 2..8), space in "[ \n\r\t]{0,3}"
    ) {
        let values: Vec<_> = values.iter().map(|text| serde_json::json!({"m": text, "n": [1]}).to_string()).collect();
        let expected: Vec<_> = values.iter().map(|value| format!("j:{value}")).collect();
        let elements = values.join(&format!("{space},{space}"));
        prop_assert_eq!(&read(&format!("{space}[{space}{elements}{space}]{space}")), &expected);
        prop_assert_eq!(&read(&format!("{{{space}\"Records\"{space}:{space}[{elements}]{space}}}")), &expected);
        prop_assert_eq!(&read(&values.join("\n")), &expected);
        prop_assert_eq!(&read(&values.join(" \r\n\r\n\t")), &expected);
    }
}
