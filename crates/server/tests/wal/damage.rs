//! Every byte of a small log changed, every file cut: found, located, never read as something else.

use std::sync::Arc;

use indelible::store::media::{Media, SimMedia};
use indelible::store::wal::{DamageKind, FrameAt, LeftoverKind, Scan, Wal, WalError, WalLimits, scan};

use crate::model::payload;

const LIMITS: WalLimits = WalLimits { file_bytes: 2048, spare_files: 2 };

/// File 2 with one frame of three blocks, 3 and 4 with one of one block and one of two, 5 prepared,
/// and a free file.
fn small_log() -> (SimMedia, Vec<(FrameAt, Vec<u8>)>) {
    let media = SimMedia::new(0);
    media.create_dir_all("wal").unwrap();
    let (mut wal, _) = Wal::open(Arc::new(media.clone()), "wal", LIMITS).unwrap();
    let mut frames = Vec::new();
    for (id, bytes) in [1500, 1500, 300, 900, 100, 700].into_iter().enumerate() {
        let payload = payload(id as u64, bytes);
        frames.push((wal.append(&[&payload]).unwrap(), payload));
    }
    wal.prepare_next().unwrap();
    wal.release_before(2).unwrap();
    wal.recycle().unwrap();
    frames.retain(|(at, _)| at.file >= 2);
    (media, frames)
}

/// Frames that a scan lists are frames that were written.
fn assert_nothing_altered(scan: &Scan, frames: &[(FrameAt, Vec<u8>)], context: &str) {
    let reader = scan.reader();
    for at in &scan.frames {
        let read = reader.read(*at).unwrap();
        assert!(frames.contains(&(*at, read)), "{context}: {at:?} is none that was written");
    }
}

fn sequence(path: &str) -> Option<u64> {
    path.strip_prefix("wal/")?.strip_suffix(".wal")?.parse().ok()
}

#[test]
fn an_untouched_log_is_whole() {
    let (media, frames) = small_log();
    let scan = scan(&media, "wal").unwrap();
    assert_eq!(scan.damage, []);
    assert_eq!(scan.torn, None);
    assert_eq!(scan.leftovers, []);
    assert_eq!(scan.frames, frames.iter().map(|(at, _)| *at).collect::<Vec<_>>());
    assert!(scan.files.last().unwrap().is_empty, "the prepared file");
    assert!(media.files().iter().any(|path| path.contains("free-")), "{:?}", media.files());
}

#[test]
fn every_changed_byte_is_found_and_located() {
    let (media, frames) = small_log();
    for path in media.files() {
        for at in 0..media.read(&path).unwrap().len() {
            for mask in [0x01, 0x80, 0xff] {
                let media = media.fork();
                media.tamper(&path, |bytes| bytes[at] ^= mask);
                let context = format!("{path}, byte {at} ^ {mask:#x}");
                let scan = scan(&media, "wal").unwrap();
                assert_nothing_altered(&scan, &frames, &context);
                let opened = Wal::open(Arc::new(media.clone()), "wal", LIMITS);
                if let Some(file) = sequence(&path) {
                    assert_eq!(scan.damage.len(), 1, "{context}");
                    assert_eq!(scan.damage[0].file, file, "{context}");
                    assert_eq!(scan.damage[0].block as usize, at / 512, "{context}");
                    assert!(matches!(opened, Err(WalError::Damaged(_))), "{context}");
                } else {
                    assert_eq!(scan.leftovers[0].kind, LeftoverKind::FreeNotZero, "{context}");
                    let (wal, recovered) = opened.unwrap();
                    assert_eq!(recovered.frames.len(), frames.len());
                    wal.recycle().unwrap();
                    assert_eq!(self::scan(&media, "wal").unwrap().leftovers, [], "{context}");
                }
            }
        }
    }
}

#[test]
fn every_cut_file_is_found() {
    let (media, frames) = small_log();
    for path in media.files() {
        for bytes in 0..media.read(&path).unwrap().len() {
            let media = media.fork();
            media.tamper(&path, |content| content.truncate(bytes));
            let context = format!("{path} cut to {bytes} bytes");
            let scan = scan(&media, "wal").unwrap();
            assert_nothing_altered(&scan, &frames, &context);
            match sequence(&path) {
                Some(file) => assert_eq!(scan.damage.iter().map(|d| d.file).collect::<Vec<_>>(), [file], "{context}"),
                None => assert_eq!(scan.leftovers[0].kind, LeftoverKind::FreeLength, "{context}"),
            }
        }
    }
}

/// A block of zeros is what a torn write leaves, so only in the last frame may it pass for one.
#[test]
fn every_zeroed_block_is_damage_unless_it_is_of_the_last_frame() {
    let (media, frames) = small_log();
    let last = frames.last().unwrap().0;
    for path in media.files() {
        let Some(file) = sequence(&path) else {
            continue;
        };
        let content = media.read(&path).unwrap();
        for block in 0..content.len() / 512 {
            if content[block * 512..][..512].iter().all(|byte| *byte == 0) {
                continue;
            }
            let media = media.fork();
            media.tamper(&path, |bytes| bytes[block * 512..][..512].fill(0));
            let context = format!("{path}, block {block} zeroed");
            let scan = scan(&media, "wal").unwrap();
            assert_nothing_altered(&scan, &frames, &context);
            if file == last.file && block >= last.block as usize {
                assert_eq!(scan.damage, [], "{context}");
                let torn = scan.torn.unwrap();
                assert_eq!((torn.file, torn.first_block), (last.file, last.block), "{context}");
                let (_, recovered) = Wal::open(Arc::new(media.clone()), "wal", LIMITS).unwrap();
                assert_eq!(recovered.frames.len(), frames.len() - 1);
                assert_eq!(recovered.torn.unwrap(), torn);
            } else {
                assert_eq!(scan.damage.len(), 1, "{context}");
                assert_eq!(scan.damage[0].file, file, "{context}");
            }
        }
    }
}

#[test]
fn two_blocks_exchanged_or_copied_are_damage() {
    let (media, frames) = small_log();
    let path = "wal/0000000003.wal";
    for (from, to) in [(1, 2), (2, 1), (2, 3), (1, 3)] {
        let copied = media.fork();
        copied.tamper(path, |bytes| bytes.copy_within(from * 512..(from + 1) * 512, to * 512));
        let scan = scan(&copied, "wal").unwrap();
        assert_eq!(scan.damage.len(), 1, "{from} over {to}");
        assert_nothing_altered(&scan, &frames, "copied");
    }
}

#[test]
fn files_missing_exchanged_or_copied_are_damage() {
    let (media, _) = small_log();
    let contents = |media: &SimMedia, file: u64| media.read(&format!("wal/{file:010}.wal")).unwrap();

    let missing = media.fork();
    missing.remove("wal/0000000003.wal").unwrap();
    let found = scan(&missing, "wal").unwrap().damage;
    assert_eq!((found[0].file, &found[0].kind), (3, &DamageKind::Missing));

    let exchanged = media.fork();
    let (two, three) = (contents(&media, 2), contents(&media, 3));
    exchanged.tamper("wal/0000000002.wal", |bytes| *bytes = three.clone());
    exchanged.tamper("wal/0000000003.wal", |bytes| *bytes = two.clone());
    let found = scan(&exchanged, "wal").unwrap().damage;
    assert_eq!(found.iter().map(|damage| damage.file).collect::<Vec<_>>(), [2, 3]);

    let copied = media.fork();
    copied.tamper("wal/0000000001.wal", |bytes| *bytes = two.clone());
    assert_eq!(scan(&copied, "wal").unwrap().damage[0].kind, DamageKind::Header);

    let stray = media.fork();
    stray.tamper("wal/notes.txt", |bytes| bytes.extend(b"hello"));
    stray.tamper("wal/7.wal", |_| {});
    let found = scan(&stray, "wal").unwrap();
    assert_eq!(found.damage, []);
    assert!(found.leftovers.iter().all(|leftover| leftover.kind == LeftoverKind::Unknown));
    assert_eq!(found.leftovers.len(), 2);
}

#[test]
fn what_an_older_use_of_a_file_left_is_damage_not_a_frame() {
    // A block of file 2 where file 4's tail is: right checksum, right place, another generation.
    let (media, frames) = small_log();
    let old = media.read("wal/0000000002.wal").unwrap();
    media.tamper("wal/0000000005.wal", |bytes| bytes[512..1024].copy_from_slice(&old[512..1024]));
    let scan = scan(&media, "wal").unwrap();
    assert_eq!((scan.damage[0].file, scan.damage[0].block), (5, 1));
    assert_nothing_altered(&scan, &frames, "older use");
}

#[test]
fn a_refused_log_is_left_as_it_was() {
    let (media, _) = small_log();
    media.tamper("wal/0000000003.wal", |bytes| bytes[700] ^= 1);
    let before: Vec<_> = media.files().iter().map(|path| (path.clone(), media.read(path).unwrap())).collect();
    let error = Wal::open(Arc::new(media.clone()), "wal", LIMITS).err().unwrap().to_string();
    assert!(error.contains("wal/0000000003.wal is damaged at block 1 (byte 512)"), "{error}");
    let after: Vec<_> = media.files().iter().map(|path| (path.clone(), media.read(path).unwrap())).collect();
    assert_eq!(before, after);
}
