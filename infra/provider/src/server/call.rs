//! What an operation of a resource gets, and what it leaves behind.

use std::time::Duration;

use super::{CancellationToken, Private};
use crate::diagnostic::Diagnostics;
use crate::schema::{Operation, TIMEOUTS, parse_duration};
use crate::value::{Object, Path};

/// What every operation has.
pub struct Context<'a, C> {
    /// The provider's client.
    pub client: &'a C,
    /// Cancelled when the user interrupts Terraform. An operation that waits stops waiting then: it leaves the state true and adds a
    /// warning. An error would taint a resource that was only just created, so that the next apply would replace it.
    pub stop: CancellationToken,
    /// Warnings, and errors beside the one that is returned.
    pub diagnostics: Diagnostics,
    /// What the provider keeps with the state for itself.
    pub private: Private,
    timeout: Option<Duration>,
}

impl<'a, C> Context<'a, C> {
    pub(super) fn new(client: &'a C, stop: CancellationToken, private: Private) -> Self {
        Self { client, stop, diagnostics: Diagnostics::default(), private, timeout: None }
    }

    /// Takes the time limit of an operation from the attribute `timeouts` of an object.
    pub(super) fn with_timeout(mut self, of: &Object, operation: Operation) -> Self {
        let text = of.object(TIMEOUTS).and_then(|timeouts| timeouts.str(operation.name()));
        self.timeout = text.and_then(parse_duration);
        self
    }

    /// How long the operation may take: what the configuration says, or else this.
    pub fn timeout(&self, default: Duration) -> Duration {
        self.timeout.unwrap_or(default)
    }
}

/// The creation of a resource.
pub struct Create {
    /// The configuration, with the write-only arguments that are in no plan.
    pub config: Object,
    /// The planned state. What is unknown in it is for the creation to fill in.
    pub plan: Object,
    /// What exists. It is `None` at first; the creation sets it as soon as there is anything, and again when there is more. Also
    /// after an error it is what Terraform stores, as a resource to be replaced.
    pub state: Option<Object>,
}

/// The reading of a resource.
pub struct Read {
    /// The state as it was; the reading brings it up to date, or sets it to `None` if the resource does not exist any more. During an
    /// import it has the attributes of the identity only.
    pub state: Option<Object>,
    /// Whether it is an import.
    pub is_import: bool,
}

/// An update in place.
pub struct Update {
    /// The configuration, with the write-only arguments that are in no plan.
    pub config: Object,
    /// The state as it was.
    pub prior: Object,
    /// The planned state. What is unknown in it is for the update to fill in.
    pub plan: Object,
    /// What exists: at first the state as it was. Also after an error it is what Terraform stores.
    pub state: Object,
}

/// The deletion of a resource.
pub struct Delete {
    /// The state as it was. If the deletion fails, it is what Terraform stores; a deletion that is not complete changes it.
    pub state: Object,
}

/// A plan that a resource may refine.
pub struct Plan<'a> {
    /// The configuration.
    pub config: &'a Object,
    /// The state as it was; `None` for a creation.
    pub prior: Option<&'a Object>,
    /// The planned state. The resource may set what is computed: to what it will be, to unknown if it will change, or to what it was.
    pub state: Object,
    pub(super) replace: Vec<Path>,
}

impl Plan<'_> {
    /// The resource has to be replaced because of this attribute.
    pub fn replace_because_of(&mut self, path: impl Into<Path>) {
        self.replace.push(path.into());
    }

    /// Whether this attribute differs from the state as it was.
    pub fn changes(&self, name: &str) -> bool {
        self.prior.is_none_or(|prior| prior.get(name) != self.state.get(name))
    }

    /// Whether anything differs from the state as it was.
    pub fn changes_anything(&self) -> bool {
        self.prior != Some(&self.state)
    }
}
