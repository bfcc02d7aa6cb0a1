//! Connections that end with a reset, at every stage of a request.

use super::held::Held;
use super::{Launched, beginning, request};
use crate::servers::raw::{open, reset};
use crate::servers::victim::Victim;
use std::io::Write;

const CONNECTIONS: usize = 2000;

pub(super) fn launch(victim: &Victim) -> Launched {
    let request = request(victim.kind);
    for n in 0..CONNECTIONS {
        let mut stream = open(victim.address())?;
        stream.write_all([b"", beginning(victim.kind), &request][n % 3])?;
        reset(stream)?;
    }
    Ok(Held::default())
}
