//! Reads one secret: a signed call in, its text out.

use std::fmt;
use std::time::Duration;

use aws_credential_types::Credentials;
use serde_json::{Value, json};

use super::reference::{SecretReference, SecretService};
use crate::auth::aws_service::{AwsResponse, AwsService};
use crate::auth::refreshed::FetchError;

/// How long a call may take, from the connection to the last byte of the response, retry included: a request that waits for
/// it still gets its 503 in time.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);

/// The most characters of a service's own message that are logged.
const MAX_DETAIL_CHARS: usize = 500;

/// Access to the services that keep secrets.
#[derive(Clone)]
pub struct SecretStores {
    /// The function's region.
    pub region: String,
    /// The credentials of the function's role.
    pub credentials: Credentials,
    /// The address of the Parameter Store, if not AWS's own.
    pub ssm_url: Option<String>,
    /// The address of Secrets Manager, if not AWS's own.
    pub secrets_manager_url: Option<String>,
}

/// Reads the secret of one setting.
pub struct SecretReader {
    /// The setting that refers to the secret, for messages.
    setting: &'static str,
    reference: SecretReference,
    service: AwsService,
}

/// Why a secret cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum SecretFault {
    #[error("does not exist: create it, or correct the reference")]
    NotFound,
    #[error("may not be read: allow the function's role to read it, and to decrypt with its key")]
    Denied,
    #[error("cannot be read now, since its service does not respond")]
    Unavailable,
    #[error("cannot be read: its service answered {0}")]
    Refused(String),
    #[error("holds no text: store the value as a string")]
    NotText,
    #[error("holds a value that is not valid: correct it")]
    Invalid,
}

impl SecretReader {
    /// Creates a reader for a setting's secret; `None` if the TLS library cannot be used. Opens no connection yet.
    pub fn new(setting: &'static str, reference: SecretReference, stores: &SecretStores) -> Option<Self> {
        let region = reference.region.as_ref().unwrap_or(&stores.region).clone();
        let url = match reference.service {
            SecretService::Ssm => stores.ssm_url.as_deref(),
            SecretService::SecretsManager => stores.secrets_manager_url.as_deref(),
        };
        let (name, credentials) = (reference.service.as_str(), stores.credentials.clone());
        let service = AwsService::new(name, &region, url, credentials, CALL_TIMEOUT)?;
        Some(Self { setting, reference, service })
    }

    /// Reads the secret and parses it. One call.
    ///
    /// # Errors
    /// [`FetchError`] names the setting and the secret, and shows nothing of its value.
    pub(in crate::auth) async fn read_as<T, E: fmt::Display>(
        &self,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<T, FetchError> {
        let text = self.read().await.map_err(|(fault, detail)| self.error(&fault, &detail))?;
        parse(&text).map_err(|problem| self.error(&SecretFault::Invalid, &problem.to_string()))
    }

    fn error(&self, fault: &SecretFault, detail: &str) -> FetchError {
        FetchError {
            problem: format!("{}: {} {fault}", self.setting, self.reference),
            detail: detail.chars().take(MAX_DETAIL_CHARS).collect(),
        }
    }

    /// Reads the secret's text, or returns the fault with what the service says about it.
    async fn read(&self) -> Result<String, (SecretFault, String)> {
        let (target, arguments) = self.call();
        let response = self.service.call(target, &arguments).await;
        let AwsResponse { status, body } = response.map_err(|problem| (SecretFault::Unavailable, problem))?;
        if status != 200 {
            return Err(fault_of_response(status, &body));
        }
        let text = match self.reference.service {
            SecretService::Ssm => body.pointer("/Parameter/Value"),
            SecretService::SecretsManager => body.get("SecretString"),
        };
        text.and_then(Value::as_str).map(str::to_owned).ok_or((SecretFault::NotText, String::new()))
    }

    /// The call that reads the secret: its name and its arguments.
    fn call(&self) -> (&'static str, Value) {
        match self.reference.service {
            SecretService::Ssm => {
                ("AmazonSSM.GetParameter", json!({"Name": self.reference.id, "WithDecryption": true}))
            }
            SecretService::SecretsManager => {
                ("secretsmanager.GetSecretValue", json!({"SecretId": self.reference.id}))
            }
        }
    }
}

/// The fault that an error response reports, with its message.
fn fault_of_response(status: u16, body: &Value) -> (SecretFault, String) {
    // As `ParameterNotFound`, with or without a namespace before a `#`.
    let code = body.get("__type").and_then(Value::as_str).unwrap_or_default();
    let code = code.rsplit('#').next().unwrap_or_default();
    let message = body.get("message").or_else(|| body.get("Message")).and_then(Value::as_str);
    let detail = format!("{status} {code}: {}", message.unwrap_or_default());
    let fault = match code {
        "ParameterNotFound" | "ParameterVersionNotFound" | "ResourceNotFoundException" => {
            SecretFault::NotFound
        }
        "AccessDeniedException" | "DecryptionFailure" | "InvalidKeyId" => SecretFault::Denied,
        "ThrottlingException" | "InternalServerError" | "InternalServiceError" => SecretFault::Unavailable,
        _ if status >= 500 => SecretFault::Unavailable,
        "" => SecretFault::Refused(format!("{status}")),
        // What the service names itself, not a text of its own.
        code if code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            SecretFault::Refused(code.to_owned())
        }
        _ => SecretFault::Refused(format!("{status}")),
    };
    (fault, detail)
}

/// Shows the reference, never the credentials.
impl fmt::Debug for SecretReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SecretReader").field(&self.reference).finish()
    }
}

/// Shows the region, never the credentials.
impl fmt::Debug for SecretStores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretStores").field("region", &self.region).finish_non_exhaustive()
    }
}
