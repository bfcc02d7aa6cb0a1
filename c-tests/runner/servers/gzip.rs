//! `servers/gzip.c`: a filter that compresses with zlib, read back with `gunzip`.

use super::process::{PATIENCE, Server, asleep, fresh_path, in_parallel, wait_until};
use super::{OnBackend, Verdict, stage};
use crate::place;
use std::error::Error;
use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

pub(super) const TRIALS: &[OnBackend] = &[
    ("gzip::gunzip_accepts_what_the_filter_wrote", gunzip_accepts),
    (
        "gzip::a_client_that_reads_slowly_gets_all_of_a_compressed_answer",
        a_reader_that_lets_the_socket_fill_up,
    ),
    ("gzip::a_reader_that_leaves_midway_leaves_the_server_working", a_reader_that_leaves_midway),
];

const LIMIT: Duration = Duration::from_secs(60);

/// Nothing, a little, what compresses well, and more than a socket holds of what does not.
fn files() -> Result<Vec<PathBuf>, String> {
    static MADE: OnceLock<Result<Vec<PathBuf>, String>> = OnceLock::new();
    let make = || -> std::io::Result<Vec<PathBuf>> {
        let directory = place::output().join("to-compress");
        fs::create_dir_all(&directory)?;
        let contents = [noise(0), noise(1), b"again and ".repeat(300_000), noise(20_000_000), noise(65_536)];
        let write = |(n, bytes): (usize, &Vec<u8>)| {
            let path = directory.join(n.to_string());
            fs::write(&path, bytes)?;
            Ok(path)
        };
        contents.iter().enumerate().map(write).collect()
    };
    MADE.get_or_init(|| make().map_err(|e| e.to_string())).clone()
}

/// Bytes that cannot be compressed.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(byte).take(size).collect()
}

fn start(backend: &str) -> Result<Server, Box<dyn Error>> {
    Server::start(Command::new(stage::program("gzip", &["-lz"])?).args(files()?), backend)
}

fn connect(server: &Server) -> Result<TcpStream, Box<dyn Error>> {
    let stream = TcpStream::connect_timeout(&server.address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Holds what gunzip makes of a stream against the files.
fn check(stream: &[u8]) -> Verdict {
    let unpacked = fresh_path("unpacked");
    let packed = unpacked.with_extension("gz");
    fs::write(&packed, stream)?;
    stage::succeed(Command::new("gunzip").arg(&packed), LIMIT)?;
    let mut wanted = Vec::new();
    for path in files()? {
        wanted.extend(format!("{}\n", path.display()).into_bytes());
        wanted.extend(fs::read(path)?);
    }
    let equal = fs::read(&unpacked)? == wanted;
    fs::remove_file(&unpacked)?;
    if equal { Ok(()) } else { Err("the files differ".into()) }
}

fn gunzip_accepts(backend: &str) -> Verdict {
    let server = start(backend)?;
    in_parallel(2, |_| {
        let mut stream = Vec::new();
        connect(&server)?.read_to_end(&mut stream)?;
        check(&stream)
    })
}

/// The reader begins when the server has gone to sleep over a full socket, and then reads little at a time.
fn a_reader_that_lets_the_socket_fill_up(backend: &str) -> Verdict {
    let server = start(backend)?;
    let before = server.open_descriptors()?;
    let mut connection = connect(&server)?;
    wait_until("the socket is full", || Ok(server.open_descriptors()? > before && asleep(server.pid())?))?;
    let mut stream = Vec::new();
    let mut piece = [0; 1000];
    loop {
        match connection.read(&mut piece)? {
            0 => return check(&stream),
            n => stream.extend(&piece[..n]),
        }
    }
}

fn a_reader_that_leaves_midway(backend: &str) -> Verdict {
    let server = start(backend)?;
    let before = server.open_descriptors()?;
    for _ in 0..20 {
        connect(&server)?.read_exact(&mut [0; 100_000])?;
    }
    wait_until("connections and files are closed", || Ok(server.open_descriptors()? <= before))?;
    let mut stream = Vec::new();
    connect(&server)?.read_to_end(&mut stream)?;
    check(&stream)
}
