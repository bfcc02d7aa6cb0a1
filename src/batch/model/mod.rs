//! Random batches against naive models.
//!
//! [`bytes`] follows every byte of small batches to where it arrives. [`ledger`] has entries of any size, whose memory
//! is never read, and checks what the descriptor is asked. Both check when owned entries are released.
//!
//! The unit tests draw the batches at random; the fuzz target `plan` looks for those that reach new code.

pub(crate) mod bytes;
pub(crate) mod ledger;
pub(in crate::batch) mod script;

use crate::batch::model::script::{Answer, released};
use std::collections::VecDeque;

/// The code of one step.
pub(crate) type Code = [u8; 4];

/// How the calls of a case are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) autofree: bool,
    /// Files are not in the page cache.
    pub(crate) cold: bool,
}

impl Setting {
    pub(crate) fn decode(n: u8) -> Setting {
        let bit = |i: u8| n >> i & 1 != 0;
        Setting { autofree: bit(0), cold: bit(1) }
    }
}

impl Answer {
    fn decode(n: u8) -> Answer {
        match n % 8 {
            0 => Answer::Again,
            1 => Answer::Fail,
            2 | 3 => Answer::All,
            few => Answer::Some(1 + usize::from(n / 8) * usize::from(few)),
        }
    }
}

/// The owned entries in the batch, in order: how many bytes end with each, and what is noted when it is released.
#[derive(Default)]
struct Owners {
    /// Bytes queued and bytes sent since the last reset.
    queued: u128,
    sent: u128,
    in_batch: VecDeque<(u128, u64)>,
    /// Each is released when it is sent, until a reset.
    autofree: bool,
}

impl Owners {
    fn new(autofree: bool) -> Owners {
        Owners { autofree, ..Owners::default() }
    }

    /// An entry of `n` bytes was added.
    fn added(&mut self, n: u64, note: Option<u64>) {
        self.queued += u128::from(n);
        self.in_batch.extend(note.map(|note| (self.queued, note)));
    }

    fn left(&self) -> u128 {
        self.queued - self.sent
    }

    /// `n` bytes were sent. With `autofree`, or if these were the last, entries must have been released.
    fn moved(&mut self, n: u128) {
        self.sent += n;
        let all = self.left() == 0;
        let mut expected = Vec::new();
        while let Some(&(end, note)) = self.in_batch.front() {
            let is_sent = self.autofree && end <= self.sent;
            if !(all || is_sent) {
                break;
            }
            expected.push(note);
            self.in_batch.pop_front();
        }
        assert_eq!(released(), expected);
    }

    /// The batch was reset.
    fn reset(&mut self) {
        let expected: Vec<u64> = self.in_batch.drain(..).map(|(_, note)| note).collect();
        assert_eq!(released(), expected);
        *self = Owners::default();
    }
}
