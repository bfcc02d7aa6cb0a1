//! Bytes as numbers. When they are used up, everything is 0.

pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub fn new(bytes: &'a [u8]) -> Input<'a> {
        Input(bytes)
    }

    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    /// Below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n
    }

    pub fn one_of<T: Copy>(&mut self, choice: &[T]) -> T {
        choice[self.below(choice.len())]
    }

    pub fn yes(&mut self) -> bool {
        self.byte() & 1 != 0
    }

    pub fn word(&mut self) -> u32 {
        (0..4).fold(0, |n, _| n << 8 | u32::from(self.byte()))
    }

    pub fn long(&mut self) -> u64 {
        u64::from(self.word()) << 32 | u64::from(self.word())
    }

    /// Mostly small, sometimes absurd.
    pub fn size(&mut self) -> u64 {
        match self.byte() {
            n @ 0..200 => u64::from(n),
            n @ 200..240 => 1 << (n - 200) % 17,
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
