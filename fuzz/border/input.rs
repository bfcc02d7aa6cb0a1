//! Bytes as numbers. When they are used up, everything is 0.

pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Input<'a> {
        Input(bytes)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    /// Below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n
    }

    pub(crate) fn one_of<T: Copy>(&mut self, choice: &[T]) -> T {
        choice[self.below(choice.len())]
    }

    pub(crate) fn yes(&mut self) -> bool {
        self.byte() & 1 != 0
    }

    pub(crate) fn word(&mut self) -> u32 {
        (0..4).fold(0, |n, _| n << 8 | u32::from(self.byte()))
    }

    pub(crate) fn long(&mut self) -> u64 {
        u64::from(self.word()) << 32 | u64::from(self.word())
    }

    /// Mostly small, sometimes absurd.
    pub(crate) fn size(&mut self) -> u64 {
        match self.byte() {
            n @ 0..200 => u64::from(n),
            n @ 200..240 => 1 << ((n - 200) % 17),
            240..250 => u64::from(self.byte()) << 8,
            250 => i64::MAX as u64,
            251 => i64::MIN as u64,
            252 => u64::MAX,
            253 => 1 << 32,
            254 => 0x8000_0000,
            _ => 1 << 50,
        }
    }
}
