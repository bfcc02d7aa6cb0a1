//! Numbers that look random and repeat from run to run (xorshift64).

pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: usize) -> Random {
        Random(0x9e37_79b9_7f4a_7c15 ^ (seed as u64 + 1))
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % limit
    }

    pub(super) fn one_of<T>(&mut self, of: &[T]) -> T
    where
        T: Copy,
    {
        of[self.below(of.len())]
    }
}
