//! `servers/web.c`, linked `-lowfat_io -lowfat`.

use super::http::{self, Client};
use super::process::{Server, fresh_path, in_parallel, wait_until};
use super::{OnBackend, Verdict, stage};
use crate::place;
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub(super) const TRIALS: &[OnBackend] = &[
    ("web::requests_get_the_right_answers", answers),
    ("web::keep_alive_answers_come_at_once", keep_alive_answers_come_at_once),
    ("web::pipelined_requests_are_all_answered", pipelined_requests_are_all_answered),
    ("web::a_slow_client_gets_all_of_a_big_file", big_file_to_a_slow_client),
    ("web::a_client_that_disconnects_midway_leaves_the_server_working", client_disconnects_midway),
    ("web::many_clients_meet_no_error", many_clients_without_an_error),
];

pub(super) const HELLO: &[u8] = b"hello, world\n";
pub(super) const SMALL: &str = "a small file\n";
pub(super) const BIG_SIZE: usize = 50_000_000;
const LIMIT: Duration = Duration::from_secs(60);

pub(super) fn start(backend: &str) -> Result<Server, Box<dyn Error>> {
    Server::start(&mut command()?, backend)
}

pub(super) fn command() -> Result<Command, String> {
    let mut command = Command::new(stage::program("web", &["-lowfat"])?);
    command.arg(documents()?);
    Ok(command)
}

/// The directory that is served, with a small and a big file.
fn documents() -> Result<PathBuf, String> {
    static MADE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let make = || -> std::io::Result<PathBuf> {
        let directory = place::output().join("documents");
        fs::create_dir_all(&directory)?;
        fs::write(directory.join("small.txt"), SMALL)?;
        fs::write(directory.join("big"), super::swarm::payload(BIG_SIZE))?;
        Ok(directory)
    };
    MADE.get_or_init(|| make().map_err(|e| e.to_string())).clone()
}

fn answers(backend: &str) -> Verdict {
    let server = start(backend)?;
    let mut client = Client::connect(server.address)?;
    for (path, status, body) in [
        ("/", "200", HELLO),
        ("/small.txt", "200", SMALL.as_bytes()),
        ("/none", "404", b"not found\n"),
        ("/../documents/small.txt", "404", b"not found\n"),
        ("//etc/passwd", "404", b"not found\n"),
    ] {
        let answer = client.get(path)?;
        if answer.status.split(' ').nth(1) != Some(status) || answer.body != body {
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            return Err(format!("{path} was answered '{}' and '{body}'", answer.status).into());
        }
    }
    Ok(())
}

/// A delayed answer takes 200 ms. Every answer meets the limit, except those few that a busy machine delays.
fn keep_alive_answers_come_at_once(backend: &str) -> Verdict {
    const TURNS: usize = 100;
    const AT_ONCE: Duration = Duration::from_millis(50);
    const FORGIVEN: usize = 3;
    let server = start(backend)?;
    let mut client = Client::connect(server.address)?;
    let mut times = Vec::new();
    for turn in 0..TURNS {
        let begin = Instant::now();
        match turn % 4 {
            0 => client.get("/")?,
            1 => client.get("/small.txt")?,
            2 => client.head("/small.txt")?,
            _ => client.get("/none")?,
        };
        times.push(begin.elapsed());
    }
    times.sort();
    if times[TURNS - 1 - FORGIVEN] > AT_ONCE {
        return Err(format!("median {:?}, slowest {:?}", times[TURNS / 2], &times[TURNS - 8..]).into());
    }
    Ok(())
}

fn pipelined_requests_are_all_answered(backend: &str) -> Verdict {
    const REQUESTS: usize = 20;
    let server = start(backend)?;
    in_parallel(8, |_| {
        let mut client = Client::connect(server.address)?;
        client.send(http::request("GET", "/small.txt").repeat(REQUESTS).as_bytes())?;
        for turn in 0..REQUESTS {
            if client.answer(true)?.body != SMALL.as_bytes() {
                return Err(format!("answer {turn} differs").into());
            }
        }
        Ok(())
    })
}

/// curl takes 50 MB at 40 MB/s, so that the socket fills up again and again.
fn big_file_to_a_slow_client(backend: &str) -> Verdict {
    let server = start(backend)?;
    let copy = fresh_path("big");
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--fail", "--limit-rate", "40M", "--max-time", "30", "-o"]).arg(&copy);
    stage::succeed(curl.arg(format!("http://{}/big", server.address)), LIMIT)?;
    let equal = fs::read(&copy)? == fs::read(documents()?.join("big"))?;
    fs::remove_file(&copy)?;
    if equal { Ok(()) } else { Err("the file differs".into()) }
}

fn client_disconnects_midway(backend: &str) -> Verdict {
    let server = start(backend)?;
    let before = server.open_descriptors()?;
    for _ in 0..20 {
        let mut client = Client::connect(server.address)?;
        client.send(http::request("GET", "/big").as_bytes())?;
        client.read_some(100_000)?;
    }
    wait_until("connections and files are closed", || Ok(server.open_descriptors()? <= before))?;
    if http::fetch(server.address, "/")? == HELLO { Ok(()) } else { Err("the answer differs".into()) }
}

fn many_clients_without_an_error(backend: &str) -> Verdict {
    let server = start(backend)?;
    serves_wrk(&server, "/")
}

/// Some seconds of load without an error.
pub(super) fn serves_wrk(server: &Server, path: &str) -> Verdict {
    let mut wrk = Command::new("wrk");
    wrk.args(["-t1", "-c32", "-d2s", "--timeout", "2s"]).arg(format!("http://{}{path}", server.address));
    let report = stage::succeed(&mut wrk, LIMIT)?;
    let requests = report.lines().find_map(|l| l.trim().split_once(" requests in "));
    let served = requests.is_some_and(|(n, _)| n.parse::<u64>().is_ok_and(|n| n > 1000));
    if served && !report.contains("errors") && !report.contains("Non-2xx") {
        Ok(())
    } else {
        Err(report.into())
    }
}
