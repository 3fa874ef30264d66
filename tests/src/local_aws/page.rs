//! Pages and their opaque tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A token that carries where the next page begins; `kind` keeps one operation's token from another's.
pub(crate) fn token(kind: &str, position: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{kind}\n{position}"))
}

/// Where a page begins: `None` without a token, `Err` for a token that is not ours.
pub(crate) fn position(kind: &str, token: Option<&str>) -> Result<Option<String>, ()> {
    let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| ())?;
    let text = String::from_utf8(bytes).map_err(|_| ())?;
    match text.split_once('\n') {
        Some((of, position)) if of == kind => Ok(Some(position.to_owned())),
        _ => Err(()),
    }
}
