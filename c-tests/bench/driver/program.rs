//! The C programs, each compiled for one loop.

use crate::{child, place};
use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
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
    Ours,
}

pub(crate) const EVERY_LOOP: &[Loop] =
    &[Loop::Epoll, Loop::Libev, Loop::Libevent, Loop::Libuv, Loop::Original, Loop::Ours];

impl Loop {
    /// As the tables name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Loop::Epoll => "epoll",
            Loop::Libev => "libev",
            Loop::Libevent => "libevent",
            Loop::Libuv => "libuv",
            Loop::Original => "0.32",
            Loop::Ours => "ours",
        }
    }

    fn header(self) -> &'static str {
        match self {
            Loop::Epoll => "loop_epoll.h",
            Loop::Libev => "loop_ev.h",
            Loop::Libevent => "loop_event.h",
            Loop::Libuv => "loop_uv.h",
            Loop::Original | Loop::Ours => "loop_owfat.h",
        }
    }

    fn batch_header(self) -> Result<&'static str, String> {
        match self {
            Loop::Epoll => Ok("batch_writev.h"),
            Loop::Libevent => Ok("batch_evbuffer.h"),
            Loop::Original | Loop::Ours => Ok("batch_owfat.h"),
            Loop::Libev | Loop::Libuv => Err(format!("{} has no batches", self.name())),
        }
    }

    fn pool_header(self) -> Result<&'static str, String> {
        match self {
            Loop::Epoll => Ok("pool_epoll.h"),
            Loop::Original | Loop::Ours => Ok("pool_owfat.h"),
            _ => Err(format!("{} has no pools", self.name())),
        }
    }

    fn libraries(self) -> &'static [&'static str] {
        match self {
            Loop::Epoll => &[],
            Loop::Libev => &["-lev"],
            Loop::Libevent => &["-levent_core"],
            Loop::Libuv => &["-luv"],
            Loop::Original => &["-lowfat"],
            Loop::Ours => &["-lowfat_io"],
        }
    }
}

/// The header that a program is written against.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interface {
    Loop,
    Batch,
    Pool,
}

/// A source under `c-tests/bench/` and the macros that it is compiled with.
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

    pub(crate) const fn with(mut self, defines: &'static [&'static str]) -> Program {
        self.defines = defines;
        self
    }

    /// The executable for `under`, compiled when it is first asked for.
    pub(crate) fn path(self, under: Loop) -> Result<PathBuf, String> {
        let mut name = format!("{}-{}", self.source, under.name());
        for define in self.defines {
            name = format!("{name}-{}", define.trim_start_matches("-D").to_lowercase());
        }
        let mut cc = Command::new("cc");
        let (choice, client) = match self.interface {
            Interface::Loop => (format!("-DLOOP=\"{}\"", under.header()), "client"),
            Interface::Batch => (format!("-DBATCH=\"{}\"", under.batch_header()?), "drain"),
            Interface::Pool => (format!("-DPOOL=\"{}\"", under.pool_header()?), "client"),
        };
        cc.arg(choice).args(self.defines);
        if under == Loop::Ours {
            cc.arg("-I").arg(place::include()).arg("-L").arg(place::library_directory()?);
        }
        // The servers start it from their own directory.
        compile(client, client, Command::new("cc"), &[])?;
        compile(&name, self.source, cc, under.libraries())
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
    cc.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-O2", "-g", "-o"]).arg(&program);
    cc.arg(place::c_tests().join("bench").join(format!("{source}.c"))).args(libraries);
    let end = child::run(&mut cc, COMPILE_LIMIT)?;
    if !end.passed() {
        return Err(format!("{cc:?}: {}", end.story()));
    }
    compiled.insert(name.to_owned());
    Ok(program)
}
