//! What is measured of the loop: the small programs of this directory on `loop.h`.

use crate::count::Units;
use crate::figure::{Figure, How, figure};
use crate::program::{Loop, Program};

const ECHO: Program = Program::plain("echo");
const TURNS: Program = Program::plain("turns");
const PAIRS: Program = Program::plain("pairs");
const DUE: Program = PAIRS.with(&["-DDEADLINES"]);
const CHURN: Program = Program::plain("churn");
const CHURN_FLAGS: Program = CHURN.with(&["-DOWFAT_FLAGS"]);
const CHURN_FD_FIRST: Program = CHURN.with(&["-DOWFAT_FD_FIRST"]);
const READY: Program = Program::plain("ready");
const TIMERS: Program = Program::plain("timers");
const MEMORY: Program = Program::plain("memory");
const MEMORY_DUE: Program = MEMORY.with(&["-DDEADLINES"]);

/// With a second thread in the process, which sleeps.
const ECHO_IDLE: Program = ECHO.with(&["-DIDLE_THREAD"]);
const TURNS_IDLE: Program = TURNS.with(&["-DIDLE_THREAD"]);
const PAIRS_IDLE: Program = PAIRS.with(&["-DIDLE_THREAD"]);
const CHURN_IDLE: Program = CHURN.with(&["-DIDLE_THREAD"]);
const READY_IDLE: Program = READY.with(&["-DIDLE_THREAD"]);

/// 0.32 looks at every descriptor in every turn, which takes minutes to count.
const NOT_ORIGINAL: &[Loop] = &[Loop::Epoll, Loop::Libev, Loop::Libevent, Loop::Libuv, Loop::Ours];
const OWFAT: &[Loop] = &[Loop::Original, Loop::Later, Loop::Ours];
/// Those that hand out events one by one.
const TAKERS: &[Loop] = &[Loop::Epoll, Loop::Original, Loop::Later, Loop::Ours];

/// What a message may take of the processor, as part of what it takes on 0.32 and 0.34.
const NO_MORE: f64 = 1.0;

/// 64 connections; the first round is in both runs.
const SERVED: Units = Units { few: "64 21", many: "64 41", between: 20 * 64 };

const fn instructions(case: &'static str, what: &'static str, program: Program, units: Units) -> Figure {
    figure(case, what, program, How::Instructions(units))
}

const fn calls(case: &'static str, what: &'static str, program: Program) -> Figure {
    figure(case, what, program, How::SystemCalls(SERVED)).checked()
}

/// The arguments of `pairs.c` for later events: whole times round, so that every pair has had its turn equally often.
macro_rules! round {
    ($pairs:literal, $once:literal, $twice:literal) => {
        Units { few: concat!($pairs, " 100 ", $once), many: concat!($pairs, " 100 ", $twice), between: $once }
    };
}
/// The first event of each of 9,900 pairs, but for the first 100.
const FIRST: Units = Units { few: "9900 100 100", many: "9900 100 9900", between: 9800 };

/// The arguments of `ready.c`: 100 are taken a turn.
macro_rules! taken {
    ($descriptors:literal) => {
        Units {
            few: concat!($descriptors, " 100 90"),
            many: concat!($descriptors, " 100 270"),
            between: 180 * 100,
        }
    };
}

const fn ready(what: &'static str, units: Units) -> Figure {
    instructions("ready", what, READY, units).only(TAKERS).checked()
}

const fn ready_ns(what: &'static str, arguments: &'static str) -> Figure {
    figure("ready", what, READY, How::Timed { arguments, key: "ns_per_event" }).only(TAKERS)
}

/// Twice round 19,900 deadlines.
const fn pushes(what: &'static str, few: &'static str, many: &'static str) -> Figure {
    instructions("timers", what, TIMERS, Units { few, many, between: 398 }).only(NOT_ORIGINAL).checked()
}

const fn turn_ns(what: &'static str, arguments: &'static str) -> Figure {
    figure("timers", what, TIMERS, How::Timed { arguments, key: "ns_per_turn" }).limit(1000.0)
}

const fn bytes(what: &'static str, program: Program) -> Figure {
    let how = How::Printed { arguments: "19000", key: "bytes_per_descriptor" };
    figure("memory", what, program, how).checked()
}

/// Instructions a message.
const fn functions(what: &'static str, program: Program) -> Figure {
    figure("functions", what, program, How::Functions(SERVED)).only(OWFAT)
}

const fn throughput(what: &'static str, program: Program, arguments: &'static str) -> Figure {
    figure("throughput", what, program, How::Ratio { arguments, key: "messages_per_second" }).limit(0.97)
}

const fn processor(what: &'static str, program: Program) -> Figure {
    figure("processor", what, program, How::Paired { arguments: "64 0 400", key: "cpu_ns" }).limit(NO_MORE)
}

pub(crate) const LOOPS: &[Figure] = &[
    instructions("echo", "64 connections: instructions a message", ECHO, SERVED)
        .limit(180.0)
        .missed()
        .checked(),
    instructions("echo", "with an idle thread: instructions", ECHO_IDLE, SERVED).limit(300.0).checked(),
    calls("echo", "64 connections: system calls a message", ECHO),
    calls("echo", "with an idle thread: system calls", ECHO_IDLE),
    instructions("turns", "64 connections: instructions a message", TURNS, SERVED)
        .limit(530.0)
        .missed()
        .checked(),
    instructions("turns", "with an idle thread: instructions", TURNS_IDLE, SERVED)
        .limit(680.0)
        .missed()
        .checked(),
    calls("turns", "64 connections: system calls a message", TURNS).limit(2.1),
    calls("turns", "with an idle thread: system calls", TURNS_IDLE).limit(2.1),
    instructions("pairs", "500 pairs: instructions an event", PAIRS, round!("500", 2000, 4000)).at(500),
    instructions("pairs", "1,000 pairs", PAIRS, round!("1000", 2000, 4000)).at(1000),
    instructions("pairs", "3,000 pairs", PAIRS, round!("3000", 3000, 6000)).at(3000),
    instructions("pairs", "9,900 pairs", PAIRS, round!("9900", 9900, 19800)).at(9900).limit(140.0).checked(),
    instructions("pairs", "9,900 pairs, the first event of each", PAIRS, FIRST).limit(200.0).checked(),
    instructions("pairs", "9,900 pairs, with an idle thread", PAIRS_IDLE, round!("9900", 9900, 19800))
        .checked(),
    instructions("deadlines", "500 pairs: instructions an event", DUE, round!("500", 2000, 4000)).at(500),
    instructions("deadlines", "1,000 pairs", DUE, round!("1000", 2000, 4000)).at(1000),
    instructions("deadlines", "3,000 pairs", DUE, round!("3000", 3000, 6000)).at(3000),
    instructions("deadlines", "9,900 pairs", DUE, round!("9900", 9900, 19800))
        .at(9900)
        .limit(250.0)
        .checked(),
    instructions("churn", "64 at once: instructions a connection", CHURN, SERVED).limit(1300.0).checked(),
    instructions("churn", "with an idle thread: instructions", CHURN_IDLE, SERVED).limit(1600.0).checked(),
    instructions("churn", "io_fd_flags(CANWRITE, NONBLOCK): instructions", CHURN_FLAGS, SERVED)
        .only(OWFAT)
        .limit(1200.0)
        .checked(),
    calls("churn", "64 at once: system calls a connection", CHURN).limit(6.3),
    calls("churn", "with an idle thread: system calls", CHURN_IDLE).limit(6.3),
    calls("churn", "io_fd before io_nonblock: system calls", CHURN_FD_FIRST).only(OWFAT).limit(6.3),
    calls("churn", "io_fd_flags(CANWRITE, NONBLOCK): system calls", CHURN_FLAGS).only(OWFAT).limit(5.3),
    ready("100 ready, 100 taken a turn: instructions an event", taken!("100")),
    ready("1,000 ready: instructions", taken!("1000")),
    ready("9,000 ready: instructions", taken!("9000")),
    instructions("ready", "9,000 ready, with an idle thread: instructions", READY_IDLE, taken!("9000"))
        .only(TAKERS)
        .checked(),
    ready_ns("100 ready, 100 taken a turn: ns an event", "100 100 0").at(100),
    ready_ns("1,000 ready: ns", "1000 100 0").at(1000),
    ready_ns("9,000 ready: ns", "9000 100 0").at(9000),
    bytes("bytes of an idle descriptor", MEMORY).limit(72.0),
    bytes("with a deadline", MEMORY_DUE).limit(96.0),
    pushes("1,000 deadlines, 100 pushed: instructions a turn", "1000 398", "1000 796"),
    pushes("19,900 deadlines", "19900 398", "19900 796"),
    turn_ns("1,000 deadlines, 100 pushed: ns a turn", "1000 0").at(1000),
    turn_ns("2,000 deadlines", "2000 0").at(2000),
    turn_ns("5,000 deadlines", "5000 0").at(5000),
    turn_ns("10,000 deadlines", "10000 0").at(10000),
    turn_ns("19,900 deadlines: ns", "19900 0").at(19900),
    functions("echo", ECHO),
    functions("turns", TURNS),
    functions("churn", CHURN),
    throughput("echo, 1 connection: messages, against epoll", ECHO, "1 0 400"),
    throughput("echo, 64 connections", ECHO, "64 0 400"),
    throughput("echo, 1,000 connections", ECHO, "1000 0 400"),
    throughput("accept, read, answer, close", CHURN, "64 0 400"),
    processor("echo, 64 connections: ns of the server a message", ECHO),
    processor("accept, read, answer, close: ns", CHURN),
];
