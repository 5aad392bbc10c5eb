//! What happens to files in any order, with crashes at every step, against what must be in the log.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::fake::{Fake, gzip};
use super::*;

/// What becomes of a commit.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Kept,
    /// The log takes fewer events first.
    Split(usize),
    /// The process dies before anything is durable.
    LostAndDied,
    /// The process dies when it is durable, before it knows.
    KeptAndDied,
}

/// The first file is rotated by renaming, the second by copying and truncating.
#[derive(Clone, Debug)]
enum Step {
    Write {
        file: usize,
        lines: usize,
        open_end: bool,
    },
    Rotate(usize),
    /// Copies, looks a few times, truncates.
    CopyTruncate(usize, usize),
    /// Compresses a rotated file in two writes, with looks between, then removes it.
    Compress(usize, usize),
    /// Removes the oldest rotated file whose lines are in the log.
    RemoveOldest(usize),
    Look,
    Commit(Fate),
    Wait(u64),
    Die,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let fate = prop_oneof![
        6 => Just(Fate::Kept),
        2 => (1_usize..4).prop_map(Fate::Split),
        1 => Just(Fate::LostAndDied),
        1 => Just(Fate::KeptAndDied),
    ];
    let step = prop_oneof![
        6 => (0_usize..2, 0_usize..5, any::<bool>()).prop_map(|(file, lines, open_end)| Step::Write { file, lines, open_end }),
        2 => Just(Step::Rotate(0)),
        2 => (0_usize..3).prop_map(|looks| Step::CopyTruncate(1, looks)),
        2 => (0_usize..2, 0_usize..3).prop_map(|(file, looks)| Step::Compress(file, looks)),
        1 => (0_usize..2).prop_map(Step::RemoveOldest),
        6 => Just(Step::Look),
        8 => fate.prop_map(Step::Commit),
        1 => (1_u64..90_000).prop_map(Step::Wait),
        1 => Just(Step::Die),
    ];
    prop::collection::vec(step, 1..80)
}

const FILES: [&str; 2] = ["a.log", "b.log"];

struct World {
    fake: Fake,
    watch: Watch<Fake>,
    log: Vec<String>,
    cursor: Vec<u8>,
    /// All lines written to each file, in order.
    written: BTreeMap<usize, Vec<String>>,
    /// Lines of each rotated file, by its present name.
    lines_of: BTreeMap<String, Vec<String>>,
    /// The line that is being written.
    open: [Option<String>; 2],
    count: usize,
}

impl World {
    fn new() -> Self {
        let fake = Fake::default();
        fake.wait(1_000_000_000);
        let watch = Watch::new(fake.clone(), WatchRules::default(), Places::default());
        let (written, lines_of) = (BTreeMap::new(), BTreeMap::new());
        Self { fake, watch, log: Vec::new(), cursor: Places::default().encode(), written, lines_of, open: [None, None], count: 0 }
    }

    fn line(&mut self, file: usize, line: String) {
        self.written.entry(file).or_default().push(line.clone());
        self.lines_of.entry(FILES[file].to_owned()).or_default().push(line);
    }

    fn write(&mut self, file: usize, lines: usize, open_end: bool) {
        for _ in 0..lines {
            match self.open[file].take() {
                Some(begun) => {
                    self.fake.append(FILES[file], "-end\n");
                    self.line(file, format!("{begun}-end"));
                }
                None => {
                    self.count += 1;
                    let line = format!("{}-{}-{}", FILES[file], self.count, "x".repeat(self.count * 37 % 90));
                    self.fake.append(FILES[file], format!("{line}\n"));
                    self.line(file, line);
                }
            }
        }
        if open_end && self.open[file].is_none() {
            self.count += 1;
            let begun = format!("{}-{}-open", FILES[file], self.count);
            self.fake.append(FILES[file], &begun);
            self.open[file] = Some(begun);
        }
    }

    /// The open line ends with its file.
    fn end_line(&mut self, file: usize) {
        if let Some(begun) = self.open[file].take() {
            self.line(file, begun);
        }
    }

    fn exists(&self, name: &str) -> bool {
        self.fake.names().iter().any(|known| known == name)
    }

    fn move_lines(&mut self, from: &str, to: &str) {
        let lines = self.lines_of.remove(from).unwrap_or_default();
        self.lines_of.insert(to.to_owned(), lines);
    }

    /// As logrotate does: the oldest first.
    fn shift(&mut self, file: usize) {
        for number in (1..9).rev() {
            for ending in ["", ".gz"] {
                let (from, to) = (format!("{}.{number}{ending}", FILES[file]), format!("{}.{}{ending}", FILES[file], number + 1));
                if self.exists(&from) {
                    self.fake.rename(&from, &to);
                    self.move_lines(&from, &to);
                }
            }
        }
    }

    fn has_room(&self, file: usize) -> bool {
        self.exists(FILES[file])
            && !self.fake.content(FILES[file]).is_empty()
            && !["", ".gz"].iter().any(|ending| self.exists(&format!("{}.9{ending}", FILES[file])))
    }

    fn rotate(&mut self, file: usize) {
        if self.has_room(file) {
            self.end_line(file);
            self.shift(file);
            let to = format!("{}.1", FILES[file]);
            self.fake.rename(FILES[file], &to);
            self.move_lines(FILES[file], &to);
        }
    }

    fn copy_truncate(&mut self, file: usize, looks: usize) {
        if self.has_room(file) {
            self.end_line(file);
            self.shift(file);
            let (to, content) = (format!("{}.1", FILES[file]), self.fake.content(FILES[file]));
            self.fake.append(&to, &content[..content.len() / 2]);
            (0..looks).for_each(|_| self.look());
            self.fake.append(&to, &content[content.len() / 2..]);
            (0..looks).for_each(|_| self.look());
            self.fake.wait(1);
            self.fake.truncate(FILES[file]);
            self.move_lines(FILES[file], &to);
        }
    }

    fn compress(&mut self, file: usize, looks: usize) {
        let plain = |name: &String| name.starts_with(FILES[file]) && name.len() == FILES[file].len() + 2;
        if let Some(name) = self.fake.names().into_iter().find(plain) {
            let (to, content) = (format!("{name}.gz"), gzip(&self.fake.content(&name)));
            self.fake.append(&to, &content[..content.len() / 2]);
            (0..looks).for_each(|_| self.look());
            self.fake.append(&to, &content[content.len() / 2..]);
            (0..looks).for_each(|_| self.look());
            self.fake.delete(&name);
            self.move_lines(&name, &to);
        }
    }

    fn remove_oldest(&mut self, file: usize) {
        let rotated = |name: &String| name.starts_with(FILES[file]) && name != FILES[file];
        if let Some(name) = self.fake.names().into_iter().rfind(rotated)
            && self.lines_of[&name].iter().all(|line| self.log.contains(line))
        {
            self.fake.delete(&name);
            self.lines_of.remove(&name);
        }
    }

    fn look(&mut self) {
        self.fake.wait(100);
        self.watch.look(self.fake.now_ms()).unwrap();
    }

    fn keep(&mut self, portion: &Portion) {
        let StreamBatch { body, decoded, .. } = &portion.gathered;
        self.log.extend(decoded.events.iter().map(|event| String::from_utf8(event.raw(body).to_vec()).unwrap()));
        self.cursor = portion.cursor.clone();
    }

    fn die(&mut self) {
        self.watch = Watch::new(self.fake.clone(), WatchRules::default(), Places::decode(&self.cursor).unwrap());
    }

    fn commit(&mut self, fate: Fate) -> bool {
        let Some(mut portion) = self.watch.next(self.fake.now_ms(), usize::MAX) else { return false };
        if let Fate::Split(events) = fate {
            self.watch.not_kept(&portion);
            let Some(smaller) = self.watch.next(self.fake.now_ms(), events) else { return true };
            assert!(smaller.gathered.decoded.events.len() <= events);
            portion = smaller;
        }
        match fate {
            Fate::Kept | Fate::Split(_) => {
                self.keep(&portion);
                self.watch.kept(portion);
            }
            Fate::LostAndDied => self.die(),
            Fate::KeptAndDied => {
                self.keep(&portion);
                self.die();
            }
        }
        true
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Write { file, lines, open_end } => self.write(*file, *lines, *open_end),
            Step::Rotate(file) => self.rotate(*file),
            Step::CopyTruncate(file, looks) => self.copy_truncate(*file, *looks),
            Step::Compress(file, looks) => self.compress(*file, *looks),
            Step::RemoveOldest(file) => self.remove_oldest(*file),
            Step::Look => self.look(),
            Step::Commit(fate) => {
                self.commit(*fate);
            }
            Step::Wait(ms) => self.fake.wait(*ms),
            Step::Die => self.die(),
        }
    }

    /// Ends every file and reads until nothing comes.
    fn settle(&mut self) {
        for file in 0..2 {
            self.end_line(file);
            self.rotate(file);
        }
        for _ in 0..4 {
            self.look();
            self.fake.wait(3_700_000);
            self.look();
            while self.commit(Fate::Kept) {}
        }
    }
}

fn exactly_once_in_order(steps: &[Step]) -> Result<(), TestCaseError> {
    let mut world = World::new();
    for step in steps {
        world.run(step);
    }
    world.settle();
    for (file, written) in &world.written {
        let kept: Vec<&String> = world.log.iter().filter(|line| line.starts_with(FILES[*file])).collect();
        let (mut kept_sorted, mut written_sorted) = (kept.clone(), written.iter().collect::<Vec<_>>());
        kept_sorted.sort();
        written_sorted.sort();
        prop_assert_eq!(kept_sorted, written_sorted, "of {} not every line is there once", FILES[*file]);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_line_is_kept_exactly_once_whatever_happens_to_its_file_and_to_the_reader(steps in steps()) {
        exactly_once_in_order(&steps)?;
    }
}
