//! The readiness rules against a scripted kernel, and as a state machine against a naive model.

mod anew;
mod machine;
mod rules;
mod turns;

use super::model::Rig;
use super::{Flags, Limit};
use crate::backend::fake::Fake;
use crate::fd::Fd;
use crate::interest::Interest;
use std::sync::Arc;

use crate::interest::Direction::{Read, Write};

fn fd(n: u32) -> Fd {
    Fd::from_index(n)
}

/// A rig with descriptors 0 to `n` - 1 registered and wanted for reading.
fn rig(n: u32) -> (Rig, Arc<Fake>) {
    let fake = Fake::new();
    let rig = Rig::new(fake.clone());
    for i in 0..n {
        rig.register(fd(i), false);
        rig.state().want(fd(i), Read);
    }
    (rig, fake)
}

fn set_ready(fake: &Fake, n: u32, interest: Interest) {
    fake.script().happen(fd(n), interest);
}

/// Waits without limit and says whether it slept.
fn sleeps(rig: &Rig, fake: &Fake) -> bool {
    fake.script().slept = None;
    let _ = rig.wait(Limit::Never);
    fake.script().slept.is_some()
}
