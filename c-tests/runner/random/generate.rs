//! Makes programs. A sketch of what the calls do to the ends keeps them meaningful; the player copes with any call,
//! so the sketch need not be exact.

use super::chance::Chance;
use super::program::{Call, Program};

pub(super) const ENDS: usize = 24;
pub(super) const FILE_SIZE: i32 = 70_000;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Pipe,
    Unix,
    Tcp,
    Datagram,
    File,
    Listener,
    Terminal,
    Odd,
}

/// What makes ends, and how often: one end with its arguments, or two.
const MAKERS: [(u64, &str, Kind); 13] = [
    (8, "pipe_pair", Kind::Pipe),
    (8, "lib_pipe", Kind::Pipe),
    (12, "unix_pair", Kind::Unix),
    (8, "lib_socketpair", Kind::Unix),
    (3, "datagram_pair", Kind::Datagram),
    (3, "packet_pair", Kind::Datagram),
    (4, "udp_pair", Kind::Datagram),
    (24, "tcp_pair", Kind::Tcp),
    (2, "terminal_pair", Kind::Terminal),
    (4, "listener", Kind::Listener),
    (4, "refused", Kind::Tcp),
    (8, "file", Kind::File),
    (6, "odd", Kind::Odd),
];

#[derive(Clone, Copy)]
pub(super) struct End {
    pub(super) kind: Kind,
    pub(super) mate: Option<usize>,
}

/// What the calls of a program are mostly about: weights for the groups of calls, as in `Sketch::step`.
type Theme = [u64; 10];
const THEMES: [Theme; 7] = [
    [22, 16, 16, 16, 8, 5, 4, 4, 3, 1],
    [35, 30, 20, 8, 0, 2, 2, 1, 1, 1],
    [14, 6, 14, 40, 4, 2, 3, 4, 2, 1],
    [12, 4, 10, 4, 50, 0, 2, 4, 2, 1],
    [20, 10, 12, 8, 2, 2, 2, 25, 2, 1],
    [20, 10, 10, 8, 2, 30, 6, 4, 1, 1],
    [24, 12, 16, 16, 8, 2, 2, 6, 1, 14],
];

pub(super) struct Sketch {
    pub(super) chance: Chance,
    calls: Vec<Call>,
    pub(super) ends: [Option<End>; ENDS],
    /// Large transfers, full connections.
    pub(super) large: bool,
    /// Plain closes of registered descriptors, registrations left out, blocking ends.
    pub(super) careless: bool,
}

/// The program that belongs to a seed.
pub(crate) fn generate(seed: u64) -> Program {
    let mut s = Sketch {
        chance: Chance::new(seed),
        calls: Vec::new(),
        ends: [None; ENDS],
        large: false,
        careless: false,
    };
    s.large = s.chance.percent(30);
    s.careless = s.chance.percent(20);
    let begin = if s.chance.percent(3) { 1 } else { 0 } + if s.chance.percent(5) { 2 } else { 0 };
    s.call("begin", &[begin]);
    let theme = s.chance.pick(&THEMES);
    for _ in 0..s.chance.between(1, 4) {
        s.make();
    }
    let length = match s.chance.next() % 10 {
        0..=5 => s.chance.between(5, 40),
        6..=8 => s.chance.between(40, 100),
        _ => s.chance.between(100, 190),
    } as usize;
    while s.calls.len() < length {
        s.step(&theme);
    }
    s.call("finish", &[]);
    Program { calls: s.calls }
}

impl Sketch {
    pub(super) fn call(&mut self, name: &'static str, arguments: &[i32]) {
        self.calls.push(Call { name, arguments: arguments.to_vec() });
    }

    pub(super) fn free(&mut self) -> Option<usize> {
        let free: Vec<usize> = (0..ENDS).filter(|&i| self.ends[i].is_none()).collect();
        (!free.is_empty()).then(|| self.chance.pick(&free))
    }

    /// An index in use; now and then any.
    pub(super) fn end(&mut self) -> i32 {
        let used: Vec<usize> =
            (0..ENDS).filter(|&i| self.ends[i].is_some_and(|e| e.kind != Kind::File)).collect();
        if used.is_empty() || self.chance.percent(1) {
            return self.chance.between(0, ENDS as i32 - 1);
        }
        self.chance.pick(&used) as i32
    }

    /// A file, made first if there is none; now and then anything else.
    pub(super) fn file(&mut self) -> i32 {
        if self.chance.percent(3) {
            return self.end();
        }
        let has_one = self.ends.iter().flatten().any(|e| e.kind == Kind::File);
        let place = if has_one { None } else { self.free() };
        if let Some(a) = place {
            self.make_file(a);
        }
        self.of(&[Kind::File])
    }

    fn make_file(&mut self, a: usize) {
        let (how, size) =
            (self.chance.pick(&[0, 0, 0, 0, 1, 1, 2, 3]), self.chance.pick(&[FILE_SIZE, FILE_SIZE, 5000, 0]));
        self.ends[a] = Some(End { kind: Kind::File, mate: None });
        self.call("file", &[a as i32, size, how]);
    }

    pub(super) fn of(&mut self, kinds: &[Kind]) -> i32 {
        let used: Vec<usize> =
            (0..ENDS).filter(|&i| self.ends[i].is_some_and(|e| kinds.contains(&e.kind))).collect();
        if used.is_empty() { self.end() } else { self.chance.pick(&used) as i32 }
    }

    pub(super) fn size(&mut self) -> i32 {
        match self.chance.next() % 20 {
            0 => 0,
            1..=3 => 1,
            4..=15 => self.chance.between(2, 600),
            16..=18 => self.chance.between(600, 5000),
            _ if self.large => self.chance.between(5000, 300_000),
            _ => 100,
        }
    }

    pub(super) fn register(&mut self, a: usize) {
        let a = a as i32;
        let nonblocking = !self.careless || self.chance.percent(60);
        if nonblocking && self.chance.percent(50) {
            self.call("nonblock", &[a]);
        }
        match self.chance.next() % 10 {
            0..=5 => self.call("fd", &[a]),
            6 | 7 => self.call("fd_canwrite", &[a]),
            8 => self.call("fd_flags", &[a, if nonblocking { 4 } else { 2 }]),
            _ => self.call("fd_flags", &[a, if nonblocking { 5 } else { 3 }]),
        }
        if nonblocking {
            self.call("nonblock", &[a]);
        }
        if self.chance.percent(20) {
            let cookie = self.chance.between(1, 99);
            self.call("setcookie", &[a, cookie]);
        }
        if self.chance.percent(60) {
            self.call("wantread", &[a]);
        }
        if self.chance.percent(30) {
            self.call("wantwrite", &[a]);
        }
    }

    /// One new end, or a pair.
    pub(super) fn make(&mut self) {
        let Some(a) = self.free() else { return };
        let (name, kind) = self.weighted(&MAKERS.map(|(weight, name, kind)| (weight, (name, kind))));
        match name {
            "file" => return self.make_file(a),
            "listener" | "refused" | "odd" => {
                self.ends[a] = Some(End { kind, mate: None });
                match self.chance.between(0, 7) {
                    which if name == "odd" => self.call(name, &[a as i32, which]),
                    _ => self.call(name, &[a as i32]),
                }
                return self.register(a);
            }
            _ => {}
        }
        self.ends[a] = Some(End { kind, mate: None });
        let Some(b) = self.free() else { return };
        self.ends[a] = Some(End { kind, mate: Some(b) });
        self.ends[b] = Some(End { kind, mate: Some(a) });
        self.call(name, &[a as i32, b as i32]);
        for end in [a, b] {
            if self.chance.percent(if self.careless { 70 } else { 100 }) {
                self.register(end);
            }
        }
    }

    /// One of these, as often as their weights say.
    fn weighted<T: Copy>(&mut self, from: &[(u64, T)]) -> T {
        let mut at = self.chance.next() % from.iter().map(|(weight, _)| weight).sum::<u64>();
        let is_here = |&&(weight, _): &&(u64, T)| {
            let here = at < weight;
            at = at.saturating_sub(weight);
            here
        };
        from.iter().find(is_here).unwrap_or(&from[0]).1
    }

    fn step(&mut self, theme: &Theme) {
        let groups: [(u64, usize); 10] = std::array::from_fn(|i| (theme[i], i));
        match self.weighted(&groups) {
            0 => self.wait(),
            1 => self.interest(),
            2 => self.peer(),
            3 => self.transfer(),
            4 => self.batch(),
            5 => self.deadline(),
            6 => self.mode(),
            7 => self.open_or_close(),
            8 => self.odd(),
            _ => self.process(),
        }
    }

    fn wait(&mut self) {
        let kind = self.chance.pick(&[0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 5, 6, 7]);
        match self.chance.next() % 20 {
            0..=10 => self.call("events", &[kind]),
            11..=14 => {
                let n = self.chance.between(1, 2000);
                self.call("turn", &[kind, n]);
            }
            15 => self.call("wait_only", &[kind]),
            16 => self.call("leftovers", &[]),
            17 => self.withdraw(kind),
            18 => {
                let (direction, n) = (self.chance.between(0, 1), self.chance.between(1, 3));
                self.call("wait_only", &[kind]);
                self.call("pop_some", &[direction, n]);
            }
            _ => self.call("idle", &[]),
        }
    }

    /// An event that is pending for certain, and then is not.
    fn withdraw(&mut self, kind: i32) {
        let a = self.of(&[Kind::Unix, Kind::Tcp]);
        if let Some(mate) = self.ends[a as usize].and_then(|end| end.mate) {
            self.call("put", &[mate as i32, 10]);
        }
        self.call("wantread", &[a]);
        self.call("wait_only", &[kind]);
        match self.chance.percent(50) {
            true => self.call("eagain_read", &[a]),
            false => self.call("tryread", &[a, 4000]),
        }
        self.call("leftovers", &[]);
    }

    fn interest(&mut self) {
        let a = self.end();
        let name = self.chance.pick(&[
            "wantread",
            "wantread",
            "wantread",
            "wantwrite",
            "wantwrite",
            "dontwantread",
            "dontwantwrite",
            "dontwantwrite",
            "eagain",
            "eagain_read",
            "eagain_write",
        ]);
        self.call(name, &[a]);
    }

    fn peer(&mut self) {
        let (a, n) = (self.end(), self.size());
        match self.chance.next() % 40 {
            0..=19 => self.call("put", &[a, n]),
            20..=35 => {
                let n = self.chance.pick(&[n, 100_000, 100_000]);
                self.call("take", &[a, n.max(1)]);
            }
            36 | 37 => self.peer_does(),
            38 => {
                let a = self.of(&[Kind::Listener]);
                if let Some(b) = self.free() {
                    self.ends[b] = Some(End { kind: Kind::Tcp, mate: None });
                    self.call("connect_to", &[b as i32, a]);
                }
            }
            _ => {
                let a = self.of(&[Kind::Listener]);
                if let Some(b) = self.free() {
                    self.ends[b] = Some(End { kind: Kind::Tcp, mate: None });
                    self.call("accept_one", &[b as i32, a]);
                    self.register(b);
                    self.call("eagain_read", &[a]);
                }
            }
        }
    }

    /// What a peer does beside reading and writing.
    fn peer_does(&mut self) {
        let a = self.of(&[Kind::Unix, Kind::Tcp]);
        match self.chance.next() % 8 {
            0..=2 => {
                let how = self.chance.pick(&[1, 1, 0, 2]);
                self.call("shut", &[a, how]);
            }
            3 => self.call("urgent", &[a]),
            4 => self.call("linger", &[a]),
            5 => self.call("copy", &[a]),
            6 => self.call("clear_error", &[a]),
            _ => {
                let a = self.of(&[Kind::Pipe]);
                let Some(b) = self.free() else { return };
                self.ends[b] = Some(End { kind: Kind::Pipe, mate: None });
                self.call("rejoin", &[b as i32, a]);
                self.register(b);
            }
        }
    }
}
