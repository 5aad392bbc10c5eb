//! Columns of text, aligned as a terminal shows them: a character of Chinese or an emoji takes two places, a combining
//! accent none.

use std::io::{self, IsTerminal as _, Write};

use rustix::termios::tcgetwinsize;
use unicode_width::UnicodeWidthStr as _;

/// Between two columns.
const GAP: &str = "  ";

/// Characters of a text for each place it may take: letters of any script have no more.
const CHARACTERS_A_PLACE: usize = 4;

/// How wide a column may be.
#[derive(Clone, Copy, Debug)]
pub struct Width {
    /// It is made no narrower so that a table fits: less of it tells nothing apart.
    pub least: usize,
    /// A longer text is cut.
    pub most: usize,
}

/// Places that a terminal on standard output has in a line; `None` where none is, and a table may be as wide as it is.
#[must_use]
pub fn room() -> Option<usize> {
    let out = io::stdout();
    // A terminal that does not know its size says zero.
    let columns = tcgetwinsize(&out).ok().filter(|_| out.is_terminal())?.ws_col;
    (columns > 0).then_some(usize::from(columns))
}

/// The text with blanks behind it up to a width.
#[must_use]
pub fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// The text, cut to a width with an ellipsis at its end. However many accents stand on one letter, few are shown.
#[must_use]
pub fn shortened(text: &str, most: usize) -> String {
    let characters_most = most.saturating_mul(CHARACTERS_A_PLACE);
    if text.chars().nth(characters_most).is_none() && text.width() <= most {
        return text.to_owned();
    }
    let mut cut = String::new();
    for character in text.chars().take(characters_most) {
        cut.push(character);
        if cut.width() >= most {
            cut.pop();
            break;
        }
    }
    cut.push('…');
    cut
}

/// Writes rows of which the first has the titles. A column is as wide as its widest text, or the most of it; where
/// there is not room for all of that, the widest of those that can be cut are.
///
/// # Errors
/// What `out` says.
pub fn write<const N: usize>(rows: &[[String; N]], columns: [Width; N], room: Option<usize>, out: &mut dyn Write) -> io::Result<()> {
    let mut widths = columns.map(|column| column.most);
    for (nth, width) in widths.iter_mut().enumerate() {
        *width = rows.iter().filter_map(|row| row.get(nth)).map(|text| text.width()).max().unwrap_or(0).min(*width);
    }
    fit(&mut widths, columns.map(|column| column.least), room);
    for row in rows {
        let cells: Vec<_> = row.iter().zip(widths).map(|(text, width)| padded(&shortened(text, width), width)).collect();
        writeln!(out, "{}", cells.join(GAP).trim_end())?;
    }
    Ok(())
}

/// Takes from the widest columns, place by place, until all of them have room, or none can be narrower.
fn fit<const N: usize>(widths: &mut [usize; N], leasts: [usize; N], room: Option<usize>) {
    let Some(room) = room else { return };
    loop {
        let whole: usize = widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1);
        let widest = widths.iter_mut().zip(leasts).filter(|(width, least)| **width > *least).max_by_key(|(width, _)| **width);
        match widest.filter(|_| whole > room) {
            Some((width, _)) => *width -= 1,
            None => return,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    fn written(rows: &[[&str; 3]], mosts: [usize; 3], room: Option<usize>) -> Vec<String> {
        let rows: Vec<_> = rows.iter().map(|row| row.map(str::to_owned)).collect();
        let mut out = Vec::new();
        write(&rows, mosts.map(|most| Width { least: 12.min(most), most }), room, &mut out).unwrap();
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn columns_stand_below_each_other_whatever_script_is_in_them() {
        let lines = written(&[["who", "what", "n"], ["山田太郎", "login", "1"], ["Zoe\u{308}", "🙂", "2"]], [40, 40, 40], None);
        assert_eq!(lines, ["who       what   n", "山田太郎  login  1", "Zoe\u{308}       🙂     2"]);
    }

    #[test]
    fn a_text_is_cut_at_the_most_of_its_column_and_never_through_a_character() {
        let lines = written(&[["山田太郎", "abcdef", "1"]], [6, 4, 9], None);
        assert_eq!(lines, ["山田…   abc…  1"]);
        assert_eq!(shortened("山田太郎", 1), "…");
        assert_eq!(shortened("", 0), "");
        assert_eq!(shortened(&"\u{2764}\u{fe0f}".repeat(10), 12).width(), 12);
        let accents = format!("a{}", "\u{301}".repeat(100_000));
        assert!(shortened(&accents, 12).chars().count() <= 49);
    }

    #[test]
    fn a_table_fits_a_terminal_as_far_as_names_can_still_be_told_apart() {
        let long = "x".repeat(40);
        let row = [long.as_str(), long.as_str(), "short"];
        for room in [40, 60, 80, 200] {
            let width = written(&[row], [40, 40, 40], Some(room)).first().unwrap().width();
            assert!(width <= room && (room < 89 || width == 89), "{room}: {width}");
        }
        let columns = [Width { least: 40, most: 40 }, Width { least: 5, most: 40 }];
        let mut out = Vec::new();
        write(&[[long.clone(), long.clone()]], columns, Some(50), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap().trim_end(), format!("{long}  {}…", "x".repeat(7)), "what may not be cut is not");
        assert_eq!(written(&[row], [40, 40, 40], Some(0)).first().unwrap().width(), 2 * 12 + 4 + 5);
    }
}
