//! `examples/chat.c`: what one says, all others hear.

use super::process::{PATIENCE, Server, limited, wait_until};
use super::usage::Usage;
use super::{OnBackend, Verdict, raw, stage};
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

pub(super) const TRIALS: &[OnBackend] = &[
    ("chat::everybody_hears_the_others", everybody_hears_the_others),
    ("chat::bad_names_and_lines_are_refused", names_and_lines_that_are_refused),
    ("chat::the_others_hear_of_who_leaves", who_leaves_is_missed),
    ("chat::slow_reader_is_shown_out_and_others_go_on", slow_reader_is_shown_out),
    ("chat::silent_one_is_asked_and_then_shown_out", silent_one_is_asked),
    ("chat::clients_wait_and_nobody_is_lost_without_a_free_descriptor", no_descriptor_left),
];

/// A client, and what it has not heard yet.
struct Person(BufReader<TcpStream>);

impl Person {
    /// One who is asked for a name.
    fn connect(server: &Server) -> Result<Person, Box<dyn Error>> {
        let mut person = Person(BufReader::new(raw::open(server.address)?));
        person.hears("What is your name?")?;
        Ok(person)
    }

    fn join(server: &Server, name: &str) -> Result<Person, Box<dyn Error>> {
        Person::connect(server)?.named(name)
    }

    fn named(mut self, name: &str) -> Result<Person, Box<dyn Error>> {
        self.says(name)?;
        self.hears("Welcome.")?;
        Ok(self)
    }

    fn says(&mut self, line: &str) -> Verdict {
        self.sends(format!("{line}\n").as_bytes())
    }

    fn sends(&mut self, bytes: &[u8]) -> Verdict {
        Ok(self.0.get_mut().write_all(bytes)?)
    }

    fn next_line(&mut self) -> Result<String, Box<dyn Error>> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        Ok(line)
    }

    fn hears(&mut self, line: &str) -> Verdict {
        let heard = self.next_line()?;
        if heard == format!("{line}\n") {
            Ok(())
        } else {
            Err(format!("heard '{heard}', not '{line}'").into())
        }
    }

    fn shown_out(mut self) -> Verdict {
        let rest = raw::rest_of(self.0.get_mut())?;
        let heard = [self.0.buffer(), &rest].concat();
        if heard.is_empty() { Ok(()) } else { Err(String::from_utf8_lossy(&heard).into()) }
    }
}

fn start(backend: &str, arguments: &[&str]) -> Result<Server, Box<dyn Error>> {
    Server::start(command()?.args(arguments), backend)
}

fn command() -> Result<Command, String> {
    Ok(Command::new(stage::program("chat", &["-lowfat"])?))
}

/// In one room, each of whom has heard of those who came later.
fn room(server: &Server) -> Result<[Person; 3], Box<dyn Error>> {
    let mut alice = Person::join(server, "alice")?;
    let mut bob = Person::join(server, "bob")?;
    alice.hears("bob is here")?;
    let carol = Person::join(server, "carol")?;
    alice.hears("carol is here")?;
    bob.hears("carol is here")?;
    Ok([alice, bob, carol])
}

fn everybody_hears_the_others(backend: &str) -> Verdict {
    let server = start(backend, &[])?;
    // Without a name one hears nothing.
    let mut stranger = Person::connect(&server)?;
    let [mut alice, mut bob, mut carol] = room(&server)?;
    alice.says("good morning")?;
    bob.hears("alice: good morning")?;
    carol.hears("alice: good morning")?;
    // Lines are lines, however they come.
    bob.sends(b"one\r\n\ntwo\nthr")?;
    alice.hears("bob: one")?;
    alice.hears("bob: two")?;
    bob.sends(b"ee\n")?;
    for line in ["bob: one", "bob: two", "bob: three"] {
        carol.hears(line)?;
    }
    alice.hears("bob: three")?;
    carol.says("\u{1b}[2J caf\u{e9}")?;
    alice.hears("carol: ?[2J caf\u{e9}")?;
    bob.hears("carol: ?[2J caf\u{e9}")?;
    stranger.says("dave")?;
    stranger.hears("Welcome.")
}

fn names_and_lines_that_are_refused(backend: &str) -> Verdict {
    let server = start(backend, &[])?;
    let [mut alice, mut bob, mut carol] = room(&server)?;
    let mut dave = Person::connect(&server)?;
    for name in ["bob", "", "bob: hear", &"d".repeat(100)] {
        dave.says(name)?;
        dave.hears("Another name, please.")?;
    }
    dave.says("dave")?;
    dave.hears("Welcome.")?;
    for other in [&mut alice, &mut bob, &mut carol] {
        other.hears("dave is here")?;
    }
    let longest = "x".repeat(511);
    alice.says(&longest)?;
    for other in [&mut bob, &mut carol, &mut dave] {
        other.hears(&format!("alice: {longest}"))?;
    }
    alice.sends(&[b'x'; 512])?;
    for other in [&mut bob, &mut carol, &mut dave] {
        other.hears("alice has too much to say in a line")?;
    }
    alice.shown_out()?;
    bob.says("well")?;
    carol.hears("bob: well")
}

/// In three ways, after which the server has the descriptors that it had before.
fn who_leaves_is_missed(backend: &str) -> Verdict {
    let server = start(backend, &[])?;
    let before = server.open_descriptors()?;
    let [mut alice, mut bob, carol] = room(&server)?;
    let mut dave = Person::join(&server, "dave")?;
    alice.hears("dave is here")?;
    bob.hears("dave is here")?;
    // What comes behind it is not heard.
    bob.sends(b"bye\n/quit\nstill here\n")?;
    alice.hears("bob: bye")?;
    alice.hears("bob has left")?;
    carol.0.get_ref().shutdown(Shutdown::Write)?;
    alice.hears("carol has left")?;
    for line in ["bob: bye", "bob has left", "carol has left"] {
        dave.hears(line)?;
    }
    raw::reset(alice.0.into_inner())?;
    dave.hears("alice was lost")?;
    drop(dave);
    wait_until("all connections are closed", || Ok(server.open_descriptors()? == before))
}

/// Bob does not read. Alice talks until his socket and his share of the server's memory are full; Carol hears it all.
fn slow_reader_is_shown_out(backend: &str) -> Verdict {
    let server = start(backend, &[])?;
    let mut bob = Person(BufReader::new(raw::open_narrow(server.address)?));
    bob.hears("What is your name?")?;
    let _bob = bob.named("bob")?;
    let mut carol = Person::join(&server, "carol")?;
    let mut alice = Person::join(&server, "alice")?;
    carol.hears("alice is here")?;
    let before = server.open_descriptors()?;
    let line = "x".repeat(500);
    let deadline = Instant::now() + PATIENCE;
    loop {
        alice.says(&line)?;
        let heard = carol.next_line()?;
        if heard == "bob reads too slowly\n" {
            break;
        }
        if heard.trim_end() != format!("alice: {line}") || Instant::now() > deadline {
            return Err(format!("Carol heard '{heard}'").into());
        }
    }
    alice.hears("bob reads too slowly")?;
    // What she has said since.
    carol.hears(&format!("alice: {line}"))?;
    carol.says("at last")?;
    alice.hears("carol: at last")?;
    wait_until("he is closed", || Ok(server.open_descriptors()? < before))
}

/// Alice answers when she is asked. Bob does not.
fn silent_one_is_asked(backend: &str) -> Verdict {
    let server = start(backend, &["0", "1"])?;
    // By the clock of the deadlines, which may be set meanwhile.
    let begin = SystemTime::now();
    let mut bob = Person::join(&server, "bob")?;
    let mut alice = Person::join(&server, "alice")?;
    bob.hears("alice is here")?;
    loop {
        match alice.next_line()?.as_str() {
            "Is anybody there?\n" => alice.says("yes")?,
            "bob has fallen asleep\n" => break,
            other => return Err(format!("Alice heard '{other}'").into()),
        }
    }
    let took = begin.elapsed()?;
    if took < Duration::from_secs(2) {
        return Err(format!("after {took:?}").into());
    }
    let mut heard = Vec::new();
    loop {
        match bob.next_line()? {
            line if line.is_empty() => break,
            line => heard.push(line),
        }
    }
    // She may have been asked first.
    if heard.iter().any(|l| l == "Is anybody there?\n") && heard.iter().all(|l| l != "bob: yes\n") {
        Ok(())
    } else {
        Err(format!("Bob heard {heard:?}").into())
    }
}

/// Whoever comes then waits, and nobody is lost.
fn no_descriptor_left(backend: &str) -> Verdict {
    const DESCRIPTORS: usize = 256;
    const SPAN: Duration = Duration::from_millis(500);
    let server = Server::start(&mut limited(&command()?, DESCRIPTORS), backend)?;
    let people = (0..DESCRIPTORS).map(|_| raw::open(server.address)).collect::<Result<Vec<_>, _>>()?;
    wait_until("all descriptors are in use", || Ok(server.open_descriptors()? == DESCRIPTORS))?;
    let before = Usage::of(server.pid())?;
    thread::sleep(SPAN);
    let awake = Usage::of(server.pid())?.awake_since(&before);
    if awake > 50.0 {
        return Err(format!("it is awake for {awake:.0} % of the time").into());
    }
    drop(people);
    Person::join(&server, "newcomer").map(drop)
}
