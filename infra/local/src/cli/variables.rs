//! The environment variables of `serve`.

use std::fmt::Write as _;

use crate::issuers::CONSOLE_CLIENT_SECRET;

/// The variable of each flag. Functions on AWS have the same names.
pub(super) const VARIABLES: [(&str, &str); 20] = [
    ("listen", "IMAGESHARE_LISTEN"),
    ("metrics", "IMAGESHARE_METRICS"),
    ("data", "IMAGESHARE_DATA"),
    ("memory", "IMAGESHARE_MEMORY"),
    ("table", "IMAGESHARE_TABLE"),
    ("endpoint-url", "IMAGESHARE_ENDPOINT_URL"),
    ("table-region", "IMAGESHARE_TABLE_REGION"),
    ("keys", "IMAGESHARE_KEYS"),
    ("effects", "IMAGESHARE_EFFECTS"),
    ("region", "IMAGESHARE_REGION"),
    ("public-url", "IMAGESHARE_PUBLIC_URL"),
    ("directory-complete", "IMAGESHARE_DIRECTORY"),
    ("limit", "IMAGESHARE_LIMITS"),
    ("jwks", "IMAGESHARE_JWKS"),
    ("issuer", "IMAGESHARE_ISSUER"),
    ("audience", "IMAGESHARE_AUDIENCE"),
    ("claims", "IMAGESHARE_CLAIMS"),
    ("console-client-id", "IMAGESHARE_CONSOLE_CLIENT_ID"),
    ("keystone", "IMAGESHARE_KEYSTONE_URL"),
    ("issuer-ca", "IMAGESHARE_ISSUER_CA"),
];

/// The variable that names the settings file.
pub(super) const CONFIG: &str = "IMAGESHARE_CONFIG";

/// The variable with the master keys of a server with `--table`. It is no argument, because every user of the machine
/// can see the arguments of a process.
pub(crate) const MASTER_KEYS: &str = "IMAGESHARE_MASTER_KEYS";

/// The section of the help about variables and the settings file.
pub(super) fn help() -> String {
    let mut help = "\
Each argument can also be set by a variable, or in the file of --config: TOML with the names of the flags, such as \
listen = \"0.0.0.0:8080\", memory = true, limit = [\"images-per-tenant=5000\"]. An argument takes precedence over a \
variable, and a variable over the file. The variables:\n"
        .to_owned();
    for (flag, variable) in VARIABLES {
        // Writing to a `String` never fails.
        let _ = writeln!(help, "  {variable:<23} --{flag}");
    }
    let _ = write!(help, "  {CONFIG:<23} --config");
    let _ = write!(
        help,
        "\n\nThe master keys of a server with --table may also be in {MASTER_KEYS}, as ID:BASE64, separated by commas, in \
         place of the file in --keys. The secret of --console-client-id, if it has one, is in {CONSOLE_CLIENT_SECRET}."
    );
    help
}
