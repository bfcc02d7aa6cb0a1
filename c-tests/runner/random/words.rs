//! What is said of a call, taken apart.

/// What is said, in words that stay together: a result with its errno is one.
pub(super) fn words(said: &str) -> Vec<&str> {
    said.split(' ').filter(|word| !word.is_empty()).collect()
}

/// Calls that tell of several ends.
pub(super) fn names_ends(call: &str) -> bool {
    tells_events(call) || ["sweep", "finish"].contains(&call)
}

pub(super) fn tells_events(call: &str) -> bool {
    ["turn", "events", "leftovers", "pop_some", "wait_only", "idle"].contains(&call)
}

/// The end that a word is about: `r3`, `lost-w11`, `r3=100`, `4:end`, and in a sweep `4`.
pub(super) fn end_of(word: &str) -> Option<usize> {
    let word = word.split(['=', ':']).next()?;
    let word = word.rsplit('-').next()?;
    word.strip_prefix(['r', 'w']).unwrap_or(word).parse().ok()
}

pub(super) fn count(said: &str) -> i64 {
    said.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or_default()
}

pub(super) fn is_reset(said: &str) -> bool {
    let said = said.split(" left").next().unwrap_or_default();
    ["-1 EPIPE", "-3 EPIPE", "-1 ECONNRESET", "-3 ECONNRESET"].contains(&said)
}

/// What a batch still has after a call that said so.
pub(super) fn left(said: &str) -> Option<i64> {
    said.rsplit_once("left ").and_then(|(_, n)| n.parse().ok())
}

/// Whether of the same batch the one sent only the first part of what the other sent.
pub(super) fn is_cut(whole: &str, part: &str) -> bool {
    let (all, some) = (count(whole), count(part));
    0 < some && some < all && left(whole).map(|n| n + all) == left(part).map(|n| n + some)
}

/// Whether 0.32 dropped the rest of a batch because it was as long as what was sent.
pub(super) fn is_dropped(theirs: &str, ours: &str) -> bool {
    let sent = count(ours);
    sent > 0 && count(theirs) == sent && left(theirs) == Some(0) && left(ours) == Some(sent)
}

/// Whether 0.32 went on after a filter had taken less than it was offered: it then forgot that part, if the filter
/// failed, or took more.
pub(super) fn is_overrun(theirs: &str, ours: &str) -> bool {
    let (taken, part) = (count(theirs).max(0), count(ours));
    part > 0 && taken != part && left(theirs).map(|n| n + taken) == left(ours).map(|n| n + part)
}
