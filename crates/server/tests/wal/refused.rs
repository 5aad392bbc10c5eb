//! Full and failing disks, frames too large, and what is said about them.

use std::io::ErrorKind;
use std::sync::Arc;

use indelible::store::media::sim::{Fault, Survivors};
use indelible::store::media::{Media, SimMedia};
use indelible::store::wal::{Wal, WalError, WalLimits};

use crate::model::{LIMITS, payload};

fn open(media: &SimMedia) -> Result<Wal, WalError> {
    media.create_dir_all("wal").unwrap();
    Wal::open(Arc::new(media.clone()), "wal", LIMITS).map(|(wal, _)| wal)
}

#[test]
fn a_full_disk_is_reported_before_anything_is_written_and_recovers_by_itself() {
    let media = SimMedia::new(0);
    media.set_capacity(Some(10_000));
    let mut wal = open(&media).unwrap();
    let frame = payload(1, 3000);
    wal.append(&[&frame]).unwrap();
    wal.append(&[&frame]).unwrap();
    let before: Vec<_> = media.files().iter().map(|path| (path.clone(), media.read(path).unwrap())).collect();
    for _ in 0..3 {
        assert!(matches!(wal.ensure_room(3000), Err(WalError::NoSpace { .. })));
        assert!(matches!(wal.append(&[&frame]), Err(WalError::NoSpace { .. })));
    }
    let after: Vec<_> = media.files().iter().map(|path| (path.clone(), media.read(path).unwrap())).collect();
    assert_eq!(before, after, "nothing was left behind");
    wal.append(&[b"what still fits"]).unwrap();
    media.set_capacity(None);
    let at = wal.append(&[&frame]).unwrap();
    assert_eq!(wal.reader().read(at).unwrap(), frame);
}

#[test]
fn a_full_disk_takes_the_files_that_were_released() {
    let media = SimMedia::new(0);
    media.set_capacity(Some(10_000));
    let mut wal = open(&media).unwrap();
    let frame = payload(1, 3000);
    for _ in 0..10 {
        wal.append(&[&frame]).unwrap();
        wal.release_before(wal.active_file()).unwrap(); // nobody called recycle
    }
    drop(wal);
    media.crash(Survivors::Nothing);
    media.restart();
    open(&media).unwrap().append(&[&frame]).unwrap();
}

#[test]
fn an_empty_log_opens_on_a_full_disk() {
    let media = SimMedia::new(0);
    drop(open(&media).unwrap());
    media.set_capacity(Some(LIMITS.file_bytes));
    open(&media).unwrap().append(&[b"x"]).unwrap();
}

#[test]
fn a_log_that_failed_to_sync_never_writes_again() {
    for fault in [Fault::Refused(ErrorKind::Other), Fault::Refused(ErrorKind::StorageFull), Fault::KeptButReportedLost] {
        for step in 0..2 {
            let media = SimMedia::new(0);
            let mut wal = open(&media).unwrap();
            let kept = wal.append(&[b"kept"]).unwrap();
            media.inject(media.ops() + step, fault);
            assert!(matches!(wal.append(&[b"open"]), Err(WalError::Io { .. })));
            let ops = media.ops();
            assert!(matches!(wal.append(&[b"later"]), Err(WalError::Stopped)));
            assert!(matches!(wal.ensure_room(10_000), Err(WalError::Stopped)));
            assert!(matches!(wal.prepare_next(), Err(WalError::Stopped)));
            assert!(matches!(wal.recycle(), Err(WalError::Stopped)));
            assert_eq!(media.ops(), ops, "nothing was written, nothing was synced");
            assert_eq!(wal.reader().read(kept).unwrap(), b"kept", "reading goes on");
        }
    }
}

/// Another thread's change of a name may be what the failed sync dropped.
#[test]
fn a_directory_that_failed_to_sync_stops_the_log() {
    // Preparing is: create, zeros, sync, header, sync, rename, sync of the directory.
    let media = SimMedia::new(0);
    let mut wal = open(&media).unwrap();
    media.inject(media.ops() + 5, Fault::Refused(ErrorKind::Other));
    assert!(matches!(wal.spares().prepare_next(), Err(WalError::Io { .. })));
    wal.append(&[b"a rename that did not happen changes nothing"]).unwrap();
    wal.spares().prepare_next().unwrap();

    let media = SimMedia::new(0);
    let mut wal = open(&media).unwrap();
    media.inject(media.ops() + 6, Fault::Refused(ErrorKind::Other));
    assert!(matches!(wal.spares().prepare_next(), Err(WalError::Io { .. })));
    assert!(matches!(wal.append(&[b"x"]), Err(WalError::Stopped)));
}

/// The sync fails, the process starts again, and only then the power fails: pages that look clean
/// must have been written again.
#[test]
fn what_recovery_reports_is_durable_even_after_a_sync_that_failed() {
    for seed in 0..50 {
        let media = SimMedia::new(seed);
        let mut wal = open(&media).unwrap();
        let frame = payload(1, 2000);
        media.inject(media.ops() + 1, Fault::Refused(ErrorKind::Other));
        assert!(wal.append(&[&frame]).is_err());
        drop(wal);
        let (_, first) = Wal::open(Arc::new(media.clone()), "wal", LIMITS).unwrap();
        media.crash(Survivors::Nothing);
        media.restart();
        let (_, second) = Wal::open(Arc::new(media.clone()), "wal", LIMITS).unwrap();
        assert_eq!(first.frames.len(), 1, "the cache still shows the frame");
        assert_eq!(first.frames, second.frames, "seed {seed}");
    }
}

#[test]
fn a_frame_that_fits_no_file_is_refused_and_the_largest_is_not() {
    let media = SimMedia::new(0);
    let mut wal = open(&media).unwrap();
    let limit = LIMITS.frame_bytes_max();
    assert!(matches!(wal.append(&[&vec![1; limit + 1]]), Err(WalError::FrameTooLarge { .. })));
    let largest = payload(1, limit);
    let at = wal.append(&[&largest]).unwrap();
    assert_eq!(wal.reader().read(at).unwrap(), largest);
    let empty = wal.append(&[]).unwrap();
    assert_eq!(wal.reader().read(empty).unwrap(), b"");
}

#[test]
fn a_frame_asked_for_where_there_is_none_is_an_error() {
    let media = SimMedia::new(0);
    let mut wal = open(&media).unwrap();
    let at = wal.append(&[&payload(1, 1500)]).unwrap();
    let reader = wal.reader();
    for (block, bytes) in [(0, 1500), (2, 1500), (1, 1499), (1, 1501), (7, 100), (u32::MAX, 8), (1, u32::MAX)] {
        let wrong = indelible::store::wal::FrameAt { block, bytes, ..at };
        assert!(matches!(reader.read(wrong), Err(WalError::Damaged(_))), "{wrong:?}");
    }
    let gone = indelible::store::wal::FrameAt { file: 9, ..at };
    assert!(matches!(reader.read(gone), Err(WalError::Released { file: 9 })));
}

#[test]
fn limits_that_make_no_file_are_refused() {
    for file_bytes in [0, 512, 2047, 4097, 1 << 40] {
        let media = SimMedia::new(0);
        let limits = WalLimits { file_bytes, spare_files: 0 };
        assert!(matches!(Wal::open(Arc::new(media), "", limits), Err(WalError::Limits { .. })));
    }
}

#[test]
fn files_of_another_length_are_read_and_given_up_in_time() {
    let media = SimMedia::new(0);
    let mut wal = open(&media).unwrap();
    let frame = payload(1, 3000);
    for _ in 0..3 {
        wal.append(&[&frame]).unwrap();
    }
    wal.release_before(2).unwrap();
    wal.recycle().unwrap();
    wal.prepare_next().unwrap();
    drop(wal);
    let larger = WalLimits { file_bytes: 8192, spare_files: 1 };
    let (mut wal, recovered) = Wal::open(Arc::new(media.clone()), "wal", larger).unwrap();
    assert_eq!(recovered.frames.len(), 2);
    let at = wal.append(&[&payload(2, 6000)]).unwrap();
    wal.release_before(at.file).unwrap();
    wal.recycle().unwrap();
    assert_eq!(media.files(), ["wal/0000000004.wal"]);
}
