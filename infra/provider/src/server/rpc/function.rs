//! Functions.

use std::collections::BTreeMap;

use super::wire::{decode, encode};
use crate::diagnostic::Diagnostic;
use crate::protocol::{
    self, CallFunctionRequest, CallFunctionResponse, Empty, Failure, FunctionError, FunctionParameter,
    FunctionReturn, GetFunctionsResponse, StringKind,
};
use crate::server::{FunctionFailure, Parameter, Provider, Server, Signature};

impl<P: Provider> Server<P> {
    pub(in crate::server) fn get_functions(&self, _: Empty) -> GetFunctionsResponse {
        GetFunctionsResponse { functions: self.function_definitions(), diagnostics: Vec::new() }
    }

    pub(super) fn function_definitions(&self) -> BTreeMap<String, protocol::Function> {
        let functions = self.registry.functions.iter();
        functions.map(|(name, function)| ((*name).to_owned(), definition(function.signature()))).collect()
    }

    pub(in crate::server) fn call_function(&self, request: CallFunctionRequest) -> CallFunctionResponse {
        match self.try_call(&request) {
            Ok(Ok(result)) => CallFunctionResponse { result: Some(result), error: None },
            Ok(Err(failure)) => CallFunctionResponse { result: None, error: Some(failure.into()) },
            Err(problem) => CallFunctionResponse::failure(problem.into()),
        }
    }

    fn try_call(
        &self,
        request: &CallFunctionRequest,
    ) -> Result<Result<protocol::DynamicValue, FunctionFailure>, Diagnostic> {
        let function = self.registry.functions.get(request.name.as_str());
        let function = function.ok_or_else(|| {
            Diagnostic::error(
                "Unknown function",
                format!("This version of the provider has no {:?}.", request.name),
            )
        })?;
        let Signature { parameters, result, .. } = function.signature();
        if parameters.len() != request.arguments.len() {
            let detail = format!("{:?} takes {} arguments.", request.name, parameters.len());
            return Err(Diagnostic::error("Another number of arguments", detail));
        }
        let arguments = parameters.iter().zip(&request.arguments);
        let arguments: Vec<_> = arguments
            .map(|(parameter, argument)| decode(Some(argument), &parameter.ty))
            .collect::<Result<_, _>>()?;
        function
            .call(&arguments)
            .map(|value| encode(&value, &result))
            .map_or_else(|failure| Ok(Err(failure)), |encoded| encoded.map(Ok))
    }
}

fn definition(signature: Signature) -> protocol::Function {
    let parameter = |parameter: Parameter| FunctionParameter {
        name: parameter.name.to_owned(),
        r#type: parameter.ty.to_json(),
        description: parameter.description.to_owned(),
        description_kind: StringKind::Markdown.into(),
        allow_null_value: false,
        allow_unknown_values: false,
    };
    protocol::Function {
        parameters: signature.parameters.into_iter().map(parameter).collect(),
        r#return: Some(FunctionReturn { r#type: signature.result.to_json() }),
        summary: signature.summary.to_owned(),
        description: signature.description.to_owned(),
        description_kind: StringKind::Markdown.into(),
        ..Default::default()
    }
}

impl From<FunctionFailure> for FunctionError {
    fn from(failure: FunctionFailure) -> Self {
        let argument = failure.argument.and_then(|position| i64::try_from(position).ok());
        Self { text: failure.text, function_argument: argument }
    }
}
