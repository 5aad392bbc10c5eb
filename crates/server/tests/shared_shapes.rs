//! Every public sample goes through the door: what comes out is what went in.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that panics has failed")]

use std::path::{Path, PathBuf};

use indelible::intake::{Media, decode, record_id};
use serde_json::Value;
use serde_json::value::RawValue;

/// The files of all samples, or none where the shared directory is not at hand.
fn samples() -> Option<Vec<PathBuf>> {
    let Some(shared) = std::env::var_os("INDELIBLE_SHARED") else {
        println!("not run: INDELIBLE_SHARED is not set");
        return None;
    };
    let folders = std::fs::read_dir(Path::new(&shared).join("samples")).unwrap();
    let raw = folders.map(|folder| folder.unwrap().path().join("raw")).filter(|raw| raw.is_dir());
    let mut files: Vec<_> = raw.flat_map(|raw| std::fs::read_dir(raw).unwrap().map(|file| file.unwrap().path())).collect();
    files.sort();
    assert!(files.len() > 900, "only {} samples", files.len());
    Some(files)
}

/// The events of a sample as an independent reader sees them.
fn expected(text: &str) -> Vec<String> {
    let Ok(whole) = serde_json::from_str::<&RawValue>(text) else {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        return lines.map(|line| if serde_json::from_str::<Value>(line).is_ok() { line.trim() } else { line }.into()).collect();
    };
    let wrapped = serde_json::from_str::<Value>(text).ok().and_then(|value| {
        let object = value.as_object()?;
        let name = ["Records", "records"].into_iter().find(|&name| object.len() == 1 && object.get(name).is_some_and(Value::is_array))?;
        let mut member: std::collections::HashMap<String, &RawValue> = serde_json::from_str(text).ok()?;
        member.remove(name)
    });
    match serde_json::from_str::<Vec<&RawValue>>(wrapped.unwrap_or(whole).get()) {
        Ok(elements) => elements.iter().map(|element| element.get().to_owned()).collect(),
        Err(_) => vec![whole.get().to_owned()],
    }
}

#[test]
fn every_sample_gives_exactly_its_own_values() {
    let Some(files) = samples() else { return };
    let (mut events, mut unwrapped) = (0, 0);
    for file in files {
        let body = std::fs::read(&file).unwrap();
        let decoded = decode(&body, Media::Any).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let expected = expected(std::str::from_utf8(&body).unwrap());
        assert!(!expected.is_empty() && decoded.refused.is_empty(), "{}", file.display());
        let raws: Vec<_> = decoded.events.iter().map(|event| std::str::from_utf8(event.raw(&body)).unwrap()).collect();
        assert_eq!(raws, expected, "{}", file.display());
        events += raws.len();
        unwrapped += usize::from(raws.len() > 1);
        for event in &decoded.events {
            let raw = event.raw(&body);
            let parsed = serde_json::from_slice::<Value>(raw);
            assert_eq!(event.json, parsed.is_ok(), "{}", file.display());
            let id = parsed.ok().and_then(|value| match value.get("id")? {
                Value::String(text) if !text.is_empty() => Some(text.clone()),
                Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
                _ => None,
            });
            assert_eq!(record_id(raw).map(|id| id.as_str().to_owned()), id, "{}", file.display());
        }
    }
    println!("{events} events; {unwrapped} files with more than one");
}

#[test]
fn every_text_sample_comes_back_line_by_line_as_plain_text() {
    let Some(files) = samples() else { return };
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "log")) {
        let body = std::fs::read(file).unwrap();
        let decoded = decode(&body, Media::TextPlain).unwrap();
        let lines: Vec<_> = std::str::from_utf8(&body).unwrap().lines().filter(|line| !line.is_empty()).collect();
        let raws: Vec<_> = decoded.events.iter().map(|event| std::str::from_utf8(event.raw(&body)).unwrap()).collect();
        assert_eq!(raws, lines, "{}", file.display());
    }
}

#[test]
fn all_samples_together_come_out_of_an_array_a_wrapper_and_lines() {
    let Some(files) = samples() else { return };
    let read = |file: &PathBuf| std::fs::read_to_string(file).unwrap();
    let values: Vec<_> = files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "json")).map(read).collect();
    let raw = |value: &String| serde_json::from_str::<&RawValue>(value).unwrap().get().to_owned();
    let pretty: Vec<_> = values.iter().map(raw).collect();
    let one_line: Vec<_> = pretty.iter().filter(|value| !value.contains('\n')).cloned().collect();
    let shapes = [
        (format!("[{}]", pretty.join(" ,\n")), &pretty),
        (format!("{{ \"Records\": [\n{}\n] }}\n", pretty.join(",")), &pretty),
        (one_line.join("\r\n"), &one_line),
    ];
    for (body, expected) in shapes {
        let decoded = decode(body.as_bytes(), Media::Any).unwrap();
        let raws: Vec<_> = decoded.events.iter().map(|event| event.raw(body.as_bytes())).collect();
        assert!(raws.iter().zip(expected).all(|(raw, value)| *raw == value.as_bytes()) && raws.len() == expected.len());
        assert!(decoded.events.iter().all(|event| event.json));
    }
}
