//! Power cuts and failing disks at every step, the recovery's own included.

use std::io::ErrorKind;

use indelible::store::media::sim::{Fault, Survivors};

use crate::model::World;

const ACTIONS: usize = 24;

fn count_ops(seed: u64) -> u64 {
    let mut world = World::new(seed, format!("seed {seed}"));
    world.live(ACTIONS);
    world.media.ops()
}

fn break_every_step(seeds: std::ops::Range<u64>, fault: impl Fn(u64, u64) -> Vec<Fault>) {
    for seed in seeds {
        for op in 0..count_ops(seed) {
            for fault in fault(seed, op) {
                let mut world = World::new(seed, format!("seed {seed}, {fault:?} at operation {op}"));
                world.media.inject(op, fault);
                world.live(ACTIONS);
            }
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_fails_at_any_step() {
    break_every_step(0..12, |seed, op| {
        let random = seed.wrapping_mul(1_000_003).wrapping_add(op);
        vec![
            Fault::PowerCut(Survivors::Nothing),
            Fault::PowerCut(Survivors::Everything),
            Fault::PowerCut(Survivors::Random(random)),
            Fault::PowerCut(Survivors::Random(!random)),
        ]
    });
}

#[test]
fn nothing_acknowledged_is_lost_when_any_single_step_fails() {
    break_every_step(100..112, |_, _| {
        vec![Fault::Refused(ErrorKind::Other), Fault::Refused(ErrorKind::StorageFull), Fault::KeptButReportedLost]
    });
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_fails_again_while_recovering() {
    for seed in 200..206 {
        for op in (0..count_ops(seed)).step_by(2) {
            for again in 1..14 {
                let context = format!("seed {seed}, power cuts at operations {op} and {}", op + again);
                let mut world = World::new(seed, context);
                world.media.inject(op, Fault::PowerCut(Survivors::Random(seed ^ op)));
                world.media.inject(op + again, Fault::PowerCut(Survivors::Random(seed ^ again)));
                world.live(ACTIONS);
            }
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_on_a_disk_that_fails_again_and_again() {
    for seed in 300..900 {
        let mut chance = crate::model::Chance(seed);
        let mut world = World::new(seed, format!("seed {seed}"));
        let mut op = 0;
        for _ in 0..16 {
            op += 1 + chance.below(30);
            let fault = match chance.below(5) {
                0 => Fault::Refused(ErrorKind::Other),
                1 => Fault::Refused(ErrorKind::StorageFull),
                2 => Fault::KeptButReportedLost,
                _ => Fault::PowerCut(Survivors::Random(chance.next())),
            };
            world.media.inject(op, fault);
        }
        world.live(3 * ACTIONS);
    }
}
