//! opentracker with all its descriptors in use. It accepts until that fails, and waits again whatever the reason was:
//! so it spins as long as somebody wants to be accepted, with libowfat 0.32 as with this library. Both are attacked
//! here at the same time, because what a busy machine leaves to one that spins is no fixed figure.

use super::limit::{self, DESCRIPTORS};
use super::table::{Row, Spent};
use super::{QUIET, attacks, calm, in_time};
use crate::servers::Verdict;
use crate::servers::tracker::preloaded;
use crate::servers::usage::Usage;
use crate::servers::victim::{Kind, Victim};
use std::error::Error;
use std::thread::sleep;

/// For how much longer than the original ours may be awake, in per cent of the time.
const SLACK: f64 = 40.0;

pub(super) fn compare(backend: &str) -> Verdict {
    let ours = Victim::tracker(&preloaded(backend)?, Some(DESCRIPTORS))?;
    let original = Victim::tracker(&["env".to_owned()], Some(DESCRIPTORS))?;
    let mut regular = ours.regular()?;
    regular.is_served()?;
    let idle = ours.server().open_descriptors()?;
    let mut row = Row::new([Kind::Tracker.name(), "limit", backend], calm(&ours, idle)?);
    for _ in 0..attacks()? {
        let begin = Usage::of(ours.server().pid())?;
        let held = [limit::launch(&original)?, limit::launch(&ours)?];
        row.attacked = Usage::of(ours.server().pid())?.cpu_since(&begin);
        in_time("a client over UDP", || regular.is_served())?;
        row.during = side_by_side(&ours, &original)?;
        held.into_iter().try_for_each(|held| held.leave())?;
        row.after = calm(&ours, idle)?;
        in_time("a client that comes after the attack", || ours.serves_a_newcomer())?;
    }
    row.write()
}

/// Watches both in the same span.
fn side_by_side(ours: &Victim, original: &Victim) -> Result<Spent, Box<dyn Error>> {
    let usages =
        || Ok::<_, Box<dyn Error>>((Usage::of(ours.server().pid())?, Usage::of(original.server().pid())?));
    let begin = usages()?;
    sleep(QUIET);
    let end = usages()?;
    let (awake, allowed) = (end.0.awake_since(&begin.0), end.1.awake_since(&begin.1));
    // More than all of it is a thread that waits for a processor beside the one that spins.
    if awake.min(100.0) > allowed + SLACK {
        let story = format!("awake for {awake:.0} % of the time, and for {allowed:.0} % on libowfat 0.32");
        return Err(format!("with no descriptor left it is {story}").into());
    }
    Ok((end.0.cpu_since(&begin.0), end.0))
}
