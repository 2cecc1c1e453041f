//! A Markdown table that reads well in a terminal, too.

/// The first `left` columns are aligned to the left, the others, which are figures, to the right.
/// The head has a bar between two columns.
pub fn table<const N: usize>(head: &str, left: usize, rows: &[[String; N]]) -> String {
    let head: Vec<&str> = head.split('|').map(str::trim).collect();
    let widths: [usize; N] = std::array::from_fn(|column| {
        let widest = rows.iter().map(|row| row[column].chars().count()).max();
        widest.unwrap_or(0).max(head[column].chars().count())
    });
    // A colon at the end aligns the figures of a column to the right.
    let dashes: [String; N] = std::array::from_fn(|column| match column < left {
        true => "-".repeat(widths[column]),
        false => "-".repeat(widths[column] - 1) + ":",
    });
    let mut table = line(&head, left, &widths) + &line(&dashes, left, &widths);
    for row in rows {
        table += &line(row, left, &widths);
    }
    table
}

fn line(cells: &[impl AsRef<str>], left: usize, widths: &[usize]) -> String {
    let mut line = String::from("|");
    for (column, (cell, &width)) in cells.iter().zip(widths).enumerate() {
        let cell = cell.as_ref();
        line += &match column < left {
            true => format!(" {cell:width$} |"),
            false => format!(" {cell:>width$} |"),
        };
    }
    line + "\n"
}

#[cfg(test)]
mod tests {
    #[test]
    fn figures_stand_below_each_other() {
        let rows = [["a", "1.5"], ["longer", "100"]].map(|row| row.map(str::to_owned));
        let expected = "\
| output |   s |
| ------ | --: |
| a      | 1.5 |
| longer | 100 |
";
        assert_eq!(super::table("output | s", 1, &rows), expected);
    }
}
