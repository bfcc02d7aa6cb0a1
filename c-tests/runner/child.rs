//! A child process in its own process group, with a time limit.

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What is kept of an output; a test gone wild may print for as long as it runs.
const KEPT: u64 = 1 << 20;
/// The exit status with which a case says that it cannot run here.
const SKIPPED: i32 = 77;

pub(crate) struct Ended {
    /// `None`: killed at the time limit.
    pub(crate) status: Option<ExitStatus>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn passed(&self) -> bool {
        self.status.is_some_and(|s| s.success())
    }

    pub(crate) fn skipped(&self) -> bool {
        self.status.is_some_and(|s| s.code() == Some(SKIPPED))
    }

    /// The end in words, with everything that was printed.
    pub(crate) fn story(&self) -> String {
        format!("{}\n{}{}", self.outcome(), self.stdout, self.stderr)
    }

    pub(crate) fn outcome(&self) -> String {
        match self.status {
            None => "still running at the time limit".into(),
            Some(s) => s.signal().map_or_else(
                || format!("exit status {}", s.code().unwrap_or(-1)),
                |n| Signal::try_from(n).map_or_else(|_| format!("signal {n}"), |s| format!("killed by {s}")),
            ),
        }
    }
}

/// Runs `command` to its end, or to `limit`; what it leaves behind in its process group is killed.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<Ended, String> {
    let mut child = command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{command:?}: {e}"))?;
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    let in_time = wait_until(&child, Instant::now() + limit)?;
    // Before the leader is reaped, so that the group number cannot be anybody else's.
    kill_group(&child);
    let status = child.wait().map_err(|e| e.to_string())?;
    let text = |reader: thread::JoinHandle<String>| reader.join().unwrap_or_default();
    Ok(Ended { status: in_time.then_some(status), stdout: text(stdout), stderr: text(stderr) })
}

/// Kills the process group that `child` leads.
pub(crate) fn kill_group(child: &Child) {
    match killpg(pid(child), Signal::SIGKILL) {
        Ok(()) | Err(Errno::ESRCH | Errno::EPERM) => {}
        Err(e) => panic!("kill of process group {}: {e}", child.id()),
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id() as i32)
}

/// Whether `child` ended before `deadline`. It is not reaped.
fn wait_until(child: &Child, deadline: Instant) -> Result<bool, String> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
    loop {
        match waitid(Id::Pid(pid(child)), flags) {
            Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(e) => return Err(format!("waitid: {e}")),
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(3));
    }
}

fn drain(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            // What was read until an error is still worth showing.
            let _ = stream.by_ref().take(KEPT).read_to_end(&mut bytes);
            let _ = io::copy(&mut stream, &mut io::sink());
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
