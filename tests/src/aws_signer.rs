//! Signs requests as the AWS CLI and SDKs do, with AWS's own crate.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;

use crate::api::ApiRequest;

/// The host that signed requests name.
const HOST: &str = "images.example";

/// An access key, and the region that its holder is configured for.
#[derive(Debug, Clone)]
pub struct AwsSigner {
    /// The id of the access key.
    pub key_id: String,
    /// The secret of the access key.
    pub secret: String,
    /// The region.
    pub region: String,
    /// The date of the signatures.
    pub date: SystemTime,
}

impl AwsSigner {
    /// A call of EventBridge, as `AWSEvents.PutEvents`, signed.
    ///
    /// # Panics
    /// If the request cannot be signed.
    pub fn call(&self, path: &str, target: &str, body: &str) -> ApiRequest {
        let mut headers = vec![
            ("host".to_owned(), HOST.to_owned()),
            ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()),
            ("x-amz-target".to_owned(), target.to_owned()),
        ];
        let identity = Credentials::new(&self.key_id, &self.secret, None, None, "test").into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("events")
            .time(self.date)
            .settings(SigningSettings::default())
            .build()
            .expect("all parameters")
            .into();
        let signable = SignableRequest::new(
            "POST",
            format!("http://{HOST}{path}"),
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())),
            SignableBody::Bytes(body.as_bytes()),
        );
        let signed = sign(signable.expect("a request"), &params).expect("a signature");
        let added = signed.output().headers().map(|(name, value)| (name.to_owned(), value.to_owned()));
        headers.extend(added.collect::<Vec<_>>());
        let request = ApiRequest::new("POST", path);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        request.bytes(body)
    }
}
