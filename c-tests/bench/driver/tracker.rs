//! Debian's opentracker under load: one announce a connection, over 32 connections at once.

use crate::count::{fresh_path, total_of_calls};
use crate::measure::{Cell, Limit, Row};
use crate::program::Loop;
use crate::{child, place};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) const CASE: &str = "opentracker";

const LIMIT: f64 = 6.5;
const SECONDS: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(10);
const TORRENT: &str = "6f776661745f696f2062656e6368202e2e2e2e2e";
const ANNOUNCE: &str = "/announce?info_hash=owfat_io+bench+.....&peer_id=-BN0001-000000000001&port=6881\
                        &uploaded=0&downloaded=0&left=1&compact=1";

/// The figure has no unit of work that could be counted off: it is the total of `strace -c` over what wrk says
/// it was answered.
pub(crate) fn row(asked: &[Loop]) -> Result<Row, String> {
    let mut cells = Vec::new();
    for under in [Loop::Original, Loop::Ours] {
        if asked.contains(&under) {
            cells.push((under, Cell { median: calls_a_request(under)?, spread: None }));
        }
    }
    let what = "wrk -c32, an announce a connection: system calls a request";
    Ok(Row { case: CASE, what, limit: Some(Limit::AtMost(LIMIT)), at: None, cells })
}

struct Tracker {
    child: Child,
    directory: PathBuf,
    port: u16,
}

impl Drop for Tracker {
    fn drop(&mut self) {
        child::kill_group(&self.child);
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn start(under: Loop) -> Result<Tracker, String> {
    let directory = fresh_path();
    let failed = |e: std::io::Error| format!("opentracker: {e}");
    fs::create_dir_all(&directory).map_err(failed)?;
    // Started by root, it changes its root to this directory and becomes nobody.
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).map_err(failed)?;
    fs::write(directory.join("whitelist"), format!("{TORRENT}\n")).map_err(failed)?;
    // It takes no port 0.
    let port =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr()).map_err(failed)?.port();
    let mut command = Command::new("opentracker");
    command.args(["-i", "127.0.0.1", "-w", "whitelist", "-p", &port.to_string(), "-d"]).arg(&directory);
    if under == Loop::Ours {
        command.env("LD_PRELOAD", place::shared_library()?.canonicalize().map_err(failed)?);
    }
    let child = spawn(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    let tracker = Tracker { child, directory, port };
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if Instant::now() > deadline {
            return Err("opentracker does not listen".into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(tracker)
}

fn calls_a_request(under: Loop) -> Result<f64, String> {
    let tracker = start(under)?;
    let table = fresh_path();
    let mut strace = Command::new("strace");
    strace.args(["-f", "-c", "-p", &tracker.child.id().to_string(), "-o"]).arg(&table);
    let mut strace = spawn(strace.stdout(Stdio::null()).stderr(Stdio::piped()))?;
    let mut said = String::new();
    let stderr = strace.stderr.take().ok_or("no pipe")?;
    BufReader::new(stderr).read_line(&mut said).map_err(|e| e.to_string())?;
    let loaded = if said.contains("attached") { load(tracker.port) } else { Err(format!("strace: {said}")) };
    // Interrupted, strace lets go of the tracker and writes its summary.
    kill(Pid::from_raw(strace.id() as i32), Signal::SIGINT).map_err(|e| e.to_string())?;
    strace.wait().map_err(|e| e.to_string())?;
    let requests = loaded?;
    let summary = fs::read_to_string(&table).map_err(|e| e.to_string())?;
    fs::remove_file(&table).map_err(|e| e.to_string())?;
    Ok(total_of_calls(&summary)? as f64 / requests)
}

/// Returns how many requests were answered.
fn load(port: u16) -> Result<f64, String> {
    let mut wrk = Command::new("wrk");
    wrk.args(["-t1", "-c32", &format!("-d{SECONDS}"), "-H", "Connection: close"]);
    wrk.arg(format!("http://127.0.0.1:{port}{ANNOUNCE}"));
    let end = child::run(&mut wrk, PATIENCE + Duration::from_secs(SECONDS.into()))?;
    let requests =
        end.stdout.lines().find_map(|line| line.split_once(" requests in ")?.0.trim().parse().ok());
    let refused = end.stdout.contains("Non-2xx");
    requests.filter(|_| end.passed() && !refused).ok_or_else(|| format!("wrk: {}", end.story()))
}

fn spawn(command: &mut Command) -> Result<Child, String> {
    command.process_group(0).stdin(Stdio::null()).spawn().map_err(|e| format!("{command:?}: {e}"))
}
