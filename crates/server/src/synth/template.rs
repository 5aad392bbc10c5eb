//! Templates of records: text with placeholders. A name of a fragment stands for the fragment's text, which may
//! have placeholders of its own; whatever is no fragment is a [`Slot`].

use crate::synth::company::{Company, Fragments};
use crate::synth::slot::{Scene, Slot};

/// How deep fragments may stand in fragments; deeper ones would be a circle.
const DEPTH_MAX: u32 = 8;

/// Text with placeholders, understood.
#[derive(Clone, Debug)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    Text(Box<[u8]>),
    Slot(Slot),
}

impl Template {
    /// Understands `text`; fragments are looked for in `fragments`, the first first.
    ///
    /// # Errors
    /// In words: a placeholder means nothing, is not closed, or stands for itself.
    pub fn compile(text: &str, fragments: &[&Fragments], company: &Company) -> Result<Self, String> {
        let mut whole = String::new();
        expand(text, fragments, 0, &mut whole)?;
        let (mut pieces, mut rest) = (Vec::new(), whole.as_str());
        while let Some((before, behind)) = rest.split_once("${") {
            let (name, after) = behind.split_once('}').ok_or_else(|| format!("a placeholder is not closed: ${{{behind}"))?;
            let slot = Slot::parse(name, company).ok_or_else(|| format!("${{{name}}} is neither a fragment nor a placeholder"))?;
            pieces.push(Piece::Text(before.as_bytes().into()));
            pieces.push(Piece::Slot(slot));
            rest = after;
        }
        pieces.push(Piece::Text(rest.as_bytes().into()));
        Ok(Self(pieces))
    }

    /// Appends the text as it is in `scene`.
    pub fn write(&self, scene: &Scene<'_>, out: &mut Vec<u8>) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Slot(slot) => slot.write(scene, out),
            }
        }
    }
}

/// Appends `text` with fragments in place of their names. Lines are joined: vendors send records on one.
fn expand(text: &str, fragments: &[&Fragments], depth: u32, out: &mut String) -> Result<(), String> {
    if depth == DEPTH_MAX {
        return Err(format!("fragments stand in each other in a circle, or deeper than {DEPTH_MAX}: {text}"));
    }
    let joined: String = text.lines().map(str::trim).collect();
    let mut rest = joined.as_str();
    while let Some((before, behind)) = rest.split_once("${") {
        let (name, after) = behind.split_once('}').ok_or_else(|| format!("a placeholder is not closed: ${{{behind}"))?;
        out.push_str(before);
        match fragments.iter().find_map(|fragments| fragments.get(name)) {
            Some(fragment) => expand(fragment, fragments, depth + 1, out)?,
            None => {
                out.push_str("${");
                out.push_str(name);
                out.push('}');
            }
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    fn fragments(pairs: &[(&str, &str)]) -> Fragments {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn the_nearer_fragment_is_taken_and_lines_are_joined() {
        let (near, far) = (fragments(&[("a", "1")]), fragments(&[("a", "2"), ("b", "${a},\n  3")]));
        let mut out = String::new();
        expand("[${b},\n ${ip}]", &[&near, &far], 0, &mut out).unwrap();
        assert_eq!(out, "[1,3,${ip}]");
    }

    #[test]
    fn what_makes_no_template_is_refused_in_words() {
        let company = Company::built_in().unwrap();
        let refused = |text: &str, pairs: &[(&str, &str)]| Template::compile(text, &[&fragments(pairs)], &company).unwrap_err();
        assert!(refused("${nothing}", &[]).contains("${nothing}"));
        assert!(refused("${ip", &[]).contains("not closed"));
        assert!(refused("${a}", &[("a", "${a}")]).contains("circle"));
    }
}
