//! Shell completions and manual pages, generated from the command line's definition.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use super::Arguments;

/// Writes the completions for a shell.
///
/// # Errors
/// The output cannot be written.
pub fn write_completions(shell: Shell, out: &mut impl Write) -> io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "imageshare", &mut script);
    out.write_all(&script)
}

/// Writes the manual page of a command, such as `access-key create`; without words, that of `imageshare` itself.
///
/// # Errors
/// There is no such command, or the output cannot be written.
pub fn write_manual_page(words: &[String], out: &mut impl Write) -> io::Result<()> {
    let mut command = Arguments::command();
    command.build();
    let mut page = &command;
    for word in words {
        page = page.find_subcommand(word).ok_or_else(|| {
            let problem = format!("there is no command {}; see imageshare --help", words.join(" "));
            io::Error::new(io::ErrorKind::InvalidInput, problem)
        })?;
    }
    Man::new(page.clone()).render(out)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    fn page(words: &[&str]) -> io::Result<String> {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        let mut page = Vec::new();
        write_manual_page(&words, &mut page)?;
        Ok(String::from_utf8(page).unwrap())
    }

    #[test]
    fn every_command_has_a_manual_page() {
        assert!(page(&[]).unwrap().contains(".TH imageshare 1"));
        let serve = page(&["serve"]).unwrap();
        assert!(serve.contains(".TH imageshare-serve 1") && serve.contains("\\-\\-listen"), "{serve}");
        assert!(page(&["access-key", "create"]).unwrap().contains(".TH imageshare-access-key-create 1"));
        let refused = page(&["no", "such"]).unwrap_err().to_string();
        assert_eq!(refused, "there is no command no such; see imageshare --help");
    }

    #[test]
    fn every_shell_has_completions() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            write_completions(*shell, &mut script).unwrap();
            assert!(String::from_utf8(script).unwrap().contains("access-key"), "{shell}");
        }
    }
}
