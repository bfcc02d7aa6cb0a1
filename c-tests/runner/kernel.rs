//! Kernels that are older than this one, or that a sandbox has locked down: `kernel/old.c` has system calls refused and
//! runs the program. `OWFAT_IO_KERNEL=preadv2=ENOSYS,accept4=EPERM` has all of `behaviour/` run so, on the backend that
//! the library then chooses, and the servers that are linked with it; `make check-kernels` goes through the calls.
//! Without the variable, the cases run once with [`OLD`], besides.

use crate::child::Ended;
use crate::compile::{Program, With};
use crate::place;
use libtest_mimic::Failed;
use std::env;
use std::process::Command;
use std::sync::OnceLock;

/// All calls that older kernels lack. They had epoll_create.
pub(crate) const OLD: &str = "accept4=ENOSYS,close_range=ENOSYS,epoll_create1=ENOSYS,epoll_pwait2=ENOSYS,\
    eventfd2=ENOSYS,preadv2=ENOSYS,pwritev2=ENOSYS";

/// What the environment asks for, in place of everything else.
pub(crate) fn asked() -> Option<String> {
    env::var("OWFAT_IO_KERNEL").ok()
}

/// A command that runs `program` where `refused` is.
pub(crate) fn command(refused: &str, program: &Program) -> Result<Command, String> {
    let mut command = around(refused, &Command::new(program.path()?))?;
    command.env("LD_LIBRARY_PATH", place::library_directory()?).env_remove("OWFAT_IO_BACKEND");
    Ok(command)
}

/// The same command where `refused` is.
pub(crate) fn around(refused: &str, command: &Command) -> Result<Command, String> {
    static OLD: OnceLock<Program> = OnceLock::new();
    let old = OLD.get_or_init(|| Program::new(&place::c_tests().join("kernel/old.c"), With::Ours));
    let mut around = Command::new(old.path()?);
    around.arg(refused).arg("--").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => around.env(name, value),
            None => around.env_remove(name),
        };
    }
    Ok(around)
}

/// Nothing of it shows. A case may say on standard output what it has done, or why it is skipped.
pub(crate) fn check_silence(end: &Ended) -> Result<(), Failed> {
    let silent = end.stderr.is_empty() && !end.stdout.contains("libowfat_io");
    if silent || !(end.passed() || end.skipped()) {
        return Ok(());
    }
    Err(format!("it was not silent: {}", end.story()).into())
}
