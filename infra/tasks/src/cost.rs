//! What the service costs on AWS: `cargo task cost`.
//!
//! The units of the table are those of `shared/src/usecases/COST.md`, which the tests hold to what each call uses. Processor time, calls
//! to the table and bytes are measured at the functions (`infra/aws/cost/measured.json`), and memory, log format, alarms and schedule
//! are read from the Terraform module. What cannot be measured is assumed in `infra/aws/cost/assumptions.json`, with the reason.

mod call;
mod idle;
mod inputs;
mod journeys;
mod module;
mod report;
mod units;

use std::fs;
use std::path::{Path, PathBuf};

use self::inputs::Inputs;
use self::report::Report;
use crate::{TaskResult, workspace};

/// The arguments, for the usage.
pub(crate) const ARGUMENTS: &str = "[--prices FILE] [--memory MB] [--json | --markdown]";

/// The page that has the tables, between its markers.
const PAGE: &str = "infra/aws/docs/cost.md";
const BEGIN: &str = "<!-- BEGIN_COST -->\n";
const END: &str = "<!-- END_COST -->";

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Text,
    Json,
    /// Nothing: the tables are written into the page.
    Markdown,
}

#[derive(Debug)]
struct Arguments {
    prices: PathBuf,
    /// The memory of the functions, if it is not that of the module.
    memory_mb: Option<u32>,
    format: Format,
}

impl Arguments {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let prices = workspace().join("infra/aws/cost/prices.json");
        let mut parsed = Self { prices, memory_mb: None, format: Format::Text };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value =
                || arguments.next().ok_or_else(|| format!("{argument} needs a value: {ARGUMENTS}"));
            match argument.as_str() {
                "--prices" => parsed.prices = value()?.into(),
                "--memory" => {
                    let megabytes =
                        value()?.parse().ok().filter(|megabytes| (128..=10_240).contains(megabytes));
                    parsed.memory_mb =
                        Some(megabytes.ok_or("--memory: expected a number from 128 to 10240")?);
                }
                "--json" => parsed.format = Format::Json,
                "--markdown" => parsed.format = Format::Markdown,
                other => return Err(format!("there is no argument {other}: {ARGUMENTS}")),
            }
        }
        Ok(parsed)
    }
}

/// Prints what each call, each journey and an idle month cost, as a text or as JSON, or writes it into the page.
///
/// # Errors
/// An argument is wrong, or an input cannot be read: the error names the file and what was expected in it.
pub(crate) fn run(arguments: &[String]) -> TaskResult {
    let arguments = Arguments::parse(arguments)?;
    let mut inputs = Inputs::read(&workspace(), &arguments.prices)?;
    inputs.module.memory_mb = arguments.memory_mb.unwrap_or(inputs.module.memory_mb);
    let report = Report::new(&inputs)?;
    match arguments.format {
        Format::Text => print!("{}", report.text()),
        Format::Json => println!("{}", serde_json::to_string_pretty(&report)?),
        Format::Markdown => write_page(&workspace().join(PAGE), &report)?,
    }
    Ok(())
}

/// Replaces what is between the markers of a page.
fn write_page(path: &Path, report: &Report) -> TaskResult {
    let page = fs::read_to_string(path)?;
    let (before, _, after) = split_page(&page)?;
    Ok(fs::write(path, format!("{before}{BEGIN}{}{END}{after}", report.markdown()))?)
}

/// Splits a page into what is before, between and after its markers.
fn split_page(page: &str) -> Result<(&str, &str, &str), String> {
    let split = page.split_once(BEGIN).and_then(|(before, rest)| {
        let (between, after) = rest.split_once(END)?;
        Some((before, between, after))
    });
    split.ok_or_else(|| format!("{PAGE}: expected the lines {} and {END}", BEGIN.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let prices = workspace().join("infra/aws/cost/prices.json");
        Report::new(&Inputs::read(&workspace(), &prices).unwrap()).unwrap()
    }

    #[test]
    fn page_has_the_computed_tables() {
        let path = workspace().join(PAGE);
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            return write_page(&path, &report()).unwrap();
        }
        let page = fs::read_to_string(path).unwrap();
        let (_, tables, _) = split_page(&page).unwrap();
        assert!(tables == report().markdown(), "{PAGE} is out of date: cargo task cost --markdown writes it");
    }

    #[test]
    fn calls_cost_no_more_than_their_limits() {
        for target in report().targets {
            let (call, cost) = (target.call, target.cost);
            assert!(cost <= target.limit, "{call}: ${cost:.2} a million, limit ${:.2}", target.limit);
            let is_met = cost <= target.wanted;
            assert_eq!(
                is_met,
                target.limit <= target.wanted,
                "{call} costs ${cost:.2}: lower its limit in journeys.rs"
            );
        }
    }

    #[test]
    fn prices_and_memory_change_the_result() {
        let parse =
            |text: &str| Arguments::parse(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let prices = workspace().join("infra/aws/cost/prices.json");
        let mut inputs = Inputs::read(&workspace(), &prices).unwrap();
        let cost = |inputs: &Inputs| Report::new(inputs).unwrap().calls[0].total();
        let before = cost(&inputs);
        inputs.prices.prices.table_write_units_million *= 2.0;
        let dearer = cost(&inputs);
        assert!(dearer > before + 1.0, "{before} {dearer}");
        inputs.module.memory_mb = parse("--memory 1769 --json").unwrap().memory_mb.unwrap();
        assert!(cost(&inputs) > dearer);
        for wrong in ["--memory", "--memory 64", "--memory much", "--prices", "--all"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse("--markdown").unwrap().format, Format::Markdown);
    }
}
