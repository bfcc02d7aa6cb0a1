//! Real servers on the installed library, driven by real clients.
//!
//! | module | subject |
//! |---|---|
//! | `tracker` | Debian's opentracker under `owfat-io-run` |
//! | `swarm` | two aria2c that find each other only through that tracker |
//! | `web` | `servers/web.c`, linked `-lowfat_io -lowfat` |
//! | `files` | `examples/files.c`: HTTP/1.1 with ranges, for curl and wrk |
//! | `browser` | the same for a headless Chromium, only on demand |
//! | `chat` | `examples/chat.c`: batches into which others write |
//! | `proxy` | `examples/proxy.c`: back-pressure |
//! | `echo` | `examples/echo.c`, built by pkg-config alone |
//! | `tls` | `examples/tls.c`: OpenSSL behind `iob_write2` |
//! | `gzip` | `servers/gzip.c`: zlib behind `iob_write` |
//! | `loops` | `examples/loops.c`: `io_starteventloopthread` and four threads of its own |
//! | `prefork` | `servers/prefork.c`: four processes, one listening socket |
//! | `pool` | `examples/pool.c`: threads on one `iomux_t` |
//! | `harms` | `servers/harms.c` on libowfat and on ours |
//! | `cost` | what a request, a turn and an idle descriptor cost |
//! | `check` | what `owfat-io-check` says of programs and processes |
//! | `distrust` | that it trusts no program that it looks at |
//! | `watched` | a server that is watched, and what `owfat-io-trace` shows of traces |
//! | `pictures` | what it makes of long ones |
//! | `hostile` | all of them among peers that mean harm |
//! | `soak` | all of them under a mixed load, for a long time |
//! | `wrapper` | what `owfat-io-run` refuses, and the units that it writes |
//! | `install` | what `make install` puts down, how it is found, and what `owfat-io-run` answers |

#[path = "servers/announce.rs"]
mod announce;
#[path = "servers/browser.rs"]
mod browser;
#[path = "servers/chat.rs"]
mod chat;
#[path = "servers/check.rs"]
mod check;
#[path = "servers/cost.rs"]
mod cost;
#[path = "servers/distrust.rs"]
mod distrust;
#[path = "servers/echo.rs"]
mod echo;
#[path = "servers/files.rs"]
mod files;
#[path = "servers/gzip.rs"]
mod gzip;
#[path = "servers/harms.rs"]
mod harms;
#[path = "hostile.rs"]
mod hostile;
#[path = "servers/http.rs"]
mod http;
#[path = "servers/install.rs"]
mod install;
#[path = "servers/loops.rs"]
mod loops;
#[path = "servers/pictures.rs"]
mod pictures;
#[path = "servers/pool.rs"]
mod pool;
#[path = "servers/prefork.rs"]
mod prefork;
#[path = "servers/process.rs"]
mod process;
#[path = "servers/proxy.rs"]
mod proxy;
#[path = "servers/raw.rs"]
mod raw;
#[path = "soak.rs"]
mod soak;
#[path = "servers/stage.rs"]
mod stage;
#[path = "servers/swarm.rs"]
mod swarm;
#[path = "servers/tls.rs"]
mod tls;
#[path = "servers/tracker.rs"]
mod tracker;
#[path = "servers/usage.rs"]
mod usage;
#[path = "servers/victim.rs"]
mod victim;
#[path = "servers/watched.rs"]
mod watched;
#[path = "servers/web.rs"]
mod web;
#[path = "servers/wrapper.rs"]
mod wrapper;

use crate::behaviour::BACKENDS;
use libtest_mimic::{Failed, Trial};

/// What a trial answers; any error becomes its message.
type Verdict = Result<(), Box<dyn std::error::Error>>;

pub(crate) fn trials() -> Vec<Trial> {
    [
        tracker::TRIALS,
        swarm::TRIALS,
        web::TRIALS,
        files::TRIALS,
        chat::TRIALS,
        proxy::TRIALS,
        echo::TRIALS,
        tls::TRIALS,
        gzip::TRIALS,
        loops::TRIALS,
        prefork::TRIALS,
        cost::TRIALS,
        harms::TRIALS,
    ]
    .concat()
    .into_iter()
    .flat_map(|(name, run)| BACKENDS.map(|backend| trial(format!("{name}::{backend}"), move || run(backend))))
    .chain(
        [
            check::TRIALS,
            distrust::TRIALS,
            install::TRIALS,
            pictures::TRIALS,
            pool::TRIALS,
            watched::TRIALS,
            wrapper::TRIALS,
        ]
        .concat()
        .into_iter()
        .map(|(name, run)| trial(name.to_owned(), run)),
    )
    .chain(harms::trials())
    .chain(hostile::trials())
    .chain(soak::trials())
    .chain(browser::trials())
    .collect()
}

/// A trial's name and what it does with a backend.
type OnBackend = (&'static str, fn(&str) -> Verdict);

/// A trial to which backends make no difference.
type Once = (&'static str, fn() -> Verdict);

fn trial(name: String, run: impl FnOnce() -> Verdict + Send + 'static) -> Trial {
    Trial::test(format!("servers::{name}"), move || run().map_err(|e| Failed::from(e.to_string())))
}
