//! Writes the scale study: `scale FOLDER [INSTANCES…]`.

use std::path::PathBuf;
use std::process::ExitCode;

use tests::scale::{Figures, SIZES, chart, page, row, study};

#[allow(clippy::print_stdout, reason = "a command line")]
fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| "docs".to_owned()));
    let asked: Vec<usize> = arguments.filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if asked.is_empty() { SIZES.to_vec() } else { asked };
    let mut is_kept = true;
    let wave = |instances: usize| {
        let figures = study(instances);
        print!("{}", row(&figures));
        for broken in figures.broken_promises() {
            println!("{instances} instances: {broken}");
            is_kept = false;
        }
        figures
    };
    let waves: Vec<Figures> = sizes.into_iter().map(wave).collect();
    for (name, text) in [("scale.md", page(&waves)), ("scale.svg", chart(&waves))] {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        println!("{}", path.display());
    }
    if is_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
