use std::time::{Duration, Instant};

use crate::binary::Place;

#[test]
fn a_forward_to_files_runs_over_restarts_and_shows_how_it_fares() {
    let place = Place::new();
    let event = place.write("event.json", "{\"actor\":\"ana\"}\n");
    let running = place.serve();
    running.run(["forward", "add", "siem", "ana", "--files", "--from", "start"]).ok();
    let lines = || {
        let files = std::fs::read_dir(place.data().join("forward/siem")).into_iter().flatten();
        files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap().lines().count()).sum::<usize>()
    };
    let until = |wanted: usize| {
        let began = Instant::now();
        while lines() != wanted {
            assert!(began.elapsed() < Duration::from_secs(30), "{} lines", lines());
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    running.run(["import", "--source", "app", event.to_str().unwrap()]).ok();
    until(1);
    // The line is in the file before the cursor says so: what is sent twice is better than what is sent never.
    let began = Instant::now();
    let list = loop {
        let list = running.run(["forward", "list"]).ok().out;
        if list.contains("1 sent  ana") {
            break list;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{list}");
    };
    assert!(list.contains("siem") && list.contains("files"), "{list}");
    assert_eq!(running.run(["forward", "list", "--json"]).ok().json()[0]["to"]["rotate_mb"], 128);
    assert_eq!(running.stop(), 0);
    let running = place.serve();
    running.run(["import", "--source", "app2", event.to_str().unwrap()]).ok();
    until(2);
    running.run(["forward", "add", "siem"]).refused("--hec");
    running.run(["forward", "add", "x", "--hec", "https://splunk:8088", "--token", "hunter2"]).refused("env:NAME");
    running.run(["forward", "remove", "siem"]).ok();
    running.run(["forward", "remove", "siem"]).refused("there is no forward \"siem\"");
}
