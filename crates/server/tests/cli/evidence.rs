use std::path::Path;

use evidence::{EvidenceFile, page};

use crate::binary::{Place, Running, run_with_input};

const SECRET: &str = "ana@secret.example";

fn fill(running: &Running) {
    let events = format!(
        "{{\"id\":1,\"userIdentity\":{{\"userName\":\"{SECRET}\"}},\"eventName\":\"AttachRolePolicy\",\"note\":\"</script><!--\"}}\n\
         {{\"id\":2,\"userIdentity\":{{\"userName\":\"bob\"}},\"eventName\":\"DeleteRolePolicy\"}}\n"
    );
    run_with_input(&mut running.command(["import", "--source", "app", "-"]), events.as_bytes()).ok();
}

/// The evidence of a page that is the genuine one.
fn read(path: &Path) -> (String, EvidenceFile) {
    let html = std::fs::read(path).unwrap();
    let read = page::read(&html).unwrap();
    assert!(read.known);
    let file = EvidenceFile::parse(read.evidence.as_bytes()).unwrap();
    (String::from_utf8(html.clone()).unwrap(), file)
}

#[test]
fn evidence_holds_hides_and_is_recorded_from_a_server_and_a_directory() {
    let place = Place::new();
    let running = place.serve();
    fill(&running);
    running.run(["search", "source:app"]).ok();
    running.run(["search", "userIdentity.userName:carol"]).ok();
    running.run(["export", "source:app", "-o", place.beside("app.ndjson").to_str().unwrap()]).ok();
    let made = |running: Option<&Running>, name: &str, more: &[&str]| {
        let path = place.beside(name);
        let args = [&["evidence", "--query", "source:app", "--title", "Case 17", "-o", path.to_str().unwrap()], more].concat();
        let told = match running {
            Some(running) => running.run(args),
            None => place.offline(args),
        };
        (path, told)
    };
    let (path, told) = made(Some(&running), "case.html", &[]);
    told.ok();
    let (html, file) = read(&path);
    assert!(html.contains("Case 17"));
    let verified = file.verify(&place.vkey.parse().unwrap(), &[]).unwrap();
    assert_eq!((verified.case.entries.len(), verified.case.access.concerning, verified.access.len()), (2, 2, 2));
    let listed = |nth: usize| String::from_utf8(file.access[nth].raw().unwrap()).unwrap();
    assert!(listed(0).contains("\"record\":\"search\"") && listed(1).contains("\"record\":\"export\""), "{} {}", listed(0), listed(1));
    assert_eq!((verified.case.retention[0].policy.clone(), verified.case.covered.unreadable.len()), (None, 0));
    assert!(verified.made.by.starts_with("k_"));

    // Hidden bytes are nowhere in the file, not even as base64.
    let (path, told) = made(Some(&running), "hidden.html", &["--redact", "userIdentity"]);
    told.ok();
    let (html, file) = read(&path);
    let verified = file.verify(&place.vkey.parse().unwrap(), &[]).unwrap();
    assert!(verified.events.iter().all(|event| event.hidden.len() == 1));
    let shown = file.events.iter().chain(&file.access).chain([&file.record]).flat_map(|file| &file.parts);
    let shown: Vec<u8> = shown.filter_map(|part| part.bytes()).flatten().copied().collect();
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains("AttachRolePolicy") && !shown.contains(SECRET) && !html.contains(SECRET));

    let (_, told) = made(Some(&running), "case.html", &[]);
    told.refused("is there already");
    let (_, told) = made(Some(&running), "none.html", &["--redact", "userIdentiti"]);
    told.refused("nothing would be hidden");
    let nothing = place.beside("nothing.html");
    running.run(["evidence", "--query", "actor:nobody@else", "-o", nothing.to_str().unwrap()]).refused("no entry matches the line");
    running.run(["evidence", "--query", "nobody:x", "-o", nothing.to_str().unwrap()]).refused("column 1: there is no field");
    assert!(!nothing.exists());
    running.stop();

    let (path, told) = made(None, "again.html", &[]);
    told.ok();
    let (_, file) = read(&path);
    let verified = file.verify(&place.vkey.parse().unwrap(), &[]).unwrap();
    assert_eq!(
        (verified.made.by.as_str(), verified.events.len(), verified.access.len()),
        ("local", 2, 4),
        "who made evidence is listed too"
    );
    let recorded = place.offline(["search", "entry:record action:evidence", "--oldest", "--json"]).ok().json()["events"].clone();
    let recorded: Vec<_> = recorded.as_array().unwrap().iter().map(|event| event["raw"]["hits"].as_u64()).collect();
    assert_eq!(recorded, [Some(2); 3], "what was refused is not recorded");
}

#[test]
fn whoever_was_asked_for_is_hidden_with_what_is_hidden() {
    let place = Place::new();
    let running = place.serve();
    fill(&running);
    let event = format!(
        "{{\"eventVersion\":\"1.09\",\"userIdentity\":{{\"type\":\"IAMUser\",\"userName\":\"{SECRET}\"}},\"eventTime\":\"2026-02-06T07:11:00Z\",\
         \"eventSource\":\"iam.amazonaws.com\",\"eventName\":\"CreateUser\"}}\n"
    );
    run_with_input(&mut running.command(["import", "--source", "aws", "-"]), event.as_bytes()).ok();
    running.run(["who", SECRET]).ok();
    // A line that tells the name without spelling it.
    let (start, rest) = SECRET.split_at(3);
    let pattern = format!("raw.userIdentity.userName:{start}?{}", rest.get(1..).unwrap());
    running.run(["search", &pattern]).ok();
    let path = place.beside("hidden.html");
    let args = ["evidence", "--query", "source:(app OR aws)", "--redact", "userIdentity", "-o", path.to_str().unwrap()];
    running.run(args).ok();
    let (_, file) = read(&path);
    let verified = file.verify(&place.vkey.parse().unwrap(), &[]).unwrap();
    assert_eq!(verified.access.len(), 2, "the question and the pattern");
    for (asked, listed) in verified.access.iter().zip(&verified.case.access.listed) {
        assert!(!asked.hidden.is_empty() && asked.hidden.iter().map(|part| *part as u64).eq(listed.hidden.iter().copied()));
    }
    let shown = file.access.iter().flat_map(|file| &file.parts).filter_map(|part| part.bytes()).flatten().copied().collect();
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains("\"hits\":") && !shown.contains(rest) && !shown.contains("\"query\""), "{shown}");

    // So it is where records are among the entries.
    let path = place.beside("records.html");
    let args = ["evidence", "--query", "source:app OR entry:record", "--redact", "userIdentity", "-o", path.to_str().unwrap()];
    running.run(args).ok();
    let (_, file) = read(&path);
    assert!(file.verify(&place.vkey.parse().unwrap(), &[]).is_ok());
    let shown = file.events.iter().flat_map(|file| &file.parts).filter_map(|part| part.bytes()).flatten().copied().collect();
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains("\"hits\":") && !shown.contains(rest) && !shown.contains("\"query\""), "{shown}");
    running.stop();
}

#[test]
fn a_hidden_value_that_stands_in_what_is_shown_is_refused() {
    let place = Place::new();
    let running = place.serve();
    fill(&running);
    let path = place.beside("case.html");
    let args = ["evidence", "--query", &format!("source:app {SECRET}"), "--redact", "userIdentity", "-o", path.to_str().unwrap()];
    running.run(args).refused("also stands in the search line");
    assert!(!path.exists());
    running.run(args.into_iter().chain(["--repeats"])).ok();
    assert_eq!(read(&path).1.events.len(), 1);
    // Hidden where she acts, shown where somebody acts on her.
    run_with_input(&mut running.command(["import", "--source", "app", "-"]), format!("{{\"target\":\"{SECRET}\"}}\n").as_bytes()).ok();
    let path = place.beside("target.html");
    let args = ["evidence", "--query", "source:app", "--redact", "userIdentity", "-o", path.to_str().unwrap()];
    running.run(args).refused("also stands in part #2 of entry ");
    assert!(!path.exists());
    running.run(args.into_iter().chain(["--redact", "target"])).ok();
    assert!(!std::fs::read_to_string(&path).unwrap().contains(SECRET));
    running.stop();
}
