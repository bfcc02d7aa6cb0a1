//! What clients do to `servers/web.c`.

use super::{Checked, Random};
use crate::servers::http::{self, Client};
use crate::servers::raw::{open, open_narrow, reset, rest_of, send_urgent};
use crate::servers::swarm::payload;
use crate::servers::victim::{Victim, same};
use crate::servers::web::{BIG_SIZE, HELLO, SMALL};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::Duration;

type Act = fn(&Victim, &mut Random) -> Checked;

pub(super) const ACTS: &[Act] = &[
    keep_alive,
    keep_alive,
    pipeline,
    single,
    many_at_once,
    half_closed,
    part_of_a_big_file,
    slow_reader,
    reset_in_a_request,
    nonsense,
    too_long,
    urgent,
];

fn keep_alive(victim: &Victim, random: &mut Random) -> Checked {
    const TURNS: usize = 10;
    let mut client = Client::connect(victim.address())?;
    for _ in 0..TURNS {
        let (path, status, body) = random.one_of(&[
            ("/", " 200 OK", HELLO),
            ("/small.txt", " 200 OK", SMALL.as_bytes()),
            ("/none", " 404 Not Found", b"not found\n"),
        ]);
        let answer = client.get(path)?;
        same(&answer.body, body)?;
        if !answer.status.ends_with(status) || !client.head(path)?.status.ends_with(status) {
            return Err(format!("{path} was answered '{}'", answer.status).into());
        }
    }
    Ok(2 * TURNS as u64)
}

fn pipeline(victim: &Victim, _: &mut Random) -> Checked {
    const REQUESTS: usize = 20;
    let mut client = Client::connect(victim.address())?;
    client.send(http::request("GET", "/small.txt").repeat(REQUESTS).as_bytes())?;
    for _ in 0..REQUESTS {
        same(&client.answer(true)?.body, SMALL.as_bytes())?;
    }
    Ok(REQUESTS as u64)
}

fn single(victim: &Victim, _: &mut Random) -> Checked {
    let mut stream = open(victim.address())?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let wanted = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: close\r\n\r\nhello, world\n";
    same(&rest_of(&mut stream)?, wanted)?;
    Ok(1)
}

/// All of them are connected at once.
fn many_at_once(victim: &Victim, _: &mut Random) -> Checked {
    const CLIENTS: usize = 20;
    let mut clients =
        (0..CLIENTS).map(|_| Client::connect(victim.address())).collect::<Result<Vec<_>, _>>()?;
    for client in &mut clients {
        client.send(http::request("GET", "/").as_bytes())?;
    }
    for client in &mut clients {
        same(&client.answer(true)?.body, HELLO)?;
    }
    Ok(CLIENTS as u64)
}

fn half_closed(victim: &Victim, _: &mut Random) -> Checked {
    let mut stream = open(victim.address())?;
    stream.write_all(http::request("GET", "/small.txt").as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    same(&rest_of(&mut stream)?, &whole_answer(SMALL.as_bytes()))?;
    Ok(1)
}

fn whole_answer(body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

fn big() -> &'static [u8] {
    static ANSWER: OnceLock<Vec<u8>> = OnceLock::new();
    ANSWER.get_or_init(|| whole_answer(&payload(BIG_SIZE)))
}

/// Sometimes it is the whole file. Otherwise the client leaves in the middle, one way or another.
fn part_of_a_big_file(victim: &Victim, random: &mut Random) -> Checked {
    let size = if random.below(10) == 0 { big().len() } else { 1 + random.below(1_000_000) };
    let mut stream = open(victim.address())?;
    stream.write_all(http::request("GET", "/big").as_bytes())?;
    let half_closed = random.below(2) == 0;
    if half_closed {
        stream.shutdown(Shutdown::Write)?;
    }
    let mut part = vec![0; size];
    stream.read_exact(&mut part)?;
    same(&part, &big()[..size])?;
    leave(stream, random)?;
    Ok(1)
}

fn slow_reader(victim: &Victim, random: &mut Random) -> Checked {
    let mut stream = open_narrow(victim.address())?;
    stream.write_all(http::request("GET", "/big").as_bytes())?;
    let mut part = vec![0; 20_000];
    for piece in part.chunks_mut(2_000) {
        stream.read_exact(piece)?;
        sleep(Duration::from_millis(5));
    }
    same(&part, &big()[..part.len()])?;
    leave(stream, random)?;
    Ok(1)
}

fn leave(stream: TcpStream, random: &mut Random) -> nix::Result<()> {
    if random.below(2) == 0 { reset(stream) } else { Ok(()) }
}

/// Nothing is answered, so nothing is compared.
fn reset_in_a_request(victim: &Victim, random: &mut Random) -> Checked {
    let request = http::request("GET", "/small.txt");
    let mut stream = open(victim.address())?;
    stream.write_all(&request.as_bytes()[..random.below(request.len())])?;
    reset(stream)?;
    Ok(0)
}

fn nonsense(victim: &Victim, _: &mut Random) -> Checked {
    let mut stream = open(victim.address())?;
    stream.write_all(b"NONSENSE\r\n\r\n")?;
    let wanted =
        b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 18\r\nConnection: close\r\n\r\nonly GET and HEAD\n";
    same(&rest_of(&mut stream)?, wanted)?;
    Ok(1)
}

/// The server hangs up without an answer, maybe before it has got everything.
fn too_long(victim: &Victim, _: &mut Random) -> Checked {
    let mut stream = open(victim.address())?;
    let _ = stream.write_all(&[b'x'; 20_000]);
    same(&rest_of(&mut stream)?, b"")?;
    Ok(1)
}

/// The byte stands beside the stream, so the request is what it is without it.
fn urgent(victim: &Victim, _: &mut Random) -> Checked {
    let request = http::request("GET", "/");
    let (head, tail) = request.split_at(20);
    let mut stream = open(victim.address())?;
    stream.write_all(head.as_bytes())?;
    send_urgent(&stream)?;
    stream.write_all(tail.as_bytes())?;
    let mut answer = vec![0; whole_answer(HELLO).len()];
    stream.read_exact(&mut answer)?;
    same(&answer, &whole_answer(HELLO))?;
    Ok(1)
}
