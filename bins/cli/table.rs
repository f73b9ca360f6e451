//! Aligned tables of results, with the interval in every cell named below.

use crate::exit::Failure;
use crate::out::Out;
use comfy_table::{CellAlignment, ContentArrangement, presets};

/// What the `±` in a table's cells is. A number without these three words cannot be compared.
#[derive(Clone, PartialEq, Debug)]
pub struct Caption {
    /// Such as `mean over seeds, Student t`.
    pub estimator: String,
    /// How many values each cell rests on.
    pub n: usize,
    /// Confidence level in (0, 1).
    pub level: f64,
}

/// A table: the first column names the row, the others are aligned to the right.
#[derive(Clone, Debug)]
pub struct Table {
    title: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
    caption: Option<Caption>,
}

impl Table {
    /// An empty table.
    pub fn new(title: impl Into<String>, columns: &[&str]) -> Table {
        let columns = columns.iter().map(|column| column.to_string()).collect();
        Table { title: title.into(), columns, rows: Vec::new(), caption: None }
    }

    /// Adds a row.
    ///
    /// # Panics
    /// If it has not one cell for each column.
    #[track_caller]
    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        let cells: Vec<String> = cells.into_iter().map(Into::into).collect();
        let (given, columns) = (cells.len(), self.columns.len());
        assert!(given == columns, "table {:?}: a row of {given} cells for {columns} columns", self.title);
        self.rows.push(cells);
    }

    /// Names the interval of the cells below the table.
    pub fn caption(&mut self, caption: Caption) {
        self.caption = Some(caption);
    }

    /// The table as text: drawn with box characters for a terminal, else as Markdown, which pastes into an issue.
    pub fn render(&self, terminal: bool) -> String {
        let mut drawn = comfy_table::Table::new();
        drawn.load_style(if terminal { presets::UTF8_FULL_CONDENSED } else { presets::ASCII_MARKDOWN });
        // A broken number is worse than a long line.
        drawn.set_content_arrangement(ContentArrangement::Disabled);
        let cell = |text: &String| if terminal { text.clone() } else { text.replace('|', "\\|") };
        drawn.set_header(self.columns.iter().map(cell).collect::<Vec<_>>());
        drawn.add_rows(self.rows.iter().map(|row| row.iter().map(cell).collect::<Vec<_>>()));
        for column in drawn.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let gap = if terminal { "" } else { "\n" };
        let caption = self.caption.as_ref().map_or(String::new(), |caption| format!("{gap}{}\n", caption.line()));
        format!("{}\n{gap}{drawn}\n{caption}", self.title)
    }

    /// Prints the table to the results.
    ///
    /// # Errors
    /// As for [`Out::line`].
    pub fn print(&self, out: &mut Out) -> Result<(), Failure> {
        let text = self.render(out.is_terminal());
        out.text(text)
    }
}

impl Caption {
    /// The line below the table.
    pub fn line(&self) -> String {
        // Rounded first: 0.95 is not exactly 95 hundredths.
        let percent = (self.level * 1e4).round() / 1e2;
        format!("±: half of the {percent} % interval ({}, n = {})", self.estimator, self.n)
    }
}

/// `95.3 ± 0.4` with `decimals` digits after the point.
///
/// An interval too narrow for them switches both numbers to powers of ten, since `± 0.0` would claim certainty;
/// one that does not exist (n = 1: not finite) is written `± –`.
pub fn interval(mean: f64, half_width: f64, decimals: usize) -> String {
    let least = 0.5 * 0.1_f64.powi(decimals as i32);
    if !half_width.is_finite() {
        return format!("{} ± –", fixed(mean, decimals));
    }
    if half_width != 0.0 && half_width.abs() < least {
        return format!("{mean:.2e} ± {half_width:.1e}");
    }
    format!("{} ± {}", fixed(mean, decimals), fixed(half_width, decimals))
}

/// [`interval`] of a share, in per cent with one decimal: 0.953, 0.004 becomes `95.3 ± 0.4`.
pub fn percent(share: f64, half_width: f64) -> String {
    interval(100.0 * share, 100.0 * half_width, 1)
}

/// A number with `decimals` digits after the point, and no sign on a zero.
pub fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if !digits.contains(|digit: char| ('1'..='9').contains(&digit)) && value.is_finite() => {
            digits.to_string()
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::out::tests::Captured;

    fn table() -> Table {
        let mut table = Table::new("Query accuracy, %", &["method", "1 shot", "5 shots"]);
        table.row(["NAL".to_string(), percent(0.8712, 0.0061), percent(0.953, 0.004)]);
        table.row(["MAML | 5 steps".to_string(), percent(1.0, 0.0), percent(0.5, f64::NAN)]);
        table.caption(Caption { estimator: "mean over seeds, Student t".into(), n: 5, level: 0.95 });
        table
    }

    #[test]
    fn elsewhere_than_on_a_terminal_it_is_markdown() {
        let captured = Captured::default();
        table().print(&mut Out::to(captured.clone())).unwrap();
        insta::assert_snapshot!(captured.text(), @r"
        Query accuracy, %

        | method          |      1 shot |    5 shots |
        |-----------------|-------------|------------|
        | NAL             |  87.1 ± 0.6 | 95.3 ± 0.4 |
        | MAML \| 5 steps | 100.0 ± 0.0 |   50.0 ± – |

        ±: half of the 95 % interval (mean over seeds, Student t, n = 5)
        ");
    }

    #[test]
    fn on_a_terminal_it_is_drawn() {
        insta::assert_snapshot!(table().render(true), @r"
        Query accuracy, %
        ┌────────────────┬─────────────┬────────────┐
        │ method         ┆      1 shot ┆    5 shots │
        ╞════════════════╪═════════════╪════════════╡
        │ NAL            ┆  87.1 ± 0.6 ┆ 95.3 ± 0.4 │
        │ MAML | 5 steps ┆ 100.0 ± 0.0 ┆   50.0 ± – │
        └────────────────┴─────────────┴────────────┘
        ±: half of the 95 % interval (mean over seeds, Student t, n = 5)
        ");
    }

    #[test]
    fn cells_never_claim_more_than_they_know() {
        assert_eq!(interval(95.34, 0.41, 1), "95.3 ± 0.4");
        assert_eq!(interval(0.00012, 0.00003, 2), "1.20e-4 ± 3.0e-5");
        assert_eq!(interval(95.34, f64::INFINITY, 1), "95.3 ± –");
        assert_eq!(interval(f64::NAN, f64::NAN, 1), "NaN ± –");
        assert_eq!(interval(-0.01, 0.4, 1), "0.0 ± 0.4");
        assert_eq!([fixed(-0.06, 1), fixed(-10.0, 0), fixed(f64::NEG_INFINITY, 1)], ["-0.1", "-10", "-inf"]);
    }

    #[test]
    fn levels_are_written_as_people_say_them() {
        let line = |level| Caption { estimator: "mean".into(), n: 3, level }.line();
        assert_eq!(line(0.95), "±: half of the 95 % interval (mean, n = 3)");
        assert!(line(0.999).contains("99.9 %"));
    }

    #[test]
    #[should_panic(expected = "a row of 1 cells for 3 columns")]
    fn a_short_row_is_the_callers_bug() {
        table().row(["NAL"]);
    }
}
