//! The table's units of each call, from the budget that the tests hold.

use std::collections::BTreeMap;

/// The capacity that a call uses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Units {
    pub(super) read: f64,
    pub(super) write: f64,
}

/// The page of budgets, from the root of the workspace.
pub(super) const PAGE: &str = "shared/src/usecases/COST.md";

/// The head of the budget's table.
const HEAD: &str = "| call | round trips | read units | write units |\n|---|---|---|---|\n";

/// Parses the first table of the page of budgets: call to units.
///
/// # Errors
/// The page has no such table, or a row is not as its head says.
pub(super) fn parse(page: &str) -> Result<BTreeMap<String, Units>, String> {
    let (_, table) =
        page.split_once(HEAD).ok_or_else(|| format!("{PAGE}: expected a table of calls with their units"))?;
    table.lines().take_while(|line| line.starts_with("| ")).map(parse_row).collect()
}

fn parse_row(row: &str) -> Result<(String, Units), String> {
    let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
    let wrong = || format!("{PAGE}: expected a call, its round trips and its units: {row}");
    let &[call, _, read, write] = cells.as_slice() else { return Err(wrong()) };
    let number = |cell: &str| if cell == "–" { Ok(0.0) } else { cell.parse().map_err(|_| wrong()) };
    Ok((call.to_owned(), Units { read: number(read)?, write: number(write)? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_budget_are_read() {
        let units =
            parse(&format!("# Page\n\n{HEAD}| a | 1 | 2.5 | – |\n| b | 1 | – | 3 |\n\nmore\n")).unwrap();
        assert_eq!(units["a"], Units { read: 2.5, write: 0.0 });
        assert_eq!(units["b"], Units { read: 0.0, write: 3.0 });
        assert!(parse("no table").is_err() && parse(&format!("{HEAD}| a | 1 | x | 1 |\n")).is_err());
    }
}
