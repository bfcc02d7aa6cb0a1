//! A server process and what `/proc` and strace tell about it.

use super::Verdict;
use super::stage;
use crate::{child, kernel, place};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take for anything that should take milliseconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A running server; ended when dropped.
pub(super) struct Server {
    child: Child,
    pub(super) address: SocketAddr,
    /// Gives at its end what it has said after the first line.
    listens: Option<thread::JoinHandle<String>>,
}

impl Server {
    /// Starts a program that prints `listening on PORT` first.
    pub(super) fn start(command: &mut Command, backend: &str) -> Result<Server, Box<dyn Error>> {
        Server::start_with_library(command, backend, &stage::servers_library()?)
    }

    /// [`Server::start`] with the library that is in `directory`.
    pub(super) fn start_with_library(
        command: &mut Command,
        backend: &str,
        directory: &Path,
    ) -> Result<Server, Box<dyn Error>> {
        let mut on_old_kernel =
            kernel::asked().map(|refused| kernel::around(&refused, command)).transpose()?;
        let command = on_old_kernel.as_mut().unwrap_or(command);
        command.env("OWFAT_IO_BACKEND", backend).env("LD_LIBRARY_PATH", directory);
        let child = spawn(command.stdout(Stdio::piped()))?;
        let mut server = Server { child, address: loopback(0), listens: None };
        let mut stdout = BufReader::new(server.child.stdout.take().ok_or("no pipe")?);
        let (tell, told) = mpsc::channel();
        server.listens = Some(thread::spawn(move || {
            let (mut line, mut rest) = (String::new(), String::new());
            // A failure shows as a line without a port, or as a rest that is missing.
            let _ = stdout.read_line(&mut line);
            let _ = tell.send(line);
            let _ = stdout.read_to_string(&mut rest);
            rest
        }));
        let line = told.recv_timeout(PATIENCE).map_err(|_| "the server did not start to listen")?;
        let port = line.trim().strip_prefix("listening on ").and_then(|p| p.parse().ok());
        server.address = loopback(port.ok_or_else(|| format!("the server said '{line}'"))?);
        Ok(server)
    }

    /// Starts a program that was told its port.
    pub(super) fn start_on(command: &mut Command, port: u16) -> Result<Server, Box<dyn Error>> {
        Ok(Server {
            child: spawn(command.stdout(Stdio::null()).stderr(Stdio::null()))?,
            address: loopback(port),
            listens: None,
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    pub(super) fn open_descriptors(&self) -> Result<usize, Box<dyn Error>> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.pid()))?.count())
    }

    /// [`wake_ups`] of the server's first thread.
    pub(super) fn wake_ups(&self) -> Result<u64, Box<dyn Error>> {
        wake_ups(self.pid())
    }

    /// Ends the server as `kill` does and waits until it is gone.
    pub(super) fn terminate(mut self) -> Result<ExitStatus, Box<dyn Error>> {
        self.end()
    }

    fn end(&mut self) -> Result<ExitStatus, Box<dyn Error>> {
        signal(&self.child, Signal::SIGTERM)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                return Err("the server ignores SIGTERM".into());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// [`Server::terminate`], and an error if it does not exit with 0.
    pub(super) fn ends_well(self) -> Verdict {
        self.last_words().map(drop)
    }

    /// What the server, which must end well, says after its first line.
    pub(super) fn last_words(mut self) -> Result<String, Box<dyn Error>> {
        let status = self.end()?;
        if !status.success() {
            return Err(format!("the server's end: {status}").into());
        }
        let rest = self.listens.take().and_then(|thread| thread.join().ok());
        Ok(rest.ok_or("nobody listened")?)
    }

    /// The system calls that all threads of the server make while `work` is done, by name.
    pub(super) fn system_calls(
        &self,
        work: impl FnOnce() -> Verdict,
    ) -> Result<HashMap<String, u64>, Box<dyn Error>> {
        let table = fresh_path("strace");
        let mut strace = Command::new("strace");
        strace.args(["-f", "-c", "-p", &self.pid().to_string(), "-o"]).arg(&table).stderr(Stdio::piped());
        let mut strace = spawn(strace.stdout(Stdio::null()))?;
        let mut said = String::new();
        BufReader::new(strace.stderr.take().ok_or("no pipe")?).read_line(&mut said)?;
        if !said.contains("attached") {
            return Err(format!("strace: {said}").into());
        }
        let worked = work();
        signal(&strace, Signal::SIGINT)?;
        strace.wait()?;
        worked?;
        // % time, seconds, usecs/call, calls, [errors], name
        let text = fs::read_to_string(&table)?;
        let row = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            Some((words.last()?.to_string(), words.get(3)?.parse().ok()?))
        };
        Ok(text.lines().filter_map(row).filter(|(name, _)| name != "total").collect())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        child::kill_group(&self.child);
        let _ = self.child.wait();
    }
}

/// The same command with room for `descriptors` descriptors, from its first instruction on.
pub(super) fn limited(command: &Command, descriptors: usize) -> Command {
    let mut limited = Command::new("prlimit");
    limited.arg(format!("--nofile={descriptors}")).arg(command.get_program()).args(command.get_args());
    limited
}

fn spawn(command: &mut Command) -> Result<Child, String> {
    command.process_group(0).stdin(Stdio::null()).spawn().map_err(|e| format!("{command:?}: {e}"))
}

fn signal(child: &Child, signal: Signal) -> nix::Result<()> {
    kill(Pid::from_raw(child.id() as i32), signal)
}

/// How often the first thread of a process went to sleep, and therefore woke up, until now.
pub(super) fn wake_ups(pid: u32) -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|l| l.strip_prefix("voluntary_ctxt_switches:"));
    Ok(line.ok_or("no count of context switches")?.trim().parse()?)
}

/// Whether the first thread of a process sleeps now. Our servers sleep nowhere but in their waits.
pub(super) fn asleep(pid: u32) -> Result<bool, Box<dyn Error>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    Ok(stat.rsplit_once(')').is_some_and(|(_, rest)| rest.starts_with(" S")))
}

/// The processor time that a process has used, in clock ticks: a loop that spins never goes to sleep.
pub(super) fn cpu_ticks(pid: u32) -> Result<u64, Box<dyn Error>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit_once(')').ok_or("no process name")?.1.split_whitespace().collect();
    let number = |n: usize| fields.get(n).and_then(|f| f.parse::<u64>().ok()).ok_or("no processor time");
    Ok(number(11)? + number(12)?)
}

pub(super) fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// A path in the tests' directory that nobody else uses.
pub(super) fn fresh_path(kind: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    place::output().join(format!("{kind}-{}-{number}", std::process::id()))
}

/// Asks until the answer is yes, or fails saying `what` did not happen.
pub(super) fn wait_until(what: &str, mut ask: impl FnMut() -> Result<bool, Box<dyn Error>>) -> Verdict {
    let deadline = Instant::now() + PATIENCE;
    while !ask()? {
        if Instant::now() > deadline {
            return Err(format!("not within {PATIENCE:?}: {what}").into());
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Runs `work` in `threads` threads, numbered from 0, and gives the first failure.
pub(super) fn in_parallel(threads: usize, work: impl Fn(usize) -> Verdict + Sync) -> Verdict {
    let failed = thread::scope(|scope| {
        let work = &work;
        let run = move |n| work(n).map_err(|e| e.to_string());
        let handles: Vec<_> = (0..threads).map(|n| scope.spawn(move || run(n))).collect();
        let join =
            |h: thread::ScopedJoinHandle<'_, Result<(), String>>| h.join().unwrap_or(Err("panic".into()));
        handles.into_iter().map(join).filter_map(Result::err).collect::<Vec<_>>()
    });
    if failed.is_empty() {
        return Ok(());
    }
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    failed.iter().for_each(|reason| *reasons.entry(reason.clone()).or_default() += 1);
    Err(format!("{} of {threads} clients failed: {reasons:?}", failed.len()).into())
}
