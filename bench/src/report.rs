//! What a program prints: a table for people, or with `--json` one line for scripts, of the same
//! figures.

use crate::failure::Failure;
use serde_json::{Map, Value};
use std::process::ExitCode;

/// What a figure is held against.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// At least this much.
    AtLeast(f64),
    /// At most this much.
    AtMost(f64),
}

impl Goal {
    fn met_by(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
}

/// The figures of one run, in the order they were taken.
#[derive(Debug)]
pub struct Report {
    program: &'static str,
    sections: Vec<(&'static str, Vec<Figure>)>,
}

#[derive(Debug)]
struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    goal: Option<Goal>,
}

impl Report {
    /// An empty report of `program`.
    #[must_use]
    pub const fn new(program: &'static str) -> Self {
        Self { program, sections: Vec::new() }
    }

    /// Begins a section; the figures after it belong to it.
    pub fn section(&mut self, name: &'static str) {
        self.sections.push((name, Vec::new()));
    }

    /// Adds a figure. `name` is its JSON member, with `_` between words and the unit last.
    pub fn figure(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.push(Figure { name: name.into(), value, unit, goal: None });
    }

    /// Adds a figure that has a goal.
    pub fn with_goal(&mut self, name: impl Into<String>, value: f64, unit: &'static str, goal: Goal) {
        self.push(Figure { name: name.into(), value, unit, goal: Some(goal) });
    }

    fn push(&mut self, figure: Figure) {
        match self.sections.last_mut() {
            Some((_, figures)) => figures.push(figure),
            None => self.sections.push(("figures", vec![figure])),
        }
    }

    /// One line of JSON: sections, then figures; a figure with a goal has a second member
    /// `<name>_met`.
    #[must_use]
    pub fn json(&self) -> String {
        let mut all = Map::new();
        all.insert("program".to_owned(), self.program.into());
        for (section, figures) in &self.sections {
            let mut members = Map::new();
            for figure in figures {
                members.insert(figure.name.clone(), rounded(figure.value));
                if let Some(goal) = figure.goal {
                    members.insert(format!("{}_met", figure.name), goal.met_by(figure.value).into());
                }
            }
            all.insert((*section).to_owned(), members.into());
        }
        Value::Object(all).to_string()
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> String {
        let mut out = format!("{}\n", self.program);
        for (section, figures) in &self.sections {
            out.push_str(&format!("\n{section}\n"));
            for figure in figures {
                let goal = match figure.goal {
                    None => String::new(),
                    Some(goal) => {
                        let (sign, bound) = match goal {
                            Goal::AtLeast(least) => ('≥', least),
                            Goal::AtMost(most) => ('≤', most),
                        };
                        let met = if goal.met_by(figure.value) { "met" } else { "missed" };
                        format!("   goal {sign} {}: {met}", readable(bound))
                    }
                };
                let (name, value, unit) = (figure.name.replace('_', " "), readable(figure.value), figure.unit);
                out.push_str(&format!("  {name:<48} {value:>14} {unit}{goal}\n"));
            }
        }
        out
    }

    /// Measures and prints: the rest of a program's `main`. What went wrong goes to standard error, and ends the
    /// process with 2.
    pub fn run(mut self, json: bool, measure: impl FnOnce(&mut Self) -> Result<(), Failure>) -> ExitCode {
        match measure(&mut self) {
            Ok(()) => {
                self.print(json);
                ExitCode::SUCCESS
            }
            Err(failure) => {
                eprintln!("{}: {failure}", self.program);
                ExitCode::from(2)
            }
        }
    }

    /// Prints one of the two.
    fn print(&self, json: bool) {
        if json {
            println!("{}", self.json());
        } else {
            print!("{}", self.table());
        }
    }
}

fn rounded(value: f64) -> Value {
    let value = (value * 10_000.0).round() / 10_000.0;
    serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number)
}

/// Thousands apart, and as many decimals as matter.
fn readable(value: f64) -> String {
    if value.abs() < 100.0 {
        return format!("{value:.3}");
    }
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_was_met() {
        let mut report = Report::new("bench-test");
        report.section("batches");
        report.with_goal("events_per_s", 123_456.7, "events/s", Goal::AtLeast(100_000.0));
        report.with_goal("p99_ms", 2.5, "ms", Goal::AtMost(2.0));
        let json: Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(json["batches"]["events_per_s_met"], true);
        assert_eq!(json["batches"]["p99_ms_met"], false);
        assert!(report.table().contains("123,457 events/s   goal ≥ 100,000: met"));
    }
}
