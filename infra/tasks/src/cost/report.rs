//! The computed figures, as a text for a terminal and as the tables of the page.

use std::fmt::Write as _;

use serde::Serialize;

use super::call::CallCost;
use super::idle::{self, IdleItem};
use super::inputs::Inputs;
use super::journeys::{self, CALLS, JOURNEYS, Target};

/// Everything that is computed.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// What the figures rest on.
    basis: String,
    /// A million of each call.
    pub(super) calls: Vec<CallCost>,
    /// A million of each journey.
    journeys: Vec<(&'static str, f64)>,
    pub(super) targets: Vec<Target>,
    /// A month without any call.
    idle: Vec<IdleItem>,
    /// Prices for a month of what grows with the data or is asked for.
    options: Vec<(String, f64)>,
}

/// A table of texts. The first column is aligned to the left, the others to the right.
struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Report {
    /// Computes everything.
    ///
    /// # Errors
    /// An input lacks a call or a price.
    pub(super) fn new(inputs: &Inputs) -> Result<Self, String> {
        let calls = CALLS.iter().map(|call| CallCost::new(inputs, call)).collect::<Result<Vec<_>, _>>()?;
        let journeys = JOURNEYS.iter().map(|journey| Ok((journey.name, journey.cost(&calls)?)));
        Ok(Self {
            basis: basis(inputs),
            journeys: journeys.collect::<Result<_, String>>()?,
            targets: journeys::targets(&calls)?,
            idle: idle::items(inputs)?,
            options: idle::options(inputs),
            calls,
        })
    }

    /// The figures for a terminal.
    pub(super) fn text(&self) -> String {
        let sections = self.sections().into_iter();
        let sections = sections.map(|(title, table)| format!("{title}\n\n{}\n", table.text()));
        format!("{}\n\n{}", self.basis, sections.collect::<String>().trim_end_matches('\n')) + "\n"
    }

    /// The tables of the page.
    pub(super) fn markdown(&self) -> String {
        let mut page = format!("{}\n", self.basis);
        for (title, table) in self.sections() {
            write!(page, "\n### {title}\n\n{}", table.markdown()).unwrap_or_default();
        }
        page
    }

    fn sections(&self) -> [(&'static str, Table); 5] {
        let total = |idle: fn(&IdleItem) -> f64| self.idle.iter().map(idle).sum::<f64>();
        let mut idle: Vec<_> = self
            .idle
            .iter()
            .map(|item| vec![item.item.clone(), cents(item.list), cents(item.after_free)])
            .collect();
        idle.push(vec![
            "all".to_owned(),
            cents(total(|item| item.list)),
            cents(total(|item| item.after_free)),
        ]);
        let two = |rows: &[(&'static str, f64)]| {
            rows.iter().map(|(name, cost)| vec![(*name).to_owned(), dollars(*cost)]).collect()
        };
        [
            ("A million of each call", self.call_table()),
            (
                "A million of what a client does",
                Table { head: vec!["journey", "all in"], rows: two(&self.journeys) },
            ),
            (
                "Targets for a million",
                Table {
                    head: vec!["call", "wanted", "all in", ""],
                    rows: self.targets.iter().map(target_row).collect(),
                },
            ),
            (
                "A month without any call",
                Table { head: vec!["item", "list price", "after what is free"], rows: idle },
            ),
            (
                "A month of what grows or is asked for",
                Table {
                    head: vec!["item", "list price"],
                    rows: self
                        .options
                        .iter()
                        .map(|(item, price)| vec![item.clone(), dollars(*price)])
                        .collect(),
                },
            ),
        ]
    }

    fn call_table(&self) -> Table {
        let row = |call: &CallCost| {
            vec![
                call.call.clone(),
                units(call.write_units),
                units(call.read_units),
                format!("{:.0} ms", call.billed_ms),
                format!("{} B", call.log_bytes),
                dollars(call.api),
                dollars(call.lambda),
                dollars(call.table),
                dollars(call.logs),
                dollars(call.events),
                dollars(call.total()),
                dollars(call.data_out),
            ]
        };
        let head = vec![
            "call",
            "write units",
            "read units",
            "billed",
            "logged",
            "API",
            "Lambda",
            "table",
            "logs",
            "events",
            "all in",
            "data out",
        ];
        Table { head, rows: self.calls.iter().map(row).collect() }
    }
}

impl Table {
    fn text(&self) -> String {
        let width = |column: usize| {
            let rows = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            rows.chain(self.head.get(column).map(|cell| cell.chars().count())).max().unwrap_or_default()
        };
        let widths: Vec<_> = (0..self.head.len()).map(width).collect();
        let line = |cells: &[&str]| {
            let padded = cells.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            format!("  {}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
        };
        let rows = self.rows.iter().map(|row| line(&row.iter().map(String::as_str).collect::<Vec<_>>()));
        line(&self.head) + &rows.collect::<String>()
    }

    fn markdown(&self) -> String {
        let line = |cells: &[&str]| format!("| {} |\n", cells.join(" | "));
        let rule = format!("|---|{}\n", "--:|".repeat(self.head.len().saturating_sub(1)));
        let rows = self.rows.iter().map(|row| line(&row.iter().map(String::as_str).collect::<Vec<_>>()));
        line(&self.head) + &rule + &rows.collect::<String>()
    }
}

fn basis(inputs: &Inputs) -> String {
    format!(
        "US dollars, list prices of {} of {}; functions with {} MB on {}; measured {} {}.",
        inputs.prices.region,
        inputs.prices.date,
        inputs.module.memory_mb,
        inputs.module.architecture,
        inputs.measured.date,
        inputs.measured.conditions
    )
}

fn target_row(target: &Target) -> Vec<String> {
    let met = if target.cost <= target.wanted { "met" } else { "missed" };
    vec![target.call.to_owned(), dollars(target.wanted), dollars(target.cost), met.to_owned()]
}

fn dollars(amount: f64) -> String {
    format!("${amount:.2}")
}

/// Small amounts, to a tenth of a cent.
fn cents(amount: f64) -> String {
    format!("${amount:.3}")
}

fn units(units: f64) -> String {
    if units == 0.0 { "–".to_owned() } else { units.to_string() }
}
