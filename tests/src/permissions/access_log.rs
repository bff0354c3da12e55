//! What has been done to a table over HTTP, and by which function.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderMap;

use super::wire::{accesses_of_request, function_of_request};
use super::{MODULE_PERMISSIONS, Permissions, check};

/// The accesses since the last look, by access key. The tests give each function its name as access key.
#[derive(Debug, Default)]
pub(crate) struct AccessLog {
    seen: Mutex<Permissions>,
    is_lenient: AtomicBool,
}

impl AccessLog {
    /// Records a request. Returns DynamoDB's message if its function may not make it.
    pub(crate) fn admit(&self, headers: &HeaderMap, operation: &str, body: &[u8]) -> Result<(), String> {
        let Some(function) = function_of_request(headers) else { return Ok(()) };
        let accesses = accesses_of_request(operation, body);
        let mut seen = self.seen.lock().expect("no panic");
        for access in &accesses {
            seen.insert(function, access.clone());
        }
        let is_function = MODULE_PERMISSIONS.functions().any(|name| name == function);
        if is_function && !self.is_lenient.load(Ordering::Relaxed) {
            check(function, &accesses)
        } else {
            Ok(())
        }
    }

    /// Only records from now on.
    pub(crate) fn allow_everything(&self) {
        self.is_lenient.store(true, Ordering::Relaxed);
    }

    /// Returns the accesses since the last call.
    pub(crate) fn take(&self) -> Permissions {
        std::mem::take(&mut self.seen.lock().expect("no panic"))
    }
}
