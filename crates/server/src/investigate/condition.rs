//! Conditions of a search line, put together as a tree: an identity may be spelled like anything.

use crate::search::Query;
use crate::search::field::{Field, Name};
use crate::search::instant;
use crate::search::query::{Term, Test};

/// The field is this.
pub fn is(name: Name, value: &str) -> Query {
    Query::Term(Term { field: Some(Field::Named(name)), test: Test::Is(value.to_owned()) })
}

/// A value at a path of the OCSF form is this.
pub fn at(path: &[&str], value: &str) -> Query {
    let path = path.iter().map(|part| (*part).to_owned()).collect();
    Query::Term(Term { field: Some(Field::Ocsf(path)), test: Test::Is(value.to_owned()) })
}

/// Not that.
pub fn not(query: Query) -> Query {
    Query::Not(Box::new(query))
}

/// The outcomes that say how it ended.
pub const SUCCESS: &str = "success";
/// See [`SUCCESS`].
pub const FAILURE: &str = "failure";

/// It did not fail, as far as is known.
pub fn not_failed() -> Query {
    not(is(Name::Outcome, FAILURE))
}

/// It succeeded; or did not fail, and is no sign-in: see [`super::line::Line::is_telling`].
pub fn telling() -> Query {
    let sign_in = any(["Authentication", "Authorize Session"].map(|class| is(Name::Class, class)));
    any([is(Name::Outcome, SUCCESS), all([not_failed(), not(sign_in)])])
}

/// It happened before `ms`; anything, if that is no time a line can name.
pub fn before(ms: i64) -> Query {
    timed(Name::Until, ms)
}

/// It happened at `ms` or later; anything, if that is no time a line can name.
pub fn from(ms: i64) -> Query {
    timed(Name::Since, ms)
}

fn timed(name: Name, ms: i64) -> Query {
    let text = instant::format(ms);
    if instant::read(&text, 0).is_some() { is(name, &text) } else { Query::All }
}

/// All of them.
pub fn all(queries: impl IntoIterator<Item = Query>) -> Query {
    let mut queries: Vec<_> = queries.into_iter().filter(|query| *query != Query::All).collect();
    match queries.len() {
        0 => Query::All,
        1 => queries.remove(0),
        _ => Query::And(queries),
    }
}

/// Any of them, at least one.
pub fn any(queries: impl IntoIterator<Item = Query>) -> Query {
    let mut queries: Vec<_> = queries.into_iter().collect();
    if queries.len() == 1 { queries.remove(0) } else { Query::Or(queries) }
}
