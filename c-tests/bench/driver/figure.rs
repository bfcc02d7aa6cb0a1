//! What is measured: the rows of the table.

use crate::count::Units;
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
    pub(crate) limit: Option<f64>,
    /// Where the figure stands on a chart: the number of descriptors or deadlines.
    pub(crate) at: Option<u32>,
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
    /// Like `Timed`, as part of what hand-written epoll reaches.
    Ratio {
        arguments: &'static str,
        key: &'static str,
    },
}

const ECHO: Program = Program::plain("echo");
const TURNS: Program = Program::plain("turns");
const PAIRS: Program = Program::plain("pairs");
const PAIRS_DEADLINES: Program = Program { source: "pairs", defines: &["-DDEADLINES"] };
const CHURN: Program = Program::plain("churn");
const CHURN_FLAGS: Program = Program { source: "churn", defines: &["-DOWFAT_FLAGS"] };
const CHURN_FD_FIRST: Program = Program { source: "churn", defines: &["-DOWFAT_FD_FIRST"] };
const TIMERS: Program = Program::plain("timers");
const MEMORY: Program = Program::plain("memory");
const MEMORY_DEADLINES: Program = Program { source: "memory", defines: &["-DDEADLINES"] };

const OWFAT: &[Loop] = &[Loop::Original, Loop::Ours];

/// 64 connections; the first round is in both runs.
const SERVED: Units = Units { few: "64 21", many: "64 41", between: 20 * 64 };

const fn figure(case: &'static str, what: &'static str, program: Program, how: How) -> Figure {
    Figure { case, what, program, how, loops: EVERY_LOOP, limit: None, at: None }
}

impl Figure {
    const fn limit(mut self, limit: f64) -> Figure {
        self.limit = Some(limit);
        self
    }

    const fn at(mut self, at: u32) -> Figure {
        self.at = Some(at);
        self
    }

    const fn only(mut self, loops: &'static [Loop]) -> Figure {
        self.loops = loops;
        self
    }
}

const fn pairs(few: &'static str, many: &'static str) -> How {
    How::Instructions(Units { few, many, between: 2000 })
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

pub(crate) const FIGURES: &[Figure] = &[
    figure("echo", "64 connections: instructions a message", ECHO, How::Instructions(SERVED)).limit(150.0),
    figure("echo", "64 connections: system calls a message", ECHO, How::SystemCalls(SERVED)),
    figure(
        "turns",
        "request and answer in turns, 64 connections: instructions",
        TURNS,
        How::Instructions(SERVED),
    )
    .limit(280.0),
    figure("turns", "the same: system calls", TURNS, How::SystemCalls(SERVED)).limit(2.02),
    figure(
        "pairs",
        "100 pairs, 100 active: instructions an event",
        PAIRS,
        pairs("100 100 2000", "100 100 4000"),
    )
    .at(100),
    figure("pairs", "1,000 pairs", PAIRS, pairs("1000 100 2000", "1000 100 4000")).at(1000),
    figure("pairs", "3,000 pairs", PAIRS, pairs("3000 100 2000", "3000 100 4000")).at(3000),
    figure("pairs", "9,900 pairs", PAIRS, pairs("9900 100 2000", "9900 100 4000")).at(9900).limit(150.0),
    figure(
        "deadlines",
        "100 pairs, each event pushes a deadline",
        PAIRS_DEADLINES,
        pairs("100 100 2000", "100 100 4000"),
    )
    .at(100),
    figure("deadlines", "1,000 pairs", PAIRS_DEADLINES, pairs("1000 100 2000", "1000 100 4000")).at(1000),
    figure("deadlines", "3,000 pairs", PAIRS_DEADLINES, pairs("3000 100 2000", "3000 100 4000")).at(3000),
    figure("deadlines", "9,900 pairs", PAIRS_DEADLINES, pairs("9900 100 2000", "9900 100 4000"))
        .at(9900)
        .limit(250.0),
    figure("churn", "accept, read, answer, close: system calls", CHURN, How::SystemCalls(SERVED)).limit(6.1),
    figure("churn", "io_fd before io_nonblock", CHURN_FD_FIRST, How::SystemCalls(SERVED)).only(OWFAT),
    figure("churn", "io_fd_flags(CANWRITE, NONBLOCK)", CHURN_FLAGS, How::SystemCalls(SERVED))
        .only(OWFAT)
        .limit(5.1),
    figure("churn", "instructions a connection", CHURN, How::Instructions(SERVED)),
    figure("memory", "bytes of an idle descriptor", MEMORY, printed("bytes_per_descriptor", "19000"))
        .limit(72.0),
    figure("memory", "with a deadline", MEMORY_DEADLINES, printed("bytes_per_descriptor", "19000"))
        .limit(96.0),
    figure("timers", "1,000 deadlines, 100 pushed back: ns a turn", TIMERS, turns("1000 0"))
        .at(1000)
        .limit(1000.0),
    figure("timers", "2,000 deadlines", TIMERS, turns("2000 0")).at(2000).limit(1000.0),
    figure("timers", "5,000 deadlines", TIMERS, turns("5000 0")).at(5000).limit(1000.0),
    figure("timers", "10,000 deadlines", TIMERS, turns("10000 0")).at(10000).limit(1000.0),
    figure("timers", "19,900 deadlines", TIMERS, turns("19900 0")).at(19900).limit(1000.0),
    figure("throughput", "echo, 1 connection: messages", ECHO, ratio("1 0 400")).limit(0.97),
    figure("throughput", "echo, 64 connections", ECHO, ratio("64 0 400")).limit(0.97),
    figure("throughput", "echo, 1,000 connections", ECHO, ratio("1000 0 400")).limit(0.97),
    figure("throughput", "accept, read, answer, close", CHURN, ratio("64 0 400")).limit(0.97),
    figure("processor", "echo, 64 connections: ns of the server a message", ECHO, processor("64 0 400")),
    figure("processor", "accept, read, answer, close", CHURN, processor("64 0 400")),
];
