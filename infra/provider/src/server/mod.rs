//! The procedures of the protocol, over what a provider consists of.
//!
//! A provider implements [`Provider`], and [`Resource`], [`DataSource`], [`Ephemeral`], [`Function`] and [`ListResource`] for what it
//! has. These see decoded values and return errors; everything else is done here: schemas, plans, identities, imports, upgrades of
//! stored states, what may be stored.

mod call;
mod data_source;
mod dispatch;
mod ephemeral;
mod function;
mod identity;
mod list;
mod moved;
mod private;
mod provider;
mod registry;
mod resource;
mod rpc;
#[cfg(test)]
mod tests;

use std::mem;
use std::sync::{Arc, PoisonError, RwLock};

pub use call::{Context, Create, Delete, Plan, Read, Update};
pub use data_source::DataSource;
pub use ephemeral::{Ephemeral, Opened, Renewed};
pub use function::{Function, FunctionFailure, Parameter, Signature};
pub use list::{ListRequest, ListResource, Listed};
pub use moved::Moved;
pub use private::Private;
pub use provider::Provider;
pub use resource::Resource;
pub use tokio_util::sync::CancellationToken;

use registry::Registry;

/// A provider that answers Terraform.
pub struct Server<P: Provider> {
    provider: P,
    registry: Registry<P::Client>,
    configuration: RwLock<Configuration<P::Client>>,
    stop: CancellationToken,
    operations: RwLock<CancellationToken>,
}

/// How far the configuration of the provider has come.
enum Configuration<C> {
    /// Terraform has not sent it.
    Missing,
    /// Some of it is known only after the apply, such as the address of a server that is still to be created.
    Unknown,
    /// It was accepted.
    Ready(Arc<C>),
}

impl<C> Clone for Configuration<C> {
    fn clone(&self) -> Self {
        match self {
            Self::Missing => Self::Missing,
            Self::Unknown => Self::Unknown,
            Self::Ready(client) => Self::Ready(Arc::clone(client)),
        }
    }
}

impl<P: Provider> Server<P> {
    /// A server that is not configured yet.
    pub fn new(provider: P) -> Self {
        let registry = Registry::new(&provider);
        let stop = CancellationToken::new();
        let operations = RwLock::new(stop.child_token());
        Self { provider, registry, configuration: RwLock::new(Configuration::Missing), stop, operations }
    }

    /// Cancelling it ends what runs and what begins later, since the process ends.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Cancelled when the operations that run now have to come to an end.
    fn operations(&self) -> CancellationToken {
        self.operations.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has the operations that run come to an end. Later ones run: a process that Terraform attaches to outlives an interrupt.
    fn stop_operations(&self) {
        let mut operations = self.operations.write().unwrap_or_else(PoisonError::into_inner);
        mem::replace(&mut *operations, self.stop.child_token()).cancel();
    }

    fn configuration(&self) -> Configuration<P::Client> {
        self.configuration.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_configuration(&self, configuration: Configuration<P::Client>) {
        *self.configuration.write().unwrap_or_else(PoisonError::into_inner) = configuration;
    }
}
