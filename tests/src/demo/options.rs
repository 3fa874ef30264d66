//! What the demo is asked for on its command line.

use std::ops::RangeInclusive;
use std::time::Duration;

/// The text of `--help`.
pub const HELP: &str = "\
Runs ecs-smb-mapper on this machine: the three function binaries, unchanged, behind a local Lambda Runtime API, against
a local AWS with a modelled cluster of Windows container instances. Touches no network beyond 127.0.0.1.

Usage: make demo ARGS=\"[OPTIONS]\"

  --instances N      container instances in the cluster, Linux ones included: 5 to 500 [default: 40]
  --seed S           of every random delay [default: 1]
  --fail PERCENT     percentage of the healthy instances of the scale-out that get a fault: 0 to 100 [default: 0]
  --wrong-password   the password parameter is wrong until the last phase
  --outage SECONDS   how long the file server is away, once everything is mapped: 1 to 60
  --pwsh PROGRAM     a PowerShell 7 that runs the text of the SSM document itself on the modelled hosts, instead of the
                     model of it: slower, and causes are the script's own (`make demo SCRIPT=real`)
  --plain            no redraw and no colour, as when the output is piped
  --report DIR       where the report is written [default: target/demo]
  -h, --help         this text

Exits with 0 if the run reached everything that it must reach, else with 1; with 2 for a wrong option.
";

/// The options of [`HELP`], checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub(super) instances: usize,
    pub(super) seed: u64,
    /// Percent.
    pub(super) fail: usize,
    pub(super) wrong_password: bool,
    pub(super) outage: Option<Duration>,
    pub(super) pwsh: Option<String>,
    pub(super) plain: bool,
    pub(super) report: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            instances: 40,
            seed: 1,
            fail: 0,
            wrong_password: false,
            outage: None,
            pwsh: None,
            plain: false,
            report: "target/demo".to_owned(),
        }
    }
}

/// Reads the arguments, without the program's name. `None`: the help is asked for.
///
/// # Errors
/// For an unknown option, or a value that is missing or out of range. The message says what is allowed.
pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = Options::default();
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("instances") => options.instances = within(&mut parser, "--instances", 5..=500)?,
            Long("seed") => options.seed = parser.value()?.parse()?,
            Long("fail") => options.fail = within(&mut parser, "--fail", 0..=100)?,
            Long("wrong-password") => options.wrong_password = true,
            Long("outage") => {
                let seconds = within(&mut parser, "--outage", 1..=60)?;
                options.outage = Some(Duration::from_secs(seconds as u64));
            }
            Long("pwsh") => options.pwsh = Some(parser.value()?.string()?),
            Long("plain") => options.plain = true,
            Long("report") => options.report = parser.value()?.string()?,
            Long("help") | Short('h') => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    if options.wrong_password && options.outage.is_some() {
        return Err("--wrong-password and --outage cannot be combined".into());
    }
    Ok(Some(options))
}

fn within(
    parser: &mut lexopt::Parser,
    name: &str,
    allowed: RangeInclusive<usize>,
) -> Result<usize, lexopt::Error> {
    use lexopt::ValueExt;
    let given = parser.value()?;
    match given.parse::<usize>() {
        Ok(value) if allowed.contains(&value) => Ok(value),
        _ => Err(format!(
            "{name} is {:?}: allowed are whole numbers from {} to {}",
            given.to_string_lossy(),
            allowed.start(),
            allowed.end()
        )
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &str) -> Result<Option<Options>, String> {
        parse(line.split_whitespace().map(str::to_owned)).map_err(|error| error.to_string())
    }

    #[test]
    fn every_option_is_read() {
        let expected = Options {
            instances: 500,
            seed: 7,
            fail: 10,
            wrong_password: false,
            outage: Some(Duration::from_secs(4)),
            pwsh: Some("pwsh".to_owned()),
            plain: true,
            report: "out".to_owned(),
        };
        let line = "--instances 500 --seed=7 --fail 10 --outage 4 --pwsh pwsh --plain --report out";
        assert_eq!(parse_line(line), Ok(Some(expected)));
        assert_eq!(parse_line(""), Ok(Some(Options::default())));
        assert_eq!(parse_line("-h"), Ok(None));
    }

    #[test]
    fn a_wrong_option_says_what_is_allowed() {
        let table = [
            ("--instances 4", "--instances is \"4\": allowed are whole numbers from 5 to 500"),
            ("--fail ten", "--fail is \"ten\": allowed are whole numbers from 0 to 100"),
            ("--outage 0", "--outage is \"0\": allowed are whole numbers from 1 to 60"),
            ("--frobnicate", "invalid option '--frobnicate'"),
            ("--outage 3 --wrong-password", "--wrong-password and --outage cannot be combined"),
        ];
        for (line, message) in table {
            assert_eq!(parse_line(line), Err(message.to_owned()), "{line}");
        }
    }
}
