//! What is measured: the rows of the table.

use crate::batches::BATCHES;
use crate::count::{self, Units};
use crate::pools::POOLS;
use crate::program::{EVERY_LOOP, Loop, Program};

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
    /// Like `Timed`, as part of what the hand-written program reaches.
    Ratio {
        arguments: &'static str,
        key: &'static str,
    },
}

const ECHO: Program = Program::plain("echo");
const TURNS: Program = Program::plain("turns");
const PAIRS: Program = Program::plain("pairs");
const DUE: Program = PAIRS.with(&["-DDEADLINES"]);
const CHURN: Program = Program::plain("churn");
const CHURN_FLAGS: Program = CHURN.with(&["-DOWFAT_FLAGS"]);
const CHURN_FD_FIRST: Program = CHURN.with(&["-DOWFAT_FD_FIRST"]);
const TIMERS: Program = Program::plain("timers");
const MEMORY: Program = Program::plain("memory");
const MEMORY_DUE: Program = MEMORY.with(&["-DDEADLINES"]);

/// 0.32 looks at every descriptor in every turn, which takes minutes to count.
const NOT_ORIGINAL: &[Loop] = &[Loop::Epoll, Loop::Libev, Loop::Libevent, Loop::Libuv, Loop::Ours];
const OWFAT: &[Loop] = &[Loop::Original, Loop::Ours];

/// 64 connections; the first round is in both runs.
const SERVED: Units = Units { few: "64 21", many: "64 41", between: 20 * 64 };

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
            How::SystemCalls(units) => count::system_calls(self.program, under, units),
            How::Printed { arguments, key }
            | How::Timed { arguments, key }
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

    const fn at(mut self, at: u32) -> Figure {
        self.at = Some(at);
        self
    }

    pub(crate) const fn only(mut self, loops: &'static [Loop]) -> Figure {
        self.loops = loops;
        self
    }
}

/// Whole times round, so that every pair has had its turn equally often.
const fn pairs(few: &'static str, many: &'static str, between: u32) -> How {
    How::Instructions(Units { few, many, between })
}

/// Twice round 19,900 deadlines.
const fn pushes(few: &'static str, many: &'static str) -> How {
    How::Instructions(Units { few, many, between: 398 })
}

const fn printed(key: &'static str, arguments: &'static str) -> How {
    How::Printed { arguments, key }
}

const fn turns(arguments: &'static str) -> How {
    How::Timed { arguments, key: "ns_per_turn" }
}

const fn ratio(arguments: &'static str) -> How {
    How::Ratio { arguments, key: "messages_per_second" }
}

const fn processor(arguments: &'static str) -> How {
    How::Timed { arguments, key: "cpu_ns" }
}

pub(crate) fn every() -> impl Iterator<Item = &'static Figure> {
    FIGURES.iter().chain(BATCHES).chain(POOLS)
}

const FIGURES: &[Figure] = &[
    figure("echo", "64 connections: instructions a message", ECHO, How::Instructions(SERVED))
        .limit(180.0)
        .missed()
        .checked(),
    figure("echo", "64 connections: system calls a message", ECHO, How::SystemCalls(SERVED)).checked(),
    figure("turns", "request, answer, 64 connections: instructions", TURNS, How::Instructions(SERVED))
        .limit(530.0)
        .missed()
        .checked(),
    figure("turns", "the same: system calls", TURNS, How::SystemCalls(SERVED)).limit(2.1).checked(),
    figure(
        "pairs",
        "500 pairs, 100 active: instructions an event",
        PAIRS,
        pairs("500 100 2000", "500 100 4000", 2000),
    )
    .at(500),
    figure("pairs", "1,000 pairs", PAIRS, pairs("1000 100 2000", "1000 100 4000", 2000)).at(1000),
    figure("pairs", "3,000 pairs", PAIRS, pairs("3000 100 3000", "3000 100 6000", 3000)).at(3000),
    figure("pairs", "9,900 pairs", PAIRS, pairs("9900 100 9900", "9900 100 19800", 9900))
        .at(9900)
        .limit(140.0)
        .checked(),
    figure(
        "deadlines",
        "500 pairs, and each event pushes a deadline",
        DUE,
        pairs("500 100 2000", "500 100 4000", 2000),
    )
    .at(500),
    figure("deadlines", "1,000 pairs", DUE, pairs("1000 100 2000", "1000 100 4000", 2000)).at(1000),
    figure("deadlines", "3,000 pairs", DUE, pairs("3000 100 3000", "3000 100 6000", 3000)).at(3000),
    figure("deadlines", "9,900 pairs", DUE, pairs("9900 100 9900", "9900 100 19800", 9900))
        .at(9900)
        .limit(250.0)
        .checked(),
    figure("churn", "accept, read, answer, close: system calls", CHURN, How::SystemCalls(SERVED))
        .limit(6.3)
        .checked(),
    figure("churn", "io_fd before io_nonblock", CHURN_FD_FIRST, How::SystemCalls(SERVED))
        .only(OWFAT)
        .checked(),
    figure("churn", "io_fd_flags(CANWRITE, NONBLOCK)", CHURN_FLAGS, How::SystemCalls(SERVED))
        .only(OWFAT)
        .limit(5.3)
        .checked(),
    figure("churn", "instructions a connection", CHURN, How::Instructions(SERVED)).limit(1200.0).checked(),
    figure("memory", "bytes of an idle descriptor", MEMORY, printed("bytes_per_descriptor", "19000"))
        .limit(72.0)
        .checked(),
    figure("memory", "with a deadline", MEMORY_DUE, printed("bytes_per_descriptor", "19000"))
        .limit(96.0)
        .checked(),
    figure(
        "timers",
        "1,000 deadlines, 100 pushed: instructions a turn",
        TIMERS,
        pushes("1000 398", "1000 796"),
    )
    .only(NOT_ORIGINAL)
    .checked(),
    figure("timers", "19,900 deadlines", TIMERS, pushes("19900 398", "19900 796"))
        .only(NOT_ORIGINAL)
        .checked(),
    figure("timers", "1,000 deadlines, 100 pushed: ns a turn", TIMERS, turns("1000 0"))
        .at(1000)
        .limit(1000.0),
    figure("timers", "2,000 deadlines", TIMERS, turns("2000 0")).at(2000).limit(1000.0),
    figure("timers", "5,000 deadlines", TIMERS, turns("5000 0")).at(5000).limit(1000.0),
    figure("timers", "10,000 deadlines", TIMERS, turns("10000 0")).at(10000).limit(1000.0),
    figure("timers", "19,900 deadlines: ns", TIMERS, turns("19900 0")).at(19900).limit(1000.0),
    figure("throughput", "echo, 1 connection: messages, against epoll", ECHO, ratio("1 0 400")).limit(0.97),
    figure("throughput", "echo, 64 connections", ECHO, ratio("64 0 400")).limit(0.97),
    figure("throughput", "echo, 1,000 connections", ECHO, ratio("1000 0 400")).limit(0.97),
    figure("throughput", "accept, read, answer, close", CHURN, ratio("64 0 400")).limit(0.97),
    figure("processor", "echo, 64 connections: ns of the server a message", ECHO, processor("64 0 400")),
    figure("processor", "accept, read, answer, close", CHURN, processor("64 0 400")),
];
