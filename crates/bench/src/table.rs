//! Tables for a terminal, printed row by row while the run goes on.

/// Columns with fixed widths.
#[derive(Debug)]
pub(crate) struct Table {
    widths: Vec<usize>,
}

impl Table {
    /// Prints the titles. A column is as wide as its title; blanks at the end of a title widen it.
    pub(crate) fn begin(titles: &[&str]) -> Self {
        let widths: Vec<usize> = titles.iter().map(|title| title.chars().count()).collect();
        let table = Self { widths };
        println!();
        table.row(
            &titles
                .iter()
                .map(|title| title.trim().to_owned())
                .collect::<Vec<_>>(),
        );
        let rule: Vec<String> = table
            .widths
            .iter()
            .map(|width| "-".repeat(*width))
            .collect();
        println!("{}", rule.join("  "));
        table
    }

    /// Prints one row: the first cell to the left, the others to the right.
    pub(crate) fn row(&self, cells: &[String]) {
        println!("{}", self.line(cells));
    }

    fn line(&self, cells: &[String]) -> String {
        let mut line = String::new();
        for (number, (cell, width)) in cells.iter().zip(&self.widths).enumerate() {
            if number == 0 {
                line.push_str(&format!("{cell:<width$}"));
            } else {
                line.push_str(&format!("  {cell:>width$}"));
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// A number with a comma before every third digit.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{:.0}", number.max(0.0));
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `yes` or `NO`.
pub(crate) fn verdict(met: bool) -> String {
    if met { "yes" } else { "NO" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(grouped(0.4), "0");
        assert_eq!(grouped(999.6), "1,000");
        assert_eq!(grouped(1_234_567.0), "1,234,567");
    }

    #[test]
    fn cells_stand_under_their_titles() {
        let table = Table {
            widths: vec![6, 4, 3],
        };
        let cells = ["µs", "12", ""].map(str::to_owned);
        assert_eq!(table.line(&cells), "µs        12");
    }
}
