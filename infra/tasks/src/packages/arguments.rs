//! The arguments of the task.

use std::path::PathBuf;

use super::architecture::Architecture;

/// The arguments, as given or by default.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    /// For which architectures to build.
    pub(super) architectures: Vec<Architecture>,
    /// The functions to build, sorted.
    pub(super) functions: Vec<String>,
    /// The directory for the packages, if one is named.
    pub(super) output: Option<PathBuf>,
}

impl Arguments {
    /// Parses the arguments. `functions` are those that exist, sorted.
    ///
    /// # Errors
    /// A sentence that names the wrong argument, and what is expected.
    pub(super) fn parse(arguments: &[String], functions: &[String]) -> Result<Self, String> {
        let mut parsed =
            Self { architectures: Architecture::ALL.to_vec(), functions: Vec::new(), output: None };
        let mut arguments = arguments.iter();
        while let Some(option) = arguments.next() {
            let expected = match option.as_str() {
                "--arch" => "arm64, x86_64 or all",
                "--function" => "the name of a function",
                "--output" => "a directory",
                _ => return Err(format!("{option}: expected --arch, --function or --output")),
            };
            let value = arguments.next().ok_or_else(|| format!("{option}: expected {expected} after it"))?;
            match option.as_str() {
                "--arch" if value == "all" => parsed.architectures = Architecture::ALL.to_vec(),
                "--arch" => {
                    let architecture = Architecture::from_name(value);
                    parsed.architectures =
                        vec![architecture.ok_or_else(|| format!("--arch {value}: expected {expected}"))?];
                }
                "--function" if functions.contains(value) => parsed.functions.push(value.clone()),
                "--function" => {
                    return Err(format!("--function {value}: expected one of {}", functions.join(", ")));
                }
                _ => parsed.output = Some(PathBuf::from(value)),
            }
        }
        if parsed.functions.is_empty() {
            parsed.functions = functions.to_vec();
        }
        parsed.functions.sort();
        parsed.functions.dedup();
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Arguments, String> {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        Arguments::parse(&owned(arguments), &owned(&["images", "share"]))
    }

    #[test]
    fn all_functions_of_all_architectures_are_the_default() {
        let arguments = parse(&[]).unwrap();
        assert_eq!(arguments.architectures, Architecture::ALL);
        assert_eq!(arguments.functions, ["images", "share"]);
        assert_eq!(arguments.output, None);
        let arguments =
            parse(&["--arch", "x86_64", "--output", "out", "--function", "share", "--function", "share"]);
        let arguments = arguments.unwrap();
        assert_eq!(arguments.architectures, [Architecture::X86_64]);
        assert_eq!(arguments.functions, ["share"]);
        assert_eq!(arguments.output, Some(PathBuf::from("out")));
    }

    #[test]
    fn wrong_argument_is_named_with_what_is_expected() {
        for (wrong, expected) in [
            (&["arm64"][..], "arm64: expected --arch, --function or --output"),
            (&["--arch"], "--arch: expected arm64, x86_64 or all after it"),
            (&["--arch", "arm"], "--arch arm: expected arm64, x86_64 or all"),
            (&["--function", "gateway"], "--function gateway: expected one of images, share"),
        ] {
            assert_eq!(parse(wrong), Err(expected.to_owned()));
        }
    }
}
