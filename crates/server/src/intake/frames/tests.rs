#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use super::*;
use aws_lc_rs::digest::digest;
use proptest::prelude::*;

type Owned = (Vec<u8>, Option<Truncated>, u64, bool);

fn owned(frame: &Frame<'_>) -> Owned {
    (frame.raw.to_vec(), frame.truncated, frame.end, frame.whole)
}

fn frames<'a>(framing: Framing, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Owned> {
    let (mut found, mut frames) = (Vec::new(), Frames::new(framing, 0));
    for piece in pieces {
        frames.push(piece, &mut |frame| found.push(owned(&frame)));
    }
    frames.finish(&mut |frame| found.push(owned(&frame)));
    found
}

fn texts(framing: Framing, stream: &[u8]) -> Vec<String> {
    frames(framing, [stream]).into_iter().map(|(raw, ..)| String::from_utf8(raw).unwrap()).collect()
}

#[test]
fn counted_frames_and_lines_may_alternate_within_one_stream() {
    let stream = b"<34>line one\n8 <34>a\nbc<34>line two\r\n5 <1>xy6 <2>xyz<3>\0<4>\n";
    assert_eq!(texts(Framing::Syslog, stream), ["<34>line one", "<34>a\nbc", "<34>line two", "<1>xy", "<2>xyz", "<3>", "<4>"]);
}

#[test]
fn a_counted_frame_is_kept_exactly() {
    assert_eq!(texts(Framing::Syslog, b"7 <34>a\r\n8 <34>\0\n\r\n"), ["<34>a\r\n", "<34>\0\n\r\n"]);
}

#[test]
fn a_line_that_begins_with_a_number_is_a_line() {
    for line in ["2024 was a year", "0 <34>x", "12", "12 ", "123456789 <34>x", " 12 <34>x", "12  <34>x", "1a <"] {
        assert_eq!(texts(Framing::Syslog, format!("{line}\n<1>next\n").as_bytes()), [line, "<1>next"], "{line}");
    }
}

#[test]
fn plain_lines_know_neither_counts_nor_nul() {
    assert_eq!(texts(Framing::Lines, b"5 <1>xy\na\0b\r\n\r\n\n{}\n"), ["5 <1>xy", "a\0b", "{}"]);
}

#[test]
fn only_the_cr_before_the_lf_is_taken_from_a_line() {
    assert_eq!(texts(Framing::Lines, b"\ra\r\r\nb\rc\n\r\r\n"), ["\ra\r", "b\rc", "\r"]);
}

#[test]
fn what_the_streams_end_cuts_short_is_given_and_marked() {
    assert_eq!(frames(Framing::Syslog, [&b"<1>a\n<2>b"[..]]), [(b"<1>a".to_vec(), None, 5, true), (b"<2>b".to_vec(), None, 9, false)]);
    assert_eq!(frames(Framing::Syslog, [&b"20 <1>a"[..]]), [(b"<1>a".to_vec(), None, 7, false)]);
    assert_eq!(frames(Framing::Syslog, [&b"20 "[..]]), [(b"20 ".to_vec(), None, 3, false)]);
    assert_eq!(frames(Framing::Lines, [&b"a\r"[..]]), [(b"a\r".to_vec(), None, 2, false)]);
    assert_eq!(frames(Framing::Syslog, [&b"<1>a\n\r\n"[..]]).len(), 1);
}

#[test]
fn a_frame_over_the_limit_is_kept_cut_with_length_and_hash_of_the_whole() {
    let mut long = vec![b'<'; EVENT_BYTES_MAX + 5];
    long[EVENT_BYTES_MAX] = b'\r';
    let sha256 = digest(&aws_lc_rs::digest::SHA256, &long).as_ref().try_into().unwrap();
    let truncated = Some(Truncated { bytes: long.len() as u64, sha256 });
    let counted = [format!("{} ", long.len()).into_bytes(), long.clone()].concat();
    let line = [&long[..], b"\r\n"].concat();
    for (stream, piece) in [(&counted, usize::MAX), (&counted, 1000), (&line, usize::MAX), (&line, 1000)] {
        let found = frames(Framing::Syslog, stream.chunks(piece.min(stream.len())));
        assert_eq!(found.len(), 1);
        assert!(found[0].0 == long[..EVENT_BYTES_MAX]);
        assert_eq!((found[0].1, found[0].2, found[0].3), (truncated, stream.len() as u64, true));
    }
}

#[test]
fn a_line_of_exactly_the_limit_is_whole_whatever_ends_it() {
    for end in ["\n", "\r\n", "\0"] {
        let line = [&vec![b'a'; EVENT_BYTES_MAX][..], end.as_bytes()].concat();
        for piece in [line.len(), EVENT_BYTES_MAX, EVENT_BYTES_MAX + 1] {
            let found = frames(Framing::Syslog, line.chunks(piece));
            assert!(found.len() == 1 && found[0].0.len() == EVENT_BYTES_MAX && found[0].1.is_none(), "{end:?} {piece}");
        }
    }
}

#[test]
fn no_count_makes_more_held_than_one_event() {
    let mut frames = Frames::new(Framing::Syslog, 0);
    frames.push(b"99999999 <", &mut |_| {});
    for _ in 0..40 {
        frames.push(&[b'x'; 100_000], &mut |_| {});
        assert!(frames.held_bytes() <= EVENT_BYTES_MAX && frames.is_inside());
    }
}

/// Streams that look like syslog more often than random bytes do.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let telling = prop_oneof![
        4 => prop::sample::select(vec!["<34>", "5 <1>a", "12 ", "\r", "\n", "\r\n", "\0", "<", "9", " ", "3 <1>"]).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(telling, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn how_the_stream_is_cut_in_pieces_changes_nothing(stream in streams(), piece in 1_usize..9, lines: bool) {
        let framing = if lines { Framing::Lines } else { Framing::Syslog };
        prop_assert_eq!(frames(framing, [&stream[..]]), frames(framing, stream.chunks(piece)));
    }

    #[test]
    fn a_counted_message_comes_out_as_it_went_in(message in prop::collection::vec(any::<u8>(), 0..300), piece in 1_usize..50) {
        let message = [b"<9>", &message[..]].concat();
        let stream = [format!("{} ", message.len()).as_bytes(), &message].concat().repeat(2);
        let found = frames(Framing::Syslog, stream.chunks(piece));
        prop_assert_eq!(found.len(), 2);
        prop_assert!(found.iter().all(|(raw, truncated, _, whole)| raw == &message && truncated.is_none() && *whole));
    }
}
