//! Requests of 10 MB: servers refuse them, and an echo server gives them back.

use super::held::Held;
use super::{Launched, beginning};
use crate::servers::raw::{open, rest_of};
use crate::servers::victim::{Kind, Victim};
use crate::servers::{Verdict, echo};
use std::io::Write;

const SIZE: usize = 10_000_000;
const REQUESTS: usize = 4;

pub(super) fn launch(victim: &Victim) -> Launched {
    for n in 0..REQUESTS {
        match victim.kind {
            Kind::Echo | Kind::Loops if n == 0 => echo::pour(victim.address(), SIZE)?,
            Kind::Echo | Kind::Loops => {}
            _ if n % 2 == 0 => is_refused(victim, beginning(victim.kind))?,
            _ => is_refused(victim, b"POST / HTTP/1.1\r\nContent-Length: 10000000\r\n\r\n")?,
        }
    }
    Ok(Held::default())
}

/// The server hangs up when it likes. What it says before may get lost, but is no answer to a right request.
fn is_refused(victim: &Victim, head: &[u8]) -> Verdict {
    let mut stream = open(victim.address())?;
    let _ = stream.write_all(head).and_then(|()| stream.write_all(&vec![b'x'; SIZE]));
    let said = rest_of(&mut stream)?;
    let line = String::from_utf8_lossy(&said).lines().next().unwrap_or_default().to_owned();
    // Or an alert, which is a record of type 21.
    let refusal = said.first() == Some(&21)
        || [" 400 ", " 404 ", " 405 ", " 500 "].iter().any(|status| line.contains(status));
    if line.is_empty() || refusal { Ok(()) } else { Err(format!("10 MB were answered '{line}'").into()) }
}
