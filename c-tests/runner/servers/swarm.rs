//! Two aria2c that find each other only through the tracker.

use super::process::{Server, fresh_path, wait_until};
use super::tracker::Tracker;
use super::{OnBackend, Verdict, announce, stage};
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

pub(super) const TRIALS: &[OnBackend] = &[("swarm::aria2c_downloads_from_aria2c", download)];

const FILE: &str = "payload";
const SIZE: usize = 8 << 20;
const PIECE: usize = 1 << 20;
const LIMIT: Duration = Duration::from_secs(60);

fn download(backend: &str) -> Verdict {
    let directory = fresh_path("swarm");
    let [seed, leech] = ["seed", "leech"].map(|name| directory.join(name));
    fs::create_dir_all(&seed)?;
    fs::create_dir_all(&leech)?;
    fs::write(seed.join(FILE), payload(SIZE))?;
    let info = info(&directory, &payload(SIZE))?;
    let hash = sha1(&directory, &info)?;
    let tracker = Tracker::start(backend, &hash)?;
    let address = tracker.server.address;
    let url = format!("http://{address}/announce");
    let torrent = directory.join("torrent");
    let head = format!("d8:announce{}:{url}4:info", url.len());
    fs::write(&torrent, [head.as_bytes(), &info, b"e"].concat())?;

    let mut seeding = aria2c(&seed, &torrent);
    seeding.args(["--check-integrity=true", "--seed-ratio=0.0"]);
    let seeder = Server::start_on(&mut seeding, address.port())?;
    wait_until("the seeder announces itself", || Ok(announce::seeders(address, &hash)? == 1))?;
    stage::succeed(aria2c(&leech, &torrent).arg("--seed-time=0"), LIMIT)?;
    drop(seeder);
    let equal = sha1(&directory, &fs::read(leech.join(FILE))?)? == sha1(&directory, &payload(SIZE))?;
    fs::remove_dir_all(&directory)?;
    if equal { Ok(()) } else { Err("the downloaded file differs".into()) }
}

/// A client that asks nobody but the tracker for peers.
fn aria2c(directory: &Path, torrent: &Path) -> Command {
    let mut command = Command::new("aria2c");
    command.args(["--no-conf", "--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false"]);
    command.args(["--enable-peer-exchange=false", "--interface=127.0.0.1", "--listen-port=20000-29999"]);
    command.args(["--file-allocation=none", "--quiet", "--dir"]).arg(directory).arg(torrent);
    command
}

/// The torrent's info dictionary, bencoded.
fn info(directory: &Path, payload: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut pieces = Vec::new();
    for piece in payload.chunks(PIECE) {
        pieces.extend(sha1(directory, piece)?);
    }
    let head = format!(
        "d6:lengthi{}e4:name{}:{FILE}12:piece lengthi{PIECE}e6:pieces{}:",
        payload.len(),
        FILE.len(),
        pieces.len()
    );
    Ok([head.as_bytes(), &pieces, b"e"].concat())
}

fn sha1(directory: &Path, bytes: &[u8]) -> Result<[u8; 20], Box<dyn Error>> {
    let file = directory.join("hashed");
    fs::write(&file, bytes)?;
    let printed = stage::succeed(Command::new("sha1sum").arg(&file), LIMIT)?;
    let digits = printed.get(..40).ok_or("no SHA-1")?;
    let mut hash = [0; 20];
    for (i, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * i..2 * i + 2], 16)?;
    }
    Ok(hash)
}

/// Bytes that differ from piece to piece.
pub(super) fn payload(size: usize) -> Vec<u8> {
    (0..size as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}
