//! Reads profiles in callgrind's format.

use std::collections::{BTreeMap, HashMap};

/// The functions of libc that are system calls and little else: what they execute is the same for every caller.
const SYSTEM_CALLS: &[&str] = &[
    "accept4",
    "close",
    "dup",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "fcntl",
    "fcntl64",
    "fstat",
    "fstat64",
    "getpid",
    "getsockopt",
    "ioctl",
    "poll",
    "ppoll",
    "read",
    "recv",
    "recvmsg",
    "send",
    "sendmsg",
    "setsockopt",
    "write",
    "writev",
];

/// The instructions of the whole process.
pub(crate) fn total(profile: &str) -> Result<u64, String> {
    let total = profile.lines().find_map(|line| line.strip_prefix("totals: "));
    total.and_then(|t| t.trim().parse().ok()).ok_or_else(|| format!("no totals in callgrind's {profile}"))
}

/// The instructions of the io layer: of all calls from outside of `library` to its functions, with what these call,
/// but for system calls.
pub(crate) fn inside(profile: &str, library: &str) -> u64 {
    let mut sum: i64 = functions(profile, library).values().sum();
    calls(profile, |call| {
        let outside = !call.to.contains(library);
        if call.from.contains(library) && outside && SYSTEM_CALLS.contains(&call.function) {
            sum -= call.cost;
        }
    });
    sum.max(0).unsigned_abs()
}

/// What the functions `io_*`, `iob_*` and `iom_*` that are called from outside of `library` execute, with all that they
/// call.
pub(crate) fn functions<'a>(profile: &'a str, library: &str) -> BTreeMap<&'a str, i64> {
    let mut functions = BTreeMap::new();
    calls(profile, |call| {
        let layer = ["io_", "iob_", "iom_"].iter().any(|prefix| call.function.starts_with(prefix));
        if layer && call.to.contains(library) && !call.from.contains(library) {
            *functions.entry(call.function).or_insert(0) += call.cost;
        }
    });
    functions
}

/// All calls of one function by another one.
struct Call<'a> {
    from: &'a str,
    /// The object that has the function.
    to: &'a str,
    function: &'a str,
    /// With what it calls.
    cost: i64,
}

fn calls<'a>(profile: &'a str, mut each: impl FnMut(Call<'a>)) {
    let (mut objects, mut functions) = (HashMap::new(), HashMap::new());
    let (mut from, mut to, mut function) = ("", "", "");
    let mut lines = profile.lines();
    while let Some(line) = lines.next() {
        match line.split_once('=') {
            Some(("ob", name)) => {
                from = resolved(&mut objects, name);
                to = from;
            }
            Some(("cob", name)) => to = resolved(&mut objects, name),
            Some(("fn", name)) => _ = resolved(&mut functions, name),
            Some(("cfn", name)) => function = resolved(&mut functions, name),
            Some(("calls", _)) => {
                // The next line has the position and the cost. The next call is to the same object unless it says so.
                let cost = lines.next().and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
                each(Call { from, to, function, cost: cost.unwrap_or(0) });
                to = from;
            }
            _ => {}
        }
    }
}

/// "(3) name" names a thing once; "(3)" means it from then on.
fn resolved<'a>(known: &mut HashMap<&'a str, &'a str>, text: &'a str) -> &'a str {
    match text.split_once(' ') {
        Some((number, name)) => {
            known.insert(number, name);
            name
        }
        None => known.get(text).copied().unwrap_or(text),
    }
}
