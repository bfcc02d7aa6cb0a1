//! What a row of a table is; the rows stand in `loops.rs`, `requests.rs`, `batches.rs` and `pools.rs`.

use crate::batches::BATCHES;
use crate::count::{self, Units};
use crate::loops::LOOPS;
use crate::pools::POOLS;
use crate::program::{EVERY_LOOP, Loop, Program};
use crate::requests::REQUESTS;

/// One line of the table, or one point of a chart for each loop.
#[derive(Clone, Copy)]
pub(crate) struct Figure {
    /// What `CASE` selects it by.
    pub(crate) case: &'static str,
    pub(crate) what: &'static str,
    pub(crate) program: Program,
    pub(crate) how: How,
    pub(crate) loops: &'static [Loop],
    /// What ours has to reach.
    pub(crate) limit: Option<Bound>,
    /// The limit is not reached; `docs/performance.md` says why.
    pub(crate) missed: bool,
    /// Whether `make check` holds it against the committed one.
    pub(crate) checked: bool,
    /// Where the figure stands on a chart: the number of descriptors or deadlines.
    pub(crate) at: Option<u32>,
}

#[derive(Clone, Copy)]
pub(crate) enum Bound {
    Value(f64),
    /// `times` what the hand-written program takes, `plus` something.
    OverHandWritten {
        times: f64,
        plus: f64,
    },
}

#[derive(Clone, Copy)]
pub(crate) enum How {
    Instructions(Units),
    /// Inside the io layer, without its system calls.
    LibraryInstructions(Units),
    /// A row for each function of the io layer that the program calls.
    Functions(Units),
    SystemCalls(Units),
    /// The program prints `key NUMBER`, which comes out the same within a page of memory.
    Printed {
        arguments: &'static str,
        key: &'static str,
    },
    /// The program prints `key NUMBER`, which takes some runs to believe.
    Timed {
        arguments: &'static str,
        key: &'static str,
    },
    /// Like `Timed`, and a second row has what ours takes as part of what the others take. Runs of one round are
    /// compared, so that a machine that others use slows both.
    Paired {
        arguments: &'static str,
        key: &'static str,
    },
    /// Like `Timed`, as part of what the hand-written program reaches.
    Ratio {
        arguments: &'static str,
        key: &'static str,
    },
}

pub(crate) const fn figure(case: &'static str, what: &'static str, program: Program, how: How) -> Figure {
    Figure {
        case,
        what,
        program,
        how,
        loops: EVERY_LOOP,
        limit: None,
        missed: false,
        checked: false,
        at: None,
    }
}

impl Figure {
    /// From one measurement, which is enough for what repeats.
    pub(crate) fn once(&self, under: Loop) -> Result<f64, String> {
        match self.how {
            How::Instructions(units) => count::instructions(self.program, under, units),
            How::LibraryInstructions(units) => count::library_instructions(self.program, under, units),
            How::Functions(units) => {
                Ok(count::functions(self.program, under, units)?.iter().map(|(_, n)| n).sum())
            }
            How::SystemCalls(units) => count::system_calls(self.program, under, units),
            How::Printed { arguments, key }
            | How::Timed { arguments, key }
            | How::Paired { arguments, key }
            | How::Ratio { arguments, key } => count::printed(self.program, under, arguments, key),
        }
    }

    /// What ours may come to; `hand_written` finds out what the hand-written program takes, if that matters.
    pub(crate) fn allowed(
        &self,
        hand_written: impl FnOnce() -> Result<f64, String>,
    ) -> Result<Option<f64>, String> {
        Ok(match self.limit {
            None => None,
            Some(Bound::Value(value)) => Some(value),
            Some(Bound::OverHandWritten { times, plus }) => Some(times * hand_written()? + plus),
        })
    }

    pub(crate) const fn checked(mut self) -> Figure {
        self.checked = true;
        self
    }

    pub(crate) const fn limit(mut self, limit: f64) -> Figure {
        self.limit = Some(Bound::Value(limit));
        self
    }

    pub(crate) const fn over_hand_written(mut self, times: f64, plus: f64) -> Figure {
        self.limit = Some(Bound::OverHandWritten { times, plus });
        self
    }

    pub(crate) const fn missed(mut self) -> Figure {
        self.missed = true;
        self
    }

    pub(crate) const fn at(mut self, at: u32) -> Figure {
        self.at = Some(at);
        self
    }

    pub(crate) const fn only(mut self, loops: &'static [Loop]) -> Figure {
        self.loops = loops;
        self
    }
}

pub(crate) fn every() -> impl Iterator<Item = &'static Figure> {
    LOOPS.iter().chain(REQUESTS).chain(BATCHES).chain(POOLS)
}
