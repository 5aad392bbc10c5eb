//! Tiles: their paths, widths and bytes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use proptest::prelude::*;
use tlog::tile::{
    BundleError, EntryTooLong, NotPowerOfTwo, TileBytesError, decode_bundle, decode_hashes, encode_bundle, encode_hashes, partial_width,
    subtree_root,
};
use tlog::{Frontier, Hash, TileId, TileKind, TreeSize};

fn tile(kind: TileKind, n: u64, width: u16) -> TileId {
    TileId { kind, n, width }
}

#[test]
fn a_path_names_a_tile() {
    let hashes = TileKind::Hashes;
    for (path, id) in [
        ("0/000", tile(hashes(0), 0, 256)),
        ("0/001.p/1", tile(hashes(0), 1, 1)),
        ("63/999.p/255", tile(hashes(63), 999, 255)),
        ("1/x001/000", tile(hashes(1), 1000, 256)),
        ("1/x001/x234/067", tile(hashes(1), 1_234_067, 256)),
        ("entries/x100/000.p/12", tile(TileKind::Entries, 100_000, 12)),
        ("entries/x018/x446/x744/x073/x709/x551/615", tile(TileKind::Entries, u64::MAX, 256)),
    ] {
        assert_eq!(path.parse(), Ok(id));
        assert_eq!(id.to_string(), path);
    }
}

#[test]
fn any_other_path_is_refused() {
    for path in [
        "",
        "/",
        "0",
        "0/",
        "/000",
        "00/000",
        "64/000",
        "-1/000",
        "x/000",
        "data/000",
        "Entries/000",
        "0/0",
        "0/00",
        "0/0000",
        "0/x000",
        "0/x000/000",
        "0/x000/x001/000",
        "0/001/000",
        "0/x001/x000",
        "0/x1/000",
        "0/x0001/000",
        "0/X001/000",
        "0//000",
        "0/000/",
        "0/+01",
        "0/ 01",
        "0/00a",
        "0/٠٠٠",
        "0/000.p",
        "0/000.p/",
        "0/000.p/0",
        "0/000.p/01",
        "0/000.p/256",
        "0/000.p/257",
        "0/000.p/1/",
        "0/000.p/+1",
        "0/000.p/1.p/1",
        "0/000.q/1",
        "0/000p/1",
        "../0/000",
        "0/../000",
        "0/000 ",
        " 0/000",
        "0/000\n",
        "0/000?x=1",
        "entries/x018/x446/x744/x073/x709/x551/616",
        "entries/x001/x018/x446/x744/x073/x709/x551/615",
    ] {
        assert!(path.parse::<TileId>().is_err(), "{path:?}");
    }
}

#[test]
fn a_tree_has_the_partial_tiles_its_size_says() {
    assert_eq!(partial_width(TreeSize(0), 0), 0);
    assert_eq!(partial_width(TreeSize(255), 0), 255);
    assert_eq!(partial_width(TreeSize(256), 0), 0);
    assert_eq!(partial_width(TreeSize(256), 1), 1);
    assert_eq!(partial_width(TreeSize(65_536), 1), 0);
    assert_eq!(partial_width(TreeSize(65_536), 2), 1);
    assert_eq!(partial_width(TreeSize(u64::MAX), 7), 255);
    for level in [8, 31, 32, 63, 255] {
        assert_eq!(partial_width(TreeSize(u64::MAX), level), 0);
    }
}

#[test]
fn a_tile_is_in_the_trees_that_hold_all_of_it() {
    let is_in = |path: &str, size| path.parse::<TileId>().unwrap().is_in(TreeSize(size));
    assert!(!is_in("0/000", 255) && is_in("0/000", 256));
    assert!(!is_in("0/000.p/7", 6) && is_in("0/000.p/7", 7) && is_in("0/000.p/7", 70_000));
    assert!(!is_in("entries/273.p/113", 70_000) && is_in("entries/273.p/112", 70_000));
    assert!(!is_in("1/000.p/1", 255) && is_in("1/000.p/1", 256));
    assert!(is_in("2/000.p/1", 70_000) && !is_in("2/000.p/2", 70_000));
    assert!(!is_in("63/000.p/1", u64::MAX));
    assert!(!is_in("0/x018/x446/x744/x073/x709/x551/615", u64::MAX));
    assert!(!tile(TileKind::Entries, 0, 0).is_in(TreeSize(10)));
    assert!(!tile(TileKind::Entries, 0, 257).is_in(TreeSize(1000)));
}

#[test]
fn the_root_of_a_full_tile_is_the_root_of_its_tree() {
    let hashes: Vec<Hash> = (0..256_u64).map(|i| Hash::leaf(&i.to_be_bytes())).collect();
    let mut tree = Frontier::new();
    for (i, hash) in hashes.iter().enumerate() {
        tree.push(*hash);
        let expected = (i + 1).is_power_of_two().then(|| tree.root());
        assert_eq!(subtree_root(&hashes[..=i]).ok(), expected);
    }
    assert_eq!(subtree_root(&[]), Err(NotPowerOfTwo { got: 0 }));
}

#[test]
fn bytes_that_are_no_tile_are_refused() {
    for bytes in [0, 31, 33, 8191, 8193, 8224] {
        assert_eq!(decode_hashes(&vec![0; bytes]), Err(TileBytesError { bytes }));
    }
    assert_eq!(decode_hashes(&[0; 8192]).unwrap().len(), 256);
}

#[test]
fn a_bundle_must_hold_exactly_the_entries_of_its_tile() {
    let bundle = encode_bundle([&b"one"[..], b"", b"three"]).unwrap();
    assert_eq!(bundle, b"\x00\x03one\x00\x00\x00\x05three");
    assert_eq!(decode_bundle(&bundle, 3).unwrap(), [&b"one"[..], b"", b"three"]);
    for expected in [0, 1, 2, 4, 256, 257] {
        assert_eq!(decode_bundle(&bundle, expected), Err(BundleError::Width { expected }));
    }
    for end in 0..bundle.len() {
        assert!(decode_bundle(&bundle[..end], 3).is_err(), "cut at {end}");
    }
    assert_eq!(decode_bundle(&bundle[..13], 3), Err(BundleError::Cut { entry: 2 }));
}

#[test]
fn an_entry_has_at_most_65535_bytes() {
    let longest = vec![7; 65_535];
    let bundle = encode_bundle([&longest[..]]).unwrap();
    assert_eq!(decode_bundle(&bundle, 1).unwrap(), [&longest[..]]);
    let longer = vec![7; 65_536];
    assert_eq!(encode_bundle([&longer[..]]), Err(EntryTooLong { bytes: 65_536 }));
}

proptest! {
    #[test]
    fn every_tile_id_reads_as_it_was_written(
        level in prop::option::of(0_u8..64), n: u64, shift in 0_u32..64, width in 1_u16..=256
    ) {
        let id = tile(level.map_or(TileKind::Entries, TileKind::Hashes), n >> shift, width);
        prop_assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn tiles_and_bundles_read_as_they_were_written(
        hashes in prop::collection::vec(any::<[u8; 32]>(), 1..=256),
        entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..=256),
    ) {
        let hashes: Vec<Hash> = hashes.into_iter().map(Hash).collect();
        prop_assert_eq!(decode_hashes(&encode_hashes(&hashes)), Ok(hashes));
        let bundle = encode_bundle(entries.iter().map(Vec::as_slice)).unwrap();
        prop_assert_eq!(decode_bundle(&bundle, entries.len() as u16).unwrap(), entries);
    }
}
