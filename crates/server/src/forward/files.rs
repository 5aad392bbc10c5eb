//! NDJSON files that grow, a new one each day and past a size. A collector may take away any but the newest.
//!
//! INVARIANT: what stands behind the length that the place names was not promised to anybody, and is cut off
//! before more is written. So a crash leaves neither a torn line nor an entry twice.

use std::io;
use std::sync::Arc;

use crate::forward::place::Growing;
use crate::search::instant;
use crate::store::media::{Media, MediaFile};

/// See the module.
pub struct Files {
    media: Arc<dyn Media>,
    dir: String,
    began: u64,
    rotate_bytes: u64,
    open: Option<Open>,
}

struct Open {
    file: Box<dyn MediaFile>,
    grown: Growing,
}

impl Files {
    /// Goes on where an earlier process stopped: behind what is known to be durable. `began` stands in the
    /// names of files, so that one that begins anew touches none of those before.
    #[must_use]
    pub fn new(media: Arc<dyn Media>, name: &str, began: u64, rotate_bytes: u64, grown: Option<Growing>) -> Self {
        let dir = name.to_owned();
        // A file that is gone or shorter was taken away: the next one begins.
        let open = grown.and_then(|grown| {
            let file = media.open(&format!("{dir}/{}", grown.name)).ok()?;
            let usable = file.len().is_ok_and(|bytes| bytes >= grown.bytes) && file.set_len(grown.bytes).is_ok();
            usable.then_some(Open { file, grown })
        });
        Self { media, dir, began, rotate_bytes, open }
    }

    /// Adds lines, the first of which is of entry `first`; durable on return.
    ///
    /// # Errors
    /// Part of them may stand there. The next try writes another file, and cuts this one where it can: what a
    /// failed sync left behind is not trusted.
    pub fn append(&mut self, lines: &[u8], first: u64, now_ms: u64) -> io::Result<Growing> {
        let day: String = instant::format(i64::try_from(now_ms).unwrap_or(i64::MAX)).chars().take(10).collect();
        let fits = |open: &Open| open.grown.name.starts_with(&day) && open.grown.bytes < self.rotate_bytes;
        let mut open = match self.open.take().filter(fits) {
            Some(open) => open,
            None => self.create(format!("{day}-{}-{first:020}.ndjson", self.began))?,
        };
        let written = open.file.write_at(lines, open.grown.bytes).and_then(|()| open.file.sync_data());
        if let Err(why) = written {
            let _ = open.file.set_len(open.grown.bytes);
            return Err(why);
        }
        open.grown.bytes += lines.len() as u64;
        let grown = open.grown.clone();
        self.open = Some(open);
        Ok(grown)
    }

    fn create(&self, name: String) -> io::Result<Open> {
        self.media.create_dir_all(&self.dir)?;
        let path = format!("{}/{name}", self.dir);
        let file = match self.media.create(&path) {
            // An earlier try made it, and nothing in it was promised.
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {
                let file = self.media.open(&path)?;
                file.set_len(0)?;
                file
            }
            other => other?,
        };
        self.media.sync_dir(&self.dir)?;
        Ok(Open { file, grown: Growing { name, bytes: 0 } })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use crate::store::media::sim::{Fault, SimMedia, Survivors};

    const DAY_MS: u64 = 86_400_000;

    fn text(media: &SimMedia, path: &str) -> String {
        String::from_utf8(media.read(path).unwrap()).unwrap()
    }

    #[test]
    fn a_new_file_begins_each_day_and_past_a_size() {
        let media = SimMedia::new(1);
        let mut files = Files::new(Arc::new(media.clone()), "siem", 2, 8, None);
        files.append(b"one\n", 3, 0).unwrap();
        files.append(b"two\n", 4, 1).unwrap();
        files.append(b"three\n", 7, 2).unwrap();
        let grown = files.append(b"four\n", 9, DAY_MS).unwrap();
        assert_eq!(grown, Growing { name: "1970-01-02-2-00000000000000000009.ndjson".into(), bytes: 5 });
        let names = ["1970-01-01-2-00000000000000000003.ndjson", "1970-01-01-2-00000000000000000007.ndjson", &grown.name];
        assert_eq!(media.files(), names.map(|name| format!("siem/{name}")));
        assert_eq!(text(&media, &format!("siem/{}", names[0])), "one\ntwo\n");
    }

    #[test]
    fn what_was_not_noted_is_cut_off_and_written_again() {
        let media = SimMedia::new(1);
        let mut files = Files::new(Arc::new(media.clone()), "siem", 2, 1 << 20, None);
        let noted = files.append(b"one\n", 3, 0).unwrap();
        files.append(b"two\n", 4, 0).unwrap();
        media.crash(Survivors::Everything);
        media.restart();
        let mut files = Files::new(Arc::new(media.clone()), "siem", 2, 1 << 20, Some(noted.clone()));
        files.append(b"two\nthree\n", 4, 0).unwrap();
        assert_eq!(text(&media, &format!("siem/{}", noted.name)), "one\ntwo\nthree\n");
        // One that was taken away is not missed.
        media.remove(&format!("siem/{}", noted.name)).unwrap();
        let mut files = Files::new(Arc::new(media.clone()), "siem", 2, 1 << 20, Some(noted));
        assert_eq!(files.append(b"four\n", 9, 0).unwrap().bytes, 5);
    }

    #[test]
    fn whichever_operation_fails_lost_or_kept_the_lines_stand_whole_in_the_end() {
        for fault in [Fault::Refused(io::ErrorKind::Other), Fault::KeptButReportedLost] {
            for nth in 0..12 {
                let media = SimMedia::new(nth);
                let mut files = Files::new(Arc::new(media.clone()), "siem", 2, 1 << 20, None);
                media.inject(media.ops() + nth, fault);
                for (lines, first) in [(b"one\n".as_slice(), 1), (b"two\n", 2), (b"three\n", 3)] {
                    while files.append(lines, first, 0).is_err() {}
                }
                let all: String = media.files().iter().map(|path| text(&media, path)).collect();
                assert_eq!(all.matches("one\n").count(), 1, "{nth} {fault:?}: {all}");
                assert!(all.contains("two\n") && all.contains("three\n") && all.len() == 14, "{nth} {fault:?}: {all}");
            }
        }
    }
}
