//! Holds what a program printed on libowfat 0.32 and on us against each other.

use super::defects::{self, Blame};
use super::play::{Line, Run};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What no run of ours may say, whatever 0.32 says.
const FAULTS: [&str; 15] = [
    "errno",
    "lost-",
    "untrue-",
    "twice-",
    "unwanted-",
    "stale-",
    "OTHERS",
    "ENDLESS",
    "SLEPT",
    "SPINS",
    "STILL-OPEN",
    "WRONG-BYTES",
    "TOO-MUCH",
    "FILES-OPEN",
    "MISSING",
];

/// A difference that is nobody's listed defect, or a fault of ours.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) step: usize,
    pub(crate) call: String,
    pub(crate) what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {}: {}", self.step, self.what)
    }
}

/// What a comparison found.
#[derive(Default)]
pub(crate) struct Findings {
    /// Differences by the defect of 0.32 that they come from.
    pub(crate) defects: BTreeMap<&'static str, usize>,
    /// Calls whose result was held against that of 0.32.
    pub(crate) compared: usize,
    pub(crate) failure: Option<Failure>,
}

/// Where 0.32 has gone astray: what it says of these is not compared any more.
#[derive(Default)]
pub(crate) struct Astray {
    ends: BTreeSet<usize>,
    batches: BTreeSet<i64>,
    events: bool,
    /// A registered number was closed with close(2): that it is named is open.
    behind: bool,
}

impl Astray {
    fn follow(&mut self, blame: &Blame) {
        self.ends.extend(&blame.ends);
        self.batches.extend(&blame.batches);
        self.events |= blame.events;
    }

    /// Bytes that one of the two moved and the other did not.
    fn spreads(&mut self, line: &Line) {
        self.ends.extend(line.a);
        self.ends.extend(line.mate());
        self.batches.extend(line.number("batch"));
    }

    fn covers(&self, line: &Line) -> bool {
        line.a.is_some_and(|end| self.ends.contains(&end))
            || line.b.is_some_and(|end| self.ends.contains(&end))
            || line.number("batch").is_some_and(|batch| self.batches.contains(&batch))
    }

    /// The words that still count.
    fn sift<'l>(&self, line: &'l Line) -> Vec<&'l str> {
        if !defects::names_ends(&line.call) {
            // That a call without fault leaves errno alone is held against us only.
            return defects::words(&line.said).into_iter().filter(|word| *word != "errno").collect();
        }
        if self.events && defects::tells_events(&line.call) {
            return Vec::new();
        }
        let keep = |word: &&str| {
            !(self.behind && *word == "OTHERS")
                && defects::end_of(word).is_none_or(|end| !self.ends.contains(&end))
        };
        defects::words(&line.said).into_iter().filter(keep).collect()
    }
}

/// Compares one run of ours with that of 0.32.
pub(crate) fn compare(original: &Run, ours: &Run, backend: &str) -> Findings {
    let mut findings = Findings::default();
    let mut astray = Astray::default();
    if let Some(failure) = faults(ours) {
        findings.failure = Some(failure);
        return findings;
    }
    for (step, mine) in ours.lines.iter().enumerate() {
        let last = step + 1 == original.lines.len() && original.end != "exit 0";
        let Some(theirs) = original.lines.get(step).filter(|_| !last) else {
            let blame = defects::of_the_end(original, step);
            match blame {
                Some(blame) => *findings.defects.entry(blame.name).or_default() += 1,
                None => {
                    findings.failure = Some(Failure {
                        step,
                        call: mine.call.clone(),
                        what: format!("0.32 ends with {} at {}", original.end, mine.call),
                    });
                }
            }
            return findings;
        };
        astray.behind |= closed_behind(mine);
        if closed_behind(mine) && backend == "io_uring" {
            // The ring holds the file until the number is used again; README says so.
            astray.ends.extend(mine.mate());
        }
        if astray.covers(mine) {
            if theirs.said != mine.said {
                astray.spreads(mine);
            }
            continue;
        }
        findings.compared += 1;
        let (left, right) = (astray.sift(theirs), astray.sift(mine));
        if left == right {
            continue;
        }
        let mut blames = defects::of(ours, step, &left, &right);
        if blames.is_empty() {
            let what = format!(
                "{} {}: 0.32 says `{}`, we say `{}`",
                mine.call,
                shown(mine),
                left.join(" "),
                right.join(" ")
            );
            findings.failure = Some(Failure { step, call: mine.call.clone(), what });
            return findings;
        }
        for blame in blames.drain(..) {
            *findings.defects.entry(blame.name).or_default() += 1;
            astray.follow(&blame);
        }
    }
    findings
}

/// What is wrong with a run of ours on its own.
fn faults(ours: &Run) -> Option<Failure> {
    for (step, line) in ours.lines.iter().enumerate() {
        let mut words = line.said.split(' ').filter(|word| !of_a_reused_number(ours, step, word));
        if let Some(fault) = words.find_map(|word| FAULTS.iter().find(|fault| word.contains(*fault))) {
            let what = format!("{} {}: we say `{}` ({fault})", line.call, shown(line), line.said);
            return Some(Failure { step, call: line.call.clone(), what });
        }
    }
    if ours.end == "exit 0" {
        return None;
    }
    let step = ours.lines.len().saturating_sub(1);
    let call = ours.lines.last().map_or(String::new(), |line| line.call.clone());
    Some(Failure { step, what: format!("we end with {} at {call}", ours.end), call })
}

fn closed_behind(line: &Line) -> bool {
    line.call == "plain_close" && line.a.is_some() && !line.is("unregistered") && !line.aside.is_empty()
}

/// A number that was closed behind the library is noticed at its next io_fd where that can be (contract, 3.2). Where
/// it cannot, what the old one wanted stays.
fn of_a_reused_number(ours: &Run, step: usize, word: &str) -> bool {
    if word == "OTHERS" {
        return ours.lines[..step].iter().any(closed_behind);
    }
    let end = defects::end_of(word);
    let before = &ours.lines[..step];
    let closed: Vec<i64> = before.iter().filter(|l| closed_behind(l)).filter_map(|l| l.number("n")).collect();
    let reuses = |l: &Line| l.aside.split(' ').any(|w| closed.iter().any(|n| w == format!("n{n}")));
    let made = |l: &&Line| l.says("made") && (l.a == end || l.b == end);
    end.is_some()
        && (before.iter().any(|l| l.a == end && l.is("haunted"))
            || before.iter().rev().find(made).is_some_and(reuses))
}

/// Compares two backends of ours: they must say the same throughout.
pub(crate) fn backends(one: &Run, other: &Run, name: &str) -> Option<Failure> {
    // What a registered number that was closed with close(2) leaves is different from one backend to the next.
    if one.lines.iter().any(closed_behind) {
        return None;
    }
    let differ = |(a, b): (&Line, &Line)| a.said != b.said;
    let step = one.lines.iter().zip(&other.lines).position(differ)?;
    let (a, b) = (&one.lines[step], &other.lines[step]);
    Some(Failure {
        step,
        call: a.call.clone(),
        what: format!("{} {}: epoll says `{}`, {name} `{}`", a.call, shown(a), a.said, b.said),
    })
}

/// The ends that a call is about.
fn shown(line: &Line) -> String {
    let ends: Vec<String> = [line.a, line.b].into_iter().flatten().map(|end| end.to_string()).collect();
    ends.join(" ")
}
