//! Reads one secret: a signed call in, its text out.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use serde_json::{Value, json};

use super::reference::{SecretReference, SecretService};
use crate::auth::certificate_authorities::CertificateAuthorities;
use crate::auth::http_client::{HttpClient, OutgoingRequest};
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
    region: String,
    url: String,
    credentials: Credentials,
    http: HttpClient,
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
            SecretService::Ssm => stores.ssm_url.clone(),
            SecretService::SecretsManager => stores.secrets_manager_url.clone(),
        };
        let url = url.unwrap_or_else(|| {
            let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
            format!("https://{}.{region}.amazonaws.com{suffix}", reference.service.as_str())
        });
        let url = format!("{}/", url.trim_end_matches('/'));
        let http = HttpClient::new(&CertificateAuthorities::default(), CALL_TIMEOUT)?;
        Some(Self { setting, reference, region, url, credentials: stores.credentials.clone(), http })
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
        let unsent = |problem: String| (SecretFault::Unavailable, problem);
        let (status, body) = self.http.send(&self.signed_call().map_err(unsent)?).await.map_err(unsent)?;
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status != 200 {
            return Err(fault_of_response(status, &body));
        }
        let text = match self.reference.service {
            SecretService::Ssm => body.pointer("/Parameter/Value"),
            SecretService::SecretsManager => body.get("SecretString"),
        };
        text.and_then(Value::as_str).map(str::to_owned).ok_or((SecretFault::NotText, String::new()))
    }

    /// The call that reads the secret, signed now.
    fn signed_call(&self) -> Result<OutgoingRequest, String> {
        let (target, arguments) = match self.reference.service {
            SecretService::Ssm => {
                ("AmazonSSM.GetParameter", json!({"Name": self.reference.id, "WithDecryption": true}))
            }
            SecretService::SecretsManager => {
                ("secretsmanager.GetSecretValue", json!({"SecretId": self.reference.id}))
            }
        };
        let mut headers = vec![
            ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()),
            ("x-amz-target".to_owned(), target.to_owned()),
        ];
        let body = arguments.to_string();
        let identity = self.credentials.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.reference.service.as_str())
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build();
        let params = params.map_err(|problem| problem.to_string())?.into();
        let signed_headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let signable = SignableBody::Bytes(body.as_bytes());
        let request = SignableRequest::new("POST", self.url.as_str(), signed_headers, signable);
        let output = request.and_then(|request| sign(request, &params));
        let (instructions, _) = output.map_err(|problem| problem.to_string())?.into_parts();
        headers.extend(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())));
        Ok(OutgoingRequest { method: "POST", url: self.url.clone(), headers, body })
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
