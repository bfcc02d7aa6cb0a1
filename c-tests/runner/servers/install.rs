//! What `make install` puts down, how programs find it, and what `owfat-io-run` says when it cannot run one.

use super::process::fresh_path;
use super::{Once, Verdict, stage};
use crate::man::page;
use crate::{child, place};
use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub(super) const TRIALS: &[Once] = &[
    ("install::files_are_where_they_belong", files),
    ("install::uninstall_leaves_nothing", uninstall_leaves_nothing),
    ("install::takes_what_was_built_for_another_target", takes_what_was_built_for_another_target),
    ("install::refuses_what_make_did_not_build", refuses_what_make_did_not_build),
    ("install::every_spelling_of_an_include_works", include_spellings),
    ("install::examples_build_by_their_own_makefile", examples_build_by_their_own_makefile),
    ("install::a_static_program_links_and_runs", static_program),
    ("install::cmake_finds_the_library", cmake_consumer),
    ("install::cmake_takes_the_versions_that_fit", cmake_versions),
    ("install::meson_finds_the_library", meson_consumer),
    ("install::wrapper_sets_the_environment", wrapper_sets_the_environment),
    ("install::wrapper_has_a_program_watched", wrapper_has_a_program_watched),
    ("install::the_wrapper_says_what_is_wrong", wrapper_errors),
];

const LIMIT: Duration = Duration::from_secs(20);
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Installs below a directory of its own, as a package is built.
fn staged(directory: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let destination = format!("DESTDIR={}", directory.display());
    stage::make(&["all", "install", &destination, "prefix=/usr", "libdir=/usr/lib/here"])?;
    Ok(vec!["uninstall".into(), destination, "prefix=/usr".into(), "libdir=/usr/lib/here".into()])
}

fn files() -> Verdict {
    let directory = fresh_path("destdir");
    staged(&directory)?;
    let mut wanted: BTreeSet<String> = [
        "usr/bin/owfat-io-check",
        "usr/bin/owfat-io-run",
        "usr/bin/owfat-io-trace",
        "usr/lib/here/pkgconfig/libowfat_io.pc",
        "usr/lib/here/cmake/owfat_io/owfat_io-config.cmake",
        "usr/lib/here/cmake/owfat_io/owfat_io-config-version.cmake",
        "usr/lib/here/libowfat_io.a",
        "usr/share/doc/libowfat_io/LICENSE-APACHE",
        "usr/share/doc/libowfat_io/LICENSE-MIT",
    ]
    .map(str::to_owned)
    .into();
    for name in ["libowfat_io.so", "libowfat_io.so.0", &format!("libowfat_io.so.{VERSION}")] {
        wanted.insert(format!("usr/lib/here/{name}"));
    }
    for header in ["array.h", "io.h", "iob.h", "tai.h", "taia.h", "uint16.h", "uint32.h", "uint64.h"] {
        wanted.insert(format!("usr/include/owfat_io/{header}"));
        wanted.insert(format!("usr/include/owfat_io/libowfat/{header}"));
    }
    for page in page::all()? {
        let section = page.title().1;
        let suffix = if section == "3" { "3owfat" } else { &section };
        let installed = |name: &&str| format!("usr/share/man/man{section}/{name}.{suffix}");
        wanted.extend(page.names().iter().map(installed));
    }
    let found = below(&directory)?;
    let dangling = found.iter().find(|f| !directory.join(f).exists()).cloned();
    let missing: Vec<_> = wanted.difference(&found).collect();
    // Further headers may come, nothing else.
    let strange: Vec<_> =
        found.difference(&wanted).filter(|f| !f.starts_with("usr/include/owfat_io/")).collect();
    let resolved = fs::canonicalize(directory.join("usr/lib/here/libowfat_io.so"))?;
    let wrapper = fs::read_to_string(directory.join("usr/bin/owfat-io-run"))?;
    fs::remove_dir_all(&directory)?;
    if !missing.is_empty() || !strange.is_empty() {
        return Err(format!("missing {missing:?}, not wanted {strange:?}").into());
    }
    if let Some(link) = dangling {
        return Err(format!("{link} leads nowhere").into());
    }
    if !resolved.ends_with(format!("libowfat_io.so.{VERSION}")) {
        return Err(format!("libowfat_io.so leads to {}", resolved.display()).into());
    }
    if !wrapper.contains("library=/usr/lib/here/libowfat_io.so.0\n") {
        return Err("owfat-io-run does not name the installed library".into());
    }
    Ok(())
}

fn uninstall_leaves_nothing() -> Verdict {
    let directory = fresh_path("destdir");
    let uninstall = staged(&directory)?;
    stage::make(&uninstall.iter().map(String::as_str).collect::<Vec<_>>())?;
    let left = below(&directory)?;
    let own = ["usr/include/owfat_io", "usr/lib/here/cmake/owfat_io", "usr/share/doc/libowfat_io"];
    let own_left = own.iter().any(|d| directory.join(d).exists());
    fs::remove_dir_all(&directory)?;
    if left.is_empty() && !own_left { Ok(()) } else { Err(format!("left behind: {left:?}").into()) }
}

/// What `make` leaves behind when it builds for a target, each file with its own name in it.
const BUILT: [&str; 5] =
    ["libowfat_io.so", "libowfat_io.a", "owfat-io-check", "owfat-io-trace", "libowfat_io.static-libs"];

/// Installs from a target directory that has these files and nothing else: libowfat_io.pc, or what `make` said against it.
fn install_built(target: &str, files: &[&str]) -> Result<Result<String, String>, Box<dyn Error>> {
    let directory = fresh_path("built");
    let release = directory.join("target").join(target).join("release");
    fs::create_dir_all(&release)?;
    for file in files {
        fs::write(release.join(file), file)?;
    }
    let said = stage::make(&[
        "install",
        &format!("DESTDIR={}", directory.display()),
        &format!("CARGO_TARGET_DIR={}", directory.join("target").display()),
        &format!("CARGO_BUILD_TARGET={target}"),
        "prefix=/usr",
    ]);
    let pc = fs::read_to_string(directory.join("usr/lib/pkgconfig/libowfat_io.pc"));
    let is_begun = directory.join("usr").exists();
    fs::remove_dir_all(&directory)?;
    match said {
        Ok(_) => Ok(Ok(pc?)),
        Err(said) if is_begun => Err(format!("it installed something before it failed: {said}").into()),
        Err(said) => Ok(Err(said)),
    }
}

fn takes_what_was_built_for_another_target() -> Verdict {
    let pc = install_built("riscv64gc-unknown-linux-musl", &BUILT)??;
    let wanted = "Libs.private: libowfat_io.static-libs";
    if pc.lines().any(|line| line == wanted) { Ok(()) } else { Err(pc.into()) }
}

/// As after a bare `cargo build`.
fn refuses_what_make_did_not_build() -> Verdict {
    for missing in BUILT {
        let files: Vec<_> = BUILT.into_iter().filter(|file| *file != missing).collect();
        match install_built("", &files)? {
            Err(said) if said.contains(&format!("/{missing} yet: run make first")) => {}
            other => return Err(format!("without {missing}: {other:?}").into()),
        }
    }
    Ok(())
}

/// All files and links below a directory, by their path in it.
fn below(directory: &Path) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let mut found = BTreeSet::new();
    let mut to_do = vec![directory.to_owned()];
    while let Some(next) = to_do.pop() {
        for entry in fs::read_dir(next)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                to_do.push(entry.path());
            } else {
                found.insert(entry.path().strip_prefix(directory)?.display().to_string());
            }
        }
    }
    Ok(found)
}

/// Every spelling that programs use finds our header, alone and next to libowfat's others.
fn include_spellings() -> Verdict {
    let prefix = stage::prefix()?;
    let flags = stage::pkg_config(prefix, &["--cflags", "--libs"])?;
    for (spelling, neighbour) in
        [("<io.h>", ""), ("\"io.h\"", ""), ("<libowfat/io.h>", ""), ("<io.h>", "#include <buffer.h>\n")]
    {
        let program = sample(&format!("#include {spelling}\n{neighbour}"), &flags, &[])?;
        let asked = stage::succeed(
            Command::new("cc").args(["-M"]).args(&flags).arg(program.with_extension("c")),
            LIMIT,
        )?;
        let ours = prefix.join("include/owfat_io");
        if !asked.contains(&*ours.to_string_lossy()) || asked.contains("/usr/include/io.h") {
            return Err(format!("{spelling} includes {asked}").into());
        }
        let mut run = Command::new(&program);
        stage::succeed(run.env("LD_LIBRARY_PATH", stage::library_directory()?), LIMIT)?;
        remove(&program)?;
    }
    Ok(())
}

/// With `--static` the archive finds all that it needs, also where nothing shared is linked.
/// All of them, and with nothing but what is installed.
fn examples_build_by_their_own_makefile() -> Verdict {
    let directory = fresh_path("examples");
    fs::create_dir_all(&directory)?;
    let mut wanted = BTreeSet::new();
    for entry in fs::read_dir(place::examples())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "c") {
            wanted.insert(place::stem(&path));
        }
        if path.extension().is_some() || path.ends_with("Makefile") {
            fs::copy(&path, directory.join(path.file_name().unwrap_or_default()))?;
        }
    }
    let mut make = Command::new("make");
    make.args(["-s", "CFLAGS=-O2 -Wall -Wextra -Werror", "-C"]).arg(&directory);
    make.env("PKG_CONFIG_PATH", stage::library_directory()?.join("pkgconfig")).env_remove("MAKEFLAGS");
    stage::succeed(&mut make, LIMIT)?;
    let missing: Vec<_> = wanted.iter().filter(|name| !directory.join(name).exists()).collect();
    if wanted.is_empty() || !missing.is_empty() {
        return Err(format!("of {wanted:?}, these were not built: {missing:?}").into());
    }
    Ok(fs::remove_dir_all(&directory)?)
}

fn static_program() -> Verdict {
    let flags = stage::pkg_config(stage::prefix()?, &["--static", "--cflags", "--libs"])?;
    let program = sample("#include <io.h>\n", &flags, &["-static"])?;
    stage::succeed(&mut Command::new(&program), LIMIT)?;
    remove(&program)
}

fn cmake_consumer() -> Verdict {
    let built = fresh_path("cmake");
    let mut setup = Command::new("cmake");
    setup.args(["-G", "Ninja", "-S"]).arg(place::c_tests().join("consumers/cmake")).arg("-B").arg(&built);
    setup.arg(format!("-DCMAKE_PREFIX_PATH={}", stage::prefix()?.display()));
    consumer(&built, &mut setup)
}

fn cmake_versions() -> Verdict {
    let file = stage::library_directory()?.join("cmake/owfat_io/owfat_io-config-version.cmake");
    let mut ask = Command::new("cmake");
    ask.arg(format!("-DFILE={}", file.display())).arg("-P");
    stage::succeed(ask.arg(place::c_tests().join("consumers/cmake/versions.cmake")), LIMIT)?;
    Ok(())
}

/// With the installed library; `make check-dist` tries the same source with the wrap.
fn meson_consumer() -> Verdict {
    let built = fresh_path("meson");
    let mut setup = Command::new("meson");
    setup.args(["setup", "--wrap-mode=nofallback"]).arg(&built).arg(place::c_tests().join("consumers/meson"));
    setup.env("PKG_CONFIG_PATH", stage::library_directory()?.join("pkgconfig"));
    consumer(&built, &mut setup)
}

/// Sets the build of `c-tests/consumers/consumer.c` up and runs what it makes, which finds the library by itself.
fn consumer(built: &Path, setup: &mut Command) -> Verdict {
    stage::succeed(setup, LIMIT)?;
    stage::succeed(Command::new("ninja").arg("-C").arg(built), LIMIT)?;
    let said = stage::succeed(&mut Command::new(built.join("consumer")), LIMIT)?;
    fs::remove_dir_all(built)?;
    if said == "the event came\n" { Ok(()) } else { Err(said.into()) }
}

/// Compiles a program that waits for a byte in a pipe.
fn sample(includes: &str, flags: &[String], libraries: &[&str]) -> Result<PathBuf, Box<dyn Error>> {
    let program = fresh_path("sample");
    let source = program.with_extension("c");
    let text = "#include <unistd.h>\nint main(void) {\n  int64 ends[2];\n  if (!io_pipe(ends)) return 1;\n  \
         io_wantread(ends[0]);\n  if (write((int)ends[1], \"x\", 1) != 1) return 2;\n  io_wait();\n  \
         return io_canread() == ends[0] ? 0 : 3;\n}\n";
    fs::write(&source, format!("{includes}{text}"))?;
    stage::compile(&[&source], flags, libraries, &program)?;
    Ok(program)
}

fn remove(program: &Path) -> Verdict {
    fs::remove_file(program.with_extension("c"))?;
    Ok(fs::remove_file(program)?)
}

fn wrapper() -> Result<Command, String> {
    Ok(Command::new(stage::prefix()?.join("bin/owfat-io-run")))
}

fn wrapper_sets_the_environment() -> Verdict {
    let library = stage::library_directory()?.join("libowfat_io.so.0");
    // Any library that is loaded anyway can stand for one that the user preloads.
    let earlier = "libc.so.6";
    let mut run = wrapper()?;
    let run = run.args(["--backend", "poll", "--", "sh", "-c", "echo $OWFAT_IO_BACKEND $LD_PRELOAD; exit 7"]);
    let end = child::run(run.env("LD_PRELOAD", earlier), LIMIT)?;
    let wanted = format!("poll {}:{earlier}\n", library.display());
    if end.stdout == wanted && end.status.is_some_and(|s| s.code() == Some(7)) {
        Ok(())
    } else {
        Err(format!("wanted '{wanted}' and exit status 7, got {}", end.story()).into())
    }
}

/// By paths that stay right when the program changes its directory.
fn wrapper_has_a_program_watched() -> Verdict {
    let say = ["sh", "-c", "echo $OWFAT_IO_TRACE $OWFAT_IO_STATS"];
    for (options, wanted) in [
        (&["--trace", "t", "--stats=a b"][..], "/usr/t /usr/a b\n"),
        (&["--trace=/tmp/t", "--stats", "lib/s", "--"], "/tmp/t /usr/lib/s\n"),
        (&[], "\n"),
    ] {
        let mut run = wrapper()?;
        let run = run.args(options).args(say).current_dir("/usr");
        let end = child::run(run.env_remove("OWFAT_IO_TRACE").env_remove("OWFAT_IO_STATS"), LIMIT)?;
        if end.stdout != wanted || !end.passed() {
            return Err(format!("{options:?}: wanted '{wanted}', got {}", end.story()).into());
        }
    }
    Ok(())
}

fn wrapper_errors() -> Verdict {
    let moved = fresh_path("owfat-io-run");
    let library = stage::library_directory()?.join("libowfat_io.so.0").display().to_string();
    let text = fs::read_to_string(stage::prefix()?.join("bin/owfat-io-run"))?;
    fs::write(&moved, text.replace(&library, "/nonexistent/libowfat_io.so.0"))?;
    let mut without_library = Command::new("sh");
    without_library.arg(&moved).arg("true");
    let with = |arguments: &[&str]| {
        wrapper().map(|mut run| std::mem::replace(run.args(arguments), Command::new("")))
    };
    for (mut command, status, said) in [
        (with(&[])?, 125, "no program given"),
        (with(&["--backend"])?, 125, "--backend needs a name"),
        (with(&["--trace"])?, 125, "--trace needs a file"),
        (with(&["--stats=", "true"])?, 125, "--stats needs a file"),
        (with(&["--wrong", "true"])?, 125, "unknown option --wrong"),
        (with(&["/etc/passwd"])?, 126, "not an executable program: /etc/passwd"),
        (with(&["./nosuch"])?, 127, "program not found: ./nosuch"),
        (with(&["--", "no-such-program"])?, 127, "program not found: no-such-program"),
        (without_library, 125, "library not found: /nonexistent/libowfat_io.so.0"),
    ] {
        let end = child::run(&mut command, LIMIT)?;
        let one_line = end.stderr.lines().count() == 1 && end.stderr.starts_with("owfat-io-run: ");
        if end.status.and_then(|s| s.code()) != Some(status) || !one_line || !end.stderr.contains(said) {
            return Err(format!("{command:?} should end with {status} and '{said}': {}", end.story()).into());
        }
    }
    let help = stage::succeed(wrapper()?.arg("--help"), LIMIT)?;
    fs::remove_file(place::output().join(moved))?;
    if help.starts_with("usage: owfat-io-run") { Ok(()) } else { Err(help.into()) }
}
