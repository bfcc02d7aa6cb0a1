//! `owfat-io-check` looks at programs that nobody trusts, and says what is so of those that are linked with us, are not
//! found, or would not start.

use super::check::{Answer, LIMIT, Made, Pair, USES_TWO, command, compile};
use super::process::fresh_path;
use super::{Once, Verdict, stage};
use crate::child::{self, Ended};
use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

pub(super) const TRIALS: &[Once] = &[
    ("check::audit_library_of_a_program_is_not_run", audit_library_of_a_program_is_not_run),
    ("check::code_of_a_library_is_not_run", code_of_a_library_is_not_run),
    ("check::program_that_is_its_own_dynamic_linker_is_not_run", own_dynamic_linker_is_not_run),
    ("check::fifo_does_not_hold_it_up", fifo_does_not_hold_it_up),
    ("check::names_tell_a_terminal_nothing", names_tell_a_terminal_nothing),
    ("check::program_that_is_linked_with_us", program_that_is_linked_with_us),
    ("check::program_is_looked_for_in_path", program_is_looked_for_in_path),
    ("check::program_that_may_not_be_executed", program_that_may_not_be_executed),
    ("check::program_of_another_c_library", program_of_another_c_library),
    ("check::program_of_another_machine", program_of_another_machine),
    ("check::finds_libraries_as_the_dynamic_linker_does", finds_libraries_as_the_dynamic_linker_does),
    ("check::help_and_version", help_and_version),
];

/// A folder, which goes with what was put into it.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Result<Folder, Box<dyn Error>> {
        let folder = Folder(fresh_path("distrust"));
        fs::create_dir_all(&folder.0)?;
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// C that leaves a file behind when it is run.
fn leaves(mark: &Path, function: &str) -> String {
    format!(
        "#include <fcntl.h>\n#include <unistd.h>\n{function} {{ close(open(\"{}\", O_CREAT | O_WRONLY, 0600)); \
         return v; }}\n",
        mark.display()
    )
}

fn must_not_be_there(mark: &Path) -> Verdict {
    if mark.exists() { Err("code of the program was run".into()) } else { Ok(()) }
}

fn audit_library_of_a_program_is_not_run() -> Verdict {
    let folder = Folder::new()?;
    let (mark, audit, program) = (folder.0.join("mark"), folder.0.join("audit.so"), folder.0.join("program"));
    compile(&leaves(&mark, "unsigned la_version(unsigned v)"), &audit, &["-shared", "-fPIC"])?;
    for option in ["--audit", "--depaudit"] {
        compile(USES_TWO, &program, &[&format!("-Wl,{option}={}", audit.display()), "-lowfat"])?;
        Answer::of_file(&program)?.must_be(&[])?;
        must_not_be_there(&mark)?;
    }
    // That it would have been seen.
    Command::new(&program).output()?;
    if mark.exists() { Ok(()) } else { Err("the audit library does nothing".into()) }
}

/// What runs when a library is loaded, and what chooses one of several functions.
fn code_of_a_library_is_not_run() -> Verdict {
    let folder = Folder::new()?;
    let mark = folder.0.join("mark");
    let library = format!(
        "{}long io_fd(long);\nstatic int f(void) {{ return (int)io_fd(0); }}\n\
         static void *choose(void) {{ run(0); return (void *)f; }}\n\
         int chosen(void) __attribute__((ifunc(\"choose\")));\n",
        leaves(&mark, "__attribute__((constructor)) int run(int v)")
    );
    let program = "int chosen(void);\nint main(void) { return chosen(); }";
    let pair = Pair::new("libtrap.so", &library, &["-lowfat"], program)?;
    Answer::of_file(&pair.program)?.must_be(&[])?;
    must_not_be_there(&mark)?;
    Command::new(&pair.program).output()?;
    if mark.exists() { Ok(()) } else { Err("the library does nothing".into()) }
}

fn own_dynamic_linker_is_not_run() -> Verdict {
    let folder = Folder::new()?;
    let (mark, linker) = (folder.0.join("mark"), folder.0.join("ld-own.so.1"));
    compile(&leaves(&mark, "int v; int main(void)"), &linker, &["-static"])?;
    let made = Made::new(USES_TWO, &["-lowfat", &format!("-Wl,--dynamic-linker={}", linker.display())])?;
    Answer::of_file(&made.0)?.must_be(&[])?;
    must_not_be_there(&mark)
}

fn look(path: &Path) -> Result<Ended, Box<dyn Error>> {
    Ok(child::run(command()?.arg(path), LIMIT)?)
}

fn fifo_does_not_hold_it_up() -> Verdict {
    let program = "long use_it(void);\nint main(void) { return use_it(); }";
    let pair = Pair::new("libpipe.so", "long use_it(void) { return 0; }", &[], program)?;
    fs::remove_file(&pair.library)?;
    stage::succeed(Command::new("mkfifo").arg(&pair.library), LIMIT)?;
    // As the program, and as a library of one.
    let end = look(&pair.library)?;
    if end.status.and_then(|s| s.code()) != Some(2) || !end.stderr.contains("no regular file") {
        return Err(end.story().into());
    }
    Answer::of_file(&pair.program)?.must_be(&["missing-library"])
}

/// Everything that is printed, whatever the names are, is text and ends of lines.
fn names_tell_a_terminal_nothing() -> Verdict {
    let folder = Folder::new()?;
    let evil = "\u{1b}]0;title\u{7}\u{9b}31m\u{202e}";
    let program = folder.0.join(format!("program{evil}"));
    compile(USES_TWO, &folder.0.join("plain"), &["-lowfat"])?;
    fs::copy(folder.0.join("plain"), &program)?;
    let needs = folder.0.join("needs");
    let soname = format!("-Wl,-soname,libgone{evil}.so");
    let library = folder.0.join("lib.so");
    compile("int gone;\n", &library, &["-shared", "-fPIC", &soname])?;
    compile("extern int gone;\nint main(void) { return gone; }\n", &needs, &[&library.to_string_lossy()])?;
    let nowhere = folder.0.join(evil);
    for (path, form) in [
        (&program, "--json"),
        (&program, "--brief"),
        (&program, "--"),
        (&needs, "--"),
        (&needs, "--json"),
        (&nowhere, "--"),
    ] {
        let end = child::run(command()?.arg(form).arg(path), LIMIT)?;
        let said = format!("{}{}", end.stdout, end.stderr);
        let obeyed = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        if said.chars().any(obeyed) || (said.is_empty() && form != "--brief") {
            return Err(format!("{form} {path:?}: {said:?}").into());
        }
    }
    // A machine reads the name as it is.
    match Answer::of_file(&program)?.json["program"].as_str() {
        Some(name) if name.ends_with(evil) => Ok(()),
        name => Err(format!("{name:?}").into()),
    }
}

fn program_that_is_linked_with_us() -> Verdict {
    let directory = stage::library_directory()?;
    let at = [format!("-L{}", directory.display()), format!("-Wl,-rpath,{}", directory.display())];
    let archive = directory.join("libowfat_io.a").display().to_string();
    for (flags, linked, said) in [
        (&[&at[0], &at[1], "-lowfat_io", "-lowfat"][..], "first", "is linked with libowfat_io: it runs"),
        (
            &[&at[0], &at[1], "-Wl,--no-as-needed", "-lowfat", "-lowfat_io"],
            "behind-libowfat",
            "Link it with -lowfat_io before -lowfat",
        ),
        (&[&archive, "-lgcc_s", "-lm"], "inside", "has libowfat_io linked into it"),
        (&["-static", &archive, "-lgcc_eh", "-lm"], "inside", "has libowfat_io linked into it"),
    ] {
        let made = Made::new(USES_TWO, flags)?;
        let answer = Answer::of_file(&made.0)?;
        answer.must_be(&[]).map_err(|e| format!("{linked}: {e}"))?;
        let text = look(&made.0)?.stdout;
        let advises = text.contains("owfat-io-run");
        if answer.json["linked"] != linked || !text.contains(said) || advises != (linked == "behind-libowfat")
        {
            return Err(format!("wanted {linked}: {:#}\n{text}", answer.json).into());
        }
    }
    Ok(())
}

fn program_is_looked_for_in_path() -> Verdict {
    let folder = Folder::new()?;
    compile(USES_TWO, &folder.0.join("a-name"), &["-lowfat"])?;
    for (path, place) in
        [(folder.0.as_path(), "/"), (Path::new("/nonexistent"), &*folder.0.to_string_lossy())]
    {
        let end = child::run(command()?.arg("a-name").env("PATH", path).current_dir(place), LIMIT)?;
        let wanted = if place == "/" { format!("{}/a-name", path.display()) } else { "./a-name".into() };
        if !end.passed() || !end.stdout.ends_with(&format!("    owfat-io-run {wanted}\n")) {
            return Err(end.story().into());
        }
    }
    Ok(())
}

fn program_that_may_not_be_executed() -> Verdict {
    let made = Made::new(USES_TWO, &["-lowfat"])?;
    fs::set_permissions(&made.0, fs::Permissions::from_mode(0o644))?;
    let answer = Answer::of_file(&made.0)?;
    answer.must_be(&["not-executable"])?;
    let text = answer.words("obstacles", "text")[0].to_owned();
    if text.contains("chmod +x") { Ok(()) } else { Err(text.into()) }
}

fn program_of_another_c_library() -> Verdict {
    let made = Made::new(USES_TWO, &["-lowfat", "-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1"])?;
    Answer::of_file(&made.0)?.must_be(&["c-library"])
}

fn program_of_another_machine() -> Verdict {
    let made = Made::new(USES_TWO, &["-lowfat"])?;
    let mut bytes = fs::read(&made.0)?;
    // The number of the machine, as in elf.h: that of sparc.
    bytes[18..20].copy_from_slice(&2_u16.to_ne_bytes());
    fs::write(&made.0, bytes)?;
    Answer::of_file(&made.0)?.must_be(&["machine"])
}

/// By the old and the new way of naming folders, relative to the program, and by the environment.
fn finds_libraries_as_the_dynamic_linker_does() -> Verdict {
    let library = "long io_fd(long d);\nlong use_it(void) { return io_fd(0); }";
    let program = "long use_it(void);\nint main(void) { return (int)use_it(); }";
    let pair = Pair::new("libuser.so", library, &["-lowfat"], program)?;
    Answer::of_file(&pair.program)?.must_be(&[])?;
    let with = |flags: &[&str]| {
        let library = pair.library.to_string_lossy().into_owned();
        compile(program, &pair.program, &[&[library.as_str()], flags].concat())
    };
    for flags in [
        ["-Wl,--disable-new-dtags", "-Wl,-rpath,$ORIGIN"],
        ["-Wl,--enable-new-dtags", "-Wl,-rpath,/nonexistent:${ORIGIN}/."],
    ] {
        with(&flags)?;
        Answer::of_file(&pair.program)?.must_be(&[])?;
    }
    with(&[])?;
    Answer::of_file(&pair.program)?.must_be(&["missing-library"])?;
    let mut look = command()?;
    let end = child::run(look.arg(&pair.program).env("LD_LIBRARY_PATH", &pair.directory), LIMIT)?;
    if end.passed() { Ok(()) } else { Err(end.story().into()) }
}

fn help_and_version() -> Verdict {
    for tool in ["owfat-io-check", "owfat-io-run", "owfat-io-trace"] {
        for (option, begin) in [
            ("-h", format!("usage: {tool} ")),
            ("--help", format!("usage: {tool} ")),
            ("--version", format!("{tool} (libowfat_io) {}\n", env!("CARGO_PKG_VERSION"))),
        ] {
            let mut ask = Command::new(stage::prefix()?.join("bin").join(tool));
            let said = stage::succeed(ask.arg(option), LIMIT)?;
            if !said.starts_with(&begin) {
                return Err(format!("{tool} {option}: {said}").into());
            }
        }
    }
    // And the library has it in its file.
    let notes = stage::succeed(
        Command::new("strings").arg(stage::library_directory()?.join("libowfat_io.so.0")),
        LIMIT,
    )?;
    let wanted = format!("libowfat_io version {}", env!("CARGO_PKG_VERSION"));
    if notes.lines().any(|line| line == wanted) { Ok(()) } else { Err(format!("no line '{wanted}'").into()) }
}
