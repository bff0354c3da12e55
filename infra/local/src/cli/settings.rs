//! A server's settings from the command line, the environment and a file (`--config`), in this order of precedence.
//!
//! Settings from the environment and the file go to the command line's parser as if they were flags, so that every
//! source has the same values, checks and errors.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, CommandFactory, FromArgMatches, Parser};
use imageshare::domain::Limits;
use toml::{Table, Value};

use super::variables::{CONFIG, VARIABLES};
use super::{Arguments, Command, ServeArguments};

/// Parses this process's command from its arguments, its environment and its settings file.
///
/// # Errors
/// The text to show to the user: help, or which argument, variable or setting is wrong.
pub fn parse_process_arguments(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Command, clap::Error> {
    parse(arguments, |name| std::env::var(name).ok())
}

/// Parses a command line, and adds the settings of the environment and the file. `variable` looks up a variable; an
/// empty value counts as unset.
///
/// # Errors
/// As [`parse_process_arguments`].
pub(super) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Command, clap::Error> {
    let mut line: Vec<OsString> = arguments.into_iter().collect();
    let matches = Arguments::command().try_get_matches_from(&line)?;
    parse_line(&line)?;
    let serve = match matches.subcommand() {
        None => &matches,
        Some(("serve", serve)) => serve,
        Some(_) => return Ok(Arguments::from_arg_matches(&matches)?.into_command()),
    };
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    let mut given = GivenFlags::from_command_line(serve);

    let mut from_environment = Vec::new();
    for (flag, name) in VARIABLES {
        from_environment
            .extend(variable(name).map(|value| (flag.to_owned(), vec![normalize_variable(flag, value)])));
    }
    line.extend(given.add_missing(from_environment));
    let refused = |problem| error_at("the environment", &problem);
    parse_line(&line).map_err(refused)?;

    let file = serve.get_one::<PathBuf>("config").cloned().or_else(|| variable(CONFIG).map(PathBuf::from));
    if let Some(file) = file {
        let refused = |problem: String| settings_error(&format!("{}: {problem}", file.display()));
        line.extend(given.add_missing(read_file(&file).map_err(refused)?));
        parse_line(&line).map_err(|problem| error_at(&file.display().to_string(), &problem))?;
    }
    let command = parse_line(&line)?;
    match &command {
        Command::Serve(arguments) => reject_incomplete(arguments).map(|()| command),
        _ => Ok(command),
    }
}

/// Rejects settings that mean nothing without another one. The parser cannot, since the other may be in another source.
fn reject_incomplete(arguments: &ServeArguments) -> Result<(), clap::Error> {
    if arguments.issuers.has_issuer_without_jwks() {
        return Err(settings_error("--issuer and --audience restrict the tokens of --jwks: set --jwks too"));
    }
    if arguments.remote.has_setting_without_table() {
        return Err(settings_error(
            "--endpoint-url, --table-region, --keys and --effects belong to --table: set --table too",
        ));
    }
    Ok(())
}

/// Parses a command line. Rejects a limit that is named twice, since either value could be the intended one.
fn parse_line(line: &[OsString]) -> Result<Command, clap::Error> {
    let command = Arguments::try_parse_from(line)?.into_command();
    if let Command::Serve(ServeArguments { limits, .. }) = &command {
        Limits::from_settings(limits).map_err(|problem| settings_error(&format!("--limit: {problem}")))?;
    }
    Ok(command)
}

/// The flags that are set already, and are not to be taken from a source of lower precedence.
struct GivenFlags(HashSet<String>);

impl GivenFlags {
    fn from_command_line(serve: &ArgMatches) -> Self {
        let flags = VARIABLES.iter().map(|(flag, _)| (*flag).to_owned());
        let is_given =
            |flag: &String| serve.value_source(&argument_id(flag)) == Some(ValueSource::CommandLine);
        let mut given = Self(flags.filter(is_given).collect());
        given.exclude_alternatives();
        given
    }

    /// Returns the settings whose flags are not set yet, as arguments, and marks them as set.
    fn add_missing(&mut self, settings: Vec<(String, Vec<String>)>) -> Vec<OsString> {
        let new: Vec<_> = settings.into_iter().filter(|(flag, _)| !self.0.contains(flag)).collect();
        self.0.extend(new.iter().map(|(flag, _)| flag.clone()));
        self.exclude_alternatives();
        let arguments = |(flag, values): (String, Vec<String>)| {
            values.into_iter().filter_map(move |value| to_argument(&flag, &value)).collect::<Vec<_>>()
        };
        new.into_iter().flat_map(arguments).collect()
    }

    /// `memory`, `data` and `table` exclude each other: where one of them is set, weaker sources cannot set the others.
    fn exclude_alternatives(&mut self) {
        let is_set = |flag: &&str| self.0.contains(*flag);
        let excluded = match ["memory", "data", "table"].into_iter().find(is_set) {
            Some("table") => &["memory", "data"][..],
            Some(_) => &["memory", "data", "table", "endpoint-url", "table-region", "keys"],
            None => &[],
        };
        self.0.extend(excluded.iter().map(|flag| (*flag).to_owned()));
    }
}

/// Returns a setting as an argument; `None` for a switch that is off.
fn to_argument(flag: &str, value: &str) -> Option<OsString> {
    if !is_switch(flag) {
        return Some(format!("--{flag}={value}").into());
    }
    match value {
        "true" => Some(format!("--{flag}").into()),
        "false" => None,
        // The parser rejects this, with its own message.
        other => Some(format!("--{flag}={other}").into()),
    }
}

/// Functions on AWS have `IMAGESHARE_DIRECTORY=complete`; the flag is a switch.
fn normalize_variable(flag: &str, value: String) -> String {
    if flag == "directory-complete" && value == "complete" { "true".to_owned() } else { value }
}

/// Reads a file's settings, by flag.
fn read_file(path: &Path) -> Result<Vec<(String, Vec<String>)>, String> {
    let text = fs::read_to_string(path).map_err(|problem| problem.to_string())?;
    let table: Table = text.parse().map_err(|problem: toml::de::Error| problem.to_string())?;
    table.into_iter().map(|(name, value)| parse_setting(name, value)).collect()
}

fn parse_setting(name: String, value: Value) -> Result<(String, Vec<String>), String> {
    if !VARIABLES.iter().any(|(flag, _)| *flag == name) {
        let flags: Vec<_> = VARIABLES.iter().map(|(flag, _)| *flag).collect();
        return Err(format!("unknown setting {name}: expected one of {}", flags.join(", ")));
    }
    let values = match value {
        Value::Array(values) if is_repeated(&name) => values.into_iter().map(to_text).collect(),
        Value::Table(table) if is_repeated(&name) => {
            table.into_iter().map(|(limit, number)| Some(format!("{limit}={}", to_text(number)?))).collect()
        }
        value => to_text(value).map(|value| vec![value]),
    };
    let expected = if is_switch(&name) {
        "true or false"
    } else if is_repeated(&name) {
        "an array of strings, or a table"
    } else {
        "a string"
    };
    let values = values.ok_or_else(|| format!("{name}: expected {expected}"))?;
    Ok((name, values))
}

fn to_text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Integer(number) => Some(number.to_string()),
        Value::Boolean(is_on) => Some(is_on.to_string()),
        _ => None,
    }
}

fn is_switch(flag: &str) -> bool {
    has_action(flag, &ArgAction::SetTrue)
}

fn is_repeated(flag: &str) -> bool {
    has_action(flag, &ArgAction::Append)
}

fn has_action(flag: &str, wanted: &ArgAction) -> bool {
    let command = Arguments::command();
    let named = |argument: &&clap::Arg| argument.get_long() == Some(flag);
    command.get_arguments().find(named).is_some_and(|argument| {
        std::mem::discriminant(argument.get_action()) == std::mem::discriminant(wanted)
    })
}

/// The parser's id of a flag, such as `public_url` of `public-url`.
fn argument_id(flag: &str) -> String {
    let command = Arguments::command();
    let argument = command.get_arguments().find(|argument| argument.get_long() == Some(flag));
    argument.map_or_else(|| flag.to_owned(), |argument| argument.get_id().to_string())
}

/// The parser's error without its usage lines, prefixed with the source of the value.
fn error_at(source: &str, problem: &clap::Error) -> clap::Error {
    let text = problem.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let sentence =
        text.split("\n\nUsage:").next().unwrap_or(text).split("\n\nFor more").next().unwrap_or(text);
    settings_error(&format!("{source}: {}", sentence.trim_end()))
}

fn settings_error(text: &str) -> clap::Error {
    Arguments::command().error(clap::error::ErrorKind::ValueValidation, text)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;
    use crate::cli::TableName;
    use crate::cli::variables::help;

    fn serve(line: &str, environment: &[(&str, &str)], file: &str) -> Result<ServeArguments, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("imageshare.toml");
        fs::write(&path, file).unwrap();
        let mut line: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        if !file.is_empty() {
            line.extend([OsString::from("--config"), path.into()]);
        }
        let variable = |name: &str| {
            environment.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned())
        };
        match parse(line, variable).map_err(|problem| problem.to_string())? {
            Command::Serve(arguments) => Ok(arguments),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flag_overrides_variable_and_variable_overrides_file() {
        let file = "listen = \"127.0.0.1:1\"\nregion = \"file\"\npublic-url = \"http://file\"\n";
        let environment = [("IMAGESHARE_LISTEN", "127.0.0.1:2"), ("IMAGESHARE_REGION", "variable")];
        for command in ["imageshare --listen 127.0.0.1:3", "imageshare serve --listen 127.0.0.1:3"] {
            let arguments = serve(command, &environment, file).unwrap();
            assert_eq!(
                (arguments.listen.as_str(), arguments.region.as_deref()),
                ("127.0.0.1:3", Some("variable"))
            );
            assert_eq!(arguments.public_url.unwrap().host(), Some("file"));
        }
        let unset = serve("imageshare", &[("IMAGESHARE_REGION", "")], file).unwrap();
        assert_eq!(unset.region.as_deref(), Some("file"));
    }

    #[test]
    fn file_supports_every_kind_of_setting() {
        let file = "memory = true\ndirectory-complete = false\nlimit = [\"images-per-tenant=5\"]\n";
        let arguments = serve("imageshare", &[], file).unwrap();
        assert!(arguments.memory && !arguments.directory_complete);
        assert_eq!(arguments.limits, ["images-per-tenant=5".parse().unwrap()]);
        let table = serve("imageshare", &[], "[limit]\nimages-per-tenant = 5\n").unwrap();
        assert_eq!(table.limits, arguments.limits);
        let environment = [
            ("IMAGESHARE_DIRECTORY", "complete"),
            ("IMAGESHARE_LIMITS", "images-per-tenant=5,pending-per-owner=6"),
        ];
        let arguments = serve("imageshare", &environment, "").unwrap();
        assert!(arguments.directory_complete);
        assert_eq!(arguments.limits.len(), 2);
    }

    #[test]
    fn stronger_source_chooses_memory_or_directory() {
        let arguments = serve("imageshare --memory", &[("IMAGESHARE_DATA", "b")], "data = \"a\"").unwrap();
        assert!(arguments.memory);
        let arguments = serve("imageshare --data b", &[], "memory = true").unwrap();
        assert!(!arguments.memory && arguments.data == Path::new("b"));
    }

    #[test]
    fn stronger_source_chooses_table_or_directory() {
        let variables =
            [("IMAGESHARE_TABLE", "images"), ("IMAGESHARE_ENDPOINT_URL", "http://127.0.0.1:8000")];
        let arguments = serve("imageshare", &variables, "data = \"a\"\nkeys = \"k\"").unwrap();
        assert_eq!(arguments.remote.table.as_ref().map(TableName::as_str), Some("images"));
        assert_eq!(arguments.remote.keys, Some(PathBuf::from("k")));
        let arguments = serve("imageshare --data b", &variables, "").unwrap();
        assert!(arguments.remote.table.is_none() && arguments.remote.endpoint.endpoint_url.is_none());
        let both = serve("imageshare", &[("IMAGESHARE_TABLE", "images"), ("IMAGESHARE_MEMORY", "true")], "");
        assert!(both.unwrap_err().contains("the environment: "));
    }

    #[test]
    fn table_settings_require_table_from_any_source() {
        let wanted = "set --table too";
        for line in ["--endpoint-url http://127.0.0.1:8000", "--table-region eu-west-1", "--keys k"] {
            let line = format!("imageshare {line}");
            assert!(serve(&line, &[], "").unwrap_err().contains(wanted), "{line}");
            assert!(serve(&line, &[("IMAGESHARE_TABLE", "imageshare")], "").is_ok(), "{line}");
        }
    }

    #[test]
    fn invalid_setting_error_names_setting_and_source() {
        for (file, wanted) in [
            ("colour = \"red\"", "unknown setting colour: expected one of listen,"),
            ("config = \"a\"", "unknown setting config"),
            ("listen = 1.5", "listen: expected a string"),
            ("memory = 3", "--memory"),
            ("limit = [\"pictures=3\"]", "members-per-image=NUMBER"),
            ("limit = [\"images-per-tenant=3\", \"images-per-tenant=4\"]", "images-per-tenant is set twice"),
            ("region = \"a b\"", "expected 1 to 64 characters"),
            ("listen", "expected"),
        ] {
            let refused = serve("imageshare", &[], file).unwrap_err();
            assert!(refused.contains("imageshare.toml: ") && refused.contains(wanted), "{refused}");
        }
        let refused = serve("imageshare", &[("IMAGESHARE_REGION", "a b")], "").unwrap_err();
        assert!(refused.contains("the environment: ") && refused.contains("--region"), "{refused}");
        let environment = [("IMAGESHARE_LIMITS", "images-per-tenant=3,images-per-tenant=3")];
        let refused = serve("imageshare", &environment, "").unwrap_err();
        assert!(refused.contains("the environment: --limit: images-per-tenant is set twice"), "{refused}");
        let refused = serve("imageshare --config /nowhere/at/all.toml", &[], "").unwrap_err();
        assert!(refused.contains("/nowhere/at/all.toml: No such file"), "{refused}");
    }

    #[test]
    fn limit_named_twice_on_the_command_line_is_rejected() {
        for command in ["imageshare", "imageshare serve"] {
            let line = format!("{command} --limit images-per-tenant=3 --limit images-per-tenant=4");
            // The flag overrides the variable, so the error is about the flag.
            let refused = serve(&line, &[("IMAGESHARE_LIMITS", "images-per-tenant=5")], "").unwrap_err();
            let wanted = "error: --limit: images-per-tenant is set twice; set it once";
            assert!(refused.starts_with(wanted), "{refused}");
        }
        let both = "imageshare --limit images-per-tenant=3 --limit pending-per-owner=3";
        assert_eq!(serve(both, &[], "").unwrap().limits.len(), 2);
    }

    #[test]
    fn issuer_requires_jwks_from_any_source() {
        assert!(serve("imageshare --issuer a", &[], "").unwrap_err().contains("--jwks"));
        let environment = [("IMAGESHARE_JWKS", "https://keys.example/jwks.json")];
        assert!(serve("imageshare --issuer a", &environment, "").is_ok());
    }

    #[test]
    fn every_flag_of_serve_has_a_variable() {
        let command = Arguments::command();
        let flags = command.get_arguments().filter_map(clap::Arg::get_long);
        for flag in flags.filter(|flag| !["config", "help", "version"].contains(flag)) {
            assert!(VARIABLES.iter().any(|(name, _)| *name == flag), "--{flag} has no variable");
            assert!(help().contains(&format!("--{flag}\n")), "--{flag} is not explained");
        }
    }

    #[test]
    fn settings_file_of_operating_page_is_valid() {
        const OPERATING: &str = include_str!("../../OPERATING.md");
        let file = OPERATING.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let arguments = serve("imageshare", &[], file).unwrap();
        assert_eq!((arguments.region.as_deref(), arguments.limits.len()), (Some("eu-de"), 2));
    }

    #[test]
    fn other_commands_ignore_environment_and_file() {
        let line = ["imageshare", "completions", "bash"].map(OsStr::new).map(OsStr::to_owned);
        let variable = |_: &str| Some("nonsense".to_owned());
        assert!(matches!(parse(line, variable), Ok(Command::Completions { .. })));
    }
}
