//! Debian's unchanged opentracker under `owfat-io-run`.

use super::announce::{self, Hash, UdpClient};
use super::http::{self, Client};
use super::process::{self, Server, fresh_path, in_parallel, loopback, wait_until};
use super::{OnBackend, Verdict, stage};
use nix::sys::socket::{setsockopt, sockopt};
use std::error::Error;
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

pub(super) const TRIALS: &[OnBackend] = &[
    ("tracker::library_is_swapped_in", library_is_swapped_in),
    ("tracker::announces_over_http_are_answered", http_announces),
    ("tracker::announces_over_udp_are_answered", udp_announces),
    ("tracker::worker_threads_serve_udp_by_plain_recv", worker_threads_serve_udp_by_plain_recv),
    ("tracker::a_full_scrape_comes_from_a_worker_thread", a_full_scrape_comes_from_a_worker_thread),
    ("tracker::a_request_in_two_pieces_is_answered", request_in_two_pieces),
    ("tracker::a_client_that_hangs_up_half_way_leaves_the_tracker_working", client_hangs_up_half_way),
    ("tracker::a_client_that_stays_silent_is_dropped", a_client_that_stays_silent_is_dropped),
    ("tracker::an_idle_tracker_sleeps", idle_sleeps),
];

/// A torrent that the tests announce.
pub(super) const TORRENT: Hash = *b"owfat_io test ......";
/// One whose acceptance says that the white list has been read.
const PROBE: Hash = *b"owfat_io probe .....";

const REQUESTS: usize = 1000;

pub(super) struct Tracker {
    pub(super) server: Server,
    directory: PathBuf,
}

impl Tracker {
    pub(super) fn start(backend: &str, torrent: &Hash) -> Result<Tracker, Box<dyn Error>> {
        Tracker::start_with(&preloaded(backend)?, torrent, &on_port)
    }

    /// Starts a tracker that serves `torrent` on a free port, with the options that `listen` makes of it. `launcher` is
    /// the words of the command that come before its name.
    pub(super) fn start_with(
        launcher: &[String],
        torrent: &Hash,
        listen: &dyn Fn(u16) -> Vec<String>,
    ) -> Result<Tracker, Box<dyn Error>> {
        let directory = fresh_path("tracker");
        fs::create_dir_all(&directory)?;
        // Started by root, it changes its root to this directory and becomes nobody.
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755))?;
        let list = format!("{}\n{}\n", announce::hex(torrent), announce::hex(&PROBE));
        fs::write(directory.join("whitelist"), list)?;
        // It takes no port 0, and a free port may be taken until it binds.
        for _ in 0..10 {
            let port = free_port()?;
            let mut command = Command::new(launcher.first().ok_or("no launcher")?);
            command.args(&launcher[1..]).args(["opentracker", "-i", "127.0.0.1"]);
            command.args(listen(port)).arg("-d").arg(&directory).args(["-w", "whitelist"]);
            let mut server = Server::start_on(&mut command, port)?;
            let address = server.address;
            let mut lost = false;
            wait_until("opentracker reads its white list", || {
                lost = !server.alive();
                Ok(lost || announce::over_http(address, &PROBE, 1).is_ok())
            })?;
            if !lost {
                return Ok(Tracker { server, directory });
            }
        }
        Err("opentracker does not start".into())
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The command that runs a program on our library.
pub(super) fn preloaded(backend: &str) -> Result<Vec<String>, String> {
    let wrapper = stage::prefix()?.join("bin/owfat-io-run").display().to_string();
    Ok([wrapper.as_str(), "--backend", backend, "--"].map(str::to_owned).to_vec())
}

/// The options for TCP and UDP on one port.
pub(super) fn on_port(port: u16) -> Vec<String> {
    vec!["-p".into(), port.to_string(), "-P".into(), port.to_string()]
}

/// A port that is free for TCP and UDP.
fn free_port() -> Result<u16, Box<dyn Error>> {
    loop {
        let tcp = TcpListener::bind(loopback(0))?;
        let port = tcp.local_addr()?.port();
        if UdpSocket::bind(loopback(port)).is_ok() {
            return Ok(port);
        }
    }
}

fn library_is_swapped_in(backend: &str) -> Verdict {
    let tracker = Tracker::start(backend, &TORRENT)?;
    let maps = fs::read_to_string(format!("/proc/{}/maps", tracker.server.pid()))?;
    let library = stage::library_directory()?.join("libowfat_io.so");
    if maps.contains(&*library.to_string_lossy()) {
        Ok(())
    } else {
        Err(format!("not mapped:\n{maps}").into())
    }
}

fn http_announces(backend: &str) -> Verdict {
    let mut tracker = Tracker::start(backend, &TORRENT)?;
    const CLIENTS: usize = 50;
    in_parallel(CLIENTS, |client| {
        for turn in 0..REQUESTS / CLIENTS {
            let port = 1 + client * REQUESTS / CLIENTS + turn;
            announce::over_http(tracker.server.address, &TORRENT, port as u16)?;
        }
        Ok(())
    })
    .map_err(|e| format!("{e}; the tracker is alive: {}", tracker.server.alive()))?;
    expect_seeders(&tracker, REQUESTS)
}

fn udp_announces(backend: &str) -> Verdict {
    let tracker = Tracker::start(backend, &TORRENT)?;
    announce_over_udp(&tracker)
}

/// The workers read the registered UDP socket with blocking calls while the loop serves TCP.
fn worker_threads_serve_udp_by_plain_recv(backend: &str) -> Verdict {
    let configuration = fresh_path("opentracker.conf");
    let tracker = Tracker::start_with(&preloaded(backend)?, &TORRENT, &|port| {
        let text = format!("listen.udp.workers 2\nlisten.tcp_udp 127.0.0.1:{port}\n");
        // A missing file makes opentracker end, and that is reported.
        let _ = fs::write(&configuration, text);
        vec!["-f".into(), configuration.display().to_string()]
    });
    let verdict = tracker.and_then(|tracker| announce_over_udp(&tracker));
    fs::remove_file(&configuration)?;
    verdict
}

fn announce_over_udp(tracker: &Tracker) -> Verdict {
    const CLIENTS: usize = 10;
    in_parallel(CLIENTS, |client| {
        let mut udp = UdpClient::connect(tracker.server.address)?;
        for turn in 0..REQUESTS / CLIENTS {
            udp.announce(&TORRENT, (1 + client * REQUESTS / CLIENTS + turn) as u16)?;
        }
        Ok(())
    })?;
    expect_seeders(tracker, REQUESTS)
}

fn expect_seeders(tracker: &Tracker, wanted: usize) -> Verdict {
    let counted = announce::seeders(tracker.server.address, &TORRENT)?;
    if counted as usize == wanted {
        Ok(())
    } else {
        Err(format!("{wanted} seeders were announced, the scrape counts {counted}").into())
    }
}

/// A worker computes the answer and wakes the loop by `io_trywrite` on a registered pipe.
fn a_full_scrape_comes_from_a_worker_thread(backend: &str) -> Verdict {
    let tracker = Tracker::start(backend, &TORRENT)?;
    announce::over_http(tracker.server.address, &TORRENT, 1)?;
    in_parallel(4, |_| {
        for _ in 0..5 {
            let answer = http::fetch(tracker.server.address, "/scrape")?;
            if !answer.windows(TORRENT.len()).any(|w| w == TORRENT) {
                return Err(format!("answered '{}'", String::from_utf8_lossy(&answer)).into());
            }
        }
        Ok(())
    })
}

fn request_in_two_pieces(backend: &str) -> Verdict {
    let tracker = Tracker::start(backend, &TORRENT)?;
    let address = tracker.server.address;
    let request = http::request("GET", &announce::announce_path(&TORRENT, 1));
    for cut in [1, 40, request.len() - 1] {
        let mut client = Client::connect(address)?;
        client.send(&request.as_bytes()[..cut])?;
        // The tracker has gone round its loop once another client got an answer.
        announce::over_http(address, &TORRENT, 2)?;
        client.send(&request.as_bytes()[cut..])?;
        announce::check_announced(&client.answer(true)?.body)?;
    }
    expect_seeders(&tracker, 2)
}

fn client_hangs_up_half_way(backend: &str) -> Verdict {
    let tracker = Tracker::start(backend, &TORRENT)?;
    let address = tracker.server.address;
    let before = tracker.server.open_descriptors()?;
    for turn in 0..200 {
        let mut client = Client::connect(address)?;
        client.send(b"GET /announce?info_hash=half a req")?;
        let stream = client.into_stream();
        if turn % 2 == 1 {
            // A reset instead of an orderly end.
            setsockopt(&stream, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 })?;
        }
    }
    announce::over_http(address, &TORRENT, 1)?;
    wait_until("all descriptors of clients that hung up are closed", || {
        Ok(tracker.server.open_descriptors()? <= before)
    })
}

/// opentracker drops a client that says nothing for half a minute; its clock is `alarm`, whose signal has to
/// bring `io_wait` back.
fn a_client_that_stays_silent_is_dropped(backend: &str) -> Verdict {
    let tracker = Tracker::start(backend, &TORRENT)?;
    let silent = Client::connect(tracker.server.address)?.into_stream();
    silent.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut byte = [0];
    match std::io::Read::read(&mut &silent, &mut byte) {
        Ok(0) => Ok(()),
        other => Err(format!("after a minute the silent client got {other:?}").into()),
    }
}

/// Counts the thread of the event loop: opentracker's cleaner sleeps 117 ms at a time, whatever the library does.
fn idle_sleeps(backend: &str) -> Verdict {
    const SPAN: Duration = Duration::from_secs(3);
    const LIMIT: u64 = 20;
    let tracker = Tracker::start(backend, &TORRENT)?;
    let silent: Vec<_> =
        (0..10).map(|_| Client::connect(tracker.server.address)).collect::<Result<_, _>>()?;
    announce::over_http(tracker.server.address, &TORRENT, 1)?;
    let before = tracker.server.wake_ups()?;
    let busy_before = process::cpu_ticks(tracker.server.pid())?;
    thread::sleep(SPAN);
    let woken = tracker.server.wake_ups()? - before;
    let busy = process::cpu_ticks(tracker.server.pid())? - busy_before;
    drop(silent);
    if woken >= LIMIT || busy > 5 {
        return Err(format!("idle for {SPAN:?}: {woken} wake-ups and {busy} clock ticks of work").into());
    }
    Ok(())
}
