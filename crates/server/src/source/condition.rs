//! Conditions of a map: expression → matcher.

use crate::source::envelope::is_envelope;
use crate::source::evaluate::Context;
use crate::source::expression::{BadExpression, Expression};
use crate::source::glob::{Glob, GlobSet};
use crate::source::spec::{self, Matcher, OneOrMany};
use crate::source::value::Value;

/// What one expression must be.
#[derive(Debug, Clone)]
struct Test {
    expression: Expression,
    one_of: GlobSet,
    none_of: GlobSet,
}

/// Alternatives of which each is a list of tests that must all hold. No alternative: always holds.
#[derive(Debug, Clone, Default)]
pub struct Condition {
    alternatives: Vec<Vec<Test>>,
}

impl Condition {
    /// Reads a `when`.
    ///
    /// # Errors
    /// [`BadExpression`].
    pub fn compile(when: &OneOrMany<spec::Condition>) -> Result<Self, BadExpression> {
        Self::of(when, false)
    }

    /// Reads the `when` of a `[[recognise]]`. A line that is looked for anywhere in the text of a shipper's member is not
    /// found in a JSON object there: that is a record in an envelope, and the line is a member of it.
    ///
    /// # Errors
    /// [`BadExpression`].
    pub fn compile_to_recognise(when: &OneOrMany<spec::Condition>) -> Result<Self, BadExpression> {
        Self::of(when, true)
    }

    fn of(when: &OneOrMany<spec::Condition>, recognises: bool) -> Result<Self, BadExpression> {
        let alternatives = when.as_slice().iter().filter(|tests| !tests.is_empty());
        let compiled: Result<Vec<_>, _> =
            alternatives.map(|tests| tests.iter().map(|of| test(of, recognises && is_envelope(of.0))).collect()).collect();
        Ok(Self { alternatives: compiled? })
    }

    /// Number of tests in its longest alternative: how much it says.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.alternatives.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// Whether the record is as it says.
    #[inline]
    #[must_use]
    pub fn holds<'t>(&'t self, context: &Context<'t>) -> bool {
        self.alternatives.is_empty() || self.alternatives.iter().any(|tests| tests.iter().all(|test| test.holds(context)))
    }

    /// Every expression in it.
    pub fn expressions(&mut self) -> impl Iterator<Item = &mut Expression> {
        self.alternatives.iter_mut().flatten().map(|test| &mut test.expression)
    }
}

/// JSON objects.
const OBJECT: &str = "{*}";

fn test((expression, matchers): (&String, &OneOrMany<Matcher>), is_envelope: bool) -> Result<Test, BadExpression> {
    let (mut one_of, mut none_of) = (Vec::new(), Vec::new());
    // A pattern with quotes means JSON, and these two mean anything.
    let mut means_line = is_envelope;
    for matcher in matchers.as_slice() {
        let text = match matcher {
            Matcher::Bool(yes) => yes.to_string(),
            Matcher::Integer(number) => number.to_string(),
            Matcher::Float(number) => number.to_string(),
            Matcher::Text(text) => text.clone(),
        };
        match text.strip_prefix('!') {
            Some(not) => none_of.push((Glob::new(not), 0)),
            None => {
                means_line &= !text.contains('"') && !matches!(text.as_str(), "*" | "{*");
                one_of.push((Glob::new(&text), 0));
            }
        }
    }
    if means_line && !one_of.is_empty() {
        none_of.push((Glob::new(OBJECT), 0));
    }
    Ok(Test { expression: Expression::parse(expression)?, one_of: GlobSet::new(one_of), none_of: GlobSet::new(none_of) })
}

impl Test {
    fn holds<'t>(&'t self, context: &Context<'t>) -> bool {
        let value = context.value(&self.expression);
        let any = |globs: &GlobSet| !globs.is_empty() && value.as_ref().is_some_and(|value| value_matches(globs, value));
        (self.one_of.is_empty() || any(&self.one_of)) && !any(&self.none_of)
    }
}

#[inline]
fn value_matches(globs: &GlobSet, value: &Value<'_>) -> bool {
    match value {
        Value::List(values) => values.iter().any(|value| value_matches(globs, value)),
        Value::Number(digits) => globs.matches_number(digits),
        // An empty array or object has nothing in it.
        Value::Json(json) if matches!(json.as_ref(), "{}" | "[]") => globs.matches_something(json),
        other => globs.matches(&other.as_text()),
    }
}
