//! Writes shared/document/map-share.ps1 into template.yaml: `make embed-document`.

use std::error::Error;
use std::fs;

use tests::document;

fn main() -> Result<(), Box<dyn Error>> {
    let (path, script) =
        (document::root().join("template.yaml"), document::root().join("shared/document/map-share.ps1"));
    let template = fs::read_to_string(&path)?;
    let embedded = document::embed(&template, &fs::read_to_string(script)?)?;
    if embedded != template {
        fs::write(&path, embedded)?;
    }
    Ok(())
}
