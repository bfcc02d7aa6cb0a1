//! `examples/files.c`: HTTP/1.1 with ranges, fetched from with curl and wrk.

use super::http::{Answer, Client, request};
use super::process::{Server, fresh_path, limited, wait_until};
use super::swarm::payload;
use super::victim::same;
use super::{OnBackend, Verdict, raw, stage, web};
use crate::place;
use nix::errno::Errno;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use std::error::Error;
use std::fs;
use std::io::Write;
use std::net::Shutdown;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

pub(super) const TRIALS: &[OnBackend] = &[
    ("files::curl_gets_several_on_one_connection", several_on_one_connection),
    ("files::curl_gets_ranges", ranges),
    ("files::curl_resumes_a_download", resume),
    ("files::head_and_conditional_requests_are_answered", head_and_conditional_requests),
    ("files::nothing_but_files_of_the_site_is_served", what_is_not_served),
    ("files::bad_requests_are_refused_and_end_the_connection", requests_that_are_refused),
    (
        "files::pipelined_requests_are_answered_also_when_the_client_has_closed_its_side",
        pipelined_and_half_closed,
    ),
    ("files::idle_clients_are_let_go", idle_clients_are_let_go),
    ("files::slow_and_vanishing_clients_hold_nobody_up", slow_and_vanishing_clients),
    ("files::clients_wait_and_nobody_is_lost_without_a_free_descriptor", no_descriptor_left),
    ("files::wrk_finds_no_error", wrk_finds_no_error),
];

const LIMIT: Duration = Duration::from_secs(60);
const FILES: [(&str, usize); 4] = [("empty", 0), ("one", 1), ("some.txt", 100_000), ("big", 20_000_000)];
const SECRET: &str = "nobody must see this\n";

/// A directory with `FILES` and things that are not served, and a secret beside it.
fn site() -> Result<PathBuf, String> {
    static MADE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let make = || -> std::io::Result<PathBuf> {
        let root = place::output().join("files");
        let site = root.join("site");
        fs::create_dir_all(site.join("below"))?;
        fs::write(root.join("secret"), SECRET)?;
        fs::write(site.join(".secret"), SECRET)?;
        fs::write(site.join("below/a b+c%.html"), "<p>below")?;
        fs::write(site.join("index.html"), "<p>index")?;
        match mkfifo(&site.join("pipe"), Mode::S_IRWXU) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(e) => return Err(e.into()),
        }
        let bytes = payload(FILES[3].1);
        FILES.iter().try_for_each(|(name, size)| fs::write(site.join(name), &bytes[..*size]))?;
        Ok(site)
    };
    MADE.get_or_init(|| make().map_err(|e| e.to_string())).clone()
}

fn start(backend: &str) -> Result<Server, Box<dyn Error>> {
    Server::start(command()?.arg(site()?), backend)
}

pub(super) fn command() -> Result<Command, String> {
    Ok(Command::new(stage::program("files", &["-lowfat"])?))
}

/// A client with a time limit. It prints what `-w` asks for; bodies go to where `-o` says.
fn curl() -> Command {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--max-time", "30"]);
    curl
}

/// The status of a request with these options, and the body, which must be as long as the header says if there is one.
fn fetch(server: &Server, path: &str, options: &[&str]) -> Result<(String, Vec<u8>), Box<dyn Error>> {
    let copy = fresh_path("fetched");
    fs::write(&copy, "")?;
    let mut curl = curl();
    curl.args(["--path-as-is", "-w", "%{http_code} %header{content-length}"])
        .args(options)
        .arg("-o")
        .arg(&copy);
    let said = stage::succeed(curl.arg(format!("http://{}{path}", server.address)), LIMIT)?;
    let body = fs::read(&copy)?;
    fs::remove_file(&copy)?;
    match said.split_once(' ') {
        Some((status, length)) if status == "304" || length == body.len().to_string() => {
            Ok((status.into(), body))
        }
        _ => Err(format!("{path}: status and length '{said}', but {} bytes came", body.len()).into()),
    }
}

fn must_be(path: &str, (status, body): (String, Vec<u8>), wanted: &str, bytes: &[u8]) -> Verdict {
    if status != wanted {
        return Err(format!("{path} was answered {status}: {}", String::from_utf8_lossy(&body)).into());
    }
    same(&body, bytes).map_err(|e| format!("{path}: {e}").into())
}

fn several_on_one_connection(backend: &str) -> Verdict {
    let server = start(backend)?;
    let (mut together, mut copies) = (curl(), Vec::new());
    for (name, size) in FILES {
        let copy = fresh_path("files");
        fs::write(&copy, "")?;
        together.arg("-o").arg(&copy).arg(format!("http://{}/{name}", server.address));
        copies.push((copy, size));
    }
    let connects = stage::succeed(together.args(["--fail", "-w", "%{num_connects} "]), LIMIT)?;
    if connects.trim() != "1 0 0 0" {
        return Err(format!("new connections of each file: {connects}").into());
    }
    for (copy, size) in copies {
        same(&fs::read(&copy)?, &payload(size))?;
        fs::remove_file(&copy)?;
    }
    must_be("a path", fetch(&server, "/below/a%20b+c%25.html?query", &[])?, "200", b"<p>below")?;
    must_be("/", fetch(&server, "/", &["--http1.0"])?, "200", b"<p>index")?;
    let said = server.last_words()?;
    if said == "answered 6 requests on 3 connections\n" { Ok(()) } else { Err(said.into()) }
}

fn ranges(backend: &str) -> Verdict {
    let server = start(backend)?;
    let size = FILES[2].1;
    let bytes = payload(size);
    for (range, part) in [
        ("0-0", &bytes[..1]),
        ("1000-1999", &bytes[1000..2000]),
        ("99999-", &bytes[99_999..]),
        ("5-9999999999", &bytes[5..]),
        ("-500", &bytes[size - 500..]),
        ("-9999999", &bytes[..]),
    ] {
        must_be(range, fetch(&server, "/some.txt", &["-r", range])?, "206", part)?;
    }
    // A server may take those that it does not understand for no range.
    for range in ["7-3", "x-", "-", "1-2,5-6", "1", "99999999999999999999999-"] {
        let field = format!("Range: bytes={range}");
        must_be(range, fetch(&server, "/some.txt", &["-H", &field])?, "200", &bytes)?;
    }
    for range in ["100000-", "100000-100001", "-0"] {
        must_be(range, fetch(&server, "/some.txt", &["-r", range])?, "416", b"416 Range Not Satisfiable\n")?;
    }
    let head = stage::succeed(
        curl()
            .args(["-D", "-", "-o", "/dev/null", "-r", "2-5"])
            .arg(format!("http://{}/some.txt", server.address)),
        LIMIT,
    )?;
    let fields = ["Content-Range: bytes 2-5/100000\r\n", "Content-Length: 4\r\n", "Accept-Ranges: bytes\r\n"];
    if fields.iter().all(|f| head.contains(f)) { Ok(()) } else { Err(head.into()) }
}

/// The second half of a file is fetched to the first.
fn resume(backend: &str) -> Verdict {
    let server = start(backend)?;
    let (name, size) = FILES[3];
    let bytes = payload(size);
    let copy = fresh_path("resumed");
    fs::write(&copy, &bytes[..size / 2])?;
    let mut curl = curl();
    curl.args(["--fail", "-C", "-", "-w", "%{http_code} %{size_download}", "-o"]).arg(&copy);
    let said = stage::succeed(curl.arg(format!("http://{}/{name}", server.address)), LIMIT)?;
    let whole = fs::read(&copy)?;
    fs::remove_file(&copy)?;
    if said != format!("206 {}", size - size / 2) {
        return Err(said.into());
    }
    same(&whole, &bytes)
}

/// The value of a field in what `curl -I` prints.
fn field(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(": ")).map(|v| v.trim().to_owned())
}

fn head_and_conditional_requests(backend: &str) -> Verdict {
    let server = start(backend)?;
    let head = stage::succeed(curl().arg("-I").arg(format!("http://{}/some.txt", server.address)), LIMIT)?;
    let [length, kind, date] = ["Content-Length", "Content-Type", "Last-Modified"]
        .map(|name| field(&head, name).unwrap_or_default());
    if length != "100000" || kind != "text/plain; charset=utf-8" || !head.starts_with("HTTP/1.1 200 ") {
        return Err(head.into());
    }
    // What follows on the same connection shows that there was no body.
    let mut client = Client::connect(server.address)?;
    client.head("/some.txt")?;
    client.head("/none")?;
    same(&client.get("/one")?.body, &payload(1))?;
    let bytes = payload(FILES[2].1);
    let since = format!("If-Modified-Since: {date}");
    must_be("unchanged", fetch(&server, "/some.txt", &["-H", &since])?, "304", b"")?;
    let since = "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT";
    must_be("changed", fetch(&server, "/some.txt", &["-H", since])?, "200", &bytes)?;
    let range = format!("If-Range: {date}");
    must_be("the same", fetch(&server, "/some.txt", &["-r", "0-9", "-H", &range])?, "206", &bytes[..10])?;
    let range = "If-Range: \"another\"";
    must_be("another", fetch(&server, "/some.txt", &["-r", "0-9", "-H", range])?, "200", &bytes)
}

fn what_is_not_served(backend: &str) -> Verdict {
    let server = start(backend)?;
    for path in [
        "/none",
        "/below",
        "/below/",
        "/pipe",
        "/.secret",
        "/../secret",
        "/below/../../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "/below/%2e%2e%2f%2e%2e%2fsecret",
        "//etc/passwd",
        "/%2fetc/passwd",
    ] {
        must_be(path, fetch(&server, path, &[])?, "404", b"404 Not Found\n")?;
    }
    for path in ["/one%00.txt", "/%", "/%zz"] {
        must_be(path, fetch(&server, path, &[])?, "400", b"400 Bad Request\n")?;
    }
    Ok(())
}

/// They are answered, although more is sent than is read, and then the connection ends.
fn requests_that_are_refused(backend: &str) -> Verdict {
    let server = start(backend)?;
    let long = format!("GET /one HTTP/1.1\r\nHost: localhost\r\nCookie: {}\r\n\r\n", "x".repeat(50_000));
    let post =
        format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000\r\n\r\n{}", "x".repeat(50_000));
    for (request, status) in [
        ("GET /one\r\n\r\n", "400"),
        ("GET /one HTTP/2.0\r\nHost: localhost\r\n\r\n", "400"),
        ("GET /one HTTP/1.1\r\n\r\n", "400"),
        ("GET one HTTP/1.1\r\nHost: localhost\r\n\r\n", "400"),
        ("GET /one HTTP/1.1\r\nHost: a\0b\r\n\r\n", "400"),
        ("\r\n\r\n", "400"),
        (&post, "405"),
        (&long, "431"),
        ("GET /one HTTP/1.0\r\n\r\n", "200"),
        ("GET /one HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\nGET /one", "200"),
    ] {
        let mut client = Client::connect(server.address)?;
        client.send(request.as_bytes())?;
        let Answer { status: line, .. } = client.answer(true)?;
        if !line.starts_with(&format!("HTTP/1.1 {status} ")) || !client.at_end()? {
            return Err(format!("'{request:.60}' was answered '{line}'").into());
        }
    }
    Ok(())
}

fn pipelined_and_half_closed(backend: &str) -> Verdict {
    const REQUESTS: usize = 30;
    let server = start(backend)?;
    let mut client = Client::connect(server.address)?;
    // So many that the server turns to others in between, although no further byte comes to remind it of these.
    client.send(request("GET", "/one").repeat(REQUESTS).as_bytes())?;
    for _ in 0..REQUESTS {
        same(&client.answer(true)?.body, &payload(1))?;
    }
    client.send((request("GET", "/some.txt") + &request("HEAD", "/big")).repeat(REQUESTS).as_bytes())?;
    let stream = client.into_stream();
    stream.shutdown(Shutdown::Write)?;
    let mut client = Client::from(stream);
    for _ in 0..REQUESTS {
        same(&client.answer(true)?.body, &payload(FILES[2].1))?;
        client.answer(false)?;
    }
    if client.at_end()? { Ok(()) } else { Err("more answers than requests".into()) }
}

fn idle_clients_are_let_go(backend: &str) -> Verdict {
    let server = Server::start(command()?.arg(site()?).args(["0", "1"]), backend)?;
    let before = server.open_descriptors()?;
    let mut silent = raw::open(server.address)?;
    let mut halting = Client::connect(server.address)?;
    halting.send(b"GET /one HT")?;
    let mut kept = Client::connect(server.address)?;
    same(&kept.get("/one")?.body, &payload(1))?;
    let refused = halting.answer(true)?;
    if !refused.status.contains(" 408 ") || !halting.at_end()? || !kept.at_end()? {
        return Err(refused.status.into());
    }
    same(&raw::rest_of(&mut silent)?, b"")?;
    drop((halting, kept));
    wait_until("all connections are closed", || Ok(server.open_descriptors()? == before))
}

fn slow_and_vanishing_clients(backend: &str) -> Verdict {
    let server = start(backend)?;
    let before = server.open_descriptors()?;
    for _ in 0..20 {
        let mut client = Client::connect(server.address)?;
        client.send(request("GET", "/big").as_bytes())?;
        client.read_some(100_000)?;
    }
    let got = fetch(&server, "/big", &["--limit-rate", "20M"])?;
    must_be("/big", got, "200", &payload(FILES[3].1))?;
    wait_until("connections and files are closed", || Ok(server.open_descriptors()? == before))
}

/// A file cannot be opened then, and who comes has to wait; but nobody is lost.
fn no_descriptor_left(backend: &str) -> Verdict {
    const DESCRIPTORS: usize = 256;
    let mut few = command()?;
    few.arg(site()?);
    let server = Server::start(&mut limited(&few, DESCRIPTORS), backend)?;
    let mut first = Client::connect(server.address)?;
    first.get("/one")?;
    let others = (0..DESCRIPTORS).map(|_| raw::open(server.address)).collect::<Result<Vec<_>, _>>()?;
    wait_until("all descriptors are in use", || Ok(server.open_descriptors()? == DESCRIPTORS))?;
    let unopened = first.get("/one")?;
    if !unopened.status.contains(" 503 ") {
        return Err(unopened.status.into());
    }
    let mut late = raw::open(server.address)?;
    late.write_all(b"GET /one HTTP/1.0\r\n\r\n")?;
    drop(others);
    let answer = raw::rest_of(&mut late)?;
    if !answer.starts_with(b"HTTP/1.1 200 ") {
        return Err(String::from_utf8_lossy(&answer).into());
    }
    same(&first.get("/one")?.body, &payload(1))
}

fn wrk_finds_no_error(backend: &str) -> Verdict {
    web::serves_wrk(&start(backend)?, "/some.txt")
}
