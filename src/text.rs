//! A short text for a person, put together without the formatting of the standard library, which the compiler cannot
//! prove to be free of panics.

/// Enough for a line.
pub(crate) const SHORT: usize = 256;
/// Enough for a hundred short ones.
pub(crate) const LONG: usize = 4096;

/// What was added so far, if it fitted.
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
        match self.bytes.get_mut(self.len..).and_then(|free| free.get_mut(..s.len())) {
            Some(place) => {
                place.copy_from_slice(s.as_bytes());
                self.len += s.len();
            }
            None => self.overflowed = true,
        }
    }

    pub(crate) fn add_decimal(&mut self, n: u64) {
        if n >= 10 {
            self.add_decimal(n / 10);
        }
        self.add_digit(n % 10);
    }

    pub(crate) fn add_hexadecimal(&mut self, n: u64) {
        if n >= 16 {
            self.add_hexadecimal(n / 16);
        }
        self.add_digit(n % 16);
    }

    fn add_digit(&mut self, n: u64) {
        const DIGITS: &str = "0123456789abcdef";
        let n = n as usize;
        self.add(DIGITS.get(n..n + 1).unwrap_or_default());
    }

    /// `None` if something did not fit.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        if self.overflowed { None } else { self.bytes.get(..self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_everywhere() {
        for n in [0, 9, 10, 15, 16, 255, 1_000_000_007, u64::MAX] {
            let mut text = Text::new();
            text.add_decimal(n);
            text.add(" ");
            text.add_hexadecimal(n);
            assert_eq!(text.bytes(), Some(format!("{n} {n:x}").as_bytes()));
        }
    }

    #[test]
    fn what_does_not_fit_shows() {
        let mut text = Text::new();
        (0..SHORT / 2).for_each(|_| text.add("ab"));
        assert_eq!(text.bytes().map(<[u8]>::len), Some(SHORT));
        text.add("c");
        assert_eq!(text.bytes(), None);
    }
}
