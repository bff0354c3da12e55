//! A bus that keeps what is published, and checks each event against its schema.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

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

/// A bus that keeps its entries.
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
        entries.iter().for_each(check_entry);
        self.0.lock().expect("the entries").extend_from_slice(entries);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Checks that an entry of the service's own is bounded, and that its detail is what the schema of its kind allows:
/// nothing more, so no secret.
///
/// # Panics
/// If it is not.
pub fn check_entry(entry: &BusEntry) {
    assert_eq!(entry.source, SOURCE);
    let detail: Detail = serde_json::from_value(entry.detail.clone()).expect("a detail");
    let schema = SCHEMAS.get(detail.kind.as_str()).expect("the schema of its kind");
    let problems: Vec<_> = schema.iter_errors(&entry.detail).map(|problem| problem.to_string()).collect();
    assert!(problems.is_empty(), "{problems:?}\n{}", entry.detail);
    assert!(entry.detail.to_string().len() <= MAX_DETAIL_BYTES, "{}", entry.detail);
}
