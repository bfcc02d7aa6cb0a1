//! opentracker with all its descriptors in use. It accepts until that fails, and waits again whatever the reason was: so
//! it spins as long as somebody wants to be accepted, with libowfat 0.32 as with this library. Both are attacked here at
//! the same time, because what a busy machine leaves to one that spins is no fixed figure.

use super::limit::{self, DESCRIPTORS};
use super::table::{Row, Spent};
use super::{QUIET, attacks, calm, in_time};
use crate::servers::Verdict;
use crate::servers::tracker::preloaded;
use crate::servers::usage::Usage;
use crate::servers::victim::{Kind, Victim};
use std::error::Error;
use std::thread::sleep;

/// Processor time that ours may use beyond the original's, in per cent.
const SLACK: f64 = 15.0;

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
        let [used, allowed] = side_by_side([&ours, &original])?;
        if used.0 > allowed.0 + SLACK {
            let story = format!("{:.0} % of a processor, and {:.0} % on libowfat 0.32", used.0, allowed.0);
            return Err(format!("with no descriptor left it uses {story}").into());
        }
        row.during = used;
        held.into_iter().try_for_each(|held| held.leave())?;
        row.after = calm(&ours, idle)?;
        in_time("a client that comes after the attack", || ours.serves_a_newcomer())?;
    }
    row.write()
}

/// What both use in the same span.
fn side_by_side(victims: [&Victim; 2]) -> Result<[Spent; 2], Box<dyn Error>> {
    let usages = || -> Result<[Usage; 2], Box<dyn Error>> {
        let [a, b] = victims.map(|victim| Usage::of(victim.server().pid()));
        Ok([a?, b?])
    };
    let begin = usages()?;
    sleep(QUIET);
    let end = usages()?;
    Ok([0, 1].map(|n| (end[n].cpu_since(&begin[n]), end[n])))
}
