//! Imports a file of tenants: checks all of it, and then writes it tenant by tenant.
//!
//! What is checked against the directory is checked in the order of the file, as it is written: a tenant may take names that
//! an earlier line has another tenant give up. So the same file can be imported again from its beginning whatever part of it
//! was written before.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use imageshare::domain::{DirectoryEntry, Name, TenantId};
use serde_json::{Value, json};

use super::file::{self, LineError, TenantLine};
use super::progress::Progress;
use super::wire::{list_tenants, parse_tenant, tenant_path};
use crate::cli::FileFormat;
use crate::client::{Client, ClientError};

/// How often a tenant is sent to a service that is busy, and how long to wait in between.
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
        /// What the system says.
        source: io::Error,
    },
    /// Its name does not say what it is.
    #[error("{}: say what it is with --format csv or --format json", .0.display())]
    UnknownFormat(PathBuf),
    /// Lines of it are refused, so many; what is wrong with them has been told.
    #[error("nothing was imported: {} refused", .0)]
    InvalidLines(String),
    /// The directory cannot be asked; nothing was imported.
    #[error("{0}")]
    Client(#[from] ClientError),
    /// Some of it was written.
    #[error(
        "line {line}: {problem}\n{written} of {total} tenants were written before that; run the same command again to complete it"
    )]
    Interrupted {
        /// The line that was not written.
        line: u64,
        /// Why.
        problem: Box<ClientError>,
        /// How many were.
        written: usize,
        /// How many tenants the file has.
        total: usize,
    },
}

/// Imports a file. Returns what is to be printed; tells on stderr how far it is.
pub(super) async fn import(
    path: &Path,
    format: Option<FileFormat>,
    client: impl FnOnce() -> Result<Client, ClientError>,
) -> Result<String, ImportError> {
    let format =
        format.or_else(|| detect_format(path)).ok_or_else(|| ImportError::UnknownFormat(path.to_owned()))?;
    let bytes = std::fs::read(path).map_err(|source| ImportError::File { path: path.to_owned(), source })?;
    let (lines, wrong) = file::parse_file(&bytes, format);
    reject_invalid_lines(path, &wrong)?;
    let client = client()?;
    let mut known: HashMap<_, _> =
        list_tenants(&client).await?.into_iter().map(|entry| (entry.tenant.clone(), entry)).collect();
    reject_invalid_lines(path, &find_name_conflicts(&lines, &known))?;
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
        match known.insert(entry.tenant.clone(), entry.clone()) {
            None => new += 1,
            Some(before) if before != entry => changed += 1,
            Some(_) => {}
        }
        if let Some(told) = progress.report(written + 1, Instant::now()) {
            eprintln!("{told}");
        }
    }
    let same = lines.len() - new - changed;
    Ok(format!("{} tenants imported: {new} new, {changed} changed, {same} as they were\n", lines.len()))
}

fn detect_format(path: &Path) -> Option<FileFormat> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "csv" => Some(FileFormat::Csv),
        "json" => Some(FileFormat::Json),
        _ => None,
    }
}

/// Tells of each line what is wrong with it.
fn reject_invalid_lines(path: &Path, wrong: &[LineError]) -> Result<(), ImportError> {
    if wrong.is_empty() {
        return Ok(());
    }
    for wrong in wrong {
        eprintln!("{}:{wrong}", path.display());
    }
    let mut lines: Vec<_> = wrong.iter().map(|wrong| wrong.line).collect();
    lines.dedup();
    Err(ImportError::InvalidLines(match lines.len() {
        1 => "1 line is".to_owned(),
        more => format!("{more} lines are"),
    }))
}

/// The lines whose names are another tenant's when it is their turn.
fn find_name_conflicts(lines: &[TenantLine], known: &HashMap<TenantId, DirectoryEntry>) -> Vec<LineError> {
    let places: HashMap<_, _> = lines.iter().map(|line| (&line.tenant, line.number)).collect();
    let mut names: HashMap<&TenantId, (&Name, &Name)> =
        known.iter().map(|(tenant, entry)| (tenant, (&entry.account, &entry.project))).collect();
    let mut holders: HashMap<_, _> = names.iter().map(|(tenant, names)| (*names, *tenant)).collect();
    let mut wrong = Vec::new();
    for line in lines {
        let wanted = (&line.account, &line.project);
        match holders.get(&wanted) {
            Some(holder) if **holder != line.tenant => {
                let until = match places.get(*holder) {
                    Some(later) if *later > line.number => format!(
                        "until line {later}: put that line first, or give {holder} other names before this file"
                    ),
                    _ => "which keeps them".to_owned(),
                };
                let problem = format!("account, project: are those of tenant {holder}, {until}.");
                wrong.push(LineError { line: line.number, problem });
            }
            _ => {
                if let Some(former) = names.insert(&line.tenant, wanted) {
                    holders.remove(&former);
                }
                holders.insert(wanted, &line.tenant);
            }
        }
    }
    wrong
}

/// Writes one tenant; again where the service is busy. Returns it as it stands there.
async fn put_tenant(client: &Client, line: &TenantLine) -> Result<DirectoryEntry, ClientError> {
    let (account, project) = (line.account.as_str(), line.project.as_str());
    let body = match &line.region {
        None => json!({ "account": account, "project": project }),
        Some(region) => json!({ "account": account, "project": project, "region": region.as_str() }),
    };
    let mut attempt = 1;
    loop {
        match client.request("PUT", &tenant_path(&line.tenant), Some(&body)).await {
            Ok(answer) => return parse_tenant(answer.get("tenant").unwrap_or(&Value::Null)),
            Err(ClientError::Busy(_)) if attempt < MAX_ATTEMPTS => tokio::time::sleep(RETRY_DELAY).await,
            Err(problem) => return Err(problem),
        }
        attempt += 1;
    }
}
