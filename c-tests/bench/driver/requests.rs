//! What is measured of servers: Debian's opentracker, with one announce a connection, and the web server of the tests.

use crate::count::Units;
use crate::figure::{Figure, How, figure};
use crate::program::{Loop, Program, TRACKER as OPENTRACKER};

const TRACKER: Program = Program::server(OPENTRACKER);
const WEB: Program = Program::server("web");

const OWFAT: &[Loop] = &[Loop::Original, Loop::Later, Loop::Ours];

/// One connection at a time.
const ONE: Units = Units { few: "1 100", many: "1 300", between: 200 };
/// 32 at once.
const MANY: Units = Units { few: "32 10", many: "32 30", between: 20 * 32 };

/// A thread of opentracker's wakes up by the clock meanwhile, and on a busy machine a request may come after the server
/// has looked for it.
const BY_THE_CLOCK: f64 = 0.25;
/// What a request may take as part of what it takes with 0.32 and 0.34.
const NO_MORE: f64 = 1.0;

const fn counted(what: &'static str, how: How, limit: f64) -> Figure {
    figure("announce", what, TRACKER, how).only(OWFAT).limit(limit).checked()
}

const fn processor(what: &'static str, program: Program, arguments: &'static str) -> Figure {
    figure("processor", what, program, How::Paired { arguments, key: "cpu_ns" }).only(OWFAT).limit(NO_MORE)
}

const fn latency(what: &'static str, arguments: &'static str, key: &'static str) -> Figure {
    figure("latency", what, TRACKER, How::Paired { arguments, key }).only(OWFAT)
}

pub(crate) const REQUESTS: &[Figure] = &[
    processor("opentracker, 32 connections, an announce each: ns", TRACKER, "32 0 2000 close 0"),
    processor("web server, keep-alive, 32 connections: ns", WEB, "32 0 2000 keep 0"),
    processor("web server, a connection a request, 32 at once: ns", WEB, "32 0 2000 close 0"),
    counted("one at a time: instructions in the io layer", How::LibraryInstructions(ONE), 1300.0).missed(),
    counted("32 at once: instructions in the io layer", How::LibraryInstructions(MANY), 1300.0),
    counted("one at a time: system calls", How::SystemCalls(ONE), 12.0 + BY_THE_CLOCK),
    counted("32 at once: system calls", How::SystemCalls(MANY), 6.5),
    figure("announce", "one at a time", TRACKER, How::Functions(ONE)).only(OWFAT),
    latency("announce, 16 connections: us, half of the answers", "16 0 2000 close 0", "median_us"),
    latency("announce, 16 connections: us, 99 of 100 answers", "16 0 2000 close 0", "late_us"),
    latency("and 2,000 idle ones: us, half", "16 0 2000 close 2000", "median_us"),
    latency("and 2,000 idle ones: us, 99 of 100", "16 0 2000 close 2000", "late_us"),
];
