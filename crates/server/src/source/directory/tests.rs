#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use proptest::prelude::*;

use super::*;

fn csv(text: &str) -> People {
    parse_csv(text.as_bytes()).unwrap()
}

#[test]
fn a_csv_of_many_systems_joins_the_names_of_one_person() {
    let people = csv("\u{feff}E-Mail,samAccountName,Domain,Okta ID,GitHub Login,slackId,aliases,Display Name,Shoe Size\r\n\
         Ana@Corp.example,ana,CORP,00u1ABC,anacodes,U042,\"SMTP:a.silva@corp.example; ana@old.example\",\"Silva, \"\"Ana\"\"\",38\r\n");
    let ana = &people["ana@corp.example"];
    let names = ["a.silva@corp.example", "ana@old.example", "anacodes", "corp\\ana", "okta:00u1abc", "slack:u042"];
    assert_eq!(ana.names.iter().map(String::as_str).collect::<Vec<_>>(), names);
    assert_eq!(ana.display.as_deref(), Some("Silva, \"Ana\""));
    let directory = Directory::default().with(people).unwrap().directory;
    for name in names {
        assert_eq!(directory.resolve(name), "ana@corp.example");
    }
    assert_eq!(directory.resolve("bea@corp.example"), "bea@corp.example", "whom it does not know it leaves as he is");
}

#[test]
fn rows_of_one_identity_are_one_person() {
    let people = csv("identity,alias\na@x.example,one\nA@x.example,two\n");
    assert_eq!(people["a@x.example"].names.len(), 2);
}

#[test]
fn a_scim_list_gives_its_users_and_passes_over_groups() {
    let people = parse_scim(
        br#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":2,"Resources":[
        {"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"2819c223","externalId":"bjensen","userName":"BJ@example.com",
         "displayName":"Babs","emails":[{"value":"home@babs.example"},{"value":"bjensen@example.com","primary":true}]},
        {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Staff"}]}"#,
    )
    .unwrap();
    let babs = &people["bjensen@example.com"];
    assert_eq!(people.len(), 1);
    assert_eq!(babs.names.iter().map(String::as_str).collect::<Vec<_>>(), ["2819c223", "bj@example.com", "bjensen", "home@babs.example"]);
    assert_eq!(babs.display.as_deref(), Some("Babs"));
    assert_eq!(parse_scim(br#"{"userName":"x"}"#).unwrap().len(), 1);
    assert!(matches!(parse_scim(br#"[{"id":"1"}]"#), Err(DirectoryError::Nameless { .. })));
}

#[test]
fn a_name_that_two_claim_is_refused_and_both_are_named() {
    let both = csv("identity,alias\na@x.example,root\nb@x.example,ROOT\n");
    let said = Directory::default().with(both).unwrap_err().to_string();
    assert!(["a@x.example", "b@x.example", "root"].iter().all(|word| said.contains(word)), "{said}");
    let one = Directory::default().with(csv("identity,alias\na@x.example,root\n")).unwrap().directory;
    assert!(one.with(csv("identity,alias\nb@x.example,root\n")).is_err());
    let itself = one.with(csv("identity,alias\nb@x.example,a@x.example\n"));
    assert!(matches!(itself, Err(DirectoryError::Claimed { .. })), "an identity is a name of its own");
    let moved = one.with(csv("identity,alias\nb@x.example,root\na@x.example,\n")).unwrap();
    assert_eq!(moved.directory.resolve("root"), "b@x.example");
    assert_eq!((moved.new, moved.changed, moved.same), (vec!["b@x.example".to_owned()], vec!["a@x.example".to_owned()], 0));
}

#[test]
fn who_is_removed_is_himself_again_under_each_name() {
    let one = Directory::default().with(csv("identity,alias\na@x.example,root\n")).unwrap().directory;
    assert_eq!(one.without("a@x.example").unwrap().resolve("root"), "root");
    assert!(one.without("root").is_none());
}

#[test]
fn a_file_that_is_no_directory_is_refused_with_the_place() {
    for text in ["", "a,b\n1,2\n", "identity,alias\na\n", "email\n\"\u{7}\"\n"] {
        assert!(parse_csv(text.as_bytes()).is_err(), "{text:?}");
    }
    assert!(parse_csv(b"email,alias\n,x\n").unwrap_err().to_string().starts_with("line 2"));
    assert!(parse_csv(b"email\n\xff\n").is_err());
    for text in ["", "1", "{}", r#"{"Resources":{}}"#] {
        assert!(parse_scim(text.as_bytes()).is_err(), "{text:?}");
    }
}

#[test]
fn names_have_320_characters_at_most() {
    let row = |length: usize| parse_csv(format!("identity,alias\na@x.example,{}\n", "é".repeat(length)).as_bytes());
    assert!(row(320).is_ok());
    assert!(matches!(row(321), Err(DirectoryError::NotAName { .. })));
}

#[test]
fn an_identity_has_32_further_names_at_most() {
    let row = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| format!("n{n}")).collect();
        parse_csv(format!("identity,aliases\na@x.example,{}\n", names.join(";")).as_bytes())
    };
    assert!(row(32).is_ok());
    assert!(matches!(row(33), Err(DirectoryError::TooManyNames { .. })));
}

#[test]
fn a_directory_has_200_000_entries_at_most() {
    let file = |count: usize| "identity\n".to_owned() + &(0..count).map(|n| format!("u{n}\n")).collect::<String>();
    let full = Directory::default().with(csv(&file(ENTRIES_MAX))).unwrap().directory;
    assert!(matches!(parse_csv(file(ENTRIES_MAX + 1).as_bytes()), Err(DirectoryError::TooMany { .. })));
    assert!(matches!(full.with(csv("identity\none-more\n")), Err(DirectoryError::TooMany { .. })));
}

proptest! {
    #[test]
    fn any_bytes_are_taken_or_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let with_header = [b"email,alias,okta id\n".as_slice(), &bytes].concat();
        for people in [parse_csv(&bytes), parse_scim(&bytes), parse_csv(&with_header)].into_iter().flatten() {
            for (identity, person) in &people {
                let again = canonical(identity);
                prop_assert_eq!(again.as_ref(), Some(identity));
                prop_assert!(person.names.len() <= NAMES_MAX && !person.names.contains(identity));
            }
            if let Ok(change) = Directory::default().with(people.clone()) {
                prop_assert_eq!(change.directory.with(people).unwrap().same, change.directory.people().len());
            }
        }
    }
}
