//! What an entry means, as it is kept between questions.

use std::borrow::Cow;
use std::cell::RefCell;

use super::json::Json;
use crate::intake::tape::Tape;
use crate::source::map::as_text;
use crate::source::{Mapped, Scratch};

thread_local! {
    /// For the maps: nothing is mapped while something is being mapped.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Lends what this thread maps with.
pub(super) fn with_scratch<T>(map: impl FnOnce(&mut Scratch) -> T) -> T {
    SCRATCH.with_borrow_mut(map)
}

/// What an entry means, whoever its people are.
#[derive(Debug)]
pub struct Meaning {
    /// All but the OCSF form, which stands beside it unless it is no JSON that can be read.
    pub mapped: Mapped,
    /// The OCSF form, of an event.
    pub ocsf: Option<Json<'static>>,
}

impl Meaning {
    /// What a map made of an event.
    pub fn of(mut mapped: Mapped) -> Self {
        let ocsf = String::from_utf8(std::mem::take(&mut mapped.ocsf)).unwrap_or_else(|why| as_text(why.as_bytes()).into_owned());
        let mut tape = Tape::default();
        if tape.read(&ocsf).is_err() {
            // Deeper than records may be: it can be shown all the same.
            mapped.ocsf = ocsf.into();
            return Self { mapped, ocsf: None };
        }
        Self { mapped, ocsf: Some(Json { text: ocsf.into(), tape }) }
    }

    /// Bytes that keeping it takes.
    pub fn bytes(&self) -> usize {
        let Mapped { id, action, actor, target, sequence_of, ocsf, .. } = &self.mapped;
        let texts = [id, action, actor, target, sequence_of].into_iter().flatten().map(String::capacity).sum::<usize>();
        let form =
            self.ocsf.as_ref().map_or(0, |form| form.tape.bytes() + if let Cow::Owned(text) = &form.text { text.capacity() } else { 0 });
        texts + ocsf.capacity() + form
    }
}
