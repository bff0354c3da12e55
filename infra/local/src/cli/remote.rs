//! The arguments about a table in DynamoDB, and about the keys of the servers that share it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use imageshare::http::parse_public_url;

pub(super) const TABLE_ABOUT: &str = "\
Create the table of a service in DynamoDB, or at an endpoint that speaks its API.

A server with `imageshare serve --table NAME` uses it, beside any number of other servers. The credentials are those \
of the environment, of a profile, of the container or of the instance, as for any AWS SDK.";

pub(super) const TABLE_EXAMPLE: &str = "\
Example:
  imageshare table create --table imageshare --table-region eu-central-1
  imageshare table create --table imageshare --endpoint-url http://127.0.0.1:8000 --deletion-protection=false";

pub(super) const KEYS_EXAMPLE: &str = "\
Example, once for all servers of a table; then copy the directory to each of them:
  imageshare keys create --keys /etc/imageshare/keys
  imageshare serve --table imageshare --keys /etc/imageshare/keys";

const CREATE_ABOUT: &str = "\
Create the table as the Terraform module does: billed on demand, with three indexes, a stream, expiry of items, \
point-in-time recovery and deletion protection. Returns when it can be used.

If the table exists and is right, only the protections that it lacks are switched on. If it differs, nothing is \
changed, and the differences are printed. The command can be repeated after an interruption.";

/// The name of a table in DynamoDB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName(String);

impl TableName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TableName {
    type Err = &'static str;

    /// Parses a name by DynamoDB's rules for names.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        if (3..=255).contains(&text.len()) && text.bytes().all(is_allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err("expected the name of a table: 3 to 255 characters of A-Z a-z 0-9 _ . -")
        }
    }
}

/// Where a table is.
#[derive(Debug, Clone, Default, Args)]
pub struct TableEndpoint {
    /// Address of the DynamoDB API, if it is not AWS's own
    #[arg(long, value_name = "URL", value_parser = endpoint_url)]
    pub endpoint_url: Option<String>,
    /// AWS region of the table [default: as the AWS SDKs find it, from `AWS_REGION`, a profile or the instance]
    #[arg(long, value_name = "NAME", value_parser = super::value::region)]
    pub table_region: Option<String>,
}

fn endpoint_url(text: &str) -> Result<String, String> {
    match parse_public_url(text) {
        Ok(_) => Ok(text.trim_end_matches('/').to_owned()),
        Err(_) => Err("expected http://HOST[:PORT] or https://HOST[:PORT]".to_owned()),
    }
}

/// The settings of a server whose table is in DynamoDB.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Several servers over one table in DynamoDB")]
pub struct RemoteArguments {
    /// Use this table in DynamoDB, beside any number of other servers, in place of a data directory
    #[arg(long, value_name = "NAME")]
    pub table: Option<TableName>,
    /// Where the table is.
    #[command(flatten)]
    pub endpoint: TableEndpoint,
    /// Directory of the keys that all of these servers share, which is only read: master-keys.txt for access keys,
    /// signing-keys.json for tokens of `imageshare token`; see `imageshare keys`
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,
    /// Read the table's stream, in turn with the other servers that have this setting, and carry out what follows from
    /// changes: events, messages, lists of jobs and share rules. Not beside the function `effects` of a deployment on AWS,
    /// which does the same
    #[arg(long)]
    pub effects: bool,
}

impl RemoteArguments {
    /// Whether a setting is given that means nothing without `--table`.
    pub(super) fn has_setting_without_table(&self) -> bool {
        let TableEndpoint { endpoint_url, table_region } = &self.endpoint;
        let has_setting =
            endpoint_url.is_some() || table_region.is_some() || self.keys.is_some() || self.effects;
        self.table.is_none() && has_setting
    }
}

/// The commands of `imageshare table`.
#[derive(Debug, Clone, Subcommand)]
pub enum TableCommand {
    /// Create the table, or check one that exists
    #[command(long_about = CREATE_ABOUT)]
    Create(CreateTableArguments),
}

/// The arguments of `imageshare table create`.
#[derive(Debug, Clone, Args)]
pub struct CreateTableArguments {
    /// Name of the table
    #[arg(long, value_name = "NAME")]
    pub table: TableName,
    /// Where it is.
    #[command(flatten)]
    pub endpoint: TableEndpoint,
    /// Whether the table can only be deleted after this protection was switched off
    #[arg(long, value_name = "BOOL", default_value_t = true, default_missing_value = "true")]
    #[arg(num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set)]
    pub deletion_protection: bool,
    /// Days for which the table can be restored to any second, 0 to 35; 0 for no point-in-time recovery
    #[arg(long, value_name = "DAYS", default_value_t = 35, value_parser = clap::value_parser!(i32).range(0..=35))]
    pub recovery_days: i32,
    /// Tag of the table; may be repeated
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
    pub tags: Vec<(String, String)>,
}

fn tag(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

/// The commands of `imageshare keys`.
#[derive(Debug, Clone, Subcommand)]
pub enum KeysCommand {
    /// Create master-keys.txt and signing-keys.json in a directory; files that exist stay as they are
    Create {
        /// Directory of the keys; created if it does not exist
        #[arg(long, value_name = "DIR")]
        keys: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Arguments, Command};

    fn create(line: &str) -> Result<CreateTableArguments, String> {
        let line = format!("imageshare table create {line}");
        match Arguments::try_parse_from(line.split(' '))
            .map_err(|problem| problem.to_string())?
            .into_command()
        {
            Command::Table(TableCommand::Create(arguments)) => Ok(arguments),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn table_is_protected_unless_arguments_say_otherwise() {
        let arguments = create("--table imageshare").unwrap();
        assert!(arguments.deletion_protection && arguments.recovery_days == 35);
        let arguments =
            create("--table t.1 --deletion-protection=false --recovery-days 0 --tag a=b --tag c=").unwrap();
        assert!(!arguments.deletion_protection && arguments.recovery_days == 0);
        assert!(create("--table t.1 --deletion-protection").unwrap().deletion_protection);
        assert_eq!(arguments.tags, [("a".to_owned(), "b".to_owned()), ("c".to_owned(), String::new())]);
    }

    #[test]
    fn invalid_table_arguments_say_what_is_expected() {
        for (line, wanted) in [
            ("", "--table <NAME>"),
            ("--table ab", "3 to 255 characters"),
            ("--table arn:aws:dynamodb:x", "3 to 255 characters"),
            ("--table abc --endpoint-url 127.0.0.1:8000", "expected http://HOST"),
            ("--table abc --endpoint-url http://h/path", "expected http://HOST"),
            ("--table abc --recovery-days 36", "0..=35"),
            ("--table abc --tag a", "expected KEY=VALUE"),
            ("--table abc --table-region a/b", "expected 1 to 64 characters"),
        ] {
            let refused = create(line.trim()).unwrap_err();
            assert!(refused.contains(wanted), "{line}: {refused}");
        }
    }
}
