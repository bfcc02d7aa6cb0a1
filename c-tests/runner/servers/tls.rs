//! `examples/tls.c`: OpenSSL's `SSL_write` as a filter, fetched from with curl and `openssl s_client`.

use super::http::{Client, request};
use super::process::{PATIENCE, Server, fresh_path, in_parallel, wait_until};
use super::swarm::payload;
use super::{OnBackend, Verdict, stage};
use crate::{child, place};
use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

pub(super) const TRIALS: &[OnBackend] = &[
    ("tls::curl_gets_files_of_every_size", curl_gets_files_of_every_size),
    ("tls::parallel_downloads_of_200_clients_are_complete", two_hundred_parallel_downloads),
    ("tls::a_slow_tls_client_gets_all_of_a_big_file", big_file_to_a_slow_client),
    ("tls::a_client_may_change_its_tls_keys_during_a_download", s_client_changes_its_keys),
    ("tls::a_client_that_disconnects_midway_leaves_the_server_working", client_disconnects_midway),
    ("tls::client_that_does_not_speak_tls_1_3_is_refused", others_are_refused),
    ("tls::request_that_is_too_long_is_refused", request_that_is_too_long),
    ("tls::files_are_sent_where_the_kernel_encrypts", sendfile_where_the_kernel_encrypts),
];

const LIMIT: Duration = Duration::from_secs(60);
const BIG_SIZE: usize = 50_000_000;
pub(super) const FILES: [(&str, usize); 4] = [("empty", 0), ("one", 1), ("some", 100_000), ("big", BIG_SIZE)];
const PARALLEL: usize = 200;

/// What the server is started with and its clients know.
#[derive(Clone)]
struct Site {
    certificate: PathBuf,
    key: PathBuf,
    documents: PathBuf,
}

/// A certificate that signs itself, and the files that are served: those of `FILES`, and different ones in
/// `many`.
fn site() -> Result<Site, String> {
    static MADE: OnceLock<Result<Site, String>> = OnceLock::new();
    MADE.get_or_init(|| make_site(&place::output().join("tls")).map_err(|e| e.to_string())).clone()
}

fn make_site(directory: &Path) -> Result<Site, Box<dyn Error>> {
    let [certificate, key, documents] = ["cert.pem", "key.pem", "documents"].map(|name| directory.join(name));
    fs::create_dir_all(documents.join("many"))?;
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
    openssl.args(["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]);
    stage::succeed(openssl.arg("-out").arg(&certificate).arg("-keyout").arg(&key), LIMIT)?;
    let bytes = payload(BIG_SIZE);
    for (name, size) in FILES {
        fs::write(documents.join(name), &bytes[..size])?;
    }
    for n in 0..PARALLEL {
        fs::write(documents.join("many").join(n.to_string()), &bytes[n * 1000..][..many_size(n)])?;
    }
    Ok(Site { certificate, key, documents })
}

/// Pieces of files end at multiples of 64 KiB; some of these files do, too.
fn many_size(n: usize) -> usize {
    65_536 * (n % 4) + 50_000 * (n % 3)
}

fn start(backend: &str) -> Result<Server, Box<dyn Error>> {
    Server::start(&mut command()?, backend)
}

pub(super) fn command() -> Result<Command, String> {
    let Site { certificate, key, documents } = site()?;
    let mut command = Command::new(stage::program("tls", &["-lowfat", "-lssl", "-lcrypto"])?);
    command.arg(certificate).arg(key).arg(documents);
    Ok(command)
}

fn curl() -> Result<Command, String> {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--fail", "--max-time", "50", "--cacert"]).arg(site()?.certificate);
    Ok(curl)
}

fn check(copy: &Path, name: &str) -> Verdict {
    let equal = fs::read(copy)? == fs::read(site()?.documents.join(name))?;
    fs::remove_file(copy)?;
    if equal { Ok(()) } else { Err(format!("{name} differs").into()) }
}

pub(super) fn fetch(server: &Server, name: &str) -> Verdict {
    let copy = fresh_path("tls");
    fs::write(&copy, "")?;
    stage::succeed(curl()?.arg("-o").arg(&copy).arg(format!("https://{}/{name}", server.address)), LIMIT)?;
    check(&copy, name)
}

/// One after the other on one connection, then each on its own.
fn curl_gets_files_of_every_size(backend: &str) -> Verdict {
    let server = start(backend)?;
    let (mut together, mut copies) = (curl()?, Vec::new());
    for (name, _) in FILES {
        let copy = fresh_path("tls");
        fs::write(&copy, "")?;
        together.arg("-o").arg(&copy).arg(format!("https://{}/{name}", server.address));
        copies.push((copy, name));
    }
    let connects = stage::succeed(together.args(["-w", "%{num_connects} "]), LIMIT)?;
    if connects.trim() != "1 0 0 0" {
        return Err(format!("new connections of each file: {connects}").into());
    }
    copies.iter().try_for_each(|(copy, name)| check(copy, name))?;
    FILES.iter().try_for_each(|(name, _)| fetch(&server, name))
}

fn two_hundred_parallel_downloads(backend: &str) -> Verdict {
    let server = start(backend)?;
    let before = server.open_descriptors()?;
    let copies = fresh_path("tls-many");
    fs::create_dir(&copies)?;
    let mut many = curl()?;
    many.args(["--parallel", "--parallel-immediate", "--parallel-max", &PARALLEL.to_string()]);
    many.args(["-w", "%{num_connects}\n", "-o"]).arg(copies.join("#1"));
    let url = format!("https://{}/many/[0-{}]", server.address, PARALLEL - 1);
    let connects = stage::succeed(many.arg(url), LIMIT)?;
    if connects.lines().filter(|n| *n == "1").count() != PARALLEL {
        return Err(format!("not each file had a connection of its own: {connects}").into());
    }
    for n in (0..PARALLEL).filter(|&n| many_size(n) > 0) {
        check(&copies.join(n.to_string()), &format!("many/{n}"))?;
    }
    fs::remove_dir_all(&copies)?;
    wait_until("all connections are closed", || Ok(server.open_descriptors()? <= before))
}

/// curl takes 50 MB at 40 MB/s, so that the socket fills up again and again.
fn big_file_to_a_slow_client(backend: &str) -> Verdict {
    let server = start(backend)?;
    let copy = fresh_path("tls");
    let mut slow = curl()?;
    slow.args(["--limit-rate", "40M", "-o"]).arg(&copy).arg(format!("https://{}/big", server.address));
    stage::succeed(&mut slow, LIMIT)?;
    check(&copy, "big")
}

/// `openssl s_client`, ended when dropped.
pub(super) struct SClient {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// The lines of its stderr.
    said: mpsc::Receiver<String>,
}

impl SClient {
    pub(super) fn connect(server: &Server) -> Result<SClient, Box<dyn Error>> {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-brief", "-verify_return_error", "-CAfile"]).arg(site()?.certificate);
        command.args(["-connect", &server.address.to_string()]).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else { return Err("no pipe".into()) };
        let (tell, said) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // Nobody listens any more when the trial is over.
                let _ = tell.send(line);
            }
        });
        let client = SClient { child, stdin, stdout: BufReader::new(stdout), said };
        client.until_it_says("CONNECTION ESTABLISHED")?;
        Ok(client)
    }

    fn until_it_says(&self, wanted: &str) -> Verdict {
        loop {
            let line =
                self.said.recv_timeout(PATIENCE).map_err(|_| format!("s_client never said {wanted}"))?;
            if line.contains(wanted) {
                return Ok(());
            }
        }
    }

    pub(super) fn send(&mut self, text: &str) -> Verdict {
        Ok(self.stdin.write_all(text.as_bytes())?)
    }

    /// Requests a path and gives the body of the answer, leaving the connection open.
    pub(super) fn get(&mut self, path: &str) -> Result<Vec<u8>, Box<dyn Error>> {
        self.send(&request("GET", path))?;
        let mut body = vec![0; self.header()?];
        self.stdout.read_exact(&mut body)?;
        Ok(body)
    }

    /// The next bytes that come, whatever they are.
    pub(super) fn read_some(&mut self, bytes: usize) -> Result<(), Box<dyn Error>> {
        Ok(self.stdout.read_exact(&mut vec![0; bytes])?)
    }

    /// The length that the header of the next answer announces.
    fn header(&mut self) -> Result<usize, Box<dyn Error>> {
        let mut length = None;
        loop {
            let mut line = String::new();
            self.stdout.read_line(&mut line)?;
            match line.strip_prefix("Content-Length: ") {
                Some(n) => length = Some(n.trim().parse()?),
                None if line.trim().is_empty() => return Ok(length.ok_or("no Content-Length")?),
                None => {}
            }
        }
    }
}

impl Drop for SClient {
    fn drop(&mut self) {
        child::kill_group(&self.child);
        let _ = self.child.wait();
    }
}

/// At a line `K` s_client sends a KeyUpdate and asks for one. The server finds them when the file is sent, and
/// answers with its own in the middle of reading.
fn s_client_changes_its_keys(backend: &str) -> Verdict {
    const PIECES: usize = 5;
    let server = start(backend)?;
    let wanted = fs::read(site()?.documents.join("big"))?;
    let mut client = SClient::connect(&server)?;
    client.send(&request("GET", "/big"))?;
    let mut body = vec![0; client.header()?];
    let size = body.len() / PIECES;
    for piece in body.chunks_mut(size) {
        client.send("K\n")?;
        client.stdout.read_exact(piece)?;
        client.until_it_says("KEYUPDATE")?;
    }
    if body != wanted {
        return Err("the big file differs".into());
    }
    client.send("GET /some HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let (length, mut rest) = (client.header()?, Vec::new());
    client.stdout.read_to_end(&mut rest)?;
    if length == rest.len() && rest == wanted[..FILES[2].1] {
        Ok(())
    } else {
        Err("the second file differs".into())
    }
}

/// After 100 KB of a download, and in the middle of a handshake.
fn client_disconnects_midway(backend: &str) -> Verdict {
    let server = start(backend)?;
    let before = server.open_descriptors()?;
    in_parallel(4, |_| {
        for _ in 0..5 {
            let mut client = SClient::connect(&server)?;
            client.send(&request("GET", "/big"))?;
            client.read_some(100_000)?;
            // The head of a record that announces 512 bytes of a ClientHello.
            Client::connect(server.address)?.send(b"\x16\x03\x01\x02\x00\x01")?;
        }
        Ok(())
    })?;
    wait_until("connections and files are closed", || Ok(server.open_descriptors()? <= before))?;
    fetch(&server, "some")
}

fn others_are_refused(backend: &str) -> Verdict {
    let server = start(backend)?;
    let before = server.open_descriptors()?;
    let end =
        child::run(curl()?.args(["--tls-max", "1.2"]).arg(format!("https://{}/one", server.address)), LIMIT)?;
    if end.passed() || !end.stderr.contains("alert protocol version") {
        return Err(format!("TLS 1.2: {}", end.story()).into());
    }
    let mut plain = Client::connect(server.address)?;
    if plain.get("/one").is_ok() {
        return Err("plain HTTP was answered".into());
    }
    wait_until("their connections are closed", || Ok(server.open_descriptors()? <= before))?;
    fetch(&server, "one")
}

fn request_that_is_too_long(backend: &str) -> Verdict {
    let server = start(backend)?;
    for (length, fits) in [(3_000, true), (5_000, false), (100_000, false)] {
        let mut client = SClient::connect(&server)?;
        let cookie = "x".repeat(length);
        let sent = client.send(&format!(
            "GET /one HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n"
        ));
        // The server may hang up before it has everything.
        if fits {
            sent?;
        }
        let mut answer = Vec::new();
        client.stdout.read_to_end(&mut answer)?;
        if answer.starts_with(b"HTTP/1.1 200 ") != fits {
            return Err(format!("{length} bytes: {}", String::from_utf8_lossy(&answer)).into());
        }
    }
    fetch(&server, "some")
}

/// The kernel's TLS shows itself in `/proc` once it was asked for.
fn sendfile_where_the_kernel_encrypts(backend: &str) -> Verdict {
    let server = start(backend)?;
    fetch(&server, "one")?;
    let there = Path::new("/proc/net/tls_stat").exists();
    let calls = server.system_calls(|| fetch(&server, "some"))?;
    let used = calls.contains_key("sendfile");
    if used == there {
        Ok(())
    } else {
        Err(format!("kernel TLS: {there}, sendfile: {used}: {calls:?}").into())
    }
}
