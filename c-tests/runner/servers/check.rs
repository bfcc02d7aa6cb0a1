//! `owfat-io-check`: what it says of programs of every kind, and of running ones.

use super::process::{Server, fresh_path};
use super::tracker::{TORRENT, Tracker};
use super::{Once, Verdict, stage};
use crate::child;
use crate::compile::LIBOWFAT_HEADERS;
use serde_json::Value;
use std::error::Error;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

pub(super) const TRIALS: &[Once] = &[
    ("check::opentracker_can_be_run", opentracker),
    ("check::a_static_program_cannot_be_run", static_program),
    ("check::privileged_programs_cannot_be_run", privileged_programs),
    ("check::a_program_with_its_own_copy_is_refused", program_with_its_own_copy),
    ("check::a_program_whose_library_binds_to_itself_is_refused", library_that_binds_to_itself),
    ("check::a_function_that_we_do_not_have_is_named", function_that_we_do_not_have),
    ("check::a_program_without_the_io_layer_has_no_use_for_us", program_without_the_io_layer),
    ("check::what_is_no_program_is_one_line_of_error", what_is_no_program),
    ("check::a_running_process_that_uses_the_library_is_recognised", running_process),
    ("check::the_backend_of_a_process_is_told", backend_of_a_process),
    ("check::process_that_has_not_begun", process_that_has_not_begun),
    ("check::process_of_somebody_else", process_of_somebody_else),
    ("check::a_static_process_is_recognised", static_process),
    ("check::library_replaced_under_a_process", library_replaced_under_a_process),
];

pub(super) const LIMIT: Duration = Duration::from_secs(20);

pub(super) const USES_TWO: &str =
    "#include <io.h>\nint main(void) { return io_fd(0) + (int)io_canread(); }\n";

/// A program or library made for one trial.
pub(super) struct Made(pub(super) PathBuf);

impl Made {
    pub(super) fn new(text: &str, flags: &[&str]) -> Result<Made, Box<dyn Error>> {
        let made = Made(fresh_path("checked"));
        compile(text, &made.0, flags)?;
        Ok(made)
    }
}

pub(super) fn compile(text: &str, into: &Path, flags: &[&str]) -> Result<(), Box<dyn Error>> {
    let source = into.with_extension("c");
    fs::write(&source, text)?;
    let mut cc = Command::new("cc");
    let cc = cc.args(LIBOWFAT_HEADERS);
    let compiled = stage::succeed(cc.arg("-o").arg(into).arg(&source).args(flags), LIMIT);
    fs::remove_file(&source)?;
    Ok(compiled.map(drop)?)
}

impl Drop for Made {
    fn drop(&mut self) {
        // A trial that takes it away itself has said so.
        let _ = fs::remove_file(&self.0);
    }
}

pub(super) struct Answer {
    pub(super) status: Option<i32>,
    pub(super) json: Value,
}

impl Answer {
    pub(super) fn of(arguments: &[&str]) -> Result<Answer, Box<dyn Error>> {
        let end = child::run(command()?.arg("--json").args(arguments), LIMIT)?;
        Ok(Answer {
            status: end.status.and_then(|s| s.code()),
            json: serde_json::from_str(&end.stdout).map_err(|e| format!("{e}: {}", end.story()))?,
        })
    }

    pub(super) fn of_file(path: &Path) -> Result<Answer, Box<dyn Error>> {
        Answer::of(&[&path.to_string_lossy()])
    }

    pub(super) fn words(&self, list: &str, field: &str) -> Vec<&str> {
        let of = |v: &'_ Value| v[field].as_str().map(str::len);
        let items = self.json[list].as_array().map_or(&[][..], Vec::as_slice);
        items.iter().filter(|v| of(v).is_some()).filter_map(|v| v[field].as_str()).collect()
    }

    /// Exactly these obstacles, and the status that goes with them.
    pub(super) fn must_be(&self, obstacles: &[&str]) -> Verdict {
        let reachable = obstacles.is_empty();
        let status = Some(i32::from(!reachable));
        if self.words("obstacles", "kind") == obstacles
            && self.json["reachable"] == reachable
            && self.json["command"].is_string() == reachable
            && self.status == status
        {
            Ok(())
        } else {
            Err(format!("wanted {obstacles:?}, got {:?}: {:#}", self.status, self.json).into())
        }
    }
}

pub(super) fn command() -> Result<Command, String> {
    Ok(Command::new(stage::prefix()?.join("bin/owfat-io-check")))
}

fn path_of(program: &str) -> Result<PathBuf, Box<dyn Error>> {
    let found = stage::succeed(Command::new("sh").arg("-c").arg(format!("command -v {program}")), LIMIT)?;
    Ok(found.trim().into())
}

fn opentracker() -> Verdict {
    let path = path_of("opentracker")?;
    let answer = Answer::of_file(&path)?;
    answer.must_be(&[])?;
    // What `nm` sees.
    let seen = stage::succeed(Command::new("nm").args(["-D", "--undefined-only", "-j"]).arg(&path), LIMIT)?;
    let mut seen: Vec<_> = seen.lines().filter(|n| n.starts_with("io_") || n.starts_with("iob_")).collect();
    seen.sort_unstable();
    if seen.len() < 10 || answer.words("functions", "name") != seen {
        return Err(format!("nm sees {seen:?}, not {:#}", answer.json).into());
    }
    let from = answer.words("functions", "from");
    if from.len() != seen.len() || !from.iter().all(|f| f.ends_with("/libowfat.so.0")) {
        return Err(format!("from {from:?}").into());
    }
    let text = stage::succeed(command()?.arg(&path), LIMIT)?;
    let end = format!("    owfat-io-run {}\n", path.display());
    let rows = text.lines().filter(|l| l.contains("libowfat.so.0") && l.ends_with("yes")).count();
    if rows == seen.len() && text.ends_with(&end) { Ok(()) } else { Err(text.into()) }
}

fn static_program() -> Verdict {
    let made = Made::new(USES_TWO, &["-static", "-lowfat", "-lm"])?;
    let answer = Answer::of_file(&made.0)?;
    answer.must_be(&["static"])?;
    if !answer.words("obstacles", "text")[0].contains("libowfat's io layer included") {
        return Err(format!("{:#}", answer.json).into());
    }
    stage::succeed(Command::new("strip").arg(&made.0), LIMIT)?;
    let stripped = Answer::of_file(&made.0)?;
    stripped.must_be(&["static"])?;
    let text = stripped.words("obstacles", "text")[0];
    if text.contains("does not show") { Ok(()) } else { Err(text.into()) }
}

fn privileged_programs() -> Verdict {
    let made = Made::new(USES_TWO, &["-lowfat"])?;
    Answer::of_file(&made.0)?.must_be(&[])?;
    for (mode, how) in [(0o4755, "set-user-ID"), (0o2755, "set-group-ID")] {
        fs::set_permissions(&made.0, fs::Permissions::from_mode(mode))?;
        let answer = Answer::of_file(&made.0)?;
        answer.must_be(&["privileged"])?;
        if !answer.words("obstacles", "text")[0].contains(how) {
            return Err(format!("{:#}", answer.json).into());
        }
    }
    Ok(())
}

fn program_with_its_own_copy() -> Verdict {
    let own = "long io_fd(long d) { return d; }\nlong io_canread(void);\nint main(void) { return io_fd(0) + io_canread(); }";
    let made = Made::new(own, &["-lowfat"])?;
    Answer::of_file(&made.0)?.must_be(&["own-copy"])
}

/// A library with the text below, and a program that is linked with it.
pub(super) struct Pair {
    pub(super) directory: PathBuf,
    pub(super) library: PathBuf,
    pub(super) program: PathBuf,
}

impl Pair {
    pub(super) fn new(
        name: &str,
        library: &str,
        flags: &[&str],
        program: &str,
    ) -> Result<Pair, Box<dyn Error>> {
        let directory = fresh_path("pair");
        fs::create_dir_all(&directory)?;
        let pair = Pair { library: directory.join(name), program: directory.join("program"), directory };
        let soname = format!("-Wl,-soname,{name}");
        compile(library, &pair.library, &[&["-shared", "-fPIC", &soname], flags].concat())?;
        let rpath = format!("-Wl,-rpath,{}", pair.directory.display());
        compile(program, &pair.program, &[&pair.library.to_string_lossy(), &rpath])?;
        Ok(pair)
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn library_that_binds_to_itself() -> Verdict {
    let library = "long io_fd(long d) { return d; }\nlong use_it(void) { return io_fd(0); }";
    let program = "long use_it(void);\nlong io_fd(long);\nint main(void) { return use_it() + io_fd(0); }";
    for (flag, obstacles) in [("-Wl,-Bsymbolic", &["own-copy"][..]), ("-Wl,-O1", &[])] {
        let pair = Pair::new("libbundle.so", library, &[flag], program)?;
        Answer::of_file(&pair.program)?.must_be(obstacles).map_err(|e| format!("{flag}: {e}"))?;
    }
    Ok(())
}

fn function_that_we_do_not_have() -> Verdict {
    let library = "long io_dance(void) { return 0; }";
    let program = "long io_dance(void);\nint main(void) { return io_dance(); }";
    let pair = Pair::new("libowfat.so.9", library, &[], program)?;
    let answer = Answer::of_file(&pair.program)?;
    answer.must_be(&["not-provided"])?;
    // Names that begin alike belong to others, too.
    let other = Pair::new("libaio.so.9", library, &[], program)?;
    Answer::of_file(&other.program)?.must_be(&["unused"])?;
    fs::remove_file(&other.library)?;
    Answer::of_file(&other.program)?.must_be(&["missing-library"])
}

fn program_without_the_io_layer() -> Verdict {
    Answer::of_file(&Made::new("int main(void) { return 0; }", &[])?.0)?.must_be(&["unused"])
}

fn what_is_no_program() -> Verdict {
    let library = stage::library_directory()?.join("libowfat_io.so.0");
    Answer::of_file(&library)?.must_be(&["no-program"])?;
    let script = fresh_path("script");
    fs::write(&script, "#!/bin/sh\n")?;
    let script_name = script.to_string_lossy().into_owned();
    let mut broken = fs::read(path_of("opentracker")?)?;
    broken.truncate(100);
    let half = fresh_path("half");
    fs::write(&half, broken)?;
    let cases: [(&[&str], &str); 8] = [
        (&["/nonexistent"], "No such file"),
        (&["/"], "directory"),
        (&[&script_name], "a script"),
        (&[&half.to_string_lossy()], "half"),
        (&["/etc/passwd"], "no ELF file"),
        (&[], "needs one program"),
        (&["--running", "x"], "number of a process"),
        (&["--wrong", "/bin/sh"], "unknown option --wrong"),
    ];
    for (arguments, said) in cases {
        let end = child::run(command()?.args(arguments), LIMIT)?;
        let one_line = end.stderr.lines().count() == 1 && end.stderr.starts_with("owfat-io-check: ");
        if end.status.and_then(|s| s.code()) != Some(2) || !one_line || !end.stderr.contains(said) {
            return Err(format!("{arguments:?} should end with 2 and '{said}': {}", end.story()).into());
        }
    }
    fs::remove_file(script)?;
    Ok(fs::remove_file(half)?)
}

/// The answer about a process, which must be that it uses the library, or not.
fn running(pid: u32, uses_it: bool) -> Result<Answer, Box<dyn Error>> {
    let answer = Answer::of(&["--running", &pid.to_string()])?;
    if answer.json["uses_libowfat_io"] == uses_it && answer.status == Some(i32::from(!uses_it)) {
        Ok(answer)
    } else {
        Err(format!("wanted {uses_it}, got {:?}: {:#}", answer.status, answer.json).into())
    }
}

fn running_process() -> Verdict {
    let tracker = Tracker::start("epoll", &TORRENT)?;
    let answer = running(tracker.server.pid(), true)?;
    if answer.json["backend"] != "epoll" {
        return Err(format!("{:#}", answer.json).into());
    }
    let old = answer.json["libowfat"].as_str().unwrap_or_default();
    if !old.contains("/libowfat.so.0") || answer.json["library_replaced"] != false {
        return Err(format!("{:#}", answer.json).into());
    }
    running(std::process::id(), false)?;
    let mut gone = Command::new("true").spawn()?;
    gone.wait()?;
    let end = child::run(command()?.args(["--running", &gone.id().to_string()]), LIMIT)?;
    match (end.status.and_then(|s| s.code()), end.stderr.contains("no process")) {
        (Some(2), true) => Ok(()),
        _ => Err(end.story().into()),
    }
}

fn backend_of_a_process() -> Verdict {
    for backend in ["epoll", "poll"] {
        let server = Server::start(&mut Command::new(stage::program("echo", &[])?), backend)?;
        let answer = running(server.pid(), true)?;
        let text = stage::succeed(command()?.args(["--running", &server.pid().to_string()]), LIMIT)?;
        let found = answer.json["backend"].as_str().unwrap_or_default();
        if found != backend || !text.contains(&format!("It waits with {found}.")) {
            return Err(format!("{backend}: {:#}\n{text}", answer.json).into());
        }
    }
    Ok(())
}

fn process_that_has_not_begun() -> Verdict {
    let made =
        Made::new("#include <unistd.h>\nint main(void) { return (int)read(0, (char[1]){0}, 1); }", &[])?;
    let library = stage::library_directory()?.join("libowfat_io.so.0");
    let mut child = Command::new(&made.0).env("LD_PRELOAD", library).stdin(Stdio::piped()).spawn()?;
    // It is there when the dynamic linker has done its work.
    let answer = (0..200).find_map(|_| {
        std::thread::sleep(Duration::from_millis(10));
        running(child.id(), true).ok()
    });
    let text = child::run(command()?.args(["--running", &child.id().to_string()]), LIMIT)?.stdout;
    drop(child.stdin.take());
    child.wait()?;
    match answer {
        Some(answer) if answer.json["backend"].is_null() && text.contains("not registered") => Ok(()),
        _ => Err(text.into()),
    }
}

/// Root's process, looked at by nobody, or by whoever runs this.
fn process_of_somebody_else() -> Verdict {
    const NOBODY: u32 = 65534;
    let end = if fs::metadata("/proc/self")?.uid() == 0 {
        let copy = Made(std::env::temp_dir().join(format!("owfat-io-check-{}", std::process::id())));
        fs::copy(stage::prefix()?.join("bin/owfat-io-check"), &copy.0)?;
        let mut look = Command::new(&copy.0);
        look.args(["--running", &std::process::id().to_string()]).uid(NOBODY).gid(NOBODY);
        child::run(&mut look, LIMIT)?
    } else {
        child::run(command()?.args(["--running", "1"]), LIMIT)?
    };
    match (end.status.and_then(|s| s.code()), end.stderr.contains("Permission denied")) {
        (Some(2), true) if end.stderr.lines().count() == 1 => Ok(()),
        _ => Err(end.story().into()),
    }
}

/// Linked with our archive.
fn static_process() -> Verdict {
    let wait =
        "#include <io.h>\nint main(void) { int64 d[2]; io_pipe(d); io_wantread(d[0]); io_wait(); return 0; }";
    let flags = stage::pkg_config(stage::prefix()?, &["--cflags", "--libs", "--static"])?;
    let mut flags: Vec<_> = flags.iter().map(String::as_str).collect();
    flags.insert(0, "-static");
    let made = Made::new(wait, &flags)?;
    let mut child = Command::new(&made.0).env("OWFAT_IO_BACKEND", "poll").spawn()?;
    let answer = (0..200).find_map(|_| {
        std::thread::sleep(Duration::from_millis(10));
        running(child.id(), true).ok().filter(|a| a.json["backend"] == "poll")
    });
    child.kill()?;
    child.wait()?;
    answer.map(drop).ok_or_else(|| "not found to use the library".into())
}

fn library_replaced_under_a_process() -> Verdict {
    let directory = fresh_path("replaced");
    fs::create_dir_all(&directory)?;
    let copy = directory.join("libowfat_io.so.0");
    fs::copy(stage::library_directory()?.join("libowfat_io.so.0"), &copy)?;
    let mut command = Command::new(stage::program("echo", &[])?);
    let server = Server::start_with_library(&mut command, "epoll", &directory)?;
    let before = running(server.pid(), true)?;
    fs::remove_dir_all(&directory)?;
    let after = running(server.pid(), true)?;
    let name = |a: &Answer| a.json["library"].as_str().map(str::to_owned);
    if before.json["library_replaced"] == false
        && after.json["library_replaced"] == true
        && name(&before) == name(&after)
    {
        Ok(())
    } else {
        Err(format!("{:#}\n{:#}", before.json, after.json).into())
    }
}
