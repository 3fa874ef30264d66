//! Prints what the product knows of itself as JSON, or with `--causes` the page of the causes.

use std::error::Error;
use std::io::Write;

use tests::facts::{causes_page, facts};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let text = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => serde_json::to_string_pretty(&facts())? + "\n",
        ["--causes"] => causes_page(),
        _ => return Err("usage: facts [--causes]".into()),
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}
