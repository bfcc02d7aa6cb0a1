//! Servers under load: Debian's opentracker and the web server of the tests, each started anew for a run.
//!
//! The arguments of a run are those of the programs that serve the client of `client.c`:
//!
//! `CONNECTIONS ROUNDS` works in step: in each round one request goes out on each of so many new connections, and then
//! the answers are taken.
//! `CONNECTIONS 0 MILLISECONDS close|keep IDLE` has wrk keep that many connections busy, with one request a connection
//! or as many as come, and IDLE more that are silent. What is found is printed:
//!
//!     cpu_ns N                  (the server's processor time a request)
//!     median_us N, late_us N    (half of the answers, and 99 of 100, took at most so long)

use crate::child;
use crate::count::{Tool, fresh_path, under_tool};
use crate::program::{Loop, Program, TRACKER};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
const TRIES: usize = 3;
const TORRENT: &str = "6f776661745f696f2062656e6368202e2e2e2e2e";
const ANNOUNCE: &str = "/announce?info_hash=owfat_io%20bench%20.....&peer_id=-BN0001-000000000001&port=6881\
                        &uploaded=0&downloaded=0&left=1&compact=1";

struct Server {
    child: Child,
    directory: PathBuf,
    port: u16,
    request: &'static str,
}

impl Drop for Server {
    fn drop(&mut self) {
        child::kill_group(&self.child);
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// With a tool the server runs under it, and the tool's report is there when this returns.
pub(crate) fn run(
    tool: Option<Tool>,
    program: Program,
    under: Loop,
    arguments: &str,
) -> Result<String, String> {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse().ok()).unwrap_or(0);
    let server = start(tool, program, under)?;
    let found = match words.as_slice() {
        [_, _] => in_step(&server, number(0), number(1)).map(|()| String::new()),
        [_, "0", _, how @ ("close" | "keep"), _] => {
            loaded(&server, number(0), number(2), *how == "close", number(4))
        }
        _ => Err(format!("not the arguments of a server: {arguments}")),
    };
    if let Some((_, report)) = tool {
        end(server, report)?;
    }
    found
}

/// Somebody else may take the port between the question for a free one and the server.
fn start(tool: Option<Tool>, program: Program, under: Loop) -> Result<Server, String> {
    let mut story = String::new();
    for _ in 0..TRIES {
        match start_once(tool, program, under) {
            Ok(server) => return Ok(server),
            Err(told) => story = told,
        }
    }
    Err(story)
}

fn start_once(tool: Option<Tool>, program: Program, under: Loop) -> Result<Server, String> {
    let directory = fresh_path();
    let failed = |e: std::io::Error| format!("{}: {e}", program.source);
    fs::create_dir_all(&directory).map_err(failed)?;
    // Started by root, opentracker changes its root to this directory and becomes nobody, who writes a tool's report.
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).map_err(failed)?;
    // Neither takes port 0 in a way that both know.
    let port =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr()).map_err(failed)?.port();
    let path = program.path(under)?;
    let mut command = match tool {
        Some((tool, report)) => {
            let reports = below(&directory, report.parent().unwrap_or(report));
            fs::create_dir_all(&reports).map_err(failed)?;
            fs::set_permissions(&reports, fs::Permissions::from_mode(0o777)).map_err(failed)?;
            under_tool(tool, &path)
        }
        None => on_processor(0, &path),
    };
    let request = if program.source == TRACKER {
        fs::write(directory.join("whitelist"), format!("{TORRENT}\n")).map_err(failed)?;
        command.args(["-i", "127.0.0.1", "-w", "whitelist", "-p", &port.to_string(), "-d"]);
        command.arg(&directory);
        ANNOUNCE
    } else {
        command.arg(&directory).arg(port.to_string());
        "/"
    };
    command.envs(program.environment(under)?).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().map_err(failed)?;
    let mut server = Server { child, directory, port, request };
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        let ended = server.child.try_wait().map_err(failed)?;
        if ended.is_some() || Instant::now() > deadline {
            return Err(format!("{} does not listen on port {port}: {ended:?}", program.source));
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(server)
}

/// The server has its processor, and wrk has the other one.
fn on_processor(number: u32, program: &Path) -> Command {
    if thread::available_parallelism().is_ok_and(|n| n.get() == 1) {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", &number.to_string()]).arg(program);
    command
}

/// Where `path` is for a process whose root is `directory`.
fn below(directory: &Path, path: &Path) -> PathBuf {
    directory.join(path.strip_prefix("/").unwrap_or(path))
}

/// Ends the server so that its tool writes the report, and fetches that.
fn end(mut server: Server, report: &Path) -> Result<(), String> {
    killpg(Pid::from_raw(server.child.id() as i32), Signal::SIGINT).map_err(|e| e.to_string())?;
    let deadline = Instant::now() + PATIENCE;
    while server.child.try_wait().map_err(|e| e.to_string())?.is_none() {
        if Instant::now() > deadline {
            return Err("the server does not end".into());
        }
        thread::sleep(Duration::from_millis(10));
    }
    let inside = below(&server.directory, report);
    if inside.exists() {
        fs::rename(&inside, report).map_err(|e| format!("{}: {e}", inside.display()))?;
    }
    Ok(())
}

/// Only the last round has to be answered well: opentracker refuses all torrents until one of its threads has read the
/// whitelist, and to wait for that would take requests that nobody counts.
fn in_step(server: &Server, connections: usize, rounds: usize) -> Result<(), String> {
    let mut answers = Vec::new();
    for _ in 0..rounds {
        answers = ask(server, connections).map_err(|e| format!("a request: {e}"))?;
    }
    match answers.iter().find(|answer| !good(answer)) {
        None => Ok(()),
        Some(answer) => Err(format!("the server answered {answer:?}")),
    }
}

fn ask(server: &Server, connections: usize) -> std::io::Result<Vec<String>> {
    let request = format!("GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", server.request);
    let mut streams = Vec::new();
    for _ in 0..connections {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        streams.push(stream);
    }
    let answer = |mut stream: TcpStream| {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    streams.into_iter().map(answer).collect()
}

fn good(answer: &str) -> bool {
    answer.contains(" 200 OK\r\n") && !answer.contains("failure reason")
}

fn loaded(
    server: &Server,
    connections: usize,
    milliseconds: usize,
    close: bool,
    idle: usize,
) -> Result<String, String> {
    let deadline = Instant::now() + PATIENCE;
    while let Err(refused) = in_step(server, 1, 1) {
        if Instant::now() > deadline {
            return Err(refused);
        }
        thread::sleep(Duration::from_millis(10));
    }
    let connect = |_| TcpStream::connect((Ipv4Addr::LOCALHOST, server.port));
    let idle: Vec<TcpStream> =
        (0..idle).map(connect).collect::<Result<_, _>>().map_err(|e| format!("idle connections: {e}"))?;
    let mut wrk = on_processor(1, Path::new("wrk"));
    wrk.args([
        "-t1",
        "--latency",
        &format!("-c{connections}"),
        &format!("-d{}", milliseconds.div_ceil(1000)),
    ]);
    if close {
        wrk.args(["-H", "Connection: close"]);
    }
    wrk.arg(format!("http://127.0.0.1:{}{}", server.port, server.request));
    let before = processor_ns(server)?;
    let end = child::run(&mut wrk, PATIENCE + Duration::from_millis(milliseconds as u64))?;
    let used = processor_ns(server)? - before;
    drop(idle);
    let told = || format!("wrk: {}", end.story());
    let requests =
        end.stdout.lines().find_map(|line| line.split_once(" requests in ")?.0.trim().parse::<f64>().ok());
    let requests = requests.filter(|_| end.passed() && !end.stdout.contains("Non-2xx")).ok_or_else(told)?;
    let (median, late) = (latency_us(&end.stdout, "50%"), latency_us(&end.stdout, "99%"));
    let (median, late) = median.zip(late).ok_or_else(told)?;
    Ok(format!("cpu_ns {:.1}\nmedian_us {median}\nlate_us {late}\n", used as f64 / requests))
}

/// From a line such as `  99%    1.02ms`.
fn latency_us(output: &str, part: &str) -> Option<f64> {
    let value = output.lines().find_map(|line| line.trim().strip_prefix(part))?.trim();
    let digits = value.trim_end_matches(char::is_alphabetic);
    let unit = match &value[digits.len()..] {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        _ => return None,
    };
    Some(digits.parse::<f64>().ok()? * unit)
}

/// What all threads have used so far.
fn processor_ns(server: &Server) -> Result<u64, String> {
    let tasks = format!("/proc/{}/task", server.child.id());
    let failed = |e: std::io::Error| format!("{tasks}: {e}");
    let mut sum = 0;
    for task in fs::read_dir(&tasks).map_err(failed)? {
        let text = fs::read_to_string(task.map_err(failed)?.path().join("schedstat")).map_err(failed)?;
        sum += text.split_whitespace().next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(sum)
}
