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
    let act = lines.next().unwrap().unwrap();
    let event = lines.next().unwrap().unwrap();
    following.kill().unwrap();
    following.wait().unwrap();
    assert!(act.contains("\"act\":\"source\""), "{act}");
    assert!(event.contains("app") && event.ends_with("{\"hello\":1}"), "{event}");
}

#[test]
fn help_is_there_for_every_command_and_nonsense_is_a_usage_error() {
    for command in ["serve", "init", "key", "import", "get", "receipt", "tail", "verify", "mirror", "backup", "restore"] {
        let help = crate::binary::run(crate::binary::indelible().args([command, "--help"])).ok().out;
        assert!(help.contains("Example") && help.contains(&format!("indelible {command}")), "{command}: {help}");
    }
    assert_eq!(crate::binary::run(crate::binary::indelible().arg("nonsense")).code, 2);
}
