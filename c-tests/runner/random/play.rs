//! Runs programs in the player, with libowfat 0.32 or with our library preloaded.

use super::program::Program;
use crate::compile::{self, With};
use crate::{child, place};
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// For so long no call may begin. 0.32 hangs rather often; but a call of the player may itself wait for more than a
/// second for what 0.32 holds back.
const STALLED_MS: [u64; 2] = [2500, 5000];

/// Whose library a program runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum On {
    Original,
    Ours(&'static str),
}

/// What a program printed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    pub(crate) lines: Vec<Line>,
    /// `exit 0`, `signal 13`, `hangs`.
    pub(crate) end: String,
}

/// `number call a b: said # a:tcp,r n7 mate2 size100`. Behind the `#` is what the end was before the call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    pub(crate) call: String,
    pub(crate) a: Option<usize>,
    pub(crate) b: Option<usize>,
    pub(crate) said: String,
    pub(crate) aside: String,
}

impl Line {
    fn read(text: &str) -> Line {
        let (head, tail) = text.split_once(':').unwrap_or((text, ""));
        let (said, aside) = tail.split_once('#').unwrap_or((tail, ""));
        let mut words = head.split(' ').skip(1);
        let call = words.next().unwrap_or_default().to_owned();
        let mut end = || words.next().and_then(|word| word.parse().ok());
        Line { call, a: end(), b: end(), said: said.trim().to_owned(), aside: aside.trim().to_owned() }
    }

    /// Whether the word is among what was said.
    pub(crate) fn says(&self, word: &str) -> bool {
        self.said.split(' ').any(|w| w == word)
    }

    /// Whether the end `a` was of this kind or in this state.
    pub(crate) fn is(&self, trait_: &str) -> bool {
        let of_a = self.aside.split(' ').find_map(|word| word.strip_prefix("a:"));
        of_a.is_some_and(|traits| traits.split(',').any(|t| t == trait_))
    }

    /// A number behind the `#`, by its name.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.aside.split(' ').find_map(|word| word.strip_prefix(name)?.parse().ok())
    }

    /// Numbers of descriptors that the call made or is about.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = i64> {
        let number = |word: &str| word.strip_prefix("copy").or(word.strip_prefix('n'))?.parse().ok();
        self.aside.split(' ').filter_map(number)
    }

    pub(crate) fn mate(&self) -> Option<usize> {
        usize::try_from(self.number("mate")?).ok()
    }
}

/// Runs the programs one after the other, and returns what they printed, for [`runs`].
pub(crate) fn play(player: &compile::Program, programs: &[Program], on: On) -> Result<String, String> {
    static FILES: AtomicUsize = AtomicUsize::new(0);
    let number = FILES.fetch_add(1, Ordering::Relaxed);
    let file = place::output().join(format!("random.{}.{number}", std::process::id()));
    let text: String = programs.iter().map(Program::text).collect();
    fs::write(&file, text).map_err(|e| format!("{}: {e}", file.display()))?;
    let mut command = Command::new(player.path()?);
    let stalled = STALLED_MS[usize::from(on != On::Original)];
    command.arg(&file).arg(stalled.to_string());
    if super::reference() == With::Later {
        command.envs(place::libowfat_034().map(|directory| ("LD_LIBRARY_PATH", directory)));
    }
    if let On::Ours(backend) = on {
        command.env("LD_PRELOAD", place::shared_library()?).env("OWFAT_IO_BACKEND", backend);
    }
    let end = child::run(&mut command, Duration::from_secs(60 + 10 * programs.len() as u64));
    let _ = fs::remove_file(&file);
    let end = end?;
    if !end.passed() {
        return Err(format!("{on:?}: the player: {}", end.story()));
    }
    match runs(&end.stdout).len() {
        n if n == programs.len() => Ok(end.stdout),
        n => Err(format!("{on:?}: {n} programs of {} ended", programs.len())),
    }
}

/// What each program of an output said.
pub(crate) fn runs(text: &str) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut run = Run::default();
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("= ") {
            Some(end) => {
                run.end = end.to_owned();
                runs.push(std::mem::take(&mut run));
            }
            None => run.lines.push(Line::read(line)),
        }
    }
    runs
}
