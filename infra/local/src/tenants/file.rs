//! Reads and writes files of tenants. Errors have the number of their line.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use imageshare::domain::{
    CLOUD_ACCOUNT_FORMAT, CloudAccountId, DirectoryEntry, ID_FORMAT, NAME_FORMAT, Name, OrganizationId,
    Region, TenantId,
};
use imageshare::http::strict_json;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::wire::tenant_json;
use crate::access_key::sanitize_for_terminal;
use crate::cli::FileFormat;

/// The fields of a tenant, in the order in which they are written.
const FIELDS: [&str; 6] = ["project_id", "account", "project", "region", "organization", "cloud_account"];

/// The fields that a tenant need not have. In a CSV file they are empty then, in JSON absent or null.
const OPTIONAL_FIELDS: [&str; 3] = ["region", "organization", "cloud_account"];

/// A tenant of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TenantLine {
    /// The line in which it begins, from 1.
    pub(super) number: u64,
    pub(super) tenant: TenantId,
    pub(super) account: Name,
    pub(super) project: Name,
    /// `None` for the service's own region.
    pub(super) region: Option<Region>,
    pub(super) organization: Option<OrganizationId>,
    pub(super) cloud_account: Option<CloudAccountId>,
}

/// An error in a line.
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

/// Reads a file. Returns its tenants and its errors, in the order of the lines.
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
    let mut errors = Vec::new();
    for row in rows {
        match row.and_then(RawRow::parse) {
            Ok(line) => lines.push(line),
            Err(problems) => errors.extend(problems),
        }
    }
    errors.extend(find_duplicates(&lines));
    errors.sort_by_key(|error| error.line);
    (lines, errors)
}

/// The strings of a line, by field; `None` for a value that is not a string.
struct RawRow {
    number: u64,
    fields: HashMap<String, Option<String>>,
}

impl RawRow {
    fn parse(self) -> Result<TenantLine, Vec<LineError>> {
        let mut errors = Vec::new();
        let tenant = self.field("project_id", ID_FORMAT, &mut errors);
        let (account, project) = (
            self.field("account", NAME_FORMAT, &mut errors),
            self.field("project", NAME_FORMAT, &mut errors),
        );
        let region = self.optional_field("region", ID_FORMAT, &mut errors);
        let organization = self.optional_field("organization", ID_FORMAT, &mut errors);
        let cloud_account = self.optional_field("cloud_account", CLOUD_ACCOUNT_FORMAT, &mut errors);
        match (tenant, account, project) {
            (Some(tenant), Some(account), Some(project)) if errors.is_empty() => {
                let number = self.number;
                Ok(TenantLine { number, tenant, account, project, region, organization, cloud_account })
            }
            _ => Err(errors),
        }
    }

    fn optional_field<T: FromStr>(
        &self,
        name: &str,
        expected: &str,
        errors: &mut Vec<LineError>,
    ) -> Option<T> {
        if self.fields.contains_key(name) { self.field(name, expected, errors) } else { None }
    }

    fn field<T: FromStr>(&self, name: &str, expected: &str, errors: &mut Vec<LineError>) -> Option<T> {
        let text = self.fields.get(name).and_then(Option::as_deref);
        let value = text.and_then(|text| text.parse().ok());
        if value.is_none() {
            errors.push(LineError { line: self.number, problem: format!("{name}: expected {expected}.") });
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
        // The reader's position is the end of the row before: the end of that line and empty lines are still to come.
        let end = record.position().map_or(0, csv::Position::byte);
        let rest = text.get(usize::try_from(end).unwrap_or(usize::MAX)..).unwrap_or_default();
        let number = lines.line_number(rest.trim_start_matches(['\r', '\n']));
        if record.len() != columns.len() {
            let problem = format!("expected {} fields, not {}.", columns.len(), record.len());
            return Err(single_error(number, problem));
        }
        let is_given = |name: &str, text: &str| !OPTIONAL_FIELDS.contains(&name) || !text.is_empty();
        let named = columns.iter().zip(&record).filter(|(name, text)| is_given(name, text));
        let fields = named.map(|(name, text)| (name.to_owned(), Some(text.to_owned())));
        Ok(RawRow { number, fields: fields.collect() })
    };
    reader.records().map(row).collect()
}

fn column_error(columns: &csv::StringRecord) -> Option<String> {
    const EXPECTED: &str = "expected the columns project_id, account, project and, optionally, region, organization, cloud_account, \
         separated by commas";
    if let Some(unknown) = columns.iter().find(|column| !FIELDS.contains(column)) {
        return Some(format!("{}: {EXPECTED}.", sanitize_for_terminal(unknown)));
    }
    let count = |field: &str| columns.iter().filter(|column| *column == field).count();
    let is_good = FIELDS
        .iter()
        .all(|field| count(field) == 1 || (OPTIONAL_FIELDS.contains(field) && count(field) == 0));
    (!is_good).then(|| format!("{EXPECTED}, each once."))
}

#[derive(Deserialize)]
struct TenantsPage<'a> {
    #[serde(borrow)]
    tenants: Vec<&'a RawValue>,
}

/// Parses an array, or an object with the array `tenants`, as in the service's responses.
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

/// Finds the line numbers of parts of a text.
struct LineCounter<'a> {
    text: &'a str,
    position: usize,
    number: u64,
}

impl<'a> LineCounter<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, position: 0, number: 1 }
    }

    /// Returns the line in which a part of the text begins, from 1. Call it with the parts in their order.
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
    let is_given = |name: &str, value: &Value| !OPTIONAL_FIELDS.contains(&name) || !value.is_null();
    let given = members.into_iter().filter(|(name, value)| is_given(name, value));
    let fields = given.map(|(name, value)| (name, value.as_str().map(str::to_owned)));
    Ok(RawRow { number, fields: fields.collect() })
}

/// Finds ids, names and cloud accounts that occur twice.
fn find_duplicates(lines: &[TenantLine]) -> Vec<LineError> {
    let (mut tenants, mut names, mut errors) = (HashMap::new(), HashMap::new(), Vec::new());
    let mut cloud_accounts = HashMap::new();
    for line in lines {
        let cloud_account = line.cloud_account.as_ref();
        let repeats = [
            ("project_id", tenants.insert(&line.tenant, line.number)),
            ("account, project", names.insert((&line.account, &line.project), line.number)),
            ("cloud_account", cloud_account.and_then(|account| cloud_accounts.insert(account, line.number))),
        ];
        for (fields, before) in repeats {
            if let Some(before) = before {
                let problem = format!("{fields}: already in line {before}.");
                errors.push(LineError { line: line.number, problem });
            }
        }
    }
    errors
}

/// Formats tenants as a CSV file.
pub(super) fn to_csv(tenants: &[DirectoryEntry]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing to memory never fails.
    let _ = writer.write_record(FIELDS);
    for entry in tenants {
        let fields = [
            entry.tenant.as_str(),
            entry.account.as_str(),
            entry.project.as_str(),
            entry.region.as_str(),
            entry.organization.as_ref().map_or("", OrganizationId::as_str),
            entry.cloud_account.as_ref().map_or("", CloudAccountId::as_str),
        ];
        let _ = writer.write_record(fields);
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Formats tenants as a JSON file, one per line.
pub(super) fn to_json(tenants: &[DirectoryEntry]) -> String {
    let lines: Vec<_> = tenants.iter().map(|entry| tenant_json(entry).to_string()).collect();
    if lines.is_empty() { "[]\n".to_owned() } else { format!("[\n{}\n]\n", lines.join(",\n")) }
}
