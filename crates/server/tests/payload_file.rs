//! Payload files: rows go in and come back; a changed file is refused or read, never a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

use bytes::Bytes;
use indelible::store::payload_file::{
    OwnedRow, PayloadFile, PayloadMeta, PayloadReadError, PayloadRow, PayloadWriteError, PayloadWriter, Telling, VALUE_BYTES_MAX,
};
use proptest::prelude::*;

fn meta(first: u64, count: u64) -> PayloadMeta {
    PayloadMeta { origin: "example.com/log".into(), segment: first / 256, class: 1, generation: 0, first, count }
}

fn write(meta: &PayloadMeta, rows: &[OwnedRow]) -> Bytes {
    let mut writer = PayloadWriter::new(meta.clone()).unwrap();
    for row in rows {
        writer.push(&row.as_row()).unwrap();
    }
    writer.finish().unwrap().into()
}

fn row(index: u64, raw_bytes: usize) -> OwnedRow {
    let mut seed = index.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut random = |bytes: usize| -> Bytes {
        std::iter::repeat_with(|| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed.to_be_bytes()[0]
        })
        .take(bytes)
        .collect()
    };
    let erased = index.is_multiple_of(5);
    OwnedRow {
        index,
        salts: random(if erased { 17 * 4 } else { 16 }),
        facts: format!(r#"{{"seq":{index}}}"#).into(),
        people: if index.is_multiple_of(3) { "{}".into() } else { format!(r#"{{"id":"{index}"}}"#).into() },
        raw: random(raw_bytes),
        parts: erased.then(|| random(3)),
    }
}

/// Indexes with gaps, as a class among others has them.
fn rows(first: u64, count: usize, raw_bytes: usize) -> Vec<OwnedRow> {
    (0..count as u64).map(|at| row(first + at + at / 7, raw_bytes)).collect()
}

fn read_all(bytes: &Bytes) -> Result<Vec<OwnedRow>, PayloadReadError> {
    let mut all = Vec::new();
    PayloadFile::open(bytes.clone())?.for_each(&mut |row| all.push(row.to_owned_row()))?;
    Ok(all)
}

#[test]
fn rows_come_back_one_by_one_as_a_range_and_as_a_whole() {
    let rows = rows(65_536, 10_000, 40);
    let meta = meta(65_536, 20_000);
    let bytes = write(&meta, &rows);
    let file = PayloadFile::open(bytes.clone()).unwrap();
    assert_eq!(*file.meta(), meta);
    assert_eq!(file.len(), 10_000);
    assert_eq!(read_all(&bytes).unwrap(), rows);
    for row in rows.iter().step_by(97) {
        assert_eq!(file.row(row.index).unwrap().as_ref(), Some(row));
    }
    for (from, to) in [(0, u64::MAX), (65_536, 65_537), (70_000, 70_100), (69_632, 69_633), (80_000, 90_000), (9, 9)] {
        let expected: Vec<_> = rows.iter().filter(|row| (from..to).contains(&row.index)).cloned().collect();
        let found: Vec<_> = file.rows(from..to).map(Result::unwrap).collect();
        assert!(found == expected, "{from}..{to}: {} rows, not {}", found.len(), expected.len());
    }
}

#[test]
fn a_picker_gives_the_rows_that_are_wanted_in_whatever_order_it_is_asked() {
    let rows = rows(0, 3_000, 200);
    let file = PayloadFile::open(write(&meta(0, 4_000), &rows)).unwrap();
    for telling in [Telling::Raw, Telling::RawAndPeople] {
        picks_what_is_wanted(telling, &file, &rows);
    }
}

fn picks_what_is_wanted(telling: Telling, file: &PayloadFile<Bytes>, rows: &[OwnedRow]) {
    let mut picker = file.picker(telling);
    for (from, to, every) in [(0, 4_000, 1), (100, 900, 3), (50, 60, 1), (3_000, 4_000, 7), (0, 4_000, 1_000), (1_234, 1_235, 1)] {
        let asked: Vec<u64> = (from..to).collect();
        let is_wanted = |row: &OwnedRow| row.index.is_multiple_of(every) && row.raw[0] < 200;
        let there: Vec<_> = rows.iter().filter(|row| (from..to).contains(&row.index)).collect();
        let picked = picker
            .pick(&asked, &mut |index, raw, people| {
                let row = there.iter().find(|row| row.index == index).unwrap();
                let told: &[u8] = if telling == Telling::Raw { b"" } else { &row.people };
                assert_eq!((raw, people), (&row.raw[..], told));
                is_wanted(row)
            })
            .unwrap();
        assert_eq!(picked.met, there.len());
        let expected: Vec<_> = there.into_iter().filter(|row| is_wanted(row)).cloned().collect();
        assert!(picked.rows == expected, "{from}..{to}");
    }
}

#[test]
fn behind_a_damaged_page_a_picker_reads_what_a_new_one_would() {
    let mut rows = rows(0, 1_500, 200);
    // What zstd packs, unlike random bytes, cannot be unpacked any more when it is changed.
    rows.iter_mut().for_each(|row| row.raw = format!(r#"{{"number":{}}}"#, row.index).repeat(20).into());
    let bytes = write(&meta(0, 2_000), &rows);
    let all: Vec<u64> = rows.iter().map(|row| row.index).collect();
    let mut met_damage = 0;
    for at in (4..bytes.len()).step_by(bytes.len() / 60) {
        let mut altered = bytes.to_vec();
        altered[at..(at + 8).min(bytes.len())].fill(0xff);
        let Ok(file) = PayloadFile::open(Bytes::from(altered)) else { continue };
        let mut picker = file.picker(if at % 2 == 0 { Telling::Raw } else { Telling::RawAndPeople });
        if picker.pick(&all, &mut |_, _, _| true).is_ok() {
            continue;
        }
        met_damage += 1;
        for index in &all {
            let again = picker.pick(&[*index], &mut |_, _, _| true).ok().and_then(|picked| picked.rows.into_iter().next());
            assert!(again == file.row(*index).ok().flatten(), "byte {at}, entry {index}");
        }
    }
    assert!(met_damage > 5, "{met_damage}");
}

#[test]
fn an_entry_of_another_class_has_no_row() {
    let rows = rows(0, 3000, 20);
    let file = PayloadFile::open(write(&meta(0, 4000), &rows)).unwrap();
    for absent in [7, 15, 2343, rows.last().unwrap().index + 1, 3999, 4000, u64::MAX] {
        assert_eq!(file.row(absent).unwrap(), None, "{absent}");
    }
}

#[test]
fn rows_longer_than_a_page_or_a_row_group_come_back() {
    let rows: Vec<_> = (0..40).map(|index| row(index, if index % 2 == 0 { 1 << 20 } else { 0 })).collect();
    let bytes = write(&meta(0, 40), &rows);
    let file = PayloadFile::open(bytes.clone()).unwrap();
    assert!(read_all(&bytes).unwrap() == rows);
    assert!(rows.iter().all(|row| file.row(row.index).unwrap().as_ref() == Some(row)));
}

#[test]
fn a_file_without_rows_is_a_file() {
    let file = PayloadFile::open(write(&meta(0, 1), &[])).unwrap();
    assert!(file.is_empty());
    assert_eq!(file.row(0).unwrap(), None);
    assert_eq!(file.rows(0..1).count(), 0);
}

#[test]
fn the_greatest_indexes_come_back() {
    let rows = [row(u64::MAX - 2, 5), row(u64::MAX - 1, 5)];
    let bytes = write(&meta(u64::MAX - 2, 2), &rows);
    assert_eq!(read_all(&bytes).unwrap(), rows);
    assert_eq!(PayloadFile::open(bytes).unwrap().row(u64::MAX - 1).unwrap().as_ref(), Some(&rows[1]));
    let across = [row((1 << 63) - 1, 5), row(1 << 63, 5)];
    let bytes = write(&meta((1 << 63) - 1, 2), &across);
    assert_eq!(PayloadFile::open(bytes).unwrap().row(1 << 63).unwrap().as_ref(), Some(&across[1]));
}

#[test]
fn the_same_rows_give_the_same_bytes() {
    let rows = rows(256, 500, 100);
    assert_eq!(write(&meta(256, 1000), &rows), write(&meta(256, 1000), &rows));
}

#[test]
fn a_file_is_read_by_position_from_disk() {
    let rows = rows(0, 2000, 50);
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, &write(&meta(0, 3000), &rows)).unwrap();
    let file = PayloadFile::open(file).unwrap();
    assert_eq!(file.row(rows[1234].index).unwrap().as_ref(), Some(&rows[1234]));
    assert!(file.rows(0..3000).map(Result::unwrap).eq(rows));
}

#[test]
fn rows_that_break_the_order_or_the_bounds_are_refused_when_written() {
    let mut writer = PayloadWriter::new(meta(256, 10)).unwrap();
    for index in [255, 266, u64::MAX] {
        let refused = writer.push(&row(index, 1).as_row());
        assert!(matches!(refused, Err(PayloadWriteError::Order { .. })), "{index}");
    }
    writer.push(&row(257, 1).as_row()).unwrap();
    assert!(matches!(writer.push(&row(257, 1).as_row()), Err(PayloadWriteError::Order { .. })));
    let raw = vec![0; VALUE_BYTES_MAX + 1];
    let long = PayloadRow { index: 258, salts: &[], facts: &[], people: &[], raw: &raw, parts: None };
    assert!(matches!(writer.push(&long), Err(PayloadWriteError::Value { .. })));
    assert!(PayloadWriter::new(meta(0, 0)).is_err());
    assert!(PayloadWriter::new(meta(u64::MAX, 2)).is_err());
}

#[test]
fn a_file_of_another_format_is_refused_as_foreign() {
    for other in [&b""[..], b"PAR1", b"not a parquet file at all", &[0; 4096]] {
        let refused = PayloadFile::open(Bytes::copy_from_slice(other));
        assert!(matches!(refused, Err(PayloadReadError::Foreign(_))), "{refused:?}");
    }
    // The same length, so that only the words differ.
    let good = write(&meta(0, 10), &rows(0, 5, 10));
    for (ours, theirs) in [("payload/v1", "payload/v2"), ("indelible.class", "indelible.glass"), ("people", "person")] {
        let mut bytes = good.to_vec();
        let places: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(ours.as_bytes())).collect();
        assert!(!places.is_empty());
        for at in places {
            bytes[at..at + ours.len()].copy_from_slice(theirs.as_bytes());
        }
        let refused = PayloadFile::open(Bytes::from(bytes));
        assert!(matches!(refused, Err(PayloadReadError::Foreign(_))), "{ours}: {refused:?}");
    }
}

/// Everything a caller may do with a file whose bytes are not ours any more. A panic fails the test
/// and an allocation beyond the process's limit ends it.
fn use_altered(bytes: Bytes) -> Result<Vec<OwnedRow>, PayloadReadError> {
    let file = PayloadFile::open(bytes.clone())?;
    for index in [0, 1, 30, 31, 100] {
        let _ = file.row(index);
    }
    let _ = file.rows(3..20).collect::<Vec<_>>();
    read_all(&bytes)
}

/// Panics of the libraries are caught by the reader; they need not fill the test's output.
fn quiet() {
    std::panic::set_hook(Box::new(|panic| {
        let ours = panic.location().is_some_and(|place| place.file().contains("crates/server"));
        if ours {
            eprintln!("{panic}");
        }
    }));
}

/// An allocation made by a length nobody checked then ends the test.
fn bound_memory() {
    let limit = rustix::process::Rlimit { current: Some(2 << 30), maximum: Some(2 << 30) };
    rustix::process::setrlimit(rustix::process::Resource::As, limit).unwrap();
}

#[test]
fn every_flipped_byte_gives_an_error_or_rows_and_never_a_panic() {
    quiet();
    bound_memory();
    let rows = rows(0, 40, 60);
    let good = write(&meta(0, 64), &rows);
    let (mut refused, mut other, mut same) = (0, 0, 0);
    for at in 0..good.len() {
        for mask in [0x01, 0x10, 0x80, 0xff] {
            let mut bytes = good.to_vec();
            bytes[at] ^= mask;
            match use_altered(bytes.into()) {
                Err(_) => refused += 1,
                Ok(read) if read == rows => same += 1,
                Ok(_) => other += 1,
            }
        }
    }
    println!("{} bytes: {refused} refused, {other} read as other rows, {same} read the same", good.len());
    assert!(refused > 0 && other > 0, "the flips reached both the frame and the values");
}

#[test]
fn every_truncated_file_is_refused() {
    quiet();
    bound_memory();
    let good = write(&meta(0, 64), &rows(0, 40, 60));
    for length in 0..good.len() {
        assert!(use_altered(good.slice(..length)).is_err(), "{length}");
        assert!(use_altered(good.slice(good.len() - length..)).is_err(), "the last {length}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_rows_come_back(
        steps in prop::collection::vec((1_u64..5, prop::collection::vec(any::<u8>(), 0..200), any::<Option<[u8; 3]>>()), 0..80),
        first in 0_u64..1 << 60,
    ) {
        let mut index = first;
        let rows: Vec<_> = steps.into_iter().map(|(step, bytes, parts)| {
            index += step;
            let third = bytes.len() / 3;
            OwnedRow {
                index,
                salts: Bytes::copy_from_slice(&bytes[..third]),
                facts: Bytes::copy_from_slice(&bytes[third..2 * third]),
                people: Bytes::copy_from_slice(&bytes[2 * third..]),
                raw: Bytes::from(bytes),
                parts: parts.map(|parts| Bytes::copy_from_slice(&parts)),
            }
        }).collect();
        let bytes = write(&meta(first, 1000), &rows);
        prop_assert_eq!(read_all(&bytes).unwrap(), rows);
    }

    #[test]
    fn any_garbled_stretch_gives_an_error_or_rows_and_never_a_panic(
        at in any::<prop::sample::Index>(),
        noise in prop::collection::vec(any::<u8>(), 1..24),
        tail in any::<bool>(),
    ) {
        quiet();
        let good = write(&meta(0, 64), &rows(0, 40, 60));
        let mut bytes = good.to_vec();
        // Half of the noise falls on the indexes and the footer, which are the smaller half.
        let from = if tail { bytes.len() * 2 / 3 } else { 0 };
        let at = from + at.index(bytes.len() - from);
        for (byte, noise) in bytes[at..].iter_mut().zip(noise) {
            *byte = noise;
        }
        let _ = use_altered(bytes.into());
    }

    #[test]
    fn any_bytes_between_the_magics_give_an_error(middle in prop::collection::vec(any::<u8>(), 0..300)) {
        quiet();
        let mut bytes = [b"PAR1", &middle[..]].concat();
        bytes.extend_from_slice(&u32::try_from(middle.len()).unwrap().to_le_bytes());
        bytes.extend_from_slice(b"PAR1");
        prop_assert!(PayloadFile::open(Bytes::from(bytes)).is_err());
    }
}
