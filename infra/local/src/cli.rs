//! The command line: its commands, arguments and help.

mod backup;
mod events;
mod health;
mod manual;
mod remote;
mod settings;
mod tenants;
mod value;
mod variables;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use http::Uri;
use imageshare::domain::{AccessKeyId, Limit, LimitSetting, Limits, Role, TenantId};
use imageshare::http::parse_public_url;

pub use self::backup::{BackupArguments, CheckArguments, RestoreArguments};
pub use self::events::{EventFormat, EventsArguments};
pub use self::health::HealthArguments;
pub use self::manual::{write_completions, write_manual_page};
pub use self::remote::{
    CreateTableArguments, KeysCommand, RemoteArguments, TableCommand, TableEndpoint, TableName,
};
pub use self::settings::parse_process_arguments as parse;
pub use self::tenants::{FileFormat, ListFormat, ServerLocation, TenantsCommand};
use self::value::{lifetime, region, role};
pub(crate) use self::variables::MASTER_KEYS;
use crate::issuers::IssuerArguments;
use crate::keys::TokenClaims;

/// The default data directory.
pub const DEFAULT_DATA: &str = "imageshare-data";

/// Share machine images with other tenants, who accept or reject them: the whole service on one machine.
#[derive(Debug, Parser)]
#[command(name = "imageshare", version, args_conflicts_with_subcommands = true)]
#[command(after_help = EXAMPLE, after_long_help = long_help())]
pub struct Arguments {
    /// The command; `serve` if none is given.
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArguments,
}

const EXAMPLE: &str = "\
Example, in two terminals:
  imageshare
  curl -H \"X-Auth-Token: $(imageshare token --project my-project)\" http://127.0.0.1:8080/v2/cloudimages

The server's log goes to stderr; RUST_LOG sets its level (RUST_LOG=debug).";

fn long_help() -> String {
    format!("{}\n\n{EXAMPLE}", variables::help())
}

/// The commands.
#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "a process has one")]
pub enum Command {
    /// Serve the APIs over HTTP until SIGINT or SIGTERM (the default command)
    #[command(after_long_help = variables::help())]
    Serve(ServeArguments),
    /// Ask a running server whether it works; for the health checks of containers and service managers
    #[command(long_about = health::ABOUT, after_long_help = health::EXAMPLE)]
    Health(HealthArguments),
    /// Create the DynamoDB table that several servers share
    #[command(subcommand, long_about = remote::TABLE_ABOUT, after_long_help = remote::TABLE_EXAMPLE)]
    Table(TableCommand),
    /// Create the keys that several servers over one table share
    #[command(subcommand, after_long_help = remote::KEYS_EXAMPLE)]
    Keys(KeysCommand),
    /// Print a bearer token for a local server, running or not
    #[command(after_help = TOKEN_EXAMPLE)]
    Token(TokenArguments),
    /// Print a link that signs a browser in to the console of a local server; good for a minute, and once
    #[command(after_help = CONSOLE_EXAMPLE)]
    Console(ConsoleArguments),
    /// Create, list and disable access keys of a running server
    #[command(subcommand, name = "access-key", long_about = ACCESS_KEY_ABOUT, after_long_help = ACCESS_KEY_EXAMPLE)]
    AccessKey(AccessKeyCommand),
    /// Write a backup of a data directory, also while the server runs
    #[command(long_about = backup::BACKUP_ABOUT, after_long_help = backup::EXAMPLE)]
    Backup(BackupArguments),
    /// Restore a backup into an empty data directory
    #[command(long_about = backup::RESTORE_ABOUT, after_long_help = backup::EXAMPLE)]
    Restore(RestoreArguments),
    /// Check a data directory; prints its size and layout, or what is wrong with it
    #[command(after_long_help = backup::EXAMPLE)]
    Check(CheckArguments),
    /// Import, list, show and delete tenants of a service's directory, which maps names to project ids
    #[command(subcommand, long_about = tenants::ABOUT, after_long_help = tenants::EXAMPLE)]
    Tenants(TenantsCommand),
    /// Print and follow the events of a running server
    #[command(long_about = events::ABOUT, after_long_help = events::EXAMPLE)]
    Events(EventsArguments),
    /// Print a shell's completions for this command line
    Completions {
        /// The shell
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
    /// Print the manual page of this program, or of one of its commands
    #[command(after_help = MAN_EXAMPLE)]
    Man {
        /// The command, as in `imageshare man access-key create`
        #[arg(value_name = "COMMAND")]
        command: Vec<String>,
    },
}

const MAN_EXAMPLE: &str = "\
Example:
  imageshare man serve | man -l -
  imageshare man > /usr/local/share/man/man1/imageshare.1";

const TOKEN_EXAMPLE: &str = "\
Example:
  curl -H \"X-Auth-Token: $(imageshare token --project my-project)\" http://127.0.0.1:8080/v2/cloudimages";

const CONSOLE_EXAMPLE: &str = "\
Example:
  xdg-open \"$(imageshare console --project my-project)\"";

const ACCESS_KEY_ABOUT: &str = "\
Create, list and disable access keys of a running server.

An access key belongs to one project. Programs sign their requests with its secret, as the SDKs of Huawei Cloud, Open \
Telekom Cloud and Alibaba Cloud do. The command calls the server's API, since only the server has the table open. For \
a local server it signs its own token, with the signing key in the server's data directory. For any other deployment, \
set the variable IMAGESHARE_TOKEN to a token of the project, or name a profile of the credentials file.

The secret is shown once and never stored: it is derived from a master key in the file master-keys.txt of the data \
directory. To rotate the master key, add a line ID:BASE64 (32 random bytes or more) at the top of that file and \
restart the server. New access keys are derived from it. Older ones work as long as their own master key is in the \
file; `list` shows which that is.";

const ACCESS_KEY_EXAMPLE: &str = "\
Example:
  imageshare access-key create --project my-project --name ci
  imageshare access-key list --project my-project
  imageshare access-key disable KEY_ID --project my-project
  IMAGESHARE_TOKEN=... imageshare access-key create --project my-project --server https://images.example
  imageshare access-key list --project my-project --profile my-profile";

/// The commands of `imageshare access-key`.
#[derive(Debug, Clone, Subcommand)]
pub enum AccessKeyCommand {
    /// Create an access key; prints two lines, `id=ID` and `secret=SECRET`. The secret is never shown again
    Create {
        /// Name of the access key
        #[arg(long, value_name = "NAME", default_value = "command line")]
        name: String,
        /// Role: reader can read, member acts for the project, admin for any project; may be repeated
        #[arg(long = "role", value_name = "ROLE", value_parser = role, default_value = "member")]
        roles: Vec<Role>,
        /// When the key ends, in RFC 3339, as in 2027-01-31T00:00:00Z; it does not end if omitted
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
        /// Print the server's whole response as JSON
        #[arg(long)]
        json: bool,
        /// The project and the server.
        #[command(flatten)]
        target: AccessKeyTarget,
    },
    /// List a project's access keys, one per line: id, state, roles, master key, time of creation, name
    List {
        /// Print a JSON array, with more members of each key
        #[arg(long)]
        json: bool,
        /// The project and the server.
        #[command(flatten)]
        target: AccessKeyTarget,
    },
    /// Disable an access key for good; prints nothing. Requests signed with it are refused within 5 seconds
    Disable {
        /// Id of the access key
        #[arg(value_name = "KEY_ID")]
        id: AccessKeyId,
        /// The project and the server.
        #[command(flatten)]
        target: AccessKeyTarget,
    },
}

impl AccessKeyCommand {
    /// The project and the server of the command.
    pub fn target(&self) -> &AccessKeyTarget {
        match self {
            Self::Create { target, .. } | Self::List { target, .. } | Self::Disable { target, .. } => target,
        }
    }
}

/// The project whose access keys a command is about, and its server.
#[derive(Debug, Clone, Args)]
pub struct AccessKeyTarget {
    /// The holder of the access keys.
    #[command(flatten)]
    pub principal: Principal,
    /// The server to call.
    #[command(flatten)]
    pub location: ServerLocation,
}

/// The holder of a token or an access key.
#[derive(Debug, Clone, Args)]
pub struct Principal {
    /// Project that the token or access key acts for
    #[arg(long, value_name = "PROJECT")]
    pub project: TenantId,
    /// Account that the project belongs to
    #[arg(long, value_name = "ACCOUNT")]
    pub account: Option<String>,
    /// Person or program that uses it
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
}

impl Principal {
    /// The claims of a token for this holder.
    pub fn token_claims(&self, roles: Vec<Role>, lifetime: Duration) -> TokenClaims {
        let (project, account, user) = (self.project.clone(), self.account.clone(), self.user.clone());
        TokenClaims { project, account, user, roles, lifetime }
    }
}

impl Arguments {
    /// The command that was given, or `serve`.
    pub fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}

/// The settings of a server.
#[derive(Debug, Clone, Args)]
pub struct ServeArguments {
    /// Settings file, in TOML; see below
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// Address for metrics, in OpenMetrics at /metrics: requests, their duration, open work, use of the table
    #[arg(long, value_name = "HOST:PORT")]
    pub metrics: Option<String>,
    /// Directory of the table and the keys; created if it does not exist
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA, conflicts_with_all = ["memory", "table"])]
    pub data: PathBuf,
    /// Keep everything in memory, and lose it at the end
    #[arg(long, conflicts_with = "table")]
    pub memory: bool,
    /// The table in DynamoDB, in place of a data directory.
    #[command(flatten)]
    pub remote: RemoteArguments,
    /// Name of this server's region, as clients use it [default: local; with --table, the table's region]
    #[arg(long, value_name = "NAME", value_parser = region)]
    pub region: Option<String>,
    /// Address that clients use, if it is not the one of --listen
    #[arg(long, value_name = "URL", value_parser = parse_public_url)]
    pub public_url: Option<Uri>,
    /// Every tenant is in the directory (see `imageshare tenants`): refuse to share with any other
    #[arg(long)]
    pub directory_complete: bool,
    /// Limits that differ from their defaults.
    #[arg(long = "limit", value_name = "NAME=NUMBER", value_delimiter = ',', help = limits_help())]
    pub limits: Vec<LimitSetting>,
    /// Issuers of tokens that the server accepts, besides itself.
    #[command(flatten)]
    pub issuers: IssuerArguments,
}

/// The help of `--limit`: every limit with its default.
fn limits_help() -> String {
    let row = |limit: &Limit| {
        let setting = format!("{}={}", limit.name, limit.value(Limits::default()));
        format!("  {setting:<32}{}", limit.meaning)
    };
    let rows: Vec<_> = Limit::ALL.iter().map(row).collect();
    format!("Change a limit; may be repeated. The defaults:\n{}", rows.join("\n"))
}

/// The arguments of `imageshare console`.
#[derive(Debug, Clone, Args)]
pub struct ConsoleArguments {
    /// Who is signed in.
    #[command(flatten)]
    pub principal: Principal,
    /// Role: reader can read, member acts for the project, admin for any project
    #[arg(long, value_name = "ROLE", value_parser = role, default_value = "member")]
    pub role: Role,
    /// Address at which the browser reaches the server
    #[arg(long, value_name = "URL", value_parser = parse_public_url, default_value = "http://127.0.0.1:8080")]
    pub server: Uri,
    /// The server's data directory; for a server with --table, its directory of --keys
    #[arg(long, visible_alias = "keys", value_name = "DIR", default_value = DEFAULT_DATA)]
    pub data: PathBuf,
}

/// The arguments of `imageshare token`.
#[derive(Debug, Clone, Args)]
pub struct TokenArguments {
    /// The holder of the token.
    #[command(flatten)]
    pub principal: Principal,
    /// Role: reader can read, member acts for the project, admin for any project; may be repeated
    #[arg(long = "role", value_name = "ROLE", value_parser = role, default_value = "member")]
    pub roles: Vec<Role>,
    /// How long the token is valid: 30s, 15m, 12h, 7d
    #[arg(long, value_name = "TIME", value_parser = lifetime, default_value = "12h")]
    pub ttl: Duration,
    /// The server's data directory; for a server with --table, its directory of --keys
    #[arg(long, visible_alias = "keys", value_name = "DIR", default_value = DEFAULT_DATA)]
    pub data: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use std::ffi::OsString;

    use super::*;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        settings::parse(line.split(' ').map(OsString::from), |_| None)
    }

    fn serve(line: &str) -> ServeArguments {
        match parse(line).unwrap() {
            Command::Serve(arguments) => arguments,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn command_line_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn serve_is_the_default_command() {
        assert_eq!(serve("imageshare").listen, "127.0.0.1:8080");
        for line in
            ["imageshare --memory --listen 127.0.0.1:0", "imageshare serve --memory --listen 127.0.0.1:0"]
        {
            let arguments = serve(line);
            assert!(arguments.memory);
            assert_eq!(arguments.listen, "127.0.0.1:0");
        }
    }

    #[test]
    fn memory_data_directory_and_table_exclude_each_other() {
        for both in ["--memory --data x", "--table imageshare --data x", "--table imageshare --memory"] {
            let refused = parse(&format!("imageshare {both}")).unwrap_err().to_string();
            assert!(refused.contains("cannot be used with"), "{refused}");
        }
    }

    #[test]
    fn limit_flags_repeat_and_are_validated() {
        let limits = serve("imageshare --limit members-per-image=3 --limit images-per-tenant=4").limits;
        assert_eq!(limits.len(), 2);
        let refused = parse("imageshare serve --limit pictures=3").unwrap_err().to_string();
        assert!(refused.contains("members-per-image=NUMBER"), "{refused}");
        let help = limits_help();
        let limits: Vec<&str> = help.split_whitespace().filter(|word| word.contains('=')).collect();
        assert!(limits.iter().all(|limit| limit.parse::<LimitSetting>().is_ok()), "{help}");
    }

    #[test]
    fn public_url_must_be_scheme_and_host() {
        assert!(parse("imageshare --public-url https://images.example.com").is_ok());
        for bad in ["images.example.com", "ftp://a", "https://a/b", "https://a?b"] {
            assert!(parse(&format!("imageshare --public-url {bad}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn token_requires_project_and_has_defaults() {
        assert!(parse("imageshare token").is_err());
        assert!(parse("imageshare token --project a/b").is_err());
        let Ok(Command::Token(arguments)) = parse("imageshare token --project p") else { panic!() };
        assert_eq!(arguments.roles, [Role::Member]);
        assert_eq!(arguments.ttl, Duration::from_hours(12));
        let Ok(Command::Token(arguments)) = parse("imageshare token --project p --role reader --role admin")
        else {
            panic!()
        };
        assert_eq!(arguments.roles, [Role::Reader, Role::Admin]);
    }

    #[test]
    fn console_requires_project_and_has_defaults() {
        assert!(parse("imageshare console").is_err());
        assert!(parse("imageshare console --project p --server https://a/b").is_err());
        let Ok(Command::Console(arguments)) = parse("imageshare console --project p") else { panic!() };
        assert_eq!((arguments.role, arguments.data.to_str()), (Role::Member, Some(DEFAULT_DATA)));
        assert_eq!(arguments.server, Uri::from_static("http://127.0.0.1:8080"));
    }

    #[test]
    fn tenants_commands_accept_format_and_server() {
        assert!(
            !serve("imageshare").directory_complete
                && serve("imageshare --directory-complete").directory_complete
        );
        let Ok(Command::Tenants(TenantsCommand::Import { file, format, location })) =
            parse("imageshare tenants import a.txt --format csv --server https://images.example")
        else {
            panic!()
        };
        assert_eq!((file.to_str(), format), (Some("a.txt"), Some(FileFormat::Csv)));
        assert_eq!(location.server, Uri::from_static("https://images.example"));
        assert!(parse("imageshare tenants import").is_err() && parse("imageshare tenants show a/b").is_err());
    }

    #[test]
    fn backup_and_restore_require_a_file() {
        let Ok(Command::Backup(arguments)) = parse("imageshare backup --to b") else { panic!() };
        assert_eq!((arguments.to.to_str(), arguments.data.to_str()), (Some("b"), Some(DEFAULT_DATA)));
        assert!(parse("imageshare backup").is_err() && parse("imageshare restore").is_err());
        assert!(parse("imageshare restore --from b --data d").is_ok() && parse("imageshare check").is_ok());
    }

    #[test]
    fn access_key_requires_project_and_defaults_to_member() {
        assert!(parse("imageshare access-key create").is_err());
        assert!(parse("imageshare access-key disable --project p").is_err());
        assert!(parse("imageshare access-key list --project p --server https://a").is_ok());
        let Ok(Command::AccessKey(AccessKeyCommand::Create { roles, target, .. })) =
            parse("imageshare access-key create --project p")
        else {
            panic!()
        };
        assert_eq!(
            (roles, target.location.server),
            (vec![Role::Member], Uri::from_static("http://127.0.0.1:8080"))
        );
    }
}
