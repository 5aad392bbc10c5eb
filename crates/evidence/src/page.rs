//! The page that an evidence file stands in: one HTML file that shows the evidence and checks it in the
//! reader's browser, from his disk, without a network.
//!
//! The page's parts are the files in `page/`. Its content security policy allows the one script and the
//! one style that it was made with, by their hashes, and nothing else: no request, no image, no form.
//! The evidence is data in a block of JSON without any `<`, so nothing in it can end the block.
//!
//! INVARIANT: [`read`] gives back the evidence of what [`write`](fn@write) made, and knows the page. A
//! page it does not know may show anything, whatever the evidence in it proves.

use sha2::{Digest, Sha256};
use tlog::canonical::{base64, hex};

use crate::evidence_file::{EVIDENCE_BYTES_MAX, EvidenceFileError};

const STYLE: &str = include_str!("page/style.css");
const BODY: &str = include_str!("page/body.html");
/// Each file rests on those before it.
const SCRIPT: &str = concat!(
    "\"use strict\";\n",
    include_str!("page/exact.js"),
    include_str!("page/crypto.js"),
    include_str!("page/log.js"),
    include_str!("page/entry.js"),
    include_str!("page/evidence.js"),
    include_str!("page/show.js"),
);

/// What stands before the evidence, once in a page.
const BLOCK: &str = "<script type=\"application/json\" id=\"evidence\">";
const BLOCK_END: &str = "</script>";

/// SHA-256 of pages that earlier versions wrote around their evidence. When the page changes, that of
/// the page before goes in here.
const EARLIER_PAGES: [&str; 0] = [];

/// An evidence file in its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<'a> {
    /// The evidence, see [`crate::EvidenceFile::parse`].
    pub evidence: &'a str,
    /// Whether the page is one that this program or an earlier one writes, to the byte.
    pub known: bool,
}

/// The page around `evidence`, which is what [`crate::EvidenceFile::to_json`] gives.
#[must_use]
pub fn write(evidence: &[u8]) -> Vec<u8> {
    [before().as_bytes(), evidence, after().as_bytes()].concat()
}

/// Whether the bytes look like a page rather than like bare JSON.
#[must_use]
pub fn is_page(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"<")
}

/// Takes the evidence out of a page.
///
/// # Errors
/// The page is too long, or has none or more than one block of evidence.
pub fn read(bytes: &[u8]) -> Result<Page<'_>, EvidenceFileError> {
    if bytes.len() > EVIDENCE_BYTES_MAX {
        return Err(EvidenceFileError::TooLong(bytes.len()));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| EvidenceFileError::Blocks(0))?;
    let (head, rest) = text.split_once(BLOCK).ok_or(EvidenceFileError::Blocks(0))?;
    if let blocks @ 1.. = rest.matches(BLOCK).count() {
        return Err(EvidenceFileError::Blocks(blocks + 1));
    }
    let (evidence, tail) = rest.find('<').and_then(|end| rest.split_at_checked(end)).ok_or(EvidenceFileError::Blocks(0))?;
    if !tail.starts_with(BLOCK_END) {
        return Err(EvidenceFileError::Blocks(0));
    }
    let around = [text.get(..head.len() + BLOCK.len()).unwrap_or_default(), tail];
    let known = around == [before().as_str(), after().as_str()] || EARLIER_PAGES.contains(&hash(around).as_str());
    Ok(Page { evidence, known })
}

/// SHA-256 of a page without its evidence.
fn hash(around: [&str; 2]) -> String {
    hex(&Sha256::digest(around.concat().as_bytes()))
}

fn before() -> String {
    let source = |text: &str| format!("'sha256-{}'", base64(&Sha256::digest(text.as_bytes())));
    format!(
        "<!doctype html>\n<html lang=\"en\" data-verdict=\"none\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src {}; style-src {}; base-uri 'none'; \
         form-action 'none'\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Evidence</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n{BODY}{BLOCK}",
        source(SCRIPT),
        source(STYLE),
    )
}

fn after() -> String {
    format!("{BLOCK_END}\n<script>{SCRIPT}</script>\n</body>\n</html>\n")
}
