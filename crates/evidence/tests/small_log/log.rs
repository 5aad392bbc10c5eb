//! The plainest log there is: all leaves in memory, every hash computed anew.
#![allow(dead_code, reason = "each test uses some of it")]

use std::collections::BTreeMap;
use std::convert::Infallible;

use ed25519_dalek::{Signer, SigningKey};
use evidence::act::{RotateAct, TrailAct};
use evidence::commitment::{digest, part_salts};
use evidence::{Act, ActHead, EventFile, Facts, Kind, Leaf, Part, People, Receipt, Salt, SenderData, commit_parts, rotation_text};
use tlog::{Checkpoint, Hash, LeafIndex, Nodes, TlogProof, TreeSize, VerifierKey};

pub const ORIGIN: &str = "example.com/log";
pub const RAW: &[u8] = br#"{"id":"e-1","user":"alice","action":"policy.change"}"#;

pub fn secret(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub fn vkey(seed: u8) -> VerifierKey {
    VerifierKey::new(ORIGIN, secret(seed).verifying_key().to_bytes()).unwrap()
}

pub struct Entry {
    pub leaf: Leaf,
    pub salt: Salt,
    pub parts: Vec<Vec<u8>>,
}

#[derive(Default)]
pub struct Log {
    pub entries: Vec<Entry>,
}

impl Nodes for Log {
    type Error = Infallible;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Infallible> {
        if level == 0 {
            return Ok(self.entries[index as usize].leaf.hash());
        }
        Ok(Hash::node(&self.node(level - 1, 2 * index)?, &self.node(level - 1, 2 * index + 1)?))
    }
}

impl Log {
    pub fn push(&mut self, kind: Kind, parts: Vec<Vec<u8>>) -> u64 {
        let number = u32::from(kind != Kind::Act);
        self.push_of(kind, number, parts)
    }

    /// An entry of the log itself.
    pub fn push_own(&mut self, kind: Kind, parts: Vec<Vec<u8>>) -> u64 {
        self.push_of(kind, 0, parts)
    }

    fn push_of(&mut self, kind: Kind, number: u32, parts: Vec<Vec<u8>>) -> u64 {
        let index = self.entries.len() as u64;
        let salt = Salt([index as u8; 16]);
        let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let commitment = commit_parts(&salt.0, &slices);
        let leaf = Leaf { kind, source: number * 7, class: number as u16, received_at: 1_700_000_000_000, commitment };
        self.entries.push(Entry { leaf, salt, parts });
        index
    }

    pub fn event(&mut self, raw: &[u8]) -> u64 {
        let mut parts = vec![Facts::new("okta-prod", "http").to_bytes(), People::default().to_bytes()];
        let mut cuts = Vec::new();
        evidence::cut(raw, &mut cuts);
        let mut rest = raw;
        parts.extend(cuts.iter().map(|length| rest.split_off(..*length as usize).unwrap().to_vec()));
        self.push(Kind::Event, parts)
    }

    pub fn act(&mut self, act: &Act) -> u64 {
        let prev = self.entries.iter().rposition(|entry| entry.leaf.kind == Kind::Act).map(|index| index as u64);
        self.act_bytes(act.to_part2(&ActHead { origin: ORIGIN.into(), prev }))
    }

    pub fn act_bytes(&mut self, part2: Vec<u8>) -> u64 {
        self.push(Kind::Act, vec![Facts::new("", "cli").to_bytes(), b"{}".to_vec(), part2, b"{}".to_vec()])
    }

    pub fn rotate(&mut self, old: u8, new: u8) -> u64 {
        let text = rotation_text(ORIGIN, &vkey(old), &vkey(new), self.entries.len() as u64);
        let sign = |seed| secret(seed).sign(text.as_bytes()).to_bytes();
        self.act(&Act::Rotate(RotateAct { old: vkey(old), new: vkey(new), sig_old: sign(old), sig_new: sign(new) }))
    }

    pub fn checkpoint(&self, size: u64, seed: u8) -> String {
        let root = tlog::prove::root_at(self, TreeSize(size)).unwrap();
        let key = vkey(seed);
        Checkpoint { origin: ORIGIN.into(), size: TreeSize(size), root }.sign(&key, |body| secret(seed).sign(body).to_bytes())
    }

    pub fn proof(&self, index: u64, size: u64, seed: u8) -> TlogProof {
        let hashes = tlog::prove::inclusion(self, LeafIndex(index), TreeSize(size)).unwrap();
        TlogProof { extra: None, index: LeafIndex(index), hashes, checkpoint: self.checkpoint(size, seed) }
    }

    pub fn event_file(&self, index: u64, size: u64, seed: u8) -> EventFile {
        let entry = &self.entries[index as usize];
        let salts = part_salts(&entry.salt, entry.parts.len());
        let shown = |(salt, bytes): (Salt, &Vec<u8>)| Part::Shown { salt, bytes: bytes.clone() };
        EventFile {
            leaf: entry.leaf,
            parts: salts.into_iter().zip(&entry.parts).map(shown).collect(),
            proof: self.proof(index, size, seed),
            keys: Vec::new(),
        }
    }

    pub fn receipt(&self, index: u64, size: u64, seed: u8, with_salt: bool) -> Receipt {
        let entry = &self.entries[index as usize];
        let salts = part_salts(&entry.salt, 2);
        let envelope = [digest(&salts[0], &entry.parts[0]), digest(&salts[1], &entry.parts[1])];
        let TlogProof { index, hashes, checkpoint, .. } = self.proof(index, size, seed);
        let sender = with_salt.then_some(SenderData { salt: entry.salt, envelope });
        Receipt { leaf: entry.leaf, sender, index, hashes, checkpoint }
    }
}

/// Trail, events, rotation from key 1 to 2 at index 4, events, rotation from 2 to 3 at index 8, events.
pub fn rotated_log() -> Log {
    let mut log = Log::default();
    log.act(&Act::Trail(TrailAct { vkey: vkey(1), segment_leaves: 256, classes: BTreeMap::from([(1, "default".into())]) }));
    for _ in 0..3 {
        log.event(RAW);
    }
    assert_eq!(log.rotate(1, 2), 4);
    for _ in 0..3 {
        log.event(b"Nov  3 10:00:01 host sshd[99]: Failed password");
    }
    assert_eq!(log.rotate(2, 3), 8);
    for _ in 0..3 {
        log.event(RAW);
    }
    log
}

pub fn rotations(log: &Log) -> Vec<EventFile> {
    vec![log.event_file(4, 5, 1), log.event_file(8, 9, 2)]
}
