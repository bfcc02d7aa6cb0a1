//! Entries of any size. Most of their memory does not exist; the model checks only what the descriptor is asked.

use super::script::{Answer, Embedded, note_buffer, note_file, released, seen};
use super::{Code, Owners, Setting};
use crate::batch::filter::{self, Filter};
use crate::batch::plan::{Piece, Small};
use crate::batch::send::{Carrier, send};
use crate::batch::window::drop_window;
use crate::batch::{Batch, item};
use crate::outcome::Outcome;
use crate::sys::message::{Gather, TRANSFER_MAX};
use crate::xfer::gather::SMALL_FILE;
use crate::xfer::sendfile::part;
use nix::errno::Errno;
use std::collections::VecDeque;
use std::ptr;

/// After so many calls the descriptor takes no more, so that sending the largest entries ends.
const PATIENCE: usize = 40;
/// More than one call can send.
const ENTRIES_MAX: usize = 2_500;

#[derive(Clone, Copy, Debug)]
enum Step {
    Add { kind: Kind, owned: bool, n: u64 },
    AddMany(usize),
    Answer(Answer),
    Send,
    Filter,
    Reset,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Buffer,
    File,
}

impl Step {
    fn decode([kind, size, a, b]: Code) -> Step {
        let wide = u64::from(a) << 8 | u64::from(b);
        let n = match size % 8 {
            0 | 1 => u64::from(a),
            2 => wide,
            3 => SMALL_FILE as u64 - 8 + u64::from(a % 16),
            4 => TRANSFER_MAX as u64 - 8 + u64::from(a % 16),
            5 => (1 << (a % 64)) + u64::from(b),
            6 => wide << 4,
            _ => u64::MAX - wide,
        };
        let owned = size & 64 != 0;
        match kind % 16 {
            0..3 | 5 => Step::Add { kind: Kind::Buffer, owned, n },
            3..5 => Step::Add { kind: Kind::File, owned, n: n / 4 },
            6 => Step::AddMany(usize::from(size) * 5),
            7..11 => Step::Answer(Answer::decode(a)),
            11 | 12 | 14 => Step::Send,
            13 => Step::Filter,
            _ => Step::Reset,
        }
    }
}

/// What is left of an entry: of memory from an address on, of a file from a position on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Part {
    fd: Option<i64>,
    at: u64,
    n: u64,
}

/// A descriptor that knows what it must be asked.
struct Ledger {
    setting: Setting,
    answers: VecDeque<Answer>,
    parts: VecDeque<Part>,
    /// Bytes in `parts`.
    left: u128,
    moved: u128,
    calls: usize,
    held: bool,
    /// It took less than it was given in this call of the library, and is not asked again.
    full: bool,
}

impl Ledger {
    fn first(&self) -> Part {
        *self.parts.front().expect("something is left")
    }

    /// Answers an offer of `n` bytes.
    fn take(&mut self, n: u64, more: bool) -> Result<usize, Errno> {
        assert!(n > 0 && u128::from(n) <= self.left && !self.full);
        self.calls += 1;
        let answer = if self.calls > PATIENCE { Answer::Again } else { Answer::All };
        let taken = match self.answers.pop_front().unwrap_or(answer) {
            Answer::All => n,
            // Half of the answers stop near the end.
            Answer::Some(few) if few % 2 == 0 => n.saturating_sub(few as u64).max(1),
            Answer::Some(few) => n.min(few as u64),
            Answer::Again => return Err(Errno::EAGAIN),
            Answer::Fail => return Err(Errno::EPIPE),
        };
        self.held = more && taken == n;
        self.full = taken < n;
        self.moved += u128::from(taken);
        self.left -= u128::from(taken);
        let mut rest = taken;
        while let Some(part) = self.parts.front_mut().filter(|_| rest > 0) {
            let here = part.n.min(rest);
            (part.at, part.n) = (part.at.wrapping_add(here), part.n - here);
            rest -= here;
            if part.n == 0 {
                self.parts.pop_front();
            }
        }
        Ok(taken as usize)
    }

    /// Only the last piece of a list may be less than an entry.
    fn check(&self, list: &Gather, small: Option<Small>) {
        let mut whole = true;
        let mut parts = self.parts.iter();
        for (i, (address, n)) in list.pieces().enumerate() {
            assert!(whole, "a piece overtakes another");
            let part = parts.next().expect("more pieces than entries");
            let place = match small.filter(|small| small.gap == i) {
                Some(small) => Part { fd: Some(small.fd), at: small.off, n: small.n as u64 },
                None => Part { fd: None, at: address as u64, n: part.n },
            };
            assert_eq!(*part, place);
            assert!(n > 0 && n as u64 <= part.n);
            whole = n as u64 == part.n;
        }
        assert!(whole || small.is_none_or(|small| small.gap + 1 < list.len()), "part of a file");
    }

    fn follows(&self, n: usize) -> bool {
        self.left > n as u128
    }
}

impl Carrier for Ledger {
    fn buffers(&mut self, list: &Gather, more: bool) -> Result<usize, Errno> {
        self.check(list, None);
        assert_eq!(more, self.follows(list.bytes()));
        self.take(list.bytes() as u64, more)
    }

    fn around(&mut self, list: &mut Gather, small: Small, more: bool) -> Option<Result<usize, Errno>> {
        self.check(list, Some(small));
        assert_eq!(more, self.follows(list.bytes()));
        (!self.setting.cold).then(|| self.take(list.bytes() as u64, more))
    }

    fn file(&mut self, Piece { fd, off, n }: Piece) -> Outcome {
        assert_eq!(Part { fd: Some(fd), at: off, n }, self.first());
        Ok(self.take(part(n) as u64, false)?)
    }

    fn push_held(&mut self, _: bool) {
        self.held = false;
    }

    fn drop_held(&mut self) -> bool {
        false
    }
}

impl Filter for Ledger {
    fn target(&self) -> i64 {
        -1
    }

    fn take(&mut self, bytes: *const u8, n: u64) -> Outcome<u64> {
        assert_eq!(Part { fd: None, at: bytes.addr() as u64, n }, self.first());
        Ok(self.take(n, false)? as u64)
    }

    fn takes_files(&self) -> bool {
        true
    }

    fn take_file(&mut self, fd: i64, off: u64, n: u64) -> Outcome<u64> {
        assert_eq!(Part { fd: Some(fd), at: off, n }, self.first());
        Ok(self.take(n, false)? as u64)
    }
}

struct Run {
    batch: Batch,
    ledger: Ledger,
    owners: Owners,
    added: usize,
}

/// Panics where the batch and the model differ.
pub(crate) fn run(setting: Setting, codes: &[Code]) {
    let mut e = Embedded::new();
    let batch = e.view();
    batch.init(setting.autofree, 0).unwrap();
    let ledger = Ledger {
        setting,
        answers: VecDeque::new(),
        parts: VecDeque::new(),
        left: 0,
        moved: 0,
        calls: 0,
        held: false,
        full: false,
    };
    let mut run = Run { batch, ledger, owners: Owners::new(setting.autofree), added: 0 };
    codes.iter().copied().map(Step::decode).for_each(|step| run.step(step));
    run.step(Step::Send);
    run.step(Step::Reset);
    assert!(e.is_whole(setting.autofree));
}

impl Run {
    fn step(&mut self, step: Step) {
        match step {
            Step::Add { kind, owned, n } => self.add(kind, owned, n),
            Step::AddMany(k) => (0..k).for_each(|i| self.add(Kind::Buffer, false, i as u64 % 3)),
            Step::Answer(answer) => self.ledger.answers.push_back(answer),
            Step::Send => self.call(|ledger, batch| send(ledger, batch).outcome),
            Step::Filter => self.call(|ledger, batch| filter::write(batch, note_file, ledger)),
            Step::Reset => {
                self.batch.reset();
                self.owners.reset();
                self.ledger.parts.clear();
                self.ledger.left = 0;
            }
        }
        assert_eq!(u128::from(self.batch.bytesleft()), self.owners.left());
        assert_eq!(self.ledger.left, self.owners.left());
        if self.ledger.left == 0 {
            assert_eq!(seen(self.batch), (0, 0, 0, 0, vec![]));
        }
    }

    fn add(&mut self, kind: Kind, owned: bool, n: u64) {
        if self.added == ENTRIES_MAX {
            return;
        }
        self.added += 1;
        let id = self.added as u64;
        let (e, at, fd) = match kind {
            Kind::Buffer => {
                let address = (id << 34) | (id % 4096);
                let cleanup = owned.then_some(note_buffer as item::Cleanup);
                (item::buffer(ptr::without_provenance(address as usize), n, cleanup), address, None)
            }
            Kind::File => {
                let (fd, off) = (100 + id as i64 % 3, id << 20);
                let cleanup = if owned { note_file } else { drop_window };
                (item::file(fd, off, n, cleanup), off, Some(fd))
            }
        };
        let note = owned.then(|| if fd.is_some() { at + n } else { n });
        let fits = self.owners.left() + u128::from(n) <= u128::from(u64::MAX);
        let added = item::add_owned(Ok(self.batch), e);
        assert_eq!(added, if fits { Ok(()) } else { Err(Errno::EOVERFLOW) });
        if n == 0 || !fits {
            assert_eq!(released(), Vec::from_iter(note), "what is not queued goes at once");
            return;
        }
        self.ledger.parts.push_back(Part { fd, at, n });
        self.ledger.left += u128::from(n);
        self.owners.added(n, note);
    }

    fn call(&mut self, call: impl FnOnce(&mut Ledger, Batch) -> Outcome<u64>) {
        (self.ledger.moved, self.ledger.calls, self.ledger.full) = (0, 0, false);
        let result = call(&mut self.ledger, self.batch);
        assert_eq!(result.unwrap_or(0) as u128, self.ledger.moved);
        assert!(!self.ledger.held, "the call ended with bytes that wait for more");
        self.owners.moved(self.ledger.moved);
    }
}
