//! A server under load or attack, and what an honest client gets from it.

use super::announce::{self, UdpClient};
use super::http::{self, Client};
use super::process::{PATIENCE, Server, limited};
use super::tracker::{self, TORRENT, Tracker};
use super::{Verdict, echo, loops, pool, tls, web};
use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Web,
    Tls,
    Echo,
    Loops,
    Pool,
    Tracker,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Web => "web",
            Kind::Tls => "tls",
            Kind::Echo => "echo",
            Kind::Loops => "loops",
            Kind::Pool => "pool",
            Kind::Tracker => "tracker",
        }
    }
}

enum Process {
    Plain(Server),
    Tracker(Tracker),
}

pub(super) struct Victim {
    pub(super) kind: Kind,
    process: Process,
}

impl Victim {
    /// Starts a server, with room for a number of descriptors if one is given.
    pub(super) fn start(
        kind: Kind,
        backend: &str,
        descriptors: Option<usize>,
    ) -> Result<Victim, Box<dyn Error>> {
        let mut command = match kind {
            Kind::Web => web::command()?,
            Kind::Tls => tls::command()?,
            Kind::Echo => echo::command()?,
            Kind::Loops => loops::command()?,
            Kind::Pool => pool::command()?,
            Kind::Tracker => return Victim::tracker(&tracker::preloaded(backend)?, descriptors),
        };
        if let Some(limit) = descriptors {
            command = limited(&command, limit);
        }
        Ok(Victim { kind, process: Process::Plain(Server::start(&mut command, backend)?) })
    }

    /// opentracker, whose command begins with the words of `launcher`.
    pub(super) fn tracker(launcher: &[String], descriptors: Option<usize>) -> Result<Victim, Box<dyn Error>> {
        let limit = descriptors.map(|n| ["prlimit".to_owned(), format!("--nofile={n}")].to_vec());
        let launcher = [limit.unwrap_or_default(), launcher.to_vec()].concat();
        let tracker = Tracker::start_with(&launcher, &TORRENT, &tracker::on_port)?;
        Ok(Victim { kind: Kind::Tracker, process: Process::Tracker(tracker) })
    }

    pub(super) fn server(&self) -> &Server {
        match &self.process {
            Process::Plain(server) => server,
            Process::Tracker(tracker) => &tracker.server,
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.server().address
    }

    /// A client that comes now, and its answer.
    pub(super) fn serves_a_newcomer(&self) -> Verdict {
        match self.kind {
            Kind::Web => same(&http::fetch(self.address(), "/small.txt")?, web::SMALL.as_bytes()),
            Kind::Tls => tls::fetch(self.server(), "some"),
            Kind::Echo | Kind::Loops | Kind::Pool => echo::converse(self.address(), 3),
            Kind::Tracker => announce::over_http(self.address(), &TORRENT, 1),
        }
    }

    /// A client that stays.
    pub(super) fn regular(&self) -> Result<Regular, Box<dyn Error>> {
        Ok(match self.kind {
            Kind::Web => Regular::Http(Client::connect(self.address())?),
            Kind::Tls => Regular::Tls(tls::SClient::connect(self.server())?),
            Kind::Echo | Kind::Loops | Kind::Pool => {
                let stream = TcpStream::connect_timeout(&self.address(), PATIENCE)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                Regular::Echo(stream)
            }
            Kind::Tracker => Regular::Udp(UdpClient::connect(self.address())?),
        })
    }
}

/// A client with a connection of its own, or a socket where there are no connections.
pub(super) enum Regular {
    Http(Client),
    Tls(tls::SClient),
    Echo(TcpStream),
    Udp(UdpClient),
}

impl Regular {
    /// Asks something for which the server needs no further descriptor.
    pub(super) fn is_served(&mut self) -> Verdict {
        match self {
            Regular::Http(client) => same(&client.get("/")?.body, web::HELLO),
            Regular::Tls(client) => same(&client.get("//")?, b"404 Not Found\n"),
            Regular::Echo(stream) => {
                stream.write_all(b"a message")?;
                let mut back = [0; 9];
                stream.read_exact(&mut back)?;
                same(&back, b"a message")
            }
            Regular::Udp(client) => match client.announce(&TORRENT, 1)? {
                1 => Ok(()),
                n => Err(format!("the tracker counts {n} seeders").into()),
            },
        }
    }
}

/// The answer, compared.
pub(super) fn same(answer: &[u8], wanted: &[u8]) -> Verdict {
    if answer == wanted {
        return Ok(());
    }
    let at = answer.iter().zip(wanted).position(|(a, b)| a != b);
    let lengths = format!("{} bytes of {}", answer.len(), wanted.len());
    Err(format!("a wrong answer: {lengths}, the first that differs is {at:?}").into())
}
