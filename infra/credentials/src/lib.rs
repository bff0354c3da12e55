//! Where a client's endpoint and credential come from: that of the Terraform provider, and that of the command line with a profile.
//!
//! Three places, the first one that has a value wins, for each value on its own:
//!
//! 1. the arguments, such as those of Terraform's block `provider`;
//! 2. the environment: `IMAGESHARE_ENDPOINT`, `IMAGESHARE_TOKEN`, `IMAGESHARE_ACCESS_KEY_ID`,
//!    `IMAGESHARE_SECRET_ACCESS_KEY`, `IMAGESHARE_PROJECT_ID`;
//! 3. the profile of the [credentials file](mod@file): the one that the argument `profile` or `IMAGESHARE_PROFILE` names, or
//!    `default`.
//!
//! The credential is an exception: a token or an access key, as a whole, from the first place that has either. So a token
//! in the environment is not overruled by an access key in a file, and an id from one place never meets a secret from
//! another. A place that has both is refused.
#![deny(missing_docs)]

mod file;
mod secret;

use std::fmt;
use std::path::PathBuf;

use http::Uri;

pub use file::FileError;
use file::Profile;
pub use secret::Secret;

/// The environment variable of the endpoint.
pub const ENDPOINT: &str = "IMAGESHARE_ENDPOINT";
/// The environment variable of a token.
pub const TOKEN: &str = "IMAGESHARE_TOKEN";
/// The environment variable of an access key's id.
pub const ACCESS_KEY_ID: &str = "IMAGESHARE_ACCESS_KEY_ID";
/// The environment variable of an access key's secret.
pub const SECRET_ACCESS_KEY: &str = "IMAGESHARE_SECRET_ACCESS_KEY";
/// The environment variable of the project to act for.
pub const PROJECT_ID: &str = "IMAGESHARE_PROJECT_ID";
/// The environment variable that names a profile of the credentials file.
pub const PROFILE: &str = "IMAGESHARE_PROFILE";
/// The environment variable of the path of the credentials file.
pub const CREDENTIALS_FILE: &str = "IMAGESHARE_CREDENTIALS_FILE";

/// What a client authenticates with.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A token, which somebody else renews.
    Token(Secret),
    /// An access key, for which the service issues tokens.
    AccessKey {
        /// The id of the key.
        id: String,
        /// Its secret.
        secret: Secret,
    },
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The address of the service, `https://…`, or `http://` of this machine.
    pub endpoint: Uri,
    /// The credential.
    pub credential: Credential,
    /// The project to act for, if it is not the credential's own.
    pub project_id: Option<String>,
}

/// What a user has given as arguments. A value may be missing, and is then looked for elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Arguments {
    /// The address of the service.
    pub endpoint: Option<String>,
    /// A token.
    pub token: Option<Secret>,
    /// The id of an access key.
    pub access_key_id: Option<String>,
    /// Its secret.
    pub secret_access_key: Option<Secret>,
    /// The project to act for.
    pub project_id: Option<String>,
    /// The profile of the credentials file.
    pub profile: Option<String>,
}

/// An argument, as a fault is shown at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// `endpoint`
    Endpoint,
    /// `token`
    Token,
    /// `access_key_id`
    AccessKeyId,
    /// `secret_access_key`
    SecretAccessKey,
    /// `project_id`
    ProjectId,
    /// `profile`
    Profile,
}

impl Argument {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::Token => "token",
            Self::AccessKeyId => "access_key_id",
            Self::SecretAccessKey => "secret_access_key",
            Self::ProjectId => "project_id",
            Self::Profile => "profile",
        }
    }
}

/// Why there is no endpoint or no credential.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// There is no endpoint.
    #[error("there is no endpoint: give one as endpoint, in {ENDPOINT}, or in the credentials file")]
    MissingEndpoint,
    /// The endpoint is not a URL.
    #[error("{from}: expected https://HOST, with a port and a path if it has them")]
    InvalidEndpoint {
        /// Where it is from.
        from: Origin,
    },
    /// The credential would be sent unencrypted.
    #[error("{from}: a credential is sent over https:// only, or to this machine")]
    InsecureEndpoint {
        /// Where it is from.
        from: Origin,
    },
    /// There is no credential.
    #[error(
        "there is no credential: give token, or access_key_id and secret_access_key; or set {TOKEN}, or {ACCESS_KEY_ID} and {SECRET_ACCESS_KEY}; or have a profile in the credentials file"
    )]
    MissingCredential,
    /// One place has a token and an access key.
    #[error("{from}: expected a token or an access key, not both")]
    TwoCredentials {
        /// Where they are from.
        from: Origin,
    },
    /// An access key has no id.
    #[error("{from}: the secret of an access key needs its id")]
    MissingKeyId {
        /// Where the secret is from.
        from: Origin,
    },
    /// An access key has no secret.
    #[error("{from}: the id of an access key needs its secret")]
    MissingSecret {
        /// Where the id is from.
        from: Origin,
    },
    /// The credentials file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
}

impl CredentialError {
    /// Whether something is missing that is nowhere given.
    pub fn is_missing(&self) -> bool {
        use CredentialError::{MissingCredential, MissingEndpoint, MissingKeyId, MissingSecret};
        matches!(self, MissingEndpoint | MissingCredential | MissingKeyId { .. } | MissingSecret { .. })
    }

    /// The argument at fault.
    pub fn argument(&self) -> Argument {
        match self {
            Self::MissingEndpoint | Self::InvalidEndpoint { .. } | Self::InsecureEndpoint { .. } => {
                Argument::Endpoint
            }
            Self::MissingCredential | Self::TwoCredentials { .. } => Argument::Token,
            Self::MissingKeyId { .. } => Argument::AccessKeyId,
            Self::MissingSecret { .. } => Argument::SecretAccessKey,
            Self::File(_) => Argument::Profile,
        }
    }
}

/// Where a value is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An argument.
    Argument(&'static str),
    /// A variable of the environment.
    Environment(&'static str),
    /// A profile of the credentials file.
    File {
        /// The path of the file.
        path: PathBuf,
        /// The name of the profile.
        profile: String,
        /// The name of the value.
        name: &'static str,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument(name) | Self::Environment(name) => f.write_str(name),
            Self::File { path, profile, name } => write!(f, "{}, profile {profile}, {name}", path.display()),
        }
    }
}

/// The values of one place, with where each is from.
struct Place {
    values: Profile,
    origin: Box<dyn Fn(&'static str) -> Origin>,
}

/// Finds the endpoint and the credential. `environment` returns the value of a variable. Reads the credentials file only
/// if the arguments and the environment leave something open, or name a profile.
///
/// # Errors
/// [`CredentialError`] if something is missing or cannot be used.
pub fn find(
    arguments: &Arguments,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Found, CredentialError> {
    let variable = |name: &str| environment(name).filter(|value| !value.is_empty());
    let mut places = vec![
        Place { values: arguments.clone().into(), origin: Box::new(Origin::Argument) },
        Place {
            values: Profile {
                endpoint: variable(ENDPOINT),
                token: variable(TOKEN).map(Secret::new),
                access_key_id: variable(ACCESS_KEY_ID),
                secret_access_key: variable(SECRET_ACCESS_KEY).map(Secret::new),
                project_id: variable(PROJECT_ID),
            },
            origin: Box::new(|name| Origin::Environment(variable_of(name))),
        },
    ];
    let named = arguments.profile.clone().or_else(|| variable(PROFILE));
    let is_complete = places.iter().any(|place| place.values.endpoint.is_some())
        && places.iter().any(|place| place.values.has_credential());
    if named.is_some() || !is_complete {
        let path = variable(CREDENTIALS_FILE).map(PathBuf::from).or_else(|| file::default_path(&variable));
        if let Some((path, profile, values)) = file::read(path, named)? {
            let origin = move |name| Origin::File { path: path.clone(), profile: profile.clone(), name };
            places.push(Place { values, origin: Box::new(origin) });
        }
    }
    let endpoint = places.iter().find_map(|place| {
        let endpoint = place.values.endpoint.as_deref()?;
        Some(parse_endpoint(endpoint, (place.origin)("endpoint")))
    });
    let credential = places.iter().find_map(|place| credential_of(place).transpose());
    Ok(Found {
        endpoint: endpoint.ok_or(CredentialError::MissingEndpoint)??,
        credential: credential.ok_or(CredentialError::MissingCredential)??,
        project_id: places.iter().find_map(|place| place.values.project_id.clone()),
    })
}

/// The credential of a place, if it has one.
fn credential_of(place: &Place) -> Result<Option<Credential>, CredentialError> {
    let Profile { token, access_key_id, secret_access_key, .. } = &place.values;
    let from = |name| (place.origin)(name);
    match (token, access_key_id, secret_access_key) {
        (None, None, None) => Ok(None),
        (Some(token), None, None) => Ok(Some(Credential::Token(token.clone()))),
        (None, Some(id), Some(secret)) => {
            Ok(Some(Credential::AccessKey { id: id.clone(), secret: secret.clone() }))
        }
        (Some(_), _, _) => Err(CredentialError::TwoCredentials { from: from("token") }),
        (None, Some(_), None) => Err(CredentialError::MissingSecret { from: from("access_key_id") }),
        (None, None, Some(_)) => Err(CredentialError::MissingKeyId { from: from("secret_access_key") }),
    }
}

/// The endpoint as a URL without a query, which a credential may be sent to.
fn parse_endpoint(text: &str, from: Origin) -> Result<Uri, CredentialError> {
    let endpoint: Option<Uri> = text.trim().parse().ok();
    let endpoint =
        endpoint.filter(|uri| uri.host().is_some_and(|host| !host.is_empty()) && uri.query().is_none());
    let Some(endpoint) = endpoint else { return Err(CredentialError::InvalidEndpoint { from }) };
    let is_this_machine = matches!(endpoint.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match endpoint.scheme_str() {
        Some("https") => Ok(endpoint),
        Some("http") if is_this_machine => Ok(endpoint),
        Some("http") => Err(CredentialError::InsecureEndpoint { from }),
        _ => Err(CredentialError::InvalidEndpoint { from }),
    }
}

/// The variable that stands for an argument.
fn variable_of(argument: &str) -> &'static str {
    match argument {
        "endpoint" => ENDPOINT,
        "token" => TOKEN,
        "access_key_id" => ACCESS_KEY_ID,
        "secret_access_key" => SECRET_ACCESS_KEY,
        _ => PROJECT_ID,
    }
}

impl From<Arguments> for Profile {
    fn from(arguments: Arguments) -> Self {
        let Arguments { endpoint, token, access_key_id, secret_access_key, project_id, profile: _ } =
            arguments;
        Self { endpoint, token, access_key_id, secret_access_key, project_id }
    }
}

impl Profile {
    fn has_credential(&self) -> bool {
        self.token.is_some() || self.access_key_id.is_some() || self.secret_access_key.is_some()
    }
}

#[cfg(test)]
mod tests;
