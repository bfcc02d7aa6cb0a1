//! What is measured of batches. Where a header is said, it has 200 bytes.

use crate::count::Units;
use crate::figure::{Figure, How, figure};
use crate::program::{Loop, Program};

const BATCH: Program = Program::batches("batch");
const FILTER: Program = BATCH.with(&["-DFILTER"]);
const PREFETCH: Program = Program::batches("prefetch");

const ALL: &[Loop] = &[Loop::Epoll, Loop::Libevent, Loop::Original, Loop::Ours];
/// 0.32 holds buffers that no file follows back for 200 ms, or until more come. Here more do come, so that it
/// sends fewer and larger segments than everybody else; nobody's answer could wait for that.
const AT_ONCE: &[Loop] = &[Loop::Epoll, Loop::Libevent, Loop::Ours];
/// 0.32 sends nothing if there are more than 1,024 buffers.
const MANY: &[Loop] = AT_ONCE;
/// An evbuffer has no filter.
const FILTERS: &[Loop] = &[Loop::Epoll, Loop::Original, Loop::Ours];
const READS_AHEAD: &[Loop] = &[Loop::Epoll, Loop::Ours];

/// What instructions may be: this much of the hand-written loop's, and something for each entry.
const TIMES: f64 = 1.15;
const PER_ENTRY: f64 = 60.0;
/// What speed has to be of the hand-written loop's.
const SPEED: f64 = 0.98;

/// The arguments of `batch.c` for pieces that are given as a literal.
macro_rules! counted {
    ($pieces:literal) => {
        Units { few: concat!("8 0 ", $pieces), many: concat!("28 0 ", $pieces), between: 20 }
    };
}
macro_rules! speed {
    ($pieces:literal) => {
        speed!($pieces, 150)
    };
    ($pieces:literal, $milliseconds:literal) => {
        How::Ratio { arguments: concat!("0 ", $milliseconds, " ", $pieces), key: "batches_per_second" }
    };
}

const fn instructions(what: &'static str, program: Program, units: Units, entries: u32) -> Figure {
    let figure = figure("batch", what, program, How::Instructions(units));
    figure.over_hand_written(TIMES, PER_ENTRY * entries as f64).checked()
}

const fn calls(what: &'static str, program: Program, units: Units) -> Figure {
    figure("batch", what, program, How::SystemCalls(units)).checked()
}

const fn speed(what: &'static str, program: Program, how: How) -> Figure {
    figure("batch", what, program, how).limit(SPEED)
}

const fn cold(what: &'static str, arguments: &'static str, key: &'static str) -> Figure {
    figure("prefetch", what, PREFETCH, How::Timed { arguments, key }).only(READS_AHEAD)
}

pub(crate) const BATCHES: &[Figure] = &[
    instructions("header, 1 KiB buffer: instructions", BATCH, counted!("200 1024"), 2).only(ALL),
    calls("header, 1 KiB buffer: system calls", BATCH, counted!("200 1024")).only(ALL),
    speed("header, 1 KiB buffer: speed, against the hand-written loop", BATCH, speed!("200 1024"))
        .only(AT_ONCE),
    instructions("header, 64 KiB buffer: instructions", BATCH, counted!("200 65536"), 2).only(ALL),
    calls("header, 64 KiB buffer: system calls", BATCH, counted!("200 65536")).only(ALL),
    speed("header, 64 KiB buffer: speed", BATCH, speed!("200 65536")).only(AT_ONCE),
    instructions("header, 4 KiB file: instructions", BATCH, counted!("200 f4096"), 2).only(ALL).missed(),
    calls("header, 4 KiB file: system calls", BATCH, counted!("200 f4096")).only(ALL),
    speed("header, 4 KiB file: speed", BATCH, speed!("200 f4096")).only(ALL),
    instructions("header, 100 KiB file: instructions", BATCH, counted!("200 f102400"), 2).only(ALL).missed(),
    calls("header, 100 KiB file: system calls", BATCH, counted!("200 f102400")).only(ALL),
    speed("header, 100 KiB file: speed", BATCH, speed!("200 f102400")).only(ALL),
    instructions("header, 10 MiB file: instructions", BATCH, counted!("200 f10485760"), 2).only(ALL).missed(),
    calls("header, 10 MiB file: system calls", BATCH, counted!("200 f10485760")).only(ALL),
    speed("header, 10 MiB file: speed", BATCH, speed!("200 f10485760", 300)).only(ALL),
    instructions("5,000 buffers of 100 bytes: instructions", BATCH, counted!("5000x100"), 5000).only(MANY),
    calls("5,000 buffers of 100 bytes: system calls", BATCH, counted!("5000x100")).only(MANY),
    speed("5,000 buffers of 100 bytes: speed", BATCH, speed!("5000x100")).only(MANY),
    instructions("counting filter, header, 1 KiB buffer: instructions", FILTER, counted!("200 1024"), 2)
        .only(FILTERS)
        .missed(),
    calls("counting filter, header, 1 KiB buffer: system calls", FILTER, counted!("200 1024")).only(FILTERS),
    speed("counting filter, header, 1 KiB buffer: speed", FILTER, speed!("200 1024")).only(FILTERS),
    instructions("counting filter, header, 100 KiB file: instructions", FILTER, counted!("200 f102400"), 2)
        .only(FILTERS)
        .missed(),
    calls("counting filter, header, 100 KiB file: system calls", FILTER, counted!("200 f102400"))
        .only(FILTERS),
    speed("counting filter, header, 100 KiB file: speed", FILTER, speed!("200 f102400")).only(FILTERS),
    cold("256 MiB that are not in the cache: ms", "256 0", "milliseconds"),
    cold("the same, 1 MiB asked for ahead", "256 1048576", "milliseconds"),
    cold("256 MiB that are not in the cache: ms spent in sending", "256 0", "sending_milliseconds"),
    cold("the same, 1 MiB asked for ahead: ms spent in sending", "256 1048576", "sending_milliseconds"),
];
