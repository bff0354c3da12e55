//! The variables that arguments may stand in.

use std::fmt::Write as _;

/// The variable of each flag of `serve`. Those that functions have on AWS are the same.
pub(super) const VARIABLES: [(&str, &str); 14] = [
    ("listen", "IMAGESHARE_LISTEN"),
    ("metrics", "IMAGESHARE_METRICS"),
    ("data", "IMAGESHARE_DATA"),
    ("memory", "IMAGESHARE_MEMORY"),
    ("region", "IMAGESHARE_REGION"),
    ("public-url", "IMAGESHARE_PUBLIC_URL"),
    ("directory-complete", "IMAGESHARE_DIRECTORY"),
    ("limit", "IMAGESHARE_LIMITS"),
    ("jwks", "IMAGESHARE_JWKS"),
    ("issuer", "IMAGESHARE_ISSUER"),
    ("audience", "IMAGESHARE_AUDIENCE"),
    ("claims", "IMAGESHARE_CLAIMS"),
    ("keystone", "IMAGESHARE_KEYSTONE_URL"),
    ("issuer-ca", "IMAGESHARE_ISSUER_CA"),
];

/// The variable that names the file.
pub(super) const CONFIG: &str = "IMAGESHARE_CONFIG";

/// What the help says of them.
pub(super) fn help() -> String {
    let mut help = "\
Each argument may also stand in a variable, or in the file that --config names, as NAME = VALUE in TOML with the names of the \
flags: listen = \"0.0.0.0:8080\", memory = true, limit = [\"images-per-tenant=5000\"]. An argument counts before a variable, a \
variable before the file. The variables:\n"
        .to_owned();
    for (flag, variable) in VARIABLES {
        // A text takes everything.
        let _ = writeln!(help, "  {variable:<22} --{flag}");
    }
    let _ = write!(help, "  {CONFIG:<22} --config");
    help
}
