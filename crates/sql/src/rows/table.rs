//! Rows as a table for people.

use std::io::{self, Write};

use indelible::cli::safe_text::{escape, escape_line};

/// Characters of a cell; a longer text is cut, and the other formats have it whole.
const CELL_MAX: usize = 64;

/// Rows that wait until all are there: only then it is known how wide a column is.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
    explains: bool,
}

impl Table {
    /// With columns of these names. `explains`: a plan, which has lines of its own.
    pub fn new<'a>(names: impl Iterator<Item = &'a str>, explains: bool) -> Self {
        let names = names.map(|name| cut(escape_line(name))).collect();
        Self { rows: if explains { Vec::new() } else { vec![names] }, explains }
    }

    /// Takes a row.
    pub fn add(&mut self, cells: Vec<String>) {
        let shown = |cell: String| if self.explains { escape(&cell).into_owned() } else { cut(escape_line(&cell)) };
        self.rows.push(cells.into_iter().map(shown).collect());
    }

    /// Writes it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.explains {
            for row in &self.rows {
                writeln!(out, "{}", row.join("\n").trim_end())?;
            }
            return Ok(());
        }
        let mut widths = vec![0; self.rows.first().map_or(0, Vec::len)];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in &self.rows {
            let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            writeln!(out, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(CELL_MAX - 1) {
        Some((at, last)) if at + last.len_utf8() < text.len() => format!("{}…", text.get(..at).unwrap_or_default()),
        _ => text,
    }
}
