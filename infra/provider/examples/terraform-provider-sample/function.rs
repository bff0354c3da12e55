//! `provider::sample::half`: half of an even number.

use imageshare_provider::server::{Function, FunctionFailure, Parameter, Signature};
use imageshare_provider::value::{Type, Value};

/// The function `half`.
pub struct Half;

impl Function for Half {
    fn name(&self) -> &'static str {
        "half"
    }

    fn signature(&self) -> Signature {
        Signature {
            summary: "Half of a number.",
            description: "Half of an even number.",
            parameters: vec![Parameter { name: "number", description: "An even number.", ty: Type::Number }],
            result: Type::Number,
        }
    }

    fn call(&self, arguments: &[Value]) -> Result<Value, FunctionFailure> {
        match arguments.first().and_then(Value::as_i64).filter(|number| number % 2 == 0) {
            Some(number) => Ok((number / 2).into()),
            None => Err(FunctionFailure { text: "Expected an even number.".to_owned(), argument: Some(0) }),
        }
    }
}
