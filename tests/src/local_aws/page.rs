//! Pages of a listing and their opaque tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The page that a request asks for.
pub(crate) struct Page {
    /// Keeps the tokens of one operation apart from those of another.
    kind: &'static str,
    size: usize,
    /// The position after which the page begins; `None` for the first page.
    pub(crate) start: Option<String>,
}

impl Page {
    /// `Err` for a token that is not from this listing.
    pub(crate) fn new(kind: &'static str, size: usize, token: Option<&str>) -> Result<Self, ()> {
        Ok(Self { kind, size, start: position(kind, token)? })
    }

    /// The same page with no more items than this.
    pub(crate) fn at_most(mut self, items: usize) -> Self {
        self.size = self.size.min(items);
        self
    }

    /// Whether an item at that position belongs to this page or a later one.
    pub(crate) fn reaches(&self, position: &str) -> bool {
        self.start.as_deref().is_none_or(|start| position > start)
    }

    /// Whether the page has room for no more than these items.
    pub(crate) fn is_full<T>(&self, items: &[T]) -> bool {
        items.len() >= self.size
    }

    /// The token of a page that begins at or after that position.
    pub(crate) fn token(&self, position: &str) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}\n{position}", self.kind))
    }

    /// The items of this page, and the token of the next one if there is one.
    pub(crate) fn take<T>(
        &self,
        mut listed: impl Iterator<Item = T>,
        position: impl Fn(&T) -> String,
    ) -> (Vec<T>, Option<String>) {
        let items: Vec<T> = listed.by_ref().take(self.size).collect();
        let token = listed.next().and(items.last()).map(|last| self.token(&position(last)));
        (items, token)
    }
}

fn position(kind: &str, token: Option<&str>) -> Result<Option<String>, ()> {
    let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| ())?;
    let text = String::from_utf8(bytes).map_err(|_| ())?;
    match text.split_once('\n') {
        Some((of, position)) if of == kind => Ok(Some(position.to_owned())),
        _ => Err(()),
    }
}
