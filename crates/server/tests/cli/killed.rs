//! Killed under load, again and again: nothing acknowledged is lost, no second history is signed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::binary::{Place, Running, indelible, run};

const KILLS: u64 = 50;
const SENDERS: usize = 4;

/// What servers promised: index → event, and the newest checkpoint.
#[derive(Default)]
struct Promised {
    kept: BTreeMap<u64, String>,
    newest: (u64, String),
}

fn send_until_it_dies(url: &str, key: &str, number: &AtomicU64, stop: &AtomicBool, promised: &Mutex<Promised>) {
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(5))).build().into();
    while !stop.load(Ordering::Relaxed) {
        let event = format!("{{\"n\":{},\"text\":\"some event that somebody waits for\"}}", number.fetch_add(1, Ordering::Relaxed));
        let sent = agent.post(format!("{url}/v1/events?source=app")).header("Authorization", format!("Bearer {key}")).send(&event);
        let Ok(mut answer) = sent else { return };
        let Ok(answer) = answer.body_mut().read_to_string() else { return };
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        let index = answer["results"][0]["index"].as_u64().unwrap();
        let note = answer["checkpoint"].as_str().unwrap().to_owned();
        let size = note.lines().nth(1).unwrap().parse().unwrap();
        assert!(index < size, "the checkpoint in the answer covers the event");
        let mut promised = promised.lock().unwrap();
        assert_eq!(promised.kept.insert(index, event), None, "index {index} was promised twice");
        if size > promised.newest.0 {
            promised.newest = (size, note);
        }
    }
}

fn live_and_die(place: &Place, round: u64, number: &Arc<AtomicU64>, promised: &Arc<Mutex<Promised>>) {
    let newest = promised.lock().unwrap().newest.1.clone();
    // On a busy machine the first server may die before it promised anything.
    let promised_nothing = newest.is_empty();
    let told = place.write("newest", newest);
    let told = told.to_str().unwrap();
    // The server itself checks that what it recovered extends everything it promised.
    let args: &[&str] = if promised_nothing { &[] } else { &["--not-before", told] };
    let running = Running::start(&place.data(), args, &place.admin_key);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| send_until_it_dies(&running.url, &running.key, number, &stop, promised));
        }
        std::thread::sleep(Duration::from_millis(20 + round * 37 % 110));
        rustix::process::kill_process(rustix::process::Pid::from_raw(running.pid() as i32).unwrap(), rustix::process::Signal::KILL)
            .unwrap();
        stop.store(true, Ordering::Relaxed);
    });
    running.kill();
}

#[test]
fn fifty_kills_under_load_lose_nothing_that_was_acknowledged() {
    let place = Place::new();
    let (number, promised) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Promised::default())));
    for round in 0..KILLS {
        live_and_die(&place, round, &number, &promised);
    }
    let promised = promised.lock().unwrap();
    assert!(promised.kept.len() as u64 > KILLS, "the load was a load: {} events", promised.kept.len());
    let running = place.serve();
    for (index, event) in &promised.kept {
        let sent =
            ureq::get(format!("{}/v1/events/{index}/raw", running.url)).header("Authorization", format!("Bearer {}", running.key)).call();
        assert_eq!(sent.unwrap().body_mut().read_to_string().unwrap(), *event, "entry {index}");
    }
    assert_eq!(running.stop(), 0);
    let newest = place.write("newest", &promised.newest.1);
    let verified = run(indelible().args(["verify", "--json", "--from-checkpoint"]).arg(newest).arg("--data").arg(place.data()));
    assert_eq!(verified.code, 0, "{verified:?}");
}
