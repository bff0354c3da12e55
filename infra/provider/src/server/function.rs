//! A function of the provider. It computes from its arguments alone: Terraform calls it before the provider is configured.

use crate::value::{Type, Value};

/// A function, called `provider::imageshare::NAME(…)`.
pub trait Function: Send + Sync + 'static {
    /// Its name, such as `parse_share_id`.
    fn name(&self) -> &'static str;

    /// What it takes and returns.
    fn signature(&self) -> Signature;

    /// Computes it. The arguments are known, not null, and as many as there are parameters.
    ///
    /// # Errors
    /// An argument is refused.
    fn call(&self, arguments: &[Value]) -> Result<Value, FunctionFailure>;
}

/// What a function takes and returns.
#[derive(Debug, Clone)]
pub struct Signature {
    /// What it does, in a line.
    pub summary: &'static str,
    /// What it does, in Markdown.
    pub description: &'static str,
    /// Its arguments.
    pub parameters: Vec<Parameter>,
    /// The type of its result.
    pub result: Type,
}

/// An argument of a function.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub description: &'static str,
    /// Its type.
    pub ty: Type,
}

/// Why a function has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionFailure {
    /// What was expected, and what was found.
    pub text: String,
    /// The position of the argument at fault, from zero.
    pub argument: Option<usize>,
}
