//! Every C program under `c-tests/`, one trial per case and backend.
//!
//! | directory | a trial | proves |
//! |---|---|---|
//! | `behaviour/*.c`, `*.cc` | each `TEST` on each backend, and on an old kernel; some preloaded | what the functions promise, one by one |
//! | `layout/*.sh` | each script | headers, structures, symbols, linkage, crates, environment, packaging |
//! | `differential/*.c` | each program on each backend | the same output as libowfat 0.32, and as 0.34 |
//! | `random/` | programs made at random, on each backend | each call has the outcome that it has with libowfat 0.32 |
//! | `stress/` | its programs on each backend | nothing is lost when threads do everything at once, and while the process forks |
//! | `bench/` | each figure that repeats exactly | what things cost |
//! | `bench/driver/` | each question of `runner/charts.rs` | what `make bench` leaves behind |
//! | `servers/` | what `runner/servers.rs` lists | real servers run on the library |
//! | `consumers/` | CMake and Meson, once each | build systems find the installed library |
//! | `servers/` | each attack of `runner/hostile.rs` on each backend | the same servers among hostile peers |
//! | `servers/` | `soak::mixed_load`, only on demand | the same servers after twenty minutes |
//! | `servers/` | `browser::page_with_pictures` on each backend, only on demand | one of them serves Chromium |
//! | `../man/` | each question of `runner/man.rs` | the manual pages |
//! | `../README.md`, `../docs/` | each question of `runner/docs.rs` | the pages for readers |
//! | `../docs/peers.md` | `runner/peers.rs` | the checks that other loops' scenarios lead to exist |
//! | `../docs/moving.md`, `other-loops.md` | each question of `runner/moving.rs` | the guide for those who come from elsewhere |
//!
//! More trials look at the tests themselves: `original::defects` runs the regression tests of defects
//! against Debian's libowfat, where they must fail, and against 0.34.
//!
//! Environment: `OWFAT_IO_LIBDIR` (the built library, default `<target>/release`), `CC` (the compiler with
//! options, default `cc`), `VALGRIND` or `EMULATOR` (a command put before every program of `behaviour/`),
//! `OWFAT_IO_PORTABLE` (where the portable build is, in which `behaviour/` is run, too),
//! `OWFAT_IO_KERNEL` (system calls that are refused), `OWFAT_IO_STRESS` (seconds of a torture run), `OWFAT_IO_RANDOM`
//! (how many random programs), `OWFAT_IO_SEED` (which torture run, which random program), `OWFAT_IO_UPDATE=1` (rewrite
//! the committed tables instead of comparing).

#[path = "bench/driver/batches.rs"]
mod batches;
#[path = "runner/behaviour.rs"]
mod behaviour;
#[path = "bench/driver/chart.rs"]
mod chart;
#[path = "runner/charts.rs"]
mod charts;
#[path = "runner/child.rs"]
mod child;
#[path = "runner/compile.rs"]
mod compile;
#[path = "bench/driver/count.rs"]
mod count;
#[path = "runner/counts.rs"]
mod counts;
#[path = "runner/differential.rs"]
mod differential;
#[path = "runner/docs.rs"]
mod docs;
#[path = "bench/driver/figure.rs"]
mod figure;
#[path = "runner/fresh.rs"]
mod fresh;
#[path = "runner/kernel.rs"]
mod kernel;
#[path = "runner/layout.rs"]
mod layout;
#[path = "bench/driver/loops.rs"]
mod loops;
#[path = "runner/man.rs"]
mod man;
#[path = "bench/driver/measure.rs"]
#[expect(dead_code, reason = "the benchmark uses more of it")]
mod measure;
#[path = "runner/moving.rs"]
mod moving;
#[path = "runner/original.rs"]
mod original;
#[path = "runner/peers.rs"]
mod peers;
#[path = "runner/place.rs"]
mod place;
#[path = "bench/driver/pools.rs"]
mod pools;
#[path = "bench/driver/profile.rs"]
mod profile;
#[path = "bench/driver/program.rs"]
mod program;
#[path = "runner/random.rs"]
mod random;
#[path = "bench/driver/report.rs"]
mod report;
#[path = "bench/driver/requests.rs"]
mod requests;
#[path = "bench/driver/served.rs"]
mod served;
#[path = "runner/servers.rs"]
mod servers;
#[path = "runner/stress.rs"]
mod stress;
#[path = "bench/driver/table.rs"]
#[expect(dead_code, reason = "the benchmark uses more of it")]
mod table;

use libtest_mimic::Arguments;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let fresh = if args.list { Ok(()) } else { fresh::check() };
    if let Err(line) = fresh {
        eprintln!("{line}");
        return ExitCode::FAILURE;
    }
    let mut trials = behaviour::trials();
    trials.extend(layout::trials());
    trials.extend(differential::trials());
    trials.extend(servers::trials());
    trials.extend(stress::trials());
    trials.extend(random::trials());
    trials.extend(counts::trials());
    trials.extend(charts::trials());
    trials.extend(man::trials());
    trials.extend(original::trials());
    trials.extend(peers::trials());
    trials.extend(fresh::trials());
    trials.extend(moving::trials(&trials));
    trials.extend(docs::trials(&trials));
    libtest_mimic::run(&args, trials).exit_code()
}
