//! `random/`: programs made at random, played on libowfat 0.32 and on us: the same must come of each call. What does
//! not is either a listed defect of 0.32, which is counted, or a failure, which is shrunk and written down as a C
//! program. 500 programs with fixed seeds; `make stress` sets `OWFAT_IO_RANDOM` to more, and then other ones each
//! time. `OWFAT_IO_SEED` plays the one program that a failure named.
//!
//! | module | does |
//! |---|---|
//! | `generate`, `moves`, `chance` | a program from a seed |
//! | `program` | its calls, as text and as C |
//! | `play` | runs programs in `c-tests/random/play.c` |
//! | `compare` | holds the runs against each other |
//! | `defects` | knows which difference is a defect of 0.32 |
//! | `reports` | and in the events and deadlines that are told |
//! | `history` | what the calls before a difference tell |
//! | `words` | what is said of a call, taken apart |
//! | `shrink` | finds the few calls that a failure takes |

#[path = "random/chance.rs"]
mod chance;
#[path = "random/compare.rs"]
mod compare;
#[path = "random/defects.rs"]
mod defects;
#[path = "random/generate.rs"]
mod generate;
#[path = "random/history.rs"]
mod history;
#[path = "random/moves.rs"]
mod moves;
#[path = "random/play.rs"]
mod play;
#[path = "random/program.rs"]
mod program;
#[path = "random/reports.rs"]
mod reports;
#[path = "random/shrink.rs"]
mod shrink;
#[path = "random/words.rs"]
mod words;

use crate::behaviour::BACKENDS;
use crate::compile::{self, With};
use crate::place;
use compare::{Failure, Findings};
use libtest_mimic::{Failed, Trial};
use play::{On, Run};
use program::Program;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs};

const PROGRAMS: u64 = 500;
/// Programs that one process of the player runs.
const CHUNK: usize = 50;
/// How often a failure must show, one time after the other: a busy machine is no defect.
const REPEATS: usize = 3;
/// After so many a trial gives up.
const FAILURES: usize = 5;
/// Of which printed programs are held against the player.
const PRINTED: [u64; 3] = [3, 5, 8];

pub(crate) fn trials() -> Vec<Trial> {
    let player = player();
    let play: Arc<OnceLock<Result<Play, String>>> = Arc::default();
    let of_backend = |backend: &'static str| {
        let (play, player) = (Arc::clone(&play), player.clone());
        Trial::test(format!("random::{backend}"), move || {
            play.get_or_init(|| Play::new(player)).as_ref().map_err(Clone::clone)?.on(backend)
        })
    };
    let mut trials: Vec<Trial> = BACKENDS.into_iter().map(of_backend).collect();
    trials.push(Trial::test("random::printed", move || printed(&player)));
    trials
}

/// The libowfat that programs are compared with is 0.32, or with `OWFAT_IO_REFERENCE=0.34` that one.
fn reference() -> With {
    match env::var("OWFAT_IO_REFERENCE").as_deref() {
        Ok("0.34") => With::Later,
        _ => With::Debian,
    }
}

fn player() -> compile::Program {
    compile::Program::new(&place::c_tests().join("random/play.c"), reference())
}

/// What the trials of all backends share: each program is played on 0.32 once.
struct Play {
    player: compile::Program,
    chunks: Vec<Chunk>,
}

struct Chunk {
    seeds: Vec<u64>,
    original: OnceLock<Result<String, String>>,
    /// The backend that the others are held against.
    first: OnceLock<Result<String, String>>,
}

impl Play {
    fn new(player: compile::Program) -> Result<Play, String> {
        let number =
            |name| env::var(name).ok().map(|t| t.parse::<u64>().map_err(|e| format!("{name}={t}: {e}")));
        let (count, seed) = (number("OWFAT_IO_RANDOM").transpose()?, number("OWFAT_IO_SEED").transpose()?);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let seeds: Vec<u64> = match (seed, count) {
            (Some(seed), _) => vec![seed],
            (None, Some(count)) => (now * 1000..now * 1000 + count).collect(),
            (None, None) => (1..=PROGRAMS).collect(),
        };
        let chunk = |seeds: &[u64]| Chunk {
            seeds: seeds.to_vec(),
            original: OnceLock::new(),
            first: OnceLock::new(),
        };
        Ok(Play { player, chunks: seeds.chunks(CHUNK).map(chunk).collect() })
    }

    fn on(&self, backend: &'static str) -> Result<(), Failed> {
        let mut sum = Sum::default();
        let n = self.chunks.len();
        // Each begins elsewhere, so that they do not all wait for the same chunk to be played on 0.32.
        let start = BACKENDS.iter().position(|b| *b == backend).unwrap_or_default() * n / BACKENDS.len();
        for i in 0..n {
            self.chunk(&self.chunks[(start + i) % n], backend, &mut sum)?;
            if sum.failures.len() >= FAILURES {
                break;
            }
        }
        println!("{backend}: {sum}");
        if sum.failures.is_empty() { Ok(()) } else { Err(sum.failures.join("\n").into()) }
    }

    fn chunk(&self, chunk: &Chunk, backend: &'static str, sum: &mut Sum) -> Result<(), String> {
        let programs: Vec<Program> = chunk.seeds.iter().map(|&seed| generate::generate(seed)).collect();
        let play = |on| play::play(&self.player, &programs, on);
        let original = chunk.original.get_or_init(|| play(On::Original)).as_ref().map_err(Clone::clone)?;
        let first = chunk.first.get_or_init(|| play(On::Ours(BACKENDS[0]))).as_ref().map_err(Clone::clone)?;
        let ours = if backend == BACKENDS[0] { first.clone() } else { play(On::Ours(backend))? };
        let runs = play::runs(original).into_iter().zip(play::runs(first)).zip(play::runs(&ours));
        for ((program, seed), ((original, first), ours)) in programs.iter().zip(&chunk.seeds).zip(runs) {
            let findings = judge(&original, &first, &ours, backend);
            if let Some(failure) = &findings.failure {
                match self.confirm(program, backend)? {
                    Some(again) => sum.failures.push(self.report(program, *seed, backend, &again)?),
                    None => sum.passing.push(format!("{seed}: {failure}")),
                }
            }
            sum.add(program, findings);
        }
        Ok(())
    }

    /// Plays a program alone.
    fn once(&self, program: &Program, backend: &'static str) -> Result<Findings, String> {
        let play = |on| {
            let text = play::play(&self.player, std::slice::from_ref(program), on)?;
            play::runs(&text).pop().ok_or_else(|| "nothing was played".to_owned())
        };
        let ours = play(On::Ours(backend))?;
        let first = if backend == BACKENDS[0] { ours.clone() } else { play(On::Ours(BACKENDS[0]))? };
        Ok(judge(&play(On::Original)?, &first, &ours, backend))
    }

    /// The failure, if it shows every time.
    fn confirm(&self, program: &Program, backend: &'static str) -> Result<Option<Failure>, String> {
        let mut failure = None;
        for _ in 0..REPEATS {
            failure = self.once(program, backend)?.failure;
            if failure.is_none() {
                break;
            }
        }
        Ok(failure)
    }

    /// Shrinks a program that fails, writes it down and tells of it.
    fn report(
        &self,
        program: &Program,
        seed: u64,
        backend: &'static str,
        failure: &Failure,
    ) -> Result<String, String> {
        let fails = |fewer: &Program| {
            let again = self.once(fewer, backend).ok().and_then(|findings| findings.failure);
            again.is_some_and(|again| again.call == failure.call)
        };
        let small = shrink::shrink(program, fails);
        let last = self.once(&small, backend)?.failure.unwrap_or_else(|| failure.clone());
        let path = place::output().join(format!("random-{backend}-{seed}.c"));
        let heading = format!(
            "{last}; OWFAT_IO_BACKEND={backend}; cc x.c -lowfat; LD_PRELOAD has it run on libowfat_io"
        );
        fs::write(&path, small.c(&heading)?).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(format!("OWFAT_IO_SEED={seed} {backend}: {last}\n{} is\n{}", path.display(), small.main()))
    }
}

/// Holds a run of ours against that of 0.32 and against that of the first backend.
fn judge(original: &Run, first: &Run, ours: &Run, backend: &str) -> Findings {
    let mut findings = compare::compare(original, ours);
    if findings.failure.is_none() {
        findings.failure = compare::backends(first, ours, backend);
    }
    findings
}

/// What came of all programs on a backend.
#[derive(Default)]
struct Sum {
    programs: usize,
    calls: usize,
    compared: usize,
    defects: BTreeMap<&'static str, usize>,
    /// Failures that did not show again.
    passing: Vec<String>,
    failures: Vec<String>,
}

impl Sum {
    fn add(&mut self, program: &Program, findings: Findings) {
        self.programs += 1;
        self.calls += program.calls.len();
        self.compared += findings.compared;
        for (name, n) in findings.defects {
            *self.defects.entry(name).or_default() += n;
        }
    }
}

impl std::fmt::Display for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Sum { programs, calls, compared, defects, passing, failures } = self;
        write!(f, "{programs} programs, {calls} calls, {compared} of them compared; defects of 0.32:")?;
        defects.iter().try_for_each(|(name, n)| write!(f, " {name} {n}"))?;
        write!(f, "; {} failures, {} that did not show again", failures.len(), passing.len())?;
        passing.iter().try_for_each(|what| write!(f, "\n  {what}"))
    }
}

/// Printed programs do what the player does.
fn printed(player: &compile::Program) -> Result<(), Failed> {
    for seed in PRINTED {
        let program = generate::generate(seed);
        let path = place::output().join(format!("random-printed-{seed}.c"));
        fs::write(&path, program.c(&format!("seed {seed}"))?)?;
        let mut alone = std::process::Command::new(compile::Program::new(&path, With::Debian).path()?);
        alone.env("LD_PRELOAD", place::shared_library()?).env("OWFAT_IO_BACKEND", BACKENDS[0]);
        let end = crate::child::run(&mut alone, std::time::Duration::from_secs(20))?;
        let played = play::play(player, &[program], On::Ours(BACKENDS[0]))?;
        let (printed, played) = (play::runs(&(end.stdout + "= exit 0\n")), play::runs(&played));
        let said = |runs: &[Run]| -> Vec<String> { runs[0].lines.iter().map(|l| l.said.clone()).collect() };
        if !printed[0].lines.is_empty() && said(&printed) == said(&played) {
            continue;
        }
        return Err(format!("{}: {:?}, not {:?}", path.display(), said(&printed), said(&played)).into());
    }
    Ok(())
}
