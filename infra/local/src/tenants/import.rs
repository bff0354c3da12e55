//! Imports a file of tenants: checks the whole file, then writes it tenant by tenant.
//!
//! The check against the directory simulates the writes in the order of the file, so a tenant may take names that an
//! earlier line takes from another. An interrupted import can be repeated from the beginning, whatever it has written.

use std::collections::HashMap;
use std::hash::Hash;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use imageshare::domain::{CloudAccountId, DirectoryEntry, OrganizationId, Region, TenantId};
use serde_json::Value;

use super::file::{self, LineError, TenantLine};
use super::progress::Progress;
use super::wire::{list_tenants, parse_tenant, tenant_path};
use crate::cli::FileFormat;
use crate::client::{Client, ClientError};

/// How often a tenant is sent to a busy service, and how long to wait in between.
const MAX_ATTEMPTS: u32 = 5;
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Why a file was not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file's name does not end in a known format.
    #[error("{}: set the file's format with --format csv or --format json", .0.display())]
    UnknownFormat(PathBuf),
    /// Lines are invalid. Has their number, as the subject of the message; their errors have been printed.
    #[error("nothing was imported: {} refused", .0)]
    InvalidLines(String),
    /// The directory cannot be read; nothing was imported.
    #[error("{0}")]
    Client(#[from] ClientError),
    /// A write failed after others succeeded.
    #[error(
        "line {line}: {problem}\n{written} of {total} tenants were written before that; run the same command again to \
         complete it"
    )]
    Interrupted {
        /// The line that was not written.
        line: u64,
        /// The error of that line.
        problem: Box<ClientError>,
        /// How many tenants were written before.
        written: usize,
        /// How many tenants the file has.
        total: usize,
    },
}

/// Imports a file. Returns the command's output; prints progress on stderr. One request for each page of the directory
/// and for each line.
///
/// # Errors
/// [`ImportError`]. Nothing was written, except with [`ImportError::Interrupted`].
pub(super) async fn import(
    path: &Path,
    format: Option<FileFormat>,
    client: impl FnOnce() -> Result<Client, ClientError>,
) -> Result<String, ImportError> {
    let format =
        format.or_else(|| detect_format(path)).ok_or_else(|| ImportError::UnknownFormat(path.to_owned()))?;
    let bytes = std::fs::read(path).map_err(|source| ImportError::File { path: path.to_owned(), source })?;
    let (lines, errors) = file::parse_file(&bytes, format);
    reject_invalid_lines(path, &errors)?;
    let client = client()?;
    let mut directory: HashMap<_, _> =
        list_tenants(&client).await?.into_iter().map(|entry| (entry.tenant.clone(), entry)).collect();
    reject_invalid_lines(path, &find_conflicts(&lines, &directory))?;
    eprintln!("{} tenants checked, writing", lines.len());

    let (mut new, mut changed) = (0, 0);
    let mut progress = Progress::start(lines.len(), Instant::now());
    for (written, line) in lines.iter().enumerate() {
        let entry = put_tenant(&client, line).await.map_err(|problem| ImportError::Interrupted {
            line: line.number,
            problem: Box::new(problem),
            written,
            total: lines.len(),
        })?;
        match directory.insert(entry.tenant.clone(), entry.clone()) {
            None => new += 1,
            Some(before) if before != entry => changed += 1,
            Some(_) => {}
        }
        if let Some(report) = progress.report(written + 1, Instant::now()) {
            eprintln!("{report}");
        }
    }
    let unchanged = lines.len() - new - changed;
    Ok(format!("{} tenants imported: {new} new, {changed} changed, {unchanged} as they were\n", lines.len()))
}

fn detect_format(path: &Path) -> Option<FileFormat> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "csv" => Some(FileFormat::Csv),
        "json" => Some(FileFormat::Json),
        _ => None,
    }
}

/// Prints each error; fails if there is one.
fn reject_invalid_lines(path: &Path, errors: &[LineError]) -> Result<(), ImportError> {
    if errors.is_empty() {
        return Ok(());
    }
    for error in errors {
        eprintln!("{}:{error}", path.display());
    }
    let mut lines: Vec<_> = errors.iter().map(|error| error.line).collect();
    lines.dedup();
    Err(ImportError::InvalidLines(match lines.len() {
        1 => "1 line is".to_owned(),
        more => format!("{more} lines are"),
    }))
}

/// Finds the lines whose names or cloud account another tenant has at the time when the line is written.
fn find_conflicts(lines: &[TenantLine], directory: &HashMap<TenantId, DirectoryEntry>) -> Vec<LineError> {
    let mut errors = find_taken(
        lines,
        ("account, project: belong to tenant", "which keeps them"),
        directory.iter().map(|(tenant, entry)| (tenant, (&entry.account, &entry.project))).collect(),
        |line| Some((&line.account, &line.project)),
    );
    errors.extend(find_taken(
        lines,
        ("cloud_account: belongs to tenant", "which keeps it"),
        directory
            .iter()
            .filter_map(|(tenant, entry)| Some((tenant, entry.cloud_account.as_ref()?)))
            .collect(),
        |line| line.cloud_account.as_ref(),
    ));
    errors.sort_by_key(|error| error.line);
    errors
}

/// Finds the lines that want what another tenant has at the time when the line is written. `held` is what each tenant
/// has before the first line.
fn find_taken<'a, T: Copy + Eq + Hash>(
    lines: &'a [TenantLine],
    (belongs, keeps): (&str, &str),
    mut held: HashMap<&'a TenantId, T>,
    wanted: impl Fn(&'a TenantLine) -> Option<T>,
) -> Vec<LineError> {
    let line_numbers: HashMap<_, _> = lines.iter().map(|line| (&line.tenant, line.number)).collect();
    let mut holders: HashMap<T, &TenantId> = held.iter().map(|(tenant, held)| (*held, *tenant)).collect();
    let mut errors = Vec::new();
    for line in lines {
        let wanted = wanted(line);
        match wanted.and_then(|wanted| holders.get(&wanted)) {
            Some(holder) if **holder != line.tenant => {
                let until = match line_numbers.get(*holder) {
                    Some(later) if *later > line.number => format!(
                        "until line {later}: put that line first, or give {holder} others before this file"
                    ),
                    _ => keeps.to_owned(),
                };
                let problem = format!("{belongs} {holder}, {until}.");
                errors.push(LineError { line: line.number, problem });
            }
            _ => {
                if let Some(former) = held.remove(&line.tenant) {
                    holders.remove(&former);
                }
                if let Some(wanted) = wanted {
                    held.insert(&line.tenant, wanted);
                    holders.insert(wanted, &line.tenant);
                }
            }
        }
    }
    errors
}

/// Writes one tenant, with retries while the service is busy. Returns its directory entry.
async fn put_tenant(client: &Client, line: &TenantLine) -> Result<DirectoryEntry, ClientError> {
    let members = [
        ("account", Some(line.account.as_str())),
        ("project", Some(line.project.as_str())),
        ("region", line.region.as_ref().map(Region::as_str)),
        ("organization", line.organization.as_ref().map(OrganizationId::as_str)),
        ("cloud_account", line.cloud_account.as_ref().map(CloudAccountId::as_str)),
    ];
    let members = members.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let body: Value = members.collect();
    let mut attempt = 1;
    loop {
        match client.request("PUT", &tenant_path(&line.tenant), Some(&body)).await {
            Ok(response) => return parse_tenant(response.get("tenant").unwrap_or(&Value::Null)),
            Err(ClientError::Busy(_)) if attempt < MAX_ATTEMPTS => tokio::time::sleep(RETRY_DELAY).await,
            Err(problem) => return Err(problem),
        }
        attempt += 1;
    }
}
