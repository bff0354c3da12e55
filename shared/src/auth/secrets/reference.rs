//! Where a secret is kept, as a setting names it.

use std::fmt;
use std::str::FromStr;

/// The most characters of a name: the limit of a parameter's ARN.
const MAX_NAME_CHARS: usize = 2048;

/// The setting is not a reference to a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected ssm:NAME, secretsmanager:NAME, or the ARN of a parameter (…:parameter/NAME) or secret (…:secret:NAME)"
)]
pub struct BadSecretReference;

/// A service of AWS that keeps secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecretService {
    /// The Parameter Store of Systems Manager.
    Ssm,
    /// Secrets Manager.
    SecretsManager,
}

impl SecretService {
    const ALL: [Self; 2] = [Self::Ssm, Self::SecretsManager];

    /// The service's name in ARNs, host names and signatures.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ssm => "ssm",
            Self::SecretsManager => "secretsmanager",
        }
    }

    /// What the service calls a secret.
    fn noun(self) -> &'static str {
        match self {
            Self::Ssm => "parameter",
            Self::SecretsManager => "secret",
        }
    }

    /// How the last part of an ARN begins.
    fn arn_prefix(self) -> &'static str {
        match self {
            Self::Ssm => "parameter/",
            Self::SecretsManager => "secret:",
        }
    }
}

/// A reference to a parameter or secret: `ssm:NAME`, `secretsmanager:NAME`, or an ARN, which may also stand for the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretReference {
    pub(super) service: SecretService,
    /// What the service is asked for: a name or an ARN.
    pub(super) id: String,
    /// The region of an ARN; `None` is the function's own.
    pub(super) region: Option<String>,
    /// The name without account and region, for messages.
    name: String,
}

impl SecretReference {
    /// Returns whether a setting is a reference, a valid one or not, rather than the secret itself.
    pub fn is_reference(setting: &str) -> bool {
        let scheme = setting.trim_start().split_once(':').map(|(scheme, _)| scheme);
        scheme.is_some_and(|scheme| RESERVED_IDS.contains(&scheme))
    }
}

/// What references begin with. A master key cannot have such an id, since its entry would look like a reference.
pub(in crate::auth) const RESERVED_IDS: [&str; 3] = ["ssm", "secretsmanager", "arn"];

impl FromStr for SecretReference {
    type Err = BadSecretReference;

    fn from_str(text: &str) -> Result<Self, BadSecretReference> {
        let text = text.trim();
        let (scheme, id) = text.split_once(':').ok_or(BadSecretReference)?;
        if scheme == "arn" {
            return parse_arn(text);
        }
        let named = SecretService::ALL.into_iter().find(|service| service.as_str() == scheme);
        let service = named.ok_or(BadSecretReference)?;
        if id.starts_with("arn:") {
            let reference = parse_arn(id)?;
            return if reference.service == service { Ok(reference) } else { Err(BadSecretReference) };
        }
        if is_name(id) {
            Ok(Self { service, id: id.to_owned(), region: None, name: id.to_owned() })
        } else {
            Err(BadSecretReference)
        }
    }
}

/// Parses `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`.
fn parse_arn(arn: &str) -> Result<SecretReference, BadSecretReference> {
    let mut parts = arn.splitn(6, ':').skip(2);
    let (Some(service), Some(region), Some(_account), Some(resource)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(BadSecretReference);
    };
    let service = SecretService::ALL.into_iter().find(|known| known.as_str() == service);
    let service = service.ok_or(BadSecretReference)?;
    let name = resource.strip_prefix(service.arn_prefix()).ok_or(BadSecretReference)?;
    let is_region = !region.is_empty() && region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !is_region || !is_name(name) {
        return Err(BadSecretReference);
    }
    // The ARN of the parameter `/a/b` ends in `parameter/a/b`, that of `a` in `parameter/a`.
    let slash = if service == SecretService::Ssm && name.contains('/') { "/" } else { "" };
    let name = format!("{slash}{name}");
    Ok(SecretReference { service, id: arn.to_owned(), region: Some(region.to_owned()), name })
}

/// Whether a text has only the characters of names: those of both services, and the colon before a parameter's version.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_NAME_CHARS
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_+=.@-:".contains(&byte))
}

/// As `the parameter ssm:/imageshare/master-keys`, for messages: without account and region.
impl fmt::Display for SecretReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} {}:{}", self.service.noun(), self.service.as_str(), self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reference_is_a_name_or_an_arn() {
        let parameter = "arn:aws:ssm:eu-west-1:000000000000:parameter/imageshare/master-keys";
        let top = "arn:aws:ssm:eu-west-1:000000000000:parameter/keys";
        let secret = "arn:aws-cn:secretsmanager:cn-north-1:000000000000:secret:imageshare/jwks-AbCdEf";
        for (text, id, region, shown) in [
            ("ssm:/imageshare/keys", "/imageshare/keys", None, "the parameter ssm:/imageshare/keys"),
            (" ssm:keys:3 ", "keys:3", None, "the parameter ssm:keys:3"),
            ("secretsmanager:jwks", "jwks", None, "the secret secretsmanager:jwks"),
            (parameter, parameter, Some("eu-west-1"), "the parameter ssm:/imageshare/master-keys"),
            (&format!("ssm:{top}"), top, Some("eu-west-1"), "the parameter ssm:keys"),
            (secret, secret, Some("cn-north-1"), "the secret secretsmanager:imageshare/jwks-AbCdEf"),
        ] {
            let reference: SecretReference = text.parse().unwrap();
            assert_eq!((reference.id.as_str(), reference.region.as_deref()), (id, region), "{text}");
            assert_eq!(reference.to_string(), shown);
            assert!(SecretReference::is_reference(text));
        }
    }

    #[test]
    fn malformed_reference_is_not_taken_for_keys() {
        for text in [
            "ssm:",
            "ssm:a b",
            "ssm:a\nb",
            "arn:aws:s3:::bucket",
            "arn:aws:ssm:eu-west-1:000000000000:document/a",
            "arn:aws:ssm:evil.example/:000000000000:parameter/a",
            "arn:aws:ssm::000000000000:parameter/a",
            "ssm:arn:aws:secretsmanager:eu-west-1:000000000000:secret:a",
        ] {
            assert!(SecretReference::is_reference(text), "{text}");
            assert_eq!(text.parse::<SecretReference>(), Err(BadSecretReference), "{text}");
        }
        for text in ["", "new:MDEyMzQ1", "https://issuer.example/jwks", r#"{"keys":[]}"#, "ssm"] {
            assert!(!SecretReference::is_reference(text), "{text}");
        }
    }
}
