//! The C programs, each compiled for one loop.

use crate::{child, place};
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

const COMPILE_LIMIT: Duration = Duration::from_secs(60);

/// An implementation of `loop.h`, of `batch.h` or of a pool: the hand-written one has the name of hand-written
/// epoll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loop {
    Epoll,
    Libev,
    Libevent,
    Libuv,
    Original,
    Later,
    Ours,
}

pub(crate) const EVERY_LOOP: &[Loop] =
    &[Loop::Epoll, Loop::Libev, Loop::Libevent, Loop::Libuv, Loop::Original, Loop::Later, Loop::Ours];

impl Loop {
    /// As the tables name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Loop::Epoll => "epoll",
            Loop::Libev => "libev",
            Loop::Libevent => "libevent",
            Loop::Libuv => "libuv",
            Loop::Original => "0.32",
            Loop::Later => "0.34",
            Loop::Ours => "ours",
        }
    }

    fn header(self) -> &'static str {
        match self {
            Loop::Epoll => "loop_epoll.h",
            Loop::Libev => "loop_ev.h",
            Loop::Libevent => "loop_event.h",
            Loop::Libuv => "loop_uv.h",
            Loop::Original | Loop::Later | Loop::Ours => "loop_owfat.h",
        }
    }

    fn batch_header(self) -> Result<&'static str, String> {
        match self {
            Loop::Epoll => Ok("batch_writev.h"),
            Loop::Libevent => Ok("batch_evbuffer.h"),
            Loop::Original | Loop::Later | Loop::Ours => Ok("batch_owfat.h"),
            Loop::Libev | Loop::Libuv => Err(format!("{} has no batches", self.name())),
        }
    }

    fn pool_header(self) -> Result<&'static str, String> {
        match self {
            Loop::Epoll => Ok("pool_epoll.h"),
            Loop::Original | Loop::Later | Loop::Ours => Ok("pool_owfat.h"),
            _ => Err(format!("{} has no pools", self.name())),
        }
    }

    fn libraries(self) -> &'static [&'static str] {
        match self {
            Loop::Epoll => &[],
            Loop::Libev => &["-lev"],
            Loop::Libevent => &["-levent_core"],
            Loop::Libuv => &["-luv"],
            // The headers of Debian 13 and later; 0.34's own stand before them.
            Loop::Original | Loop::Later => &["-idirafter", "/usr/include/libowfat", "-lowfat"],
            Loop::Ours => &["-lowfat_io", "-lowfat"],
        }
    }

    /// The file that has its io layer.
    pub(crate) fn library(self) -> &'static str {
        if self == Loop::Ours { "libowfat_io.so" } else { "libowfat.so" }
    }

    /// Where its library and headers are, if not where the compiler and the loader look.
    fn places(self) -> Result<Option<(Vec<PathBuf>, &'static Path)>, String> {
        Ok(match self {
            Loop::Ours => Some((vec![place::include().to_owned()], place::library_directory()?)),
            Loop::Later => {
                let directory = place::libowfat_034().ok_or("no libowfat 0.34: make libowfat-034")?;
                let headers = directory.join("include");
                Some((vec![headers.join("libowfat"), headers], directory))
            }
            _ => None,
        })
    }
}

/// The header that a program is written against.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interface {
    Loop,
    Batch,
    Pool,
    /// A server that `served.rs` starts, and that knows nothing of being measured.
    Server,
}

pub(crate) const TRACKER: &str = "opentracker";

/// A source under `c-tests/bench/`, or `c-tests/servers/` for servers, and the macros that it is compiled with; or
/// Debian's opentracker as it is.
#[derive(Clone, Copy)]
pub(crate) struct Program {
    pub(crate) source: &'static str,
    pub(crate) interface: Interface,
    pub(crate) defines: &'static [&'static str],
}

impl Program {
    pub(crate) const fn plain(source: &'static str) -> Program {
        Program { source, interface: Interface::Loop, defines: &[] }
    }

    pub(crate) const fn batches(source: &'static str) -> Program {
        Program { source, interface: Interface::Batch, defines: &[] }
    }

    pub(crate) const fn pools(source: &'static str) -> Program {
        Program { source, interface: Interface::Pool, defines: &[] }
    }

    pub(crate) const fn server(source: &'static str) -> Program {
        Program { source, interface: Interface::Server, defines: &[] }
    }

    pub(crate) const fn with(mut self, defines: &'static [&'static str]) -> Program {
        self.defines = defines;
        self
    }

    /// The executable for `under`, compiled when it is first asked for.
    pub(crate) fn path(self, under: Loop) -> Result<PathBuf, String> {
        if self.source == TRACKER {
            return Ok(TRACKER.into());
        }
        let mut name = format!("{}-{}", self.source, under.name());
        for define in self.defines {
            name = format!("{name}-{}", define.trim_start_matches("-D").to_lowercase());
        }
        let mut cc = Command::new("cc");
        let choice = match self.interface {
            Interface::Loop => Some((format!("-DLOOP=\"{}\"", under.header()), "client")),
            Interface::Batch => Some((format!("-DBATCH=\"{}\"", under.batch_header()?), "drain")),
            Interface::Pool => Some((format!("-DPOOL=\"{}\"", under.pool_header()?), "client")),
            Interface::Server => None,
        };
        if let Some((choice, client)) = &choice {
            cc.arg(choice).args(self.defines);
            // The servers start it from their own directory.
            compile(client, client, Command::new("cc"), &[])?;
        }
        if let Some((headers, library)) = under.places()? {
            for directory in headers {
                cc.arg("-isystem").arg(directory);
            }
            cc.arg("-L").arg(library);
        }
        let source =
            if choice.is_some() { self.source.into() } else { format!("../servers/{}", self.source) };
        compile(&name, &source, cc, under.libraries())
    }

    /// What makes the executable run on `under`.
    pub(crate) fn environment(self, under: Loop) -> Result<Option<(&'static str, PathBuf)>, String> {
        if self.source == TRACKER && under == Loop::Ours {
            let library = place::library_directory()?.join("libowfat_io.so");
            return Ok(Some(("LD_PRELOAD", library)));
        }
        Ok(under.places()?.map(|(_, library)| ("LD_LIBRARY_PATH", library.to_owned())))
    }
}

fn compile(name: &str, source: &str, mut cc: Command, libraries: &[&str]) -> Result<PathBuf, String> {
    static COMPILED: Mutex<Option<HashSet<String>>> = Mutex::new(None);
    let mut compiled = COMPILED.lock().map_err(|e| e.to_string())?;
    let compiled = compiled.get_or_insert_default();
    let directory = place::output().join("bench");
    let program = directory.join(name);
    if compiled.contains(name) {
        return Ok(program);
    }
    fs::create_dir_all(&directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    cc.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2", "-g", "-o"]).arg(&program);
    cc.arg(place::c_tests().join("bench").join(format!("{source}.c"))).args(libraries);
    let end = child::run(&mut cc, COMPILE_LIMIT)?;
    if !end.passed() {
        return Err(format!("{cc:?}: {}", end.story()));
    }
    compiled.insert(name.to_owned());
    Ok(program)
}
