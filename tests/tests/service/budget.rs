//! Checks that each call keeps to its budget of the table: round trips and capacity units, by DynamoDB's own
//! accounting. The budget is the table of `usecases/COST.md`. `cargo bench --bench service -- capacity` prints the
//! same figures.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use imageshare_tests::budget;

/// The page whose table is the budget.
static PAGE: LazyLock<String> = LazyLock::new(|| {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/src/usecases/COST.md");
    fs::read_to_string(page).unwrap()
});

/// The most that one call may use.
#[derive(Debug)]
struct Budget {
    call: &'static str,
    round_trips: u64,
    read_units: f64,
    write_units: f64,
}

/// The rows of the page's first table.
fn budgets() -> Vec<Budget> {
    let (_, table) = PAGE.split_once("|---|---|---|---|\n").unwrap();
    let rows = table.lines().take_while(|line| line.starts_with("| "));
    let number = |cell: &str| if cell == "–" { 0.0 } else { cell.parse().unwrap() };
    let budget = |row: &'static str| {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let &[call, round_trips, read_units, write_units] = cells.as_slice() else { panic!("{row}") };
        Budget {
            call,
            round_trips: round_trips.parse().unwrap(),
            read_units: number(read_units),
            write_units: number(write_units),
        }
    };
    rows.map(budget).collect()
}

#[tokio::test]
async fn every_call_stays_within_its_table_budget() {
    let rows = budget::measure_calls().await;
    let is_measured = |budget: &Budget| rows.iter().any(|row| row.call == budget.call);
    let unmeasured: Vec<_> = budgets().into_iter().filter(|budget| !is_measured(budget)).collect();
    assert!(unmeasured.is_empty(), "no such call: {unmeasured:?}");
    let generous =
        rows.iter().filter(|row| is_generous(row)).map(|row| format!("{}: {:?}", row.call, row.usage));
    let generous: Vec<_> = generous.collect();
    assert_within_budget(rows);
    assert!(generous.is_empty(), "uses less than its budget:\n{}", generous.join("\n"));
}

/// Whether the budget of a call is more than it uses. The price of the call is computed from its budget.
fn is_generous(row: &budget::Measurement) -> bool {
    budgets().iter().any(|budget| {
        budget.call == row.call
            && (budget.read_units > row.usage.read_units || budget.write_units > row.usage.write_units)
    })
}

#[tokio::test]
async fn sharing_large_images_stays_within_the_same_budget() {
    let rows = budget::measure_with_large_images().await;
    assert!(rows.len() > 10);
    assert_within_budget(rows);
}

fn assert_within_budget(rows: Vec<budget::Measurement>) {
    let budgets = budgets();
    let mut over = Vec::new();
    for row in rows {
        let budget = budgets.iter().find(|budget| budget.call == row.call);
        let budget = budget.unwrap_or_else(|| panic!("no budget for {}", row.call));
        let used = row.usage;
        assert!(
            used.round_trips > 0 && used.read_units + used.write_units > 0.0,
            "{}: nothing was counted",
            row.call
        );
        if used.round_trips > budget.round_trips
            || used.read_units > budget.read_units
            || used.write_units > budget.write_units
        {
            over.push(format!("{}: {used:?}", row.call));
        }
    }
    assert!(over.is_empty(), "{}", over.join("\n"));
}
