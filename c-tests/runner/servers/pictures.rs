//! What `owfat-io-trace` makes of long traces: a part, a picture that can be looked at, and the form that viewers open.

use super::watched::{Made, SMALL, picture, run};
use super::{Once, Verdict};
use serde_json::Value;
use std::error::Error;
use std::fs;
use std::path::Path;

pub(super) const TRIALS: &[Once] = &[
    ("trace::picture_folds_rows_that_are_alike", picture_folds_rows_that_are_alike),
    ("trace::picture_of_many_wants_is_bounded", picture_of_many_wants_is_bounded),
    ("trace::picture_is_dark_where_the_browser_is", picture_is_dark_where_the_browser_is),
    ("trace::perfetto_has_tracks_slices_and_counters", perfetto_has_tracks_slices_and_counters),
    ("trace::times_and_descriptors_are_cut_out", times_and_descriptors_are_cut_out),
];

/// What `--perfetto` writes.
fn events(trace: &Path, options: &[&str]) -> Result<Vec<Value>, Box<dyn Error>> {
    let made = Made::new("")?;
    let mut arguments: Vec<&Path> = options.iter().map(Path::new).collect();
    arguments.extend([Path::new("--perfetto"), &made.0, trace]);
    let end = run(&arguments)?;
    if !end.passed() || !end.stdout.is_empty() {
        return Err(end.story().into());
    }
    let json: Value = serde_json::from_str(&fs::read_to_string(&made.0)?)?;
    Ok(json["traceEvents"].as_array().ok_or("no list of events")?.clone())
}

fn perfetto_has_tracks_slices_and_counters() -> Verdict {
    let all = events(&Made::new(SMALL)?.0, &[])?;
    let of = |kind: &str| all.iter().filter(|e| e["ph"] == kind).collect::<Vec<_>>();
    let track = |process: u32, name: &str| {
        let is_it = |e: &&&Value| e["pid"] == process && e["args"]["name"] == name;
        of("M").iter().find(is_it).map(|e| e["tid"].clone()).ok_or(format!("no track '{name}'"))
    };
    let (five, six) = (track(10, "descriptor 5")?, track(10, "descriptor 6")?);
    let (thread, other) = (track(10, "thread 10")?, track(20, "descriptor 5")?);
    let slices = |tid: &Value, pid: u32| {
        let mut found = Vec::new();
        for e in of("X").into_iter().filter(|e| e["tid"] == *tid && e["pid"] == pid) {
            found.push((e["name"].as_str().unwrap_or_default(), e["ts"].as_i64(), e["dur"].as_i64()));
        }
        found
    };
    let wanted = [
        ("known to the library", Some(1), Some(1_000_008)),
        ("known to the library", Some(1_000_010), Some(499_990)),
        ("wants to read", Some(2), Some(1_000_007)),
    ];
    if slices(&five, 10) != wanted || !slices(&six, 10).is_empty() {
        return Err(format!("{:?}", slices(&five, 10)).into());
    }
    let asleep = [("asleep", Some(3), Some(1_000_000)), ("asleep", Some(1_000_015), Some(499_985))];
    if slices(&thread, 10) != asleep {
        return Err(format!("{:?}", slices(&thread, 10)).into());
    }
    let counters: Vec<_> = of("C").iter().map(|e| (e["ts"].as_i64(), e["args"]["read"].as_i64())).collect();
    let marks = |tid: &Value| of("i").iter().filter(|e| e["tid"] == *tid).count();
    // Back to 0 when it is closed.
    if counters != [(Some(1_000_007), Some(3)), (Some(1_000_009), Some(0))] || marks(&other) != 8 + 1 {
        return Err(format!("{counters:?}, {} marks", marks(&other)).into());
    }
    Ok(())
}

/// As the text shows it: what was wanted before stands at the begin.
fn times_and_descriptors_are_cut_out() -> Verdict {
    let trace = Made::new(SMALL)?;
    let show = |options: &[&str]| -> Result<String, Box<dyn Error>> {
        let mut arguments: Vec<&Path> = options.iter().map(Path::new).collect();
        arguments.push(&trace.0);
        let end = run(&arguments)?;
        if end.passed() { Ok(end.stdout) } else { Err(end.story().into()) }
    };
    let part = show(&["--from", "0.5", "--to", "1.000007", "--fd", "5"])?;
    let wanted = "From 1700000001.000000 (seconds since 1970) on, 0.500007 s. Times below are seconds after that.\n\n\
         process 10\n  its event loop slept 1 times, 0.500003 s in all, at most 0.500003 s at 0.000000\n\n\
         descriptor 5 of process 10: read 3 bytes in 1 calls, wrote 0 in 0\n\
         \u{20}     0.000000  registered (before) [10]\n      0.000000  wants to read (before) [10]\n\
         \u{20}     0.500004  the kernel finds it readable [10]\n      0.500006  reported readable [10]\n\
         \u{20}     0.500007  read: 3 of 100 bytes [11]\n";
    if part != wanted {
        return Err(part.into());
    }
    let (six, both) = (show(&["--fd", "6"])?, show(&["--fd", "6,5", "--to", "9"])?);
    if six.contains("descriptor 5")
        || !six.contains("descriptor 6")
        || both.matches("\ndescriptor ").count() != 3
    {
        return Err(format!("{six}\n{both}").into());
    }
    let short = events(&trace.0, &["--to", "0.000002"])?;
    if short.iter().any(|e| e["ts"].as_i64().is_some_and(|ts| ts > 2)) {
        return Err(format!("{short:?}").into());
    }
    for (options, said) in [
        (["--fd", "99"], "nothing is left"),
        (["--fd", "x"], "--fd x: no descriptor"),
        (["--from", "soon"], "--from soon: no seconds"),
        (["--to", "-1"], "--to -1: no seconds"),
    ] {
        let end = run(&[Path::new(options[0]), Path::new(options[1]), &trace.0])?;
        if end.status.and_then(|s| s.code()) != Some(2) || !end.stderr.contains(said) {
            return Err(end.story().into());
        }
    }
    Ok(())
}

/// `clients` that all do the same, and a listener.
fn many_alike(clients: u32) -> String {
    let mut text = String::from("1700000000.000000 10/10 3 io_fd 1\n");
    for i in 0..clients {
        for (after, what) in [
            (0, "io_fd 1"),
            (1, "io_wantread -"),
            (2, "io_canread 1"),
            (3, "io_tryread 5 len=9"),
            (9, "io_close -"),
        ] {
            text += &format!("1700000000.{:06} 10/10 {} {what}\n", i * 100 + after, i + 4);
        }
    }
    text
}

fn picture_folds_rows_that_are_alike() -> Verdict {
    let (few, many) = (picture(&Made::new(&many_alike(5))?.0)?, picture(&Made::new(&many_alike(900))?.0)?);
    for (svg, label, times) in [
        (&few, ">descriptor 4</text>", 1),
        (&many, ">900 descriptors<title>4, 5, 6", 1),
        (&many, "and 860 more</title>", 1),
        (&many, ">descriptor 3</text>", 1),
        (&many, "<g class=\"row\"", 3),
    ] {
        if svg.matches(label).count() != times {
            return Err(format!("not {times} times {label}: {svg}").into());
        }
    }
    Ok(())
}

/// A want that comes and goes 200,000 times is no more than a browser can show.
fn picture_of_many_wants_is_bounded() -> Verdict {
    let of = |n: u64| {
        let line = |i: u64| {
            let at = i * 999_990 / n;
            let want = |at, what| format!("1700000000.{at:06} 10/10 5 {what} -\n");
            want(at, "io_wantwrite") + &want(at + 3, "io_dontwantwrite")
        };
        picture(&Made::new(&(0..n).map(line).collect::<String>())?.0)
    };
    let (much, more) = (of(10_000)?.len(), of(100_000)?.len());
    if more < 2 * much { Ok(()) } else { Err(format!("{much} and {more} bytes").into()) }
}

fn picture_is_dark_where_the_browser_is() -> Verdict {
    let svg = picture(&Made::new(SMALL)?.0)?;
    let dark = svg.split_once("@media(prefers-color-scheme:dark){").map_or("", |(_, rest)| rest);
    if !dark.contains(".ground{fill:#") || svg.contains("fill=\"#fff\"") {
        return Err(svg.into());
    }
    Ok(())
}
