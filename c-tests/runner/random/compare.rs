//! Holds what a program printed on libowfat 0.32 and on us against each other.

use super::defects::{self, Blame};
use super::play::{Line, Run};
use super::words;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What no run of ours may say, whatever 0.32 says.
const FAULTS: [&str; 17] = [
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
    "MISCOUNTED",
    "STOLEN",
];

/// As in the player.
const BATCHES: i64 = 4;

/// Which of them count against us only: of 0.32, what is wrong with the call itself tells.
const FAULTS_OF_OURS: [&str; 2] = ["errno", "MISCOUNTED"];

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
    /// Of each end, the one that it was last connected to.
    mates: BTreeMap<usize, usize>,
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

    /// Of what 0.32 does not stand nothing is compared any more: it trusts its own numbers, reads error queues, and has no
    /// notion of callbacks that leave.
    fn meet_the_process(&mut self, line: &Line) {
        match line.call.as_str() {
            "close_all" | "dup2_over" => {
                self.ends.extend(0..super::generate::ENDS);
                self.batches.extend(0..BATCHES);
                self.events = true;
            }
            "notices" => self.ends.extend(line.a),
            "write_batch" if line.says("left-by-longjmp") => self.spreads(line),
            _ => {}
        }
    }

    /// Bytes that one of the two moved and the other did not.
    fn spreads(&mut self, line: &Line) {
        self.ends.extend(line.a);
        self.ends.extend(line.mate());
        self.batches.extend(line.number("batch"));
    }

    /// Who is connected to whom.
    fn learn(&mut self, line: &Line) {
        let mate = if line.says("made") { line.b } else { line.mate() };
        if let (Some(a), Some(mate)) = (line.a, mate) {
            self.mates.extend([(a, mate), (mate, a)]);
        }
    }

    /// Events of ends whose runs differ already: what one of the two served, only the mate of that one feels.
    fn spread_events(&mut self, theirs: &Line, mine: &Line) {
        let (left, right) = (words::words(&theirs.said), words::words(&mine.said));
        let differs = |word: &&&str| word.contains('=') && left.contains(word) != right.contains(word);
        let ends = left.iter().chain(&right).filter(differs).filter_map(|word| words::end_of(word));
        let felt: Vec<usize> = ends
            .filter(|end| self.events || self.ends.contains(end))
            .filter_map(|end| self.mates.get(&end).copied())
            .collect();
        self.ends.extend(felt);
    }

    /// A connection that is accepted has what was sent before, perhaps by one that is gone.
    fn meet(&mut self, line: &Line) {
        let sent = line.mate().map_or(!self.ends.is_empty(), |mate| self.ends.contains(&mate));
        if line.call == "accept_one" && line.says("1") && sent {
            self.ends.extend(line.a);
        }
    }

    fn covers(&self, line: &Line) -> bool {
        line.a.is_some_and(|end| self.ends.contains(&end))
            || line.b.is_some_and(|end| self.ends.contains(&end))
            || line.number("batch").is_some_and(|batch| self.batches.contains(&batch))
    }

    /// The words that still count.
    fn sift<'l>(&self, line: &'l Line) -> Vec<&'l str> {
        if !words::names_ends(&line.call) {
            let counts = |word: &&str| !FAULTS_OF_OURS.contains(word);
            return words::words(&line.said).into_iter().filter(counts).collect();
        }
        if self.events && words::tells_events(&line.call) {
            return Vec::new();
        }
        let keep = |word: &&str| {
            !(self.behind && *word == "OTHERS")
                && words::end_of(word).is_none_or(|end| !self.ends.contains(&end))
        };
        words::words(&line.said).into_iter().filter(keep).collect()
    }
}

/// Compares one run of ours with that of 0.32.
pub(crate) fn compare(original: &Run, ours: &Run) -> Findings {
    let mut findings = Findings::default();
    let mut astray = Astray::default();
    if let Some(failure) = faults(ours) {
        findings.failure = Some(failure);
        return findings;
    }
    for (step, mine) in ours.lines.iter().enumerate() {
        let last = step + 1 == original.lines.len() && original.end != "exit 0";
        let Some(theirs) = original.lines.get(step).filter(|_| !last) else {
            let blame = defects::of_the_end(original, ours, step);
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
        astray.learn(mine);
        if words::names_ends(&mine.call) {
            astray.spread_events(theirs, mine);
        }
        astray.meet(mine);
        astray.meet_the_process(mine);
        if astray.covers(mine) {
            if theirs.said != mine.said {
                astray.spreads(mine);
            }
            if theirs.says("STILL-OPEN") {
                astray.follow(&defects::still_open(mine, &ours.lines[..step]));
            }
            continue;
        }
        findings.compared += 1;
        let (left, right) = (astray.sift(theirs), astray.sift(mine));
        if left == right {
            continue;
        }
        let mut blames = defects::of(original, ours, step, &left, &right);
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
        let counts = |word: &&str| !of_a_reused_number(ours, step, word);
        let mut words = line.said.split(' ').filter(counts);
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
    match line.call.as_str() {
        "plain_close" | "dup2_over" => {
            line.a.is_some() && !line.is("unregistered") && !line.aside.is_empty() && !line.says("passed")
        }
        "close_all" => line.descriptors().next().is_some(),
        _ => false,
    }
}

/// A number that was closed behind the library is noticed at its next io_fd where that can be. Where it cannot, what the old one wanted stays.
fn of_a_reused_number(ours: &Run, step: usize, word: &str) -> bool {
    if word == "OTHERS" {
        return ours.lines[..step].iter().any(closed_behind);
    }
    // Its hint is one.
    let unwanted = word.replace("untrue-w", "unwanted-w");
    if !unwanted.starts_with("unwanted-") || !ours.lines[step].said.split(' ').any(|w| w == unwanted) {
        return false;
    }
    let end = words::end_of(word);
    let before = &ours.lines[..step];
    let closed: Vec<i64> = before.iter().filter(|l| closed_behind(l)).flat_map(Line::descriptors).collect();
    let reuses = |l: &Line| l.aside.split(' ').any(|w| closed.iter().any(|n| w == format!("n{n}")));
    let made = |l: &&Line| l.says("made") && (l.a == end || l.b == end);
    end.is_some()
        && (before.iter().any(|l| l.a == end && l.is("closed_behind"))
            || before.iter().rev().find(made).is_some_and(reuses))
}

/// Compares two backends of ours: they must say the same throughout.
pub(crate) fn backends(one: &Run, other: &Run, name: &str) -> Option<Failure> {
    // What a registered number that was closed with close(2) leaves is different from one backend to the next.
    if one.lines.iter().any(closed_behind) {
        return None;
    }
    let differ =
        |step: usize, a: &Line, b: &Line| a.said != b.said && !in_any_order(&one.lines[..step], a, b);
    let pairs = one.lines.iter().zip(&other.lines).enumerate();
    let (step, _) = pairs.into_iter().find(|(step, (a, b))| differ(*step, a, b))?;
    let (a, b) = (&one.lines[step], &other.lines[step]);
    Some(Failure {
        step,
        call: a.call.clone(),
        what: format!("{} {}: epoll says `{}`, {name} `{}`", a.call, shown(a), a.said, b.said),
    })
}

/// Whether two sweeps differ only in ends whose events may be among those that were not taken yet.
fn in_any_order(before: &[Line], a: &Line, b: &Line) -> bool {
    let taken_in_part = before
        .iter()
        .rev()
        .find(|l| words::tells_events(&l.call) && l.call != "idle")
        .is_some_and(|l| l.call == "pop_some");
    let others = |line: &Line| -> Vec<String> {
        let ready = |word: &&str| line.aside.split(' ').any(|w| w.strip_prefix("ready") == Some(*word));
        words::words(&line.said).into_iter().filter(|word| !ready(word)).map(str::to_owned).collect()
    };
    a.call == "sweep" && taken_in_part && others(a) == others(b)
}

/// The ends that a call is about.
fn shown(line: &Line) -> String {
    let ends: Vec<String> = [line.a, line.b].into_iter().flatten().map(|end| end.to_string()).collect();
    ends.join(" ")
}
