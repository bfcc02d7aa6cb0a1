//! Small batches, every byte of which is followed to where it arrives.

use super::script::{Answer, Embedded, Script, file_of, note_buffer, note_file, released, seen};
use super::{Code, Owners, Setting};
use crate::batch::send::send;
use crate::batch::window::drop_window;
use crate::batch::{Batch, filter, item};
use crate::outcome::Stop;
use nix::errno::Errno;
use std::collections::VecDeque;
use std::fs::File;

/// How many bytes there are in memory, and the same in a file.
const STOCK: usize = 70_000;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// `n` bytes from a position of the stock. There may be fewer in the file.
    Add {
        file: bool,
        owned: bool,
        from: usize,
        n: usize,
    },
    /// Adds an answer to those that the descriptor or the filter is going to give.
    Answer(Answer),
    Send,
    Filter,
    Reset,
}

impl Step {
    fn decode([kind, a, b, c]: Code) -> Step {
        let wide = usize::from(b) << 8 | usize::from(c);
        let owned = kind & 64 != 0;
        match kind % 16 {
            0..3 => Step::Add { file: false, owned, from: wide, n: usize::from(a) },
            3 => Step::Add { file: false, owned, from: usize::from(a), n: wide },
            4..6 => Step::Add { file: true, owned, from: wide, n: usize::from(a) },
            6 => Step::Add { file: true, owned, from: usize::from(a), n: wide },
            7 => Step::Add { file: true, owned, from: STOCK - 2 * usize::from(b), n: usize::from(a) },
            8..11 => Step::Answer(Answer::decode(a)),
            11 | 12 => Step::Send,
            13 | 14 => Step::Filter,
            _ => Step::Reset,
        }
    }
}

/// The bytes, and the file.
struct Stock {
    bytes: Vec<u8>,
    file: (File, i64),
}

impl Stock {
    fn new() -> Stock {
        // No period, so that no two pieces are equal.
        let bytes: Vec<u8> = (0..STOCK).map(|i| (i * 7 + i / 251) as u8).collect();
        let file = file_of(&bytes);
        Stock { bytes, file }
    }
}

struct Run<'s> {
    stock: &'s Stock,
    batch: Batch,
    script: Script,
    /// What has still to arrive: where it begins and ends in the stock. A file may end earlier.
    stream: VecDeque<(usize, usize)>,
    owners: Owners,
}

thread_local!(static OF_THIS_THREAD: Stock = Stock::new());

/// Panics where the batch and the model differ.
pub(crate) fn run(setting: Setting, codes: &[Code]) {
    OF_THIS_THREAD.with(|stock| run_with(stock, setting, codes));
}

fn run_with(stock: &Stock, setting: Setting, codes: &[Code]) {
    let mut e = Embedded::new();
    let batch = e.view();
    batch.init(setting.autofree, 0).unwrap();
    let script = Script { cold: setting.cold, ..Script::default() };
    let mut run =
        Run { stock, batch, script, stream: VecDeque::new(), owners: Owners::new(setting.autofree) };
    codes.iter().copied().map(Step::decode).for_each(|step| run.step(step));
    run.script.answers.clear();
    run.step(Step::Send);
    run.step(Step::Reset);
    assert!(e.is_whole(setting.autofree));
}

impl Run<'_> {
    fn step(&mut self, step: Step) {
        match step {
            Step::Add { file, owned, from, n } => self.add(file, owned, from, n),
            Step::Answer(answer) => self.script.answers.insert(0, answer),
            Step::Send => self.call(false),
            Step::Filter => self.call(true),
            Step::Reset => {
                self.batch.reset();
                self.owners.reset();
                self.stream.clear();
            }
        }
        assert_eq!(u128::from(self.batch.bytesleft()), self.owners.left());
        assert_eq!(self.batch.autofree(), self.owners.autofree);
        if self.stream.is_empty() {
            assert_eq!(seen(self.batch), (0, 0, 0, 0, vec![]));
        }
    }

    fn add(&mut self, file: bool, owned: bool, from: usize, n: usize) {
        let end = from + n;
        let (e, note) = if file {
            let cleanup = if owned { note_file } else { drop_window };
            (item::file(self.stock.file.1, from as u64, n as u64, cleanup), end)
        } else {
            let n = n.min(STOCK - from);
            let cleanup = owned.then_some(note_buffer as item::Cleanup);
            (item::buffer(self.stock.bytes[from..].as_ptr().cast(), n as u64, cleanup), n)
        };
        let n = e.n as usize;
        item::add_owned(Ok(self.batch), e).unwrap();
        let note = owned.then_some(note as u64);
        if n == 0 {
            assert_eq!(released(), Vec::from_iter(note), "an empty one goes at once");
            return;
        }
        self.stream.push_back((from, from + n));
        self.owners.added(n as u64, note);
    }

    fn call(&mut self, filtered: bool) {
        let takes_all = self.script.answers.is_empty();
        let result = if filtered {
            filter::write(self.batch, note_file, &mut self.script)
        } else {
            send(&mut self.script, self.batch).outcome
        };
        let got = std::mem::take(&mut self.script.got);
        assert_eq!(result.unwrap_or(0), got.len() as u64);
        assert!(!self.script.held, "the call ended with bytes that wait for more");
        let gap = self.is_at_a_gap();
        self.arrived(&got);
        if gap {
            assert_eq!(result, Err(Stop::Failed(Errno::EIO)));
        } else if takes_all {
            assert!(self.stream.is_empty() || self.is_at_a_gap(), "{:?} is left", self.stream);
        }
        self.owners.moved(got.len() as u128);
    }

    fn is_at_a_gap(&self) -> bool {
        self.stream.front().is_some_and(|&(from, _)| from >= STOCK)
    }

    fn arrived(&mut self, mut got: &[u8]) {
        while !got.is_empty() {
            let (from, end) = self.stream.front_mut().expect("something is left");
            let n = got.len().min(STOCK.min(*end).saturating_sub(*from));
            assert!(n > 0 && got[..n] == self.stock.bytes[*from..*from + n], "{from} to {end}");
            got = &got[n..];
            *from += n;
            if from == end {
                self.stream.pop_front();
            }
        }
    }
}
