use crate::binary::{Place, indelible, run};

#[test]
fn a_synthetic_trail_is_written_as_files_that_can_be_imported() {
    let place = Place::new();
    let running = place.serve();
    let dir = place.beside("trail");
    let made = running.run(["synth", "--events", "400", "--json", "-o", dir.to_str().unwrap()]).ok().json();
    assert_eq!(made["events"], 400);
    let mut lines = 0;
    for source in ["aws_cloudtrail", "okta", "entra_id", "google_workspace", "github_audit"] {
        let file = dir.join(format!("{source}.ndjson"));
        let count = std::fs::read_to_string(&file).unwrap().lines().count();
        let kept = running.run(["import", "--json", "--source", source, file.to_str().unwrap()]).ok().json();
        assert_eq!(kept["kept"], count);
        lines += count;
    }
    assert_eq!(lines, 400);
    let people = running.run(["identity", "import", dir.join("identities.csv").to_str().unwrap()]).ok().out;
    assert!(people.starts_with("20000 new"), "{people}");
    let story: serde_json::Value = serde_json::from_slice(&std::fs::read(dir.join("story.json")).unwrap()).unwrap();
    assert_eq!(story[20]["record"]["eventName"], "StopLogging");
    let found = running.run(["search", "ip:203.0.113.66", "--json"]).ok().json();
    assert_eq!(found["events"].as_array().unwrap().len(), 21);
}

#[test]
fn a_synthetic_trail_is_entered_once_into_a_server_or_a_directory() {
    let place = Place::new();
    let running = place.serve();
    let enter = |seed: &str| running.run(["synth", "--events", "300", "--seed", seed, "--json", "--into"]).ok().json();
    assert_eq!(enter("1"), serde_json::json!({"kept": 300, "duplicates": 0, "refused": 0}));
    assert_eq!(enter("1"), serde_json::json!({"kept": 0, "duplicates": 300, "refused": 0}));
    assert_eq!(enter("2")["kept"], 300);
    let found = running.run(["search", "source:github_audit", "--json", "--limit", "1"]).ok().json();
    assert_eq!(found["events"][0]["meaning"]["kind"], "github_audit");
    let stopped = Place::new();
    assert_eq!(stopped.offline(["synth", "--events", "300", "--json", "--into"]).ok().json()["kept"], 300);
}

#[test]
fn standard_output_takes_one_source() {
    let synth = |args: &[&str]| run(indelible().args(["synth", "-o", "-"]).args(args));
    let one = synth(&["--events", "100", "--source", "okta"]).ok();
    assert_eq!(one.out.lines().count(), 100);
    synth(&["--events", "100"]).refused("--source");
    synth(&["--events", "100", "--source", "oktta"]).refused("google_workspace");
    synth(&["--events", "99", "--source", "okta"]).refused("ask for 100");
    synth(&["--events", "100", "--source", "okta", "--end", "1960-01-01T00:00:00Z"]).refused("1970");
}
