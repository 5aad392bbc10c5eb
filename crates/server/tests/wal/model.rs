//! What a log must hold, and a random life of one to compare it with.

use std::sync::Arc;

use indelible::store::media::SimMedia;
use indelible::store::media::sim::Survivors;
use indelible::store::wal::{FrameAt, Recovered, Wal, WalError, WalLimits, scan};

pub const LIMITS: WalLimits = WalLimits { file_bytes: 4096, spare_files: 1 };

/// SplitMix64.
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// A payload like no other, with stretches of zeros.
pub fn payload(id: u64, bytes: usize) -> Vec<u8> {
    let mut chance = Chance(id);
    let noise = (0..bytes).map(|at| if (at / 700) % 2 == 1 { 0 } else { chance.next() as u8 });
    id.to_be_bytes().into_iter().chain(noise).take(bytes.max(8)).collect()
}

/// The oracle.
#[derive(Clone, Default)]
pub struct Model {
    /// Frames acknowledged, or found when the log was opened, unless surely released.
    frames: Vec<(FrameAt, Vec<u8>)>,
    /// A frame whose append failed in a way that leaves it open.
    in_flight: Option<Vec<u8>>,
    /// Files below this were asked to be released …
    releasing: u64,
    /// … and below this they were.
    released: u64,
}

impl Model {
    /// Every acknowledged frame is there, in order, once, byte for byte; one more may follow.
    pub fn check(&mut self, found: Vec<(FrameAt, Vec<u8>)>, context: &str) {
        let start = found.first().and_then(|first| self.frames.iter().position(|frame| frame == first)).unwrap_or(self.frames.len());
        for (at, _) in &self.frames[..start] {
            assert!(at.file < self.releasing, "{context}: frame {at:?} was acknowledged and is gone");
        }
        let kept = &self.frames[start..];
        assert!(found.len() >= kept.len(), "{context}: frames are missing at the end");
        assert_eq!(&found[..kept.len()], kept, "{context}");
        let more = &found[kept.len()..];
        assert!(more.len() <= 1, "{context}: {} frames nobody acknowledged", more.len());
        if let Some((at, bytes)) = more.first() {
            assert_eq!(Some(bytes), self.in_flight.as_ref(), "{context}: {at:?} was never appended here");
        }
        for (at, _) in &found {
            assert!(at.file >= self.released, "{context}: {at:?} was released and came back");
        }
        self.frames = found;
        self.in_flight = None;
    }
}

/// A log on a simulated disk, the oracle beside it.
pub struct World {
    pub media: SimMedia,
    pub model: Model,
    pub context: String,
    wal: Option<Wal>,
    chance: Chance,
    next_id: u64,
}

impl World {
    pub fn new(seed: u64, context: String) -> World {
        World { media: SimMedia::new(seed), model: Model::default(), context, wal: None, chance: Chance(seed), next_id: 1 }
    }

    /// Lives through `actions` random actions; whatever fails is followed by a restart, with or
    /// without a power cut. Every restart is checked, and so is the end.
    pub fn live(&mut self, actions: usize) {
        self.start();
        for _ in 0..actions {
            if let Err(error) = self.act() {
                assert!(!matches!(error, WalError::Damaged(_)), "{}: {error}", self.context);
                // Whoever failed in the background may not tell the one who appends.
                if self.model.in_flight.is_none() && self.chance.below(2) == 0 {
                    continue;
                }
                if self.chance.below(2) == 0 {
                    self.media.crash(Survivors::Random(self.chance.next()));
                }
                self.start();
            }
        }
        self.media.crash(Survivors::Nothing);
        self.start();
    }

    /// Starts the log, as often as it takes.
    pub fn start(&mut self) {
        self.wal = None;
        for _ in 0..8 {
            self.media.restart();
            match self.try_start() {
                Ok(wal) => {
                    self.wal = Some(wal);
                    return;
                }
                Err(error) => assert!(!matches!(error, WalError::Damaged(_)), "{}: {error}", self.context),
            }
        }
        panic!("{}: the log does not start", self.context);
    }

    fn try_start(&mut self) -> Result<Wal, WalError> {
        use indelible::store::media::Media;
        let lost = |e| WalError::Io { action: "make", path: "wal".into(), source: e };
        self.media.create_dir_all("wal").map_err(lost)?;
        let (wal, recovered) = Wal::open(Arc::new(self.media.clone()), "wal", LIMITS)?;
        let Recovered { frames, unknown, .. } = recovered;
        assert!(unknown.is_empty(), "{}: {unknown:?}", self.context);
        let reader = wal.reader();
        let found = frames.iter().map(|at| Ok((*at, reader.read(*at)?))).collect::<Result<_, WalError>>()?;
        let found: Vec<_> = found;
        let recovered_nothing = found.is_empty();
        self.model.check(found, &self.context);
        if recovered_nothing && wal.active_file() < self.model.releasing {
            // An empty log may begin again at any number.
            (self.model.releasing, self.model.released) = (0, 0);
        }
        let scan = scan(&self.media, "wal")?;
        assert_eq!((scan.damage, scan.torn), (vec![], None), "{}: right after opening", self.context);
        Ok(wal)
    }

    fn act(&mut self) -> Result<(), WalError> {
        let wal = self.wal.as_mut().unwrap();
        match self.chance.below(20) {
            0..=10 => {
                let bytes = [8, 100, 500, 501, 1008, 1009, 2500, 3548][self.chance.below(8) as usize];
                let payload = payload(self.next_id, bytes);
                self.next_id += 1;
                let (head, tail) = payload.split_at(self.chance.below(payload.len() as u64) as usize);
                match wal.append(&[head, &[], tail]) {
                    Ok(at) => self.model.frames.push((at, payload)),
                    // Nothing was written, and that is certain.
                    Err(error @ (WalError::NoSpace { .. } | WalError::Stopped)) => {
                        return retry_when_full(error);
                    }
                    Err(error) => {
                        self.model.in_flight = Some(payload);
                        return Err(error);
                    }
                }
                Ok(())
            }
            11..=13 => wal.prepare_next().or_else(retry_when_full),
            14..=15 => wal.recycle().or_else(retry_when_full),
            16..=18 => {
                let active = wal.active_file();
                let bound = active.saturating_sub(self.chance.below(3));
                self.model.releasing = self.model.releasing.max(bound);
                match wal.release_before(bound) {
                    Err(WalError::NoSpace { .. }) => return Ok(()),
                    other => other?,
                }
                let reader = wal.reader();
                for (at, _) in self.model.frames.iter().filter(|(at, _)| at.file < bound) {
                    assert!(matches!(reader.read(*at), Err(WalError::Released { .. })) || self.media.is_off());
                }
                self.model.released = self.model.released.max(bound);
                self.model.frames.retain(|(at, _)| at.file >= bound);
                Ok(())
            }
            _ => {
                self.start(); // a process killed between two calls
                Ok(())
            }
        }
    }
}

/// A full disk is no reason to start again.
fn retry_when_full(error: WalError) -> Result<(), WalError> {
    if matches!(error, WalError::NoSpace { .. }) { Ok(()) } else { Err(error) }
}
