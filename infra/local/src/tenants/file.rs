//! Files of tenants: read line by line, with what is wrong in which line, and written.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use imageshare::domain::{DirectoryEntry, ID_FORMAT, NAME_FORMAT, Name, Region, TenantId};
use imageshare::http::strict_json;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::wire::tenant_json;
use crate::access_key::sanitize_for_terminal;
use crate::cli::FileFormat;

/// What a tenant is described by, in the order in which it is written.
const FIELDS: [&str; 4] = ["project_id", "account", "project", "region"];

/// A tenant of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TenantLine {
    /// The line that it begins in, from 1.
    pub(super) number: u64,
    pub(super) tenant: TenantId,
    pub(super) account: Name,
    pub(super) project: Name,
    /// `None` for that of the service.
    pub(super) region: Option<Region>,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LineError {
    pub(super) line: u64,
    pub(super) problem: String,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.problem)
    }
}

/// Reads a file: its tenants, and what is wrong with it, in the order of the lines.
pub(super) fn parse_file(bytes: &[u8], format: FileFormat) -> (Vec<TenantLine>, Vec<LineError>) {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.trim_start_matches('\u{feff}'),
        Err(problem) => {
            let good = bytes.iter().take(problem.valid_up_to());
            let line = good.filter(|byte| **byte == b'\n').count() as u64 + 1;
            return (Vec::new(), vec![LineError { line, problem: "expected UTF-8.".to_owned() }]);
        }
    };
    let rows = match format {
        FileFormat::Csv => parse_csv(text),
        FileFormat::Json => parse_json(text),
    };
    let mut lines = Vec::new();
    let mut wrong = Vec::new();
    for row in rows {
        match row.and_then(RawRow::parse) {
            Ok(line) => lines.push(line),
            Err(problems) => wrong.extend(problems),
        }
    }
    wrong.extend(find_duplicates(&lines));
    wrong.sort_by_key(|wrong| wrong.line);
    (lines, wrong)
}

/// The texts of a line by the names of their fields; `None` for what is no text.
struct RawRow {
    number: u64,
    fields: HashMap<String, Option<String>>,
}

impl RawRow {
    fn parse(self) -> Result<TenantLine, Vec<LineError>> {
        let mut wrong = Vec::new();
        let tenant = self.field("project_id", ID_FORMAT, &mut wrong);
        let (account, project) =
            (self.field("account", NAME_FORMAT, &mut wrong), self.field("project", NAME_FORMAT, &mut wrong));
        let has_region = self.fields.contains_key("region");
        let region = if has_region { self.field("region", ID_FORMAT, &mut wrong) } else { None };
        match (tenant, account, project) {
            (Some(tenant), Some(account), Some(project)) if wrong.is_empty() => {
                Ok(TenantLine { number: self.number, tenant, account, project, region })
            }
            _ => Err(wrong),
        }
    }

    fn field<T: FromStr>(&self, name: &str, expected: &str, wrong: &mut Vec<LineError>) -> Option<T> {
        let text = self.fields.get(name).and_then(Option::as_deref);
        let value = text.and_then(|text| text.parse().ok());
        if value.is_none() {
            wrong.push(LineError { line: self.number, problem: format!("{name}: expected {expected}.") });
        }
        value
    }
}

type Rows = Vec<Result<RawRow, Vec<LineError>>>;

fn single_error(line: u64, problem: impl Into<String>) -> Vec<LineError> {
    vec![LineError { line, problem: problem.into() }]
}

fn parse_csv(text: &str) -> Rows {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let columns = match reader.headers() {
        Ok(columns) => columns.clone(),
        Err(problem) => return vec![Err(single_error(1, format!("{problem}.")))],
    };
    if let Some(problem) = column_error(&columns) {
        return vec![Err(single_error(1, problem))];
    }
    let mut lines = LineCounter::new(text);
    let row = |record: Result<csv::StringRecord, csv::Error>| {
        let record = record.map_err(|problem| {
            let line = problem.position().map_or(1, csv::Position::line);
            single_error(line, format!("{problem}."))
        })?;
        // The reader's position is where the row before ended, with the end of that line and empty ones still to come.
        let end = record.position().map_or(0, csv::Position::byte);
        let rest = text.get(usize::try_from(end).unwrap_or(usize::MAX)..).unwrap_or_default();
        let number = lines.line_number(rest.trim_start_matches(['\r', '\n']));
        if record.len() != columns.len() {
            let problem = format!("expected {} fields, not {}.", columns.len(), record.len());
            return Err(single_error(number, problem));
        }
        let named = columns.iter().zip(&record).filter(|(name, text)| *name != "region" || !text.is_empty());
        let fields = named.map(|(name, text)| (name.to_owned(), Some(text.to_owned())));
        Ok(RawRow { number, fields: fields.collect() })
    };
    reader.records().map(row).collect()
}

fn column_error(columns: &csv::StringRecord) -> Option<String> {
    const EXPECTED: &str =
        "expected the columns project_id, account, project and, if wanted, region, with commas between them";
    if let Some(unknown) = columns.iter().find(|column| !FIELDS.contains(column)) {
        return Some(format!("{}: {EXPECTED}.", sanitize_for_terminal(unknown)));
    }
    let count = |field: &str| columns.iter().filter(|column| *column == field).count();
    let is_good = FIELDS.iter().all(|field| count(field) == 1 || (*field == "region" && count(field) == 0));
    (!is_good).then(|| format!("{EXPECTED}, each once."))
}

#[derive(Deserialize)]
struct TenantsPage<'a> {
    #[serde(borrow)]
    tenants: Vec<&'a RawValue>,
}

/// An array, or as the service answers it, an object with the array `tenants`.
fn parse_json(text: &str) -> Rows {
    let values = if text.trim_start().starts_with('{') {
        serde_json::from_str::<TenantsPage<'_>>(text).map(|page| page.tenants)
    } else {
        serde_json::from_str(text)
    };
    let values = match values {
        Ok(values) => values,
        Err(problem) => return vec![Err(single_error(problem.line() as u64, format!("{problem}.")))],
    };
    let mut lines = LineCounter::new(text);
    values.into_iter().map(|raw| parse_json_row(lines.line_number(raw.get()), raw.get())).collect()
}

/// Counts the lines of a text.
struct LineCounter<'a> {
    text: &'a str,
    position: usize,
    number: u64,
}

impl<'a> LineCounter<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, position: 0, number: 1 }
    }

    /// In which line a part of the text begins, from 1. Parts are asked for in their order.
    fn line_number(&mut self, part: &str) -> u64 {
        let begin = part.as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        let before = self.text.get(self.position..begin).unwrap_or_default();
        self.number += before.bytes().filter(|byte| *byte == b'\n').count() as u64;
        self.position = begin;
        self.number
    }
}

fn parse_json_row(number: u64, text: &str) -> Result<RawRow, Vec<LineError>> {
    let value = strict_json::parse(text.as_bytes());
    let Value::Object(members) = value.map_err(|problem| single_error(number, format!("{problem}.")))? else {
        return Err(single_error(number, format!("expected an object with {}.", FIELDS.join(", "))));
    };
    if let Some(unknown) = members.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(single_error(
            number,
            format!("{}: expected only {}.", sanitize_for_terminal(unknown), FIELDS.join(", ")),
        ));
    }
    let given = members.into_iter().filter(|(name, value)| name != "region" || !value.is_null());
    let fields = given.map(|(name, value)| (name, value.as_str().map(str::to_owned)));
    Ok(RawRow { number, fields: fields.collect() })
}

/// What stands in a file twice.
fn find_duplicates(lines: &[TenantLine]) -> Vec<LineError> {
    let (mut tenants, mut names, mut wrong) = (HashMap::new(), HashMap::new(), Vec::new());
    for line in lines {
        let repeats = [
            ("project_id: stands", tenants.insert(&line.tenant, line.number)),
            ("account, project: stand", names.insert((&line.account, &line.project), line.number)),
        ];
        for (what, before) in repeats {
            if let Some(before) = before {
                let problem = format!("{what} in line {before} already.");
                wrong.push(LineError { line: line.number, problem });
            }
        }
    }
    wrong
}

/// Tenants as a CSV file.
pub(super) fn to_csv(tenants: &[DirectoryEntry]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Nothing goes wrong in memory.
    let _ = writer.write_record(FIELDS);
    for entry in tenants {
        let fields =
            [entry.tenant.as_str(), entry.account.as_str(), entry.project.as_str(), entry.region.as_str()];
        let _ = writer.write_record(fields);
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Tenants as a JSON file, one in a line.
pub(super) fn to_json(tenants: &[DirectoryEntry]) -> String {
    let lines: Vec<_> = tenants.iter().map(|entry| tenant_json(entry).to_string()).collect();
    if lines.is_empty() { "[]\n".to_owned() } else { format!("[\n{}\n]\n", lines.join(",\n")) }
}
