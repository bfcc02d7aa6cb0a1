//! A server that is watched, and what `owfat-io-trace` makes of traces: of that one, and of such as were made up.

use super::process::{Server, fresh_path};
use super::{Once, Verdict, stage};
use crate::child::{self, Ended};
use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub(super) const TRIALS: &[Once] = &[
    ("trace::a_trace_of_a_server_has_its_events", of_a_server),
    ("trace::text_is_exact", text_is_exact),
    ("trace::picture_has_a_row_for_each_descriptor", picture_has_a_row_for_each_descriptor),
    ("trace::picture_of_much_is_bounded", picture_of_much_is_bounded),
    ("trace::broken_lines_are_named_and_the_rest_is_shown", broken_lines),
    ("trace::bad_arguments_are_one_line_of_error", errors),
];

const LIMIT: Duration = Duration::from_secs(20);

/// A file made for one trial.
pub(super) struct Made(pub(super) PathBuf);

impl Made {
    pub(super) fn new(text: &str) -> Result<Made, Box<dyn Error>> {
        let made = Made(fresh_path("trace"));
        fs::write(&made.0, text)?;
        Ok(made)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // A trial that takes it away itself has said so.
        let _ = fs::remove_file(&self.0);
    }
}

pub(super) fn run(arguments: &[&Path]) -> Result<Ended, String> {
    child::run(Command::new(stage::prefix()?.join("bin/owfat-io-trace")).args(arguments), LIMIT)
}

fn shown(trace: &Path) -> Result<String, Box<dyn Error>> {
    let end = run(&[trace])?;
    if end.passed() && end.stderr.is_empty() { Ok(end.stdout) } else { Err(end.story().into()) }
}

pub(super) fn picture(trace: &Path) -> Result<String, Box<dyn Error>> {
    let made = Made::new("")?;
    let end = run(&[Path::new("--svg"), &made.0, trace])?;
    if !end.passed() || !end.stdout.is_empty() {
        return Err(end.story().into());
    }
    let svg = fs::read_to_string(&made.0)?;
    check_form(&svg)?;
    Ok(svg)
}

/// Whether all that is begun in XML is ended.
fn check_form(xml: &str) -> Verdict {
    let mut open = Vec::new();
    let (mut rest, mut tags) = (xml, 0);
    while let Some((text, after)) = rest.split_once('<') {
        let (tag, behind) = after.split_once('>').ok_or("a tag without an end")?;
        let is_entity = |part: &str| ["amp;", "lt;", "gt;", "quot;"].iter().any(|e| part.starts_with(e));
        if text.contains('>') || !text.split('&').skip(1).all(is_entity) {
            return Err(format!("not escaped: {text}").into());
        }
        match tag.strip_prefix('/') {
            Some(name) if open.pop() != Some(name) => return Err(format!("{tag} ends something else").into()),
            None if !tag.ends_with('/') => open.push(tag.split_whitespace().next().unwrap_or_default()),
            _ => {}
        }
        tags += 1;
        rest = behind;
    }
    if open.is_empty() && tags > 0 { Ok(()) } else { Err(format!("not ended: {open:?}").into()) }
}

fn of_a_server() -> Verdict {
    let (trace, stats) = (fresh_path("trace"), fresh_path("stats"));
    let mut command = Command::new(stage::program("echo", &[])?);
    let command = command.env("OWFAT_IO_TRACE", &trace).env("OWFAT_IO_STATS", &stats);
    let server = Server::start(command, "epoll")?;
    let mut client = TcpStream::connect(server.address)?;
    client.set_read_timeout(Some(LIMIT))?;
    client.write_all(b"hello")?;
    client.read_exact(&mut [0; 5])?;
    drop(client);
    // It sleeps again when it has noticed that, and so has written everything.
    let pid = server.pid();
    let mut text = String::new();
    for _ in 0..200 {
        text = shown(&trace)?;
        if text.contains("  closed\n") {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let svg = picture(&trace)?;
    server.terminate()?;
    fs::remove_file(&trace)?;
    let stats = PathBuf::from(format!("{}.{pid}", stats.display()));
    let counters = fs::read_to_string(&stats)?;
    fs::remove_file(&stats)?;
    let connection = format!(" of process {pid}: read 5 bytes in 1 calls, wrote 5 in 1\n");
    for (words, within) in [
        (connection.as_str(), &text),
        ("  registered\n", &text),
        ("  reported readable\n", &text),
        ("  read: 5 of ", &text),
        ("  read: end of file\n", &text),
        ("  closed\n", &text),
        (&format!("process {pid}</text>"), &svg),
        ("read: end of file", &svg),
        (&format!("process {pid}\n"), &counters),
        ("call.epoll_ctl ", &counters),
    ] {
        if !within.contains(words) {
            return Err(format!("no '{words}' in\n{within}").into());
        }
    }
    Ok(())
}

/// Two processes, two threads, a descriptor with two lives, a failure, a sleep that goes on at the end.
pub(super) const SMALL: &str = "\
1700000000.500000 10/10 - begin -
1700000000.500001 10/10 5 io_fd 1
1700000000.500002 10/10 5 io_wantread -
1700000000.500003 10/10 - sleep - ms=-1
1700000001.500003 10/10 - woke 1
1700000001.500004 10/10 5 ready r
1700000001.500005 10/10 - io_wait 1
1700000001.500006 10/10 5 io_canread 5
1700000001.500007 10/11 5 io_tryread 3 len=100
1700000001.500008 10/11 5 io_tryread -1 EAGAIN len=100
1700000001.500009 10/10 5 io_close -
1700000001.500010 10/10 5 io_fd 1
1700000001.500011 10/10 5 iob_send -3 EPIPE left=7
1700000001.500012 20/20 - begin - parent=10
1700000001.500013 20/20 5 io_timeouted 5
1700000001.500014 20/20 - end -
1700000001.500015 10/10 - sleep - ms=2000
1700000002.000000 10/11 6 io_fd 0 EBADF
";

const SMALL_SHOWN: &str = "\
From 1700000000.500000 (seconds since 1970) on, 1.500000 s. Times below are seconds after that.

process 10
  its event loop slept 2 times, 1.499985 s in all, at most 1.000000 s at 0.000003
      0.000000  begins [10]

descriptor 5 of process 10: read 3 bytes in 1 calls, wrote 0 in 0, 1 failed
      0.000001  registered [10]
      0.000002  wants to read [10]
      1.000004  the kernel finds it readable [10]
      1.000006  reported readable [10]
      1.000007  read: 3 of 100 bytes [11]
      1.000008  read: nothing, not ready [11]
      1.000009  closed [10]
      1.000010  registered [10]
      1.000011  sent of a batch: failed, EPIPE, left: 7 [10]

descriptor 6 of process 10: read 0 bytes in 0 calls, wrote 0 in 0, 1 failed
      1.500000  io_fd: failed, EBADF [11]

process 20
      1.000012  begins, forked by 10
      1.000014  ends

descriptor 5 of process 20: read 0 bytes in 0 calls, wrote 0 in 0
      1.000013  deadline reported as passed
";

fn text_is_exact() -> Verdict {
    let text = shown(&Made::new(SMALL)?.0)?;
    if text == SMALL_SHOWN { Ok(()) } else { Err(text.into()) }
}

fn picture_has_a_row_for_each_descriptor() -> Verdict {
    let trace = Made(fresh_path("<b>&\"trace"));
    fs::write(&trace.0, SMALL)?;
    let svg = picture(&trace.0)?;
    for (words, times) in [
        (">event loop</text>", 2),
        (">descriptor 5</text>", 2),
        (">descriptor 6</text>", 1),
        (">process 10, 2 threads</text>", 1),
        // In the legend, and where it happened.
        ("href=\"#read\"", 2),
        ("href=\"#failed\"", 3),
        ("href=\"#closed\"", 2),
        ("href=\"#expired\"", 2),
        ("class=\"want-read\"", 2),
        ("class=\"sleep\"", 2),
        ("&lt;b&gt;&amp;&quot;trace", 1),
    ] {
        let found = svg.matches(words).count();
        if found != times {
            return Err(format!("{words}: {found} times, not {times}, in\n{svg}").into());
        }
    }
    Ok(())
}

/// Of as many reads as there may be, a browser gets no more than it can show.
fn picture_of_much_is_bounded() -> Verdict {
    let of = |n: u64| {
        let line = |i: u64| format!("1700000000.{:06} 10/10 5 io_tryread 1 len=1\n", i * 999_999 / n);
        picture(&Made::new(&(0..=n).map(line).collect::<String>())?.0)
    };
    let (much, more) = (of(20_000)?.len(), of(200_000)?.len());
    if more < 2 * much { Ok(()) } else { Err(format!("{much} and {more} bytes").into()) }
}

fn broken_lines() -> Verdict {
    let broken = SMALL.replace("10/10 5 io_wantread -", "10 5 io_wantread -");
    let trace = Made::new(broken.strip_suffix('\n').unwrap_or_default())?;
    let end = run(&[&trace.0])?;
    let said: Vec<_> = end.stderr.lines().collect();
    let at = |number: u32, why: &str| format!("owfat-io-trace: {}:{number}: {why}", trace.0.display());
    let wanted = [at(3, "no process and thread in the second field"), at(18, "the line is cut short")];
    if end.status.and_then(|s| s.code()) != Some(1)
        || said != wanted
        || !end.stdout.contains("  closed [10]\n")
    {
        return Err(end.story().into());
    }
    let end = run(&[&Made::new(&"nonsense\n".repeat(100))?.0])?;
    let lines = end.stderr.lines().count();
    if end.status.and_then(|s| s.code()) != Some(2)
        || lines != 12
        || !end.stderr.contains("100 lines like that")
    {
        return Err(end.story().into());
    }
    Ok(())
}

fn errors() -> Verdict {
    let trace = Made::new(SMALL)?;
    let path = trace.0.to_string_lossy().into_owned();
    for (arguments, said) in [
        (&[][..], "needs one trace"),
        (&["a", "b"], "needs one trace"),
        (&["--wrong", "a"], "unknown option --wrong"),
        (&["--svg"], "--svg needs a file"),
        (&["/nonexistent"], "No such file"),
        (&["/"], "directory"),
        (&["/dev/null"], "nothing of a trace"),
        (&["--svg", "/nonexistent/picture", &path], "No such file"),
    ] {
        let arguments: Vec<_> = arguments.iter().map(Path::new).collect();
        let end = run(&arguments)?;
        let one_line = end.stderr.lines().count() == 1 && end.stderr.starts_with("owfat-io-trace: ");
        if end.status.and_then(|s| s.code()) != Some(2) || !one_line || !end.stderr.contains(said) {
            return Err(format!("{arguments:?} should end with 2 and '{said}': {}", end.story()).into());
        }
    }
    let help = run(&[Path::new("--help")])?;
    if help.passed() && help.stdout.starts_with("usage: owfat-io-trace") {
        Ok(())
    } else {
        Err(help.story().into())
    }
}
