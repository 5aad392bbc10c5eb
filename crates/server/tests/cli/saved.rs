use crate::binary::Place;

#[test]
fn a_saved_search_is_added_used_listed_and_removed_on_a_server_and_a_directory() {
    let place = Place::new();
    let file = place.write("events.ndjson", "{\"actor\":\"ana\"}\n{\"actor\":\"bob\"}\n");
    let running = place.serve();
    running.run(["import", "--source", "app", file.to_str().unwrap()]).ok();
    assert_eq!(running.run(["saved", "add", "one", "ana"]).ok().out, "saved; use it as saved:one\n");
    assert_eq!(running.run(["saved", "add", "one", "ana"]).ok().out, "it stood so already; use it as saved:one\n");
    assert_eq!(running.run(["search", "saved:one", "--json"]).ok().json()["events"].as_array().unwrap().len(), 1);
    assert!(running.run(["count", "saved:one"]).ok().out.starts_with("1 match"));
    assert!(running.run(["tail", "saved:one", "--source", "app"]).ok().out.contains("ana"));
    let export = place.beside("one.ndjson");
    running.run(["export", "saved:one", "-o", export.to_str().unwrap()]).ok();
    // What was saved anew meanwhile is another export.
    running.run(["saved", "add", "one", "bob"]).ok();
    running.run(["export", "saved:one", "-o", export.to_str().unwrap(), "--resume"]).refused("is of the export of \"ana\"");
    running
        .run(["search", "a saved:nobody"])
        .refused("column 9: there is no saved search \"nobody\": list them with `indelible saved list`");
    running.run(["saved", "add", "two", "actor:"]).refused("column 6");
    running.stop();
    assert_eq!(place.offline(["saved", "list"]).ok().out, "one                       bob\n");
    assert_eq!(place.offline(["search", "saved:one", "--json"]).ok().json()["query"], "bob");
    assert!(place.offline(["count", "saved:one"]).ok().out.starts_with("1 match"));
    place.offline(["saved", "add", "two", "ana OR bob"]).ok();
    assert_eq!(place.offline(["saved", "list", "--json"]).ok().json()[1]["line"], "ana OR bob");
    place.offline(["saved", "remove", "one"]).ok();
    place.offline(["saved", "remove", "one"]).refused("there is no saved search \"one\"");
}
