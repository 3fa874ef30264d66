//! Text from outside, made fit for a log line or an answer.

/// The most characters of a text that a host, an event or a caller wrote.
pub const MOST_CHARACTERS: usize = 300;

/// The text without characters that a terminal or a log viewer acts on (control characters, line and paragraph separators,
/// marks of writing direction), cut after so many characters. White space becomes blanks.
pub fn clean(text: &str, most: usize) -> String {
    let text = text.chars().map(|c| if matches!(c, '\t' | '\n' | '\r') { ' ' } else { c });
    let mut clean: String = text.filter(|c| !is_acted_on(*c)).take(most).collect();
    clean.shrink_to_fit();
    clean
}

fn is_acted_on(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_terminal_acts_on_is_dropped() {
        assert_eq!(clean("a\u{1b}[31mb\r\nc\u{202e}d\u{2028}e\u{9b}f\u{feff}", 100), "a[31mb  cdef");
        assert_eq!(clean("Zugriff verweigert: \u{30e6}", 100), "Zugriff verweigert: \u{30e6}");
        assert_eq!(clean("\u{1F600}\u{1F600}\u{1F600}", 2), "\u{1F600}\u{1F600}");
    }

    proptest! {
        #[test]
        fn any_text_is_cut_and_holds_nothing_that_is_acted_on(text in "(?s).{0,600}", most in 0..400_usize) {
            let clean = clean(&text, most);
            prop_assert!(clean.chars().count() <= most);
            prop_assert!(!clean.chars().any(is_acted_on));
        }
    }
}
