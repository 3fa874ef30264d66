//! Writes shared/document/map-share.ps1 into template.yaml: `make embed-document`.

use std::error::Error;

use tests::document::embed;
use tests::repository::{read, root};

fn main() -> Result<(), Box<dyn Error>> {
    let template = read("template.yaml");
    let embedded = embed(&template, &read("shared/document/map-share.ps1"))?;
    if embedded != template {
        std::fs::write(root().join("template.yaml"), embedded)?;
    }
    Ok(())
}
