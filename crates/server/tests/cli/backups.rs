use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::binary::{Place, Running, indelible, run, run_with_input};

fn backup(place: &Place, to: &Path) -> serde_json::Value {
    run(indelible().args(["backup", "--json", "--data"]).arg(place.data()).arg("--to").arg(to)).ok().json()
}

#[test]
fn a_backup_taken_under_load_is_restored_and_served() {
    let place = Place::new();
    let running = place.serve();
    let stop = AtomicBool::new(false);
    // Also when the test fails: the scope waits for its threads.
    struct Stop<'a>(&'a AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let to = place.beside("backup");
    let made = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut round = 0;
            while !stop.load(Ordering::Relaxed) {
                let events: String = (0..500).map(|n| format!("{{\"round\":{round},\"n\":{n}}}\n")).collect();
                run_with_input(&mut running.command(["import", "--source", "app", "-"]), events.as_bytes()).ok();
                round += 1;
            }
        });
        let _stop = Stop(&stop);
        std::thread::sleep(std::time::Duration::from_millis(500));
        let before = running.run(["tail", "-n", "1", "--json"]).ok().json()["index"].as_u64().unwrap();
        let made = backup(&place, &to);
        assert!(made["size"].as_u64().unwrap() > before, "what was there before the backup is in it");
        made
    });
    running.kill();

    run(indelible().args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&to)).refused("indelible key rebind");
    let restored = place.beside("restored");
    run(indelible().args(["restore", "--from"]).arg(&to).arg("--data").arg(&restored)).ok();
    let again = Running::start(&restored, &[], &place.admin_key);
    let size = again.run(["tail", "-n", "1", "--json"]).ok().json()["index"].as_u64().unwrap() + 1;
    assert!(size >= made["size"].as_u64().unwrap());
    assert!(again.said.iter().any(|line| line.ends_with(&place.vkey)));
}

#[test]
fn nothing_that_is_there_is_overwritten() {
    let place = Place::new();
    let to = place.beside("backup");
    backup(&place, &to);
    run(indelible().args(["backup", "--data"]).arg(place.data()).arg("--to").arg(&to)).refused("not empty");
    run(indelible().args(["restore", "--from"]).arg(&to).arg("--data").arg(place.data())).refused("not empty");
    run(indelible().args(["backup", "--data"]).arg(place.beside("nothing")).arg("--to").arg(place.beside("x"))).refused("holds no trail");
}

#[test]
fn an_altered_backup_is_not_restored() {
    let place = Place::new();
    let to = place.beside("backup");
    backup(&place, &to);
    let log = to.join("trails/main/wal/0000000001.wal");
    let mut bytes = std::fs::read(&log).unwrap();
    bytes[700] ^= 1;
    std::fs::write(&log, bytes).unwrap();
    let restored = place.beside("restored");
    run(indelible().args(["restore", "--from"]).arg(&to).arg("--data").arg(&restored)).refused("nothing was restored");
    assert!(!restored.exists());
}

#[test]
fn a_backup_behind_a_known_checkpoint_is_not_restored() {
    let place = Place::new();
    let to = place.beside("backup");
    backup(&place, &to);
    let running = place.serve();
    running.run(["key", "create", "--scope", "read"]).ok();
    assert_eq!(running.stop(), 0);
    let known = place.data().join("trails/main/checkpoint");
    let restore = |to_dir: &str| {
        let mut command = indelible();
        command.args(["restore", "--from"]).arg(&to).arg("--data").arg(place.beside(to_dir)).arg("--not-before").arg(&known);
        run(&mut command)
    };
    restore("behind").refused("nothing was restored");
    assert!(!place.beside("behind").exists());
}
