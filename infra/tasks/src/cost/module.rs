//! What the Terraform module sets by default and the price depends on.

use std::path::Path;

use super::inputs::read;

/// The defaults of the module.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Module {
    pub(super) architecture: String,
    pub(super) memory_mb: u32,
    pub(super) log_retention_days: u32,
    pub(super) sweep_minutes: u32,
    /// The metrics that the alarms of the default level look at.
    pub(super) alarm_metrics: u32,
    pub(super) dashboards: u32,
    /// The fields of the access log: name and `$context` variable.
    pub(super) access_log: Vec<(String, String)>,
}

impl Module {
    /// Reads the module in a folder.
    ///
    /// # Errors
    /// A file cannot be read, or has changed in a way that this cannot follow: the error says what was looked for.
    pub(super) fn read(folder: &Path) -> Result<Self, String> {
        let variables = read(&folder.join("variables.tf"))?;
        let alarms = read(&folder.join("alarms.tf"))?;
        let level =
            between(between(&variables, "variable \"alarms\" {", "\n}\n")?, "optional(string, \"", "\"")?;
        Ok(Self {
            architecture: default_of(&variables, "architecture")?.trim_matches('"').to_owned(),
            memory_mb: optional_number(&variables, "memory_mb")?,
            log_retention_days: optional_number(&variables, "log_retention_days")?,
            sweep_minutes: number(default_of(&variables, "sweep_minutes")?)?,
            alarm_metrics: alarm_metrics(&alarms, level)?,
            dashboards: u32::from(default_of(&variables, "dashboard")? == "true"),
            access_log: access_log(&read(&folder.join("api.tf"))?)?,
        })
    }
}

/// The text between the first `start` and the `end` after it.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Result<&'a str, String> {
    let rest = text.split_once(start).map(|(_, rest)| rest);
    let found = rest.and_then(|rest| rest.split_once(end)).map(|(found, _)| found);
    found.ok_or_else(|| format!("infra/aws: expected {start:?} and then {end:?}"))
}

/// The default of a variable.
fn default_of<'a>(variables: &'a str, name: &str) -> Result<&'a str, String> {
    let block = between(variables, &format!("variable \"{name}\" {{\n"), "\n}\n")?;
    let line = block.lines().find(|line| line.trim_start().starts_with("default"));
    let value = line.and_then(|line| line.split_once('=')).map(|(_, value)| value.trim());
    value.ok_or_else(|| format!("infra/aws/variables.tf: expected a default of {name}"))
}

/// The default of an optional number within an object.
fn optional_number(variables: &str, name: &str) -> Result<u32, String> {
    let is_it = |line: &&str| line.trim_start().starts_with(name) && line.contains("optional(number, ");
    let line = variables.lines().find(is_it);
    let line = line.ok_or_else(|| {
        format!("infra/aws/variables.tf: expected an optional number {name} with a default")
    })?;
    number(between(line, "optional(number, ", ")")?)
}

fn number(text: &str) -> Result<u32, String> {
    text.trim().parse().map_err(|_| format!("infra/aws/variables.tf: expected a number instead of {text}"))
}

/// The metrics of the alarms of a level.
fn alarm_metrics(alarms: &str, level: &str) -> Result<u32, String> {
    if level == "none" {
        return Ok(0);
    }
    let essential = between(alarms, "essential_alarms = ", "more_alarms = ")?;
    let metrics = |text: &str| text.lines().filter(|line| line.contains("namespace = ")).count();
    let count = u32::try_from(metrics(essential)).map_err(|_| "too many alarms".to_owned())?;
    match (level, count) {
        ("essential", 1..) => Ok(count),
        _ => Err(format!("infra/aws/alarms.tf: the metrics of the alarm level {level} cannot be counted")),
    }
}

/// The fields of the access log.
fn access_log(api: &str) -> Result<Vec<(String, String)>, String> {
    let format = between(api, "format = jsonencode({", "})")?;
    let field = |line: &str| {
        let (name, variable) = line.split_once('=')?;
        Some((name.trim().to_owned(), variable.trim().trim_matches('"').to_owned()))
    };
    Ok(format.lines().filter_map(field).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_of_the_module_are_read() {
        let module = Module::read(&crate::workspace().join("infra/aws")).unwrap();
        assert!(["arm64", "x86_64"].contains(&module.architecture.as_str()), "{module:?}");
        assert!(
            module.memory_mb >= 128 && module.log_retention_days > 0 && module.sweep_minutes > 0,
            "{module:?}"
        );
        assert!(module.alarm_metrics > 0 && module.access_log.len() > 5, "{module:?}");
        assert!(
            module.access_log.iter().all(|(_, variable)| variable.starts_with("$context.")),
            "{module:?}"
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(
            default_of("variable \"a\" {\n  type = string\n}\n", "a").unwrap_err().contains("default of a")
        );
        assert!(optional_number("", "memory_mb").unwrap_err().contains("memory_mb"));
        assert!(access_log("").unwrap_err().contains("jsonencode"));
    }
}
