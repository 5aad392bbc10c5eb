//! Holds what comes from outside against `deny.toml`: licences, one version of each crate, and
//! crates.io as the only source.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use serde::Deserialize;

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Packages that a build for `target` takes in.
fn packages(target: &str) -> Vec<Package> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let metadata = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--all-features", "--filter-platform", target])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: Metadata = serde_json::from_slice(&metadata.stdout).unwrap();
    let built: BTreeSet<String> = metadata.resolve.nodes.into_iter().map(|node| node.id).collect();
    metadata.packages.into_iter().filter(|package| built.contains(&package.id)).collect()
}

fn rules() -> toml::Value {
    std::fs::read_to_string(root().join("deny.toml")).unwrap().parse::<toml::Table>().unwrap().into()
}

fn strings(value: &toml::Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

fn all_packages() -> Vec<Package> {
    strings(&rules()["graph"]["targets"]).iter().flat_map(|target| packages(target)).collect()
}

/// Whether an SPDX expression can be met with the allowed licences. `/` is the old way to write OR.
fn is_met(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ").replace(" WITH ", "+WITH+");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = any_of(&words, &mut at, allowed);
    assert_eq!(at, words.len(), "cannot read the licence {expression:?}");
    met
}

fn any_of(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut met = all_of(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= all_of(words, at, allowed);
    }
    met
}

fn all_of(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut met = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(words, at, allowed);
    }
    met
}

fn one(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    *at += 1;
    if words[*at - 1] == "(" {
        let met = any_of(words, at, allowed);
        assert_eq!(words.get(*at), Some(&")"), "a parenthesis stays open in {words:?}");
        *at += 1;
        return met;
    }
    allowed.iter().any(|license| license.replace(" WITH ", "+WITH+") == words[*at - 1])
}

#[test]
fn licence_expressions_are_read_as_spdx_says() {
    let allowed = ["MIT".to_owned(), "Apache-2.0 WITH LLVM-exception".to_owned()];
    for met in ["MIT", "MIT/GPL-3.0", "GPL-3.0 OR MIT", "MIT AND (GPL-3.0 OR MIT)", "Apache-2.0 WITH LLVM-exception"] {
        assert!(is_met(met, &allowed), "{met}");
    }
    for unmet in ["GPL-3.0", "MIT AND GPL-3.0", "GPL-3.0 OR MIT AND GPL-3.0", "(MIT OR GPL-3.0) AND GPL-3.0", "Apache-2.0"] {
        assert!(!is_met(unmet, &allowed), "{unmet}");
    }
}

#[test]
fn every_dependency_has_a_licence_that_fits() {
    let allowed = strings(&rules()["licenses"]["allow"]);
    let unfit: BTreeSet<String> = all_packages()
        .into_iter()
        .filter(|package| !package.license.as_deref().is_some_and(|license| is_met(license, &allowed)))
        .map(|package| format!("{} {}: {:?}", package.name, package.version, package.license))
        .collect();
    assert!(unfit.is_empty(), "{unfit:#?}");
}

#[test]
fn every_dependency_comes_from_crates_io() {
    let elsewhere: BTreeSet<String> = all_packages()
        .into_iter()
        .filter(|package| package.source.as_deref().is_some_and(|source| source != "registry+https://github.com/rust-lang/crates.io-index"))
        .map(|package| package.id)
        .collect();
    assert!(elsewhere.is_empty(), "{elsewhere:#?}");
}

#[test]
fn no_dependency_is_there_twice_without_a_reason() {
    let rules = rules();
    let skipped: BTreeSet<&str> = rules["bans"]["skip"].as_array().unwrap().iter().map(|skip| skip["crate"].as_str().unwrap()).collect();
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for package in all_packages() {
        let full = format!("{}@{}", package.name, package.version);
        if !skipped.contains(full.as_str()) {
            versions.entry(package.name).or_default().insert(package.version);
        }
        seen.insert(full);
    }
    versions.retain(|_, versions| versions.len() > 1);
    assert!(versions.is_empty(), "more than one version of {versions:#?}: keep one, or say in deny.toml why not");
    let stale: Vec<_> = skipped.iter().filter(|skip| !seen.contains(**skip)).collect();
    assert!(stale.is_empty(), "deny.toml excuses {stale:?}, which are gone: remove the lines");
}
