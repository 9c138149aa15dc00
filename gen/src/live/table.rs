//! Text in columns, for people.

use std::fmt::Write as _;

/// Rows in columns two blanks apart, the first row as their heads. What has no text takes no column.
#[must_use]
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cell = |row: &Vec<String>, column: usize| row.get(column).map_or(0, |text| text.chars().count());
    let is_used = |column: usize| rows.iter().skip(1).any(|row| cell(row, column) > 0);
    let used: Vec<(usize, usize)> = (0..columns)
        .filter(|&column| is_used(column))
        .map(|column| (column, rows.iter().map(|row| cell(row, column)).max().unwrap_or(0)))
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for &(column, width) in &used {
            let _ = write!(line, "{:width$}  ", row.get(column).map_or("", String::as_str));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them_and_empty_ones_are_left_out() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [row(["NAME", "NODE", "ROLE"]), row(["bro-1", "", "broker"]), row(["wörker-1", "", "worker"])];
        assert_eq!(table(&rows), "NAME      ROLE\nbro-1     broker\nwörker-1  worker\n");
    }
}
