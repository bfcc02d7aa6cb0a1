//! Short texts for people. The formatting of the standard library is not used, because the compiler cannot prove that it
//! does not panic.

use crate::sys::standard_error;

/// Enough for a line.
pub(crate) const SHORT: usize = 256;
/// Enough for a hundred short lines.
pub(crate) const LONG: usize = 4096;

/// A text of at most `ROOM` bytes.
pub(crate) struct Text<const ROOM: usize = SHORT> {
    bytes: [u8; ROOM],
    len: usize,
    overflowed: bool,
}

impl Text {
    pub(crate) fn new() -> Text {
        Text::with_room()
    }
}

impl<const ROOM: usize> Text<ROOM> {
    pub(crate) fn with_room() -> Text<ROOM> {
        Text { bytes: [0; ROOM], len: 0, overflowed: false }
    }

    pub(crate) fn add(&mut self, s: &str) {
        self.add_bytes(s.as_bytes());
    }

    /// Adds the end of a path, with a `?` in place of each control character.
    pub(crate) fn add_path(&mut self, path: &[u8]) {
        const SHOWN: usize = 160;
        let cut = path.len().saturating_sub(SHOWN);
        self.add(if cut > 0 { "..." } else { "" });
        for byte in path.iter().skip(cut) {
            self.add_bytes(&[if matches!(byte, b' '..=b'~') { *byte } else { b'?' }]);
        }
    }

    fn add_bytes(&mut self, s: &[u8]) {
        match self.bytes.get_mut(self.len..).and_then(|free| free.get_mut(..s.len())) {
            Some(place) => {
                place.copy_from_slice(s);
                self.len += s.len();
            }
            None => self.overflowed = true,
        }
    }

    pub(crate) fn add_decimal(&mut self, n: u64) {
        self.add_digits::<10>(n, 1);
    }

    /// Adds a number with at least `width` digits.
    pub(crate) fn add_padded(&mut self, n: u64, width: usize) {
        self.add_digits::<10>(n, width);
    }

    pub(crate) fn add_hexadecimal(&mut self, n: u64) {
        self.add_digits::<16>(n, 1);
    }

    fn add_digits<const BASE: u64>(&mut self, mut n: u64, width: usize) {
        // The largest number has 20.
        let mut digits = [b'0'; 20];
        let mut used = 0;
        for place in digits.iter_mut().rev() {
            if n == 0 && used >= width {
                break;
            }
            let digit = (n % BASE) as u8;
            *place = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
            n /= BASE;
            used += 1;
        }
        self.add_bytes(digits.get(digits.len() - used..).unwrap_or_default());
    }

    /// The text; `None` if something did not fit.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        if self.overflowed { None } else { self.bytes.get(..self.len) }
    }

    /// Writes the text to standard error, if that can take it.
    pub(crate) fn say(&self) {
        standard_error::say(self.bytes().unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_rusts_formatting_writes_them() {
        for n in [0, 9, 10, 15, 16, 255, 1_000_000_007, u64::MAX] {
            let mut text = Text::new();
            text.add_decimal(n);
            text.add(" ");
            text.add_hexadecimal(n);
            text.add(" ");
            text.add_padded(n, 6);
            assert_eq!(text.bytes(), Some(format!("{n} {n:x} {n:06}").as_bytes()));
        }
    }

    #[test]
    fn a_path_is_cut_at_its_begin_and_obeyed_by_no_terminal() {
        let mut text = Text::new();
        text.add_path(b"/tmp/\x1b[31m\xc2\x9b\n~");
        assert_eq!(text.bytes(), Some(&b"/tmp/?[31m???~"[..]));
        let mut text = Text::new();
        text.add_path(format!("{}end", "x".repeat(4000)).as_bytes());
        assert!(text.bytes().is_some_and(|b| b.starts_with(b"...xx") && b.ends_with(b"xend")));
    }

    #[test]
    fn a_text_that_is_too_long_is_none() {
        let mut text = Text::new();
        (0..SHORT / 2).for_each(|_| text.add("ab"));
        assert_eq!(text.bytes().map(<[u8]>::len), Some(SHORT));
        text.add("c");
        assert_eq!(text.bytes(), None);
    }
}
