use crate::binary::{Place, run_with_input};

#[test]
fn an_event_is_shown_inert_raw_and_with_its_proof() {
    let place = Place::new();
    let running = place.serve();
    let event = "{\"user\":\"eve\u{9b}2J\u{202e}\"}".as_bytes();
    run_with_input(&mut running.command(["import", "--source", "app", "-"]), event).ok();
    let last = running.run(["tail", "-n", "1", "--json"]).ok().json()["index"].to_string();
    let shown = running.run(["get", &last]).ok();
    assert!(shown.out.contains("eve\\u009b2J\\u202e"), "{shown:?}");
    assert_eq!(shown.json()["raw"]["user"], "eve\u{9b}2J\u{202e}");
    let tail = running.run(["tail", "-n", "1"]).ok().out;
    assert!(tail.contains("eve\\u009b2J\\u202e") && !tail.contains('\u{9b}'), "{tail:?}");
    assert_eq!(running.run(["get", &last, "--raw"]).ok().bytes, event);
    let file = running.run(["get", &last, "--proof"]).ok().json();
    assert_eq!(file["format"], "indelible-event/v1");
    let receipt = running.run(["receipt", &last]).ok().out;
    assert!(receipt.starts_with("c2sp.org/tlog-proof@v1\n") && receipt.contains(&format!("\nindex {last}\n")));
    running.run(["get", "999999"]).refused("999999");
}

#[test]
fn a_follower_sees_what_comes() {
    use std::io::{BufRead, BufReader};
    let place = Place::new();
    let running = place.serve();
    let mut command = running.command(["tail", "-f", "-n", "0"]);
    let mut following = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    std::thread::sleep(std::time::Duration::from_millis(700));
    run_with_input(&mut running.command(["import", "--source", "app", "-"]), b"{\"hello\":1}").ok();
    // What is recorded about the tail itself comes as everything else does.
    let mut entry = || lines.by_ref().map(Result::unwrap).find(|line| !line.contains("  record  ")).unwrap();
    let (act, event) = (entry(), entry());
    following.kill().unwrap();
    following.wait().unwrap();
    assert!(act.contains("\"act\":\"source\""), "{act}");
    assert!(event.contains("app") && event.ends_with("{\"hello\":1}"), "{event}");
}

#[test]
fn a_follower_with_a_search_line_sees_what_matches_once_over_a_restart_and_is_recorded() {
    use std::io::{BufRead, BufReader};
    let place = Place::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let serve = || crate::binary::Running::start(&place.data(), &["--listen", &port], &place.admin_key);
    let keep = |running: &crate::binary::Running, n: u32| {
        let events = format!("{{\"n\":{n},\"user\":\"ana\"}}\n{{\"n\":{n},\"user\":\"bob\"}}\n");
        run_with_input(&mut running.command(["import", "--source", "app", "-"]), events.as_bytes()).ok();
    };
    let running = serve();
    keep(&running, 1);
    let mut command = running.command(["tail", "-f", "-n", "5", "raw.user:ana", "--json"]);
    let mut following = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut next = || -> serde_json::Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(next()["raw"], serde_json::json!({"n": 1, "user": "ana"}));
    keep(&running, 2);
    assert_eq!(next()["raw"]["n"], 2);
    running.stop();
    let running = serve();
    keep(&running, 3);
    assert_eq!(next()["raw"]["n"], 3);
    following.kill().unwrap();
    following.wait().unwrap();
    running.run(["tail", "-f", "raw.user:ana nobody:x"]).refused("column 14: there is no field \"nobody\"");
    running.stop();
    let search = |line: &str| place.offline(["search", line, "--oldest", "--json"]).ok().json()["events"].clone();
    let begun = search("entry:record action:tail.begun");
    let ended = search("entry:record action:tail.ended");
    assert_eq!((begun.as_array().unwrap().len(), ended.as_array().unwrap().len()), (2, 2), "{begun} {ended}");
    let (begun, ended) = (&begun[0]["raw"], &ended[0]["raw"]);
    assert_eq!((&begun["query"], &ended["hits"], &begun["from"]), (&"raw.user:ana".into(), &1.into(), &ended["from"]));
    assert!(begun["by"].as_str().unwrap().starts_with("k_") && ended["to"].as_u64() > ended["from"].as_u64(), "{ended}");
}

#[test]
fn a_search_is_a_table_json_or_csv_and_says_what_it_covers_from_a_server_and_from_a_directory() {
    let place = Place::new();
    let running = place.serve();
    let events = "{\"actor\":\"=cmd|' /C calc'!A0\",\"text\":\"eve\u{9b}2J was here\"}\n{\"actor\":\"ana\",\"text\":\"there\"}";
    run_with_input(&mut running.command(["import", "--source", "app", "-"]), events.as_bytes()).ok();
    let table = running.run(["search", "here"]).ok();
    assert_eq!(table.out.lines().count(), 2, "{table:?}");
    assert!(table.out.contains("app") && table.err.contains("1 found; covers entries 0 to"), "{table:?}");
    let json = running.run(["search", "raw.text:*HERE", "--oldest", "--json"]).ok();
    assert!(json.out.contains("eve\\u009b2J") && !json.out.contains('\u{9b}'));
    let json = json.json();
    assert_eq!((json["events"].as_array().unwrap().len(), &json["covered"]["complete"], &json["more"]), (2, &true.into(), &false.into()));
    assert!(json["events"][0]["index"].as_u64() < json["events"][1]["index"].as_u64());
    let csv = running.run(["search", "source:app", "--csv", "--limit", "1"]).ok();
    assert!(csv.out.starts_with("index,time,received_at,source,kind,actor,") && csv.err.contains("raise --limit"), "{csv:?}");
    let wrong = running.run(["search", "source:app wher:x"]).refused("column 12: there is no field \"wher\"");
    assert!(wrong.err.ends_with("\n             ^\n"), "{wrong:?}");
    let page = |cursor: &str| -> serde_json::Value {
        let path = format!("{}/v1/search?q=source:app&limit=1{cursor}", running.url);
        let answer = ureq::get(path).header("Authorization", format!("Bearer {}", running.key)).call().unwrap();
        serde_json::from_str(&answer.into_body().read_to_string().unwrap()).unwrap()
    };
    let first = page("");
    let second = page(&format!("&cursor={}", first["next"].as_str().unwrap()));
    assert_ne!(first["events"][0]["index"], second["events"][0]["index"]);
    running.stop();
    let data = place.data();
    let stopped = crate::binary::run(crate::binary::indelible().args(["search", "here", "--json", "--data"]).arg(&data)).ok().json();
    assert_eq!(stopped["events"][0]["source"]["name"], "app");
    // What was asked stands in the log, of the server and of this one: each page, since a cursor can be made up.
    let asked =
        crate::binary::run(crate::binary::indelible().args(["search", "entry:record action:search", "--json", "--data"]).arg(&data));
    let asked = asked.ok().json();
    let by: Vec<_> = asked["events"].as_array().unwrap().iter().map(|event| event["raw"]["by"].as_str().unwrap().to_owned()).collect();
    assert_eq!(by.len(), 6, "{asked}");
    assert!(by[0] == "local" && by[1..].iter().all(|by| by.starts_with("k_")), "{by:?}");
    assert_eq!(asked["events"][5]["raw"]["query"], "here");
}

#[test]
fn help_is_there_for_every_command_and_nonsense_is_a_usage_error() {
    for command in ["serve", "init", "key", "import", "get", "receipt", "search", "tail", "verify", "mirror", "backup", "restore"] {
        let help = crate::binary::run(crate::binary::indelible().args([command, "--help"])).ok().out;
        assert!(help.contains("Example") && help.contains(&format!("indelible {command}")), "{command}: {help}");
    }
    assert_eq!(crate::binary::run(crate::binary::indelible().arg("nonsense")).code, 2);
}
