//! Calls of an AWS service that speaks JSON, signed with the function's credentials. An SDK for each of them would be a
//! good part of a function's package.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use serde_json::Value;

use super::certificate_authorities::CertificateAuthorities;
use super::http_client::{HttpClient, OutgoingRequest};

/// A service in one region.
pub struct AwsService {
    /// Its name in signatures and, for most services, in its host name.
    name: &'static str,
    region: String,
    url: String,
    credentials: Credentials,
    http: HttpClient,
}

/// The response to a call.
#[derive(Debug)]
pub struct AwsResponse {
    /// Its status.
    pub status: u16,
    /// Its body; null if that is no JSON.
    pub body: Value,
}

impl AwsService {
    /// Creates a client; `None` if the TLS library cannot be used. Opens no connection yet. `url` is the address of the
    /// service, if it is not AWS's own. A call may take `timeout`, from the connection to the last byte of the response,
    /// retry included.
    pub fn new(
        name: &'static str,
        region: &str,
        url: Option<&str>,
        credentials: Credentials,
        timeout: Duration,
    ) -> Option<Self> {
        let url = url.map_or_else(
            || {
                let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
                format!("https://{name}.{region}.amazonaws.com{suffix}")
            },
            str::to_owned,
        );
        let url = format!("{}/", url.trim_end_matches('/'));
        let http = HttpClient::new(&CertificateAuthorities::default(), timeout)?;
        Some(Self { name, region: region.to_owned(), url, credentials, http })
    }

    /// Makes the call `target` with its arguments as JSON. A call whose connection turns out to be dead is sent again, so
    /// it has to be idempotent.
    ///
    /// # Errors
    /// A message for the log, if there is no complete response in time.
    pub async fn call(&self, target: &str, arguments: &Value) -> Result<AwsResponse, String> {
        let (status, body) = self.http.send(&self.signed(target, arguments.to_string())?).await?;
        Ok(AwsResponse { status, body: serde_json::from_slice(&body).unwrap_or_default() })
    }

    /// The request of a call, signed now.
    fn signed(&self, target: &str, body: String) -> Result<OutgoingRequest, String> {
        let mut headers = vec![
            ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()),
            ("x-amz-target".to_owned(), target.to_owned()),
        ];
        let identity = self.credentials.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.name)
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

/// Shows the service, never the credentials.
impl fmt::Debug for AwsService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsService").field("name", &self.name).field("url", &self.url).finish_non_exhaustive()
    }
}
