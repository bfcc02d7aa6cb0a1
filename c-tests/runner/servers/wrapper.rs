//! `owfat-io-run`: what it refuses to start, and how it writes the drop-in of a service.

use super::check::{LIMIT, Made, USES_TWO};
use super::process::fresh_path;
use super::{Once, Verdict, stage};
use crate::child::{self, Ended};
use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(super) const TRIALS: &[Once] = &[
    ("run::refuses_what_would_not_use_the_library", refuses_what_would_not_use_the_library),
    ("run::starts_what_starts_others", starts_what_starts_others),
    ("run::refuses_an_unknown_backend", refuses_an_unknown_backend),
    ("run::names_a_file_that_cannot_be_written", names_a_file_that_cannot_be_written),
    ("run::unit_starts_the_service_by_the_wrapper", unit_starts_the_service_by_the_wrapper),
    ("run::unit_of_a_service_that_cannot_be_run_is_refused", unit_that_cannot_be_run_is_refused),
    ("run::unit_that_is_shipped_is_what_the_option_writes", unit_that_is_shipped),
];

fn run(arguments: &[&str]) -> Result<Ended, String> {
    child::run(wrapper()?.args(arguments), LIMIT)
}

fn wrapper() -> Result<Command, String> {
    let mut run = Command::new(stage::prefix()?.join("bin/owfat-io-run"));
    for variable in ["OWFAT_IO_BACKEND", "OWFAT_IO_TRACE", "OWFAT_IO_STATS"] {
        run.env_remove(variable);
    }
    Ok(run)
}

/// One line that says `words`, and status 125.
fn must_refuse(end: &Ended, words: &[&str]) -> Verdict {
    let is_one_line = end.stderr.lines().count() == 1 && end.stderr.starts_with("owfat-io-run: ");
    let says = words.iter().all(|w| end.stderr.contains(w));
    if end.status.and_then(|s| s.code()) == Some(125) && is_one_line && says && end.stdout.is_empty() {
        Ok(())
    } else {
        Err(format!("wanted a refusal with {words:?}: {}", end.story()).into())
    }
}

/// Ends with 7, as `main` of a program that uses libowfat does.
const ENDS: &str = "#include <io.h>\nint main(void) { return io_fd(-1) ? 1 : 7; }\n";

fn refuses_what_would_not_use_the_library() -> Verdict {
    let is_static = Made::new(ENDS, &["-static", "-lowfat", "-lm"])?;
    let privileged = Made::new(ENDS, &["-lowfat"])?;
    fs::set_permissions(&privileged.0, fs::Permissions::from_mode(0o2755))?;
    let own = "long io_fd(long d) { return d; }\nint main(void) { return io_fd(-1) == -1 ? 7 : 1; }\n";
    let own_copy = Made::new(own, &[])?;
    for (program, why) in
        [(&is_static, "linked statically"), (&privileged, "set-group-ID"), (&own_copy, "in itself")]
    {
        let path = program.0.to_string_lossy();
        must_refuse(&run(&[&path])?, &[&path, why, "--force"])?;
        let forced = run(&["--force", &path])?;
        if forced.status.and_then(|s| s.code()) != Some(7) {
            return Err(forced.story().into());
        }
    }
    Ok(())
}

/// A shell, a script, and what is no program of libowfat's may start one that is.
fn starts_what_starts_others() -> Verdict {
    let made = Made::new(ENDS, &["-lowfat"])?;
    let script = Made(fresh_path("script"));
    fs::write(&script.0, format!("#!/bin/sh\nexec {}\n", made.0.display()))?;
    fs::set_permissions(&script.0, fs::Permissions::from_mode(0o755))?;
    let (path, script) = (made.0.to_string_lossy(), script.0.to_string_lossy());
    for arguments in [&[&*path][..], &[&*script], &["sh", "-c", &path], &["env", &path]] {
        let end = run(arguments)?;
        if end.status.and_then(|s| s.code()) != Some(7) || !end.stderr.is_empty() {
            return Err(format!("{arguments:?}: {}", end.story()).into());
        }
    }
    Ok(())
}

fn refuses_an_unknown_backend() -> Verdict {
    must_refuse(&run(&["--backend", "foo", "true"])?, &["--backend foo", "epoll, poll"])?;
    must_refuse(&run(&["--backend=", "true"])?, &["--backend"])?;
    let end = child::run(wrapper()?.arg("true").env("OWFAT_IO_BACKEND", "kqueue"), LIMIT)?;
    must_refuse(&end, &["OWFAT_IO_BACKEND kqueue"])?;
    let end = child::run(wrapper()?.args(["--backend=poll", "true"]), LIMIT)?;
    if end.passed() { Ok(()) } else { Err(end.story().into()) }
}

fn names_a_file_that_cannot_be_written() -> Verdict {
    must_refuse(&run(&["--trace", "/nonexistent/t", "true"])?, &["--trace /nonexistent/t", "no folder"])?;
    must_refuse(&run(&["--stats=/nonexistent/s", "true"])?, &["--stats /nonexistent/s"])?;
    must_refuse(&run(&["--trace", "/dev/null", "true"])?, &["--trace /dev/null", "regular file"])?;
    let link = Made(fresh_path("link"));
    std::os::unix::fs::symlink("/nonexistent", &link.0)?;
    must_refuse(&run(&["--trace", &link.0.to_string_lossy(), "true"])?, &["--trace", "regular file"])?;
    let end = child::run(wrapper()?.arg("true").env("OWFAT_IO_TRACE", "/nonexistent/t"), LIMIT)?;
    must_refuse(&end, &["OWFAT_IO_TRACE /nonexistent/t"])
}

/// Two folders of units, the first of which wins.
struct Units(PathBuf);

impl Units {
    fn new(files: &[(&str, String)]) -> Result<Units, Box<dyn Error>> {
        let units = Units(fresh_path("units"));
        for (name, text) in files {
            let path = units.0.join(name);
            fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
            fs::write(path, text)?;
        }
        Ok(units)
    }

    fn print(&self, arguments: &[&str]) -> Result<Ended, String> {
        let folders = format!("{0}/etc:{0}/lib", self.0.display());
        child::run(wrapper()?.args(arguments).env("SYSTEMD_UNIT_PATH", folders), LIMIT)
    }
}

impl Drop for Units {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn unit_starts_the_service_by_the_wrapper() -> Verdict {
    let made = Made::new(USES_TWO, &["-lowfat"])?;
    let program = made.0.display().to_string();
    let units = Units::new(&[
        (
            "lib/plain.service",
            format!(
                "[Unit]\nExecStart=/not/this\n[Service]\nExecStart={program} -i ::1 \\\n# words\n  -p 6969\n"
            ),
        ),
        ("lib/changed.service", "[Service]\nExecStart=/nonexistent/old\n".into()),
        ("lib/changed.service.d/a.conf", "[Service]\nExecStart=/nonexistent/older\n".into()),
        ("etc/changed.service.d/a.conf", "[Service]\nExecStart=\n".into()),
        ("lib/changed.service.d/b.conf", format!("[Service]\nExecStart = -@{program} name $ARGS\n")),
        (
            "etc/changed.service.d/owfat-io.conf",
            "[Service]\nExecStart=\nExecStart=/usr/bin/owfat-io-run x\n".into(),
        ),
        ("lib/many@.service", format!("[Service]\nExecStart={program} %i\nExecStart={program} two\n")),
    ])?;
    let run = stage::prefix()?.join("bin/owfat-io-run").display().to_string();
    for (arguments, service, lines) in [
        (
            &["--print-unit", "plain"][..],
            "plain",
            format!("ExecStart={run} -- {program} -i ::1    -p 6969\n"),
        ),
        (&["--print-unit=changed.service"], "changed", format!("ExecStart=-{run} -- {program} $ARGS\n")),
        (
            &["--backend", "poll", "--trace=/tmp/a b%", "--print-unit", "many@x"],
            "many@x",
            format!(
                "ExecStart={run} --backend poll --trace \"/tmp/a b%%\" -- {program} %i\n\
                 ExecStart={run} --backend poll --trace \"/tmp/a b%%\" -- {program} two\n"
            ),
        ),
    ] {
        let end = units.print(arguments)?;
        let is_for =
            end.stdout.starts_with(&format!("# /etc/systemd/system/{service}.service.d/owfat-io.conf"));
        if !end.passed() || !is_for || !end.stdout.ends_with(&format!("\n[Service]\nExecStart=\n{lines}")) {
            return Err(format!("{arguments:?}, wanted {lines}: {}", end.story()).into());
        }
    }
    Ok(())
}

fn unit_that_cannot_be_run_is_refused() -> Verdict {
    let made = Made::new(ENDS, &["-static", "-lowfat", "-lm"])?;
    let program = made.0.display();
    let units = Units::new(&[
        ("lib/static.service", format!("[Service]\nExecStart={program}\n")),
        ("lib/none.service", "[Service]\nExecStop=/bin/true\n".into()),
        ("etc/done.service", "[Service]\nExecStart=/usr/bin/owfat-io-run /bin/true\n".into()),
    ])?;
    must_refuse(&units.print(&["--print-unit", "static"])?, &["linked statically", "--force"])?;
    must_refuse(&units.print(&["--print-unit", "none"])?, &["no ExecStart"])?;
    must_refuse(&units.print(&["--print-unit", "done"])?, &["already"])?;
    must_refuse(&units.print(&["--print-unit", "absent"])?, &["no unit of that name"])?;
    must_refuse(&units.print(&["--print-unit", "a.socket"])?, &["not the name of a service"])?;
    let forced = units.print(&["--force", "--print-unit", "static"])?;
    if forced.passed() && forced.stdout.contains(" --force -- ") {
        Ok(())
    } else {
        Err(forced.story().into())
    }
}

/// `docs/systemd/owfat-io.conf`, which is in the packages as an example.
fn unit_that_is_shipped() -> Verdict {
    let example =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/systemd/owfat-io.conf"))?;
    let installed = "/usr/bin/owfat-io-run";
    let command = example.lines().find_map(|line| line.strip_prefix(&format!("ExecStart={installed} -- ")));
    let command = command.ok_or("the example does not start anything by owfat-io-run")?;
    let units = Units::new(&[("lib/opentracker.service", format!("[Service]\nExecStart={command}\n"))])?;
    let end = units.print(&["--print-unit", "opentracker"])?;
    let run = stage::prefix()?.join("bin/owfat-io-run").display().to_string();
    let settings =
        |text: &str| text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    let (wanted, found): (Vec<String>, Vec<String>) =
        (settings(&example), settings(&end.stdout.replace(&run, installed)));
    if end.passed() && wanted == found {
        Ok(())
    } else {
        Err(format!("the example has {wanted:?}: {}", end.story()).into())
    }
}
