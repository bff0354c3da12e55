//! Buses that check each event of the service against its schema.

use std::collections::HashMap;
use std::process;
use std::sync::{Arc, LazyLock, Mutex};

use imageshare::domain::EventKind;
use imageshare::events::{Bus, BusEntry, Detail, Publishing, SOURCE, detail_schema};
use jsonschema::Validator;

/// The most bytes of an event: a notice, not a record.
const MAX_DETAIL_BYTES: usize = 4096;

static SCHEMAS: LazyLock<HashMap<&str, Validator>> = LazyLock::new(|| {
    let schema = |kind: EventKind| {
        let schema = serde_json::from_str(detail_schema(kind)).expect("a schema is JSON");
        let validator = jsonschema::options().should_validate_formats(true).build(&schema);
        (kind.as_str(), validator.expect("a schema"))
    };
    EventKind::ALL.into_iter().map(schema).collect()
});

/// A bus that keeps its entries, each of which has to be valid.
#[derive(Debug, Default)]
pub struct CheckedBus(Mutex<Vec<BusEntry>>);

impl CheckedBus {
    /// Takes what was published since the last call.
    pub fn take(&self) -> Vec<BusEntry> {
        std::mem::take(&mut *self.0.lock().expect("the entries"))
    }
}

impl Bus for CheckedBus {
    fn publish<'a>(&'a self, entries: &'a [BusEntry]) -> Publishing<'a> {
        for entry in entries {
            check_entry(entry).unwrap_or_else(|problem| panic!("{problem}"));
        }
        self.0.lock().expect("the entries").extend_from_slice(entries);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// The bus of a server, beneath a check. The server publishes in a task of its own, whose panic would fail no test: an
/// invalid event ends the process.
pub struct CheckingBus(Arc<dyn Bus>);

impl CheckingBus {
    /// Puts a bus beneath the check.
    pub fn new(bus: Arc<dyn Bus>) -> Self {
        Self(bus)
    }
}

impl Bus for CheckingBus {
    fn publish<'a>(&'a self, entries: &'a [BusEntry]) -> Publishing<'a> {
        if let Some(problem) = entries.iter().find_map(|entry| check_entry(entry).err()) {
            eprintln!("the server has published an invalid event: {problem}");
            process::abort();
        }
        self.0.publish(entries)
    }
}

/// Checks that an entry of the service is bounded, and that its detail is what the schema of its kind allows: nothing more,
/// so no secret.
///
/// # Errors
/// What is wrong with it.
pub fn check_entry(entry: &BusEntry) -> Result<(), String> {
    let text = entry.detail.to_string();
    if entry.source != SOURCE || text.len() > MAX_DETAIL_BYTES {
        return Err(format!("of {}, {} bytes: {text}", entry.source, text.len()));
    }
    let detail: Detail =
        serde_json::from_value(entry.detail.clone()).map_err(|problem| format!("{problem}: {text}"))?;
    let schema = SCHEMAS.get(detail.kind.as_str()).ok_or_else(|| format!("no schema: {text}"))?;
    let problems: Vec<_> = schema.iter_errors(&entry.detail).map(|problem| problem.to_string()).collect();
    if problems.is_empty() { Ok(()) } else { Err(format!("{problems:?}: {text}")) }
}
