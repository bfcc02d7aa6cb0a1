//! What is measured of pools of threads: an echo server on `iom_*`, and one on `io_starteventloopthread`.
//!
//! The hand-written pool gives each thread an epoll set of its own, which does not hand an event to whoever is idle;
//! the other two share a set as `iom_*` does, armed for one event at a time, and take one event a call or many. 0.32
//! is not there: it loses events, and the server hangs.

use crate::count::Units;
use crate::figure::{Figure, How, figure};
use crate::program::{Loop, Program};

const POOL: Program = Program::pools("pool");
const ONE_A_CALL: Program = POOL.with(&["-DSHARED=1"]);
const MANY_A_CALL: Program = POOL.with(&["-DSHARED=128"]);

const LOOPS: Program = POOL.with(&["-DLOOPS"]);

const HERE: &[Loop] = &[Loop::Epoll, Loop::Ours];

/// To wait, to read, to write and to arm again, with any number of threads; and two more for each of four threads that
/// goes to sleep at the end of a round of 64.
const CALLS: f64 = 4.13;
/// What speed has to be of the hand-written pool's.
const SPEED: f64 = 0.95;
const WOKEN_US: f64 = 100.0;

/// 64 connections; the first round is in both runs.
macro_rules! counted {
    ($threads:literal) => {
        How::SystemCalls(Units {
            few: concat!("64 21 0 ", $threads),
            many: concat!("64 41 0 ", $threads),
            between: 20 * 64,
        })
    };
}
macro_rules! speed {
    ($connections_and_threads:literal) => {
        How::Ratio { arguments: concat!($connections_and_threads, " watch"), key: "messages_per_second" }
    };
}
macro_rules! timed {
    ($key:literal, $arguments:literal) => {
        How::Timed { arguments: $arguments, key: $key }
    };
}

const fn row(what: &'static str, program: Program, how: How) -> Figure {
    figure("iom", what, program, how).only(HERE)
}

const fn calls(what: &'static str, how: How) -> Figure {
    row(what, POOL, how).limit(CALLS).checked()
}

const fn speed(what: &'static str, program: Program, how: How) -> Figure {
    row(what, program, how).limit(SPEED)
}

const fn timed(what: &'static str, how: How) -> Figure {
    row(what, POOL, how)
}

const fn loops(what: &'static str, how: How) -> Figure {
    figure("loops", what, LOOPS, how).only(HERE)
}

pub(crate) const POOLS: &[Figure] = &[
    calls("1 thread, 64 connections: system calls a message", counted!("1")),
    calls("2 threads: system calls", counted!("2")),
    calls("4 threads: system calls", counted!("4")),
    timed("1 thread: sleeps a message", timed!("switches", "64 0 400 1 watch")),
    timed("2 threads: sleeps", timed!("switches", "64 0 400 2 watch")),
    timed("4 threads: sleeps", timed!("switches", "64 0 400 4 watch")),
    speed("1 thread, 64 connections: messages, against own sets", POOL, speed!("64 0 400 1")),
    speed("2 threads, 64 connections", POOL, speed!("64 0 400 2")),
    speed("4 threads, 64 connections", POOL, speed!("64 0 400 4")),
    speed("1 thread, 1,000 connections", POOL, speed!("1000 0 400 1")),
    speed("2 threads, 1,000 connections", POOL, speed!("1000 0 400 2")),
    speed("4 threads, 1,000 connections", POOL, speed!("1000 0 400 4")),
    speed("1 thread, 64: against one set, one event a call", ONE_A_CALL, speed!("64 0 400 1")),
    speed("2 threads, 64: the same", ONE_A_CALL, speed!("64 0 400 2")),
    speed("4 threads, 64: the same", ONE_A_CALL, speed!("64 0 400 4")),
    speed("2 threads, 1,000: the same", ONE_A_CALL, speed!("1000 0 400 2")),
    speed("1 thread, 64: against one set, 128 events a call", MANY_A_CALL, speed!("64 0 400 1")),
    speed("2 threads, 64: the same, 128", MANY_A_CALL, speed!("64 0 400 2")),
    speed("4 threads, 64: the same, 128", MANY_A_CALL, speed!("64 0 400 4")),
    speed("2 threads, 1,000: the same, 128", MANY_A_CALL, speed!("1000 0 400 2")),
    timed("1 thread, 64 connections: us, 99 of 100 answers", timed!("late_us", "64 0 400 1 watch")),
    timed("2 threads, 64: us", timed!("late_us", "64 0 400 2 watch")),
    timed("4 threads, 64: us", timed!("late_us", "64 0 400 4 watch")),
    timed("1 thread, 1,000: us", timed!("late_us", "1000 0 400 1 watch")),
    timed("2 threads, 1,000: us", timed!("late_us", "1000 0 400 2 watch")),
    timed("4 threads, 1,000: us", timed!("late_us", "1000 0 400 4 watch")),
    timed("1 thread asleep: us until it has its event", timed!("woken_us", "8 0 400 1 seldom"))
        .limit(WOKEN_US),
    timed("4 threads asleep: us until one has its event", timed!("woken_us", "8 0 400 4 seldom"))
        .limit(WOKEN_US),
    loops("event-loop thread, 1 thread, 64 connections: messages, against own sets", speed!("64 0 400 1")),
    loops("2 threads, 64 connections", speed!("64 0 400 2")),
    loops("4 threads, 64 connections", speed!("64 0 400 4")),
    loops("2 threads, 1,000 connections", speed!("1000 0 400 2")),
    loops("4 threads, 1,000 connections", speed!("1000 0 400 4")),
    loops("2 threads, 64 connections: us, 99 of 100 answers", timed!("late_us", "64 0 400 2 watch")),
    loops("4 threads, 64: us", timed!("late_us", "64 0 400 4 watch")),
    loops("2 threads: sleeps a message", timed!("switches", "64 0 400 2 watch")),
    loops("4 threads: sleeps", timed!("switches", "64 0 400 4 watch")),
    loops("4 threads asleep: us until one has its event", timed!("woken_us", "8 0 400 4 seldom"))
        .limit(WOKEN_US),
];
