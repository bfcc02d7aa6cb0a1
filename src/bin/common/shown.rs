//! Makes foreign names and texts safe for a terminal: control characters, and those that change the direction of the text,
//! are replaced by escapes.

use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Whether a terminal obeys the character: control characters, and those that change the direction or hide text.
fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

pub(crate) fn bytes(bytes: &[u8]) -> String {
    let mut shown = String::new();
    // Writing to a string does not fail.
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            let _ = match c {
                c if !is_obeyed(c) => write!(shown, "{c}"),
                c if c.is_ascii() => write!(shown, "\\x{:02x}", u32::from(c)),
                c => write!(shown, "\\u{{{:x}}}", u32::from(c)),
            };
        }
        for byte in chunk.invalid() {
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

pub(crate) fn text(text: &str) -> String {
    bytes(text.as_bytes())
}

pub(crate) fn path(path: &Path) -> String {
    bytes(path.as_os_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_nothing_of_a_name() {
        assert_eq!(text("/usr/bin/prog\u{e4}m (1)"), "/usr/bin/prog\u{e4}m (1)");
        assert_eq!(text("a\u{1b}]0;x\u{7}\n\u{7f}"), "a\\x1b]0;x\\x07\\x0a\\x7f");
        assert_eq!(text("\u{9b}31m"), "\\u{9b}31m");
        assert_eq!(text("a\u{202e}b\u{200b}"), "a\\u{202e}b\\u{200b}");
        assert_eq!(bytes(b"\xff\x9bx\xc3"), "\\xff\\x9bx\\xc3");
    }
}
