//! The rest of the calls that a program is made of: transfers, batches, deadlines, modes, opening and closing.

use super::generate::{ENDS, End, FILE_SIZE, Kind, Sketch};

impl Sketch {
    pub(super) fn transfer(&mut self) {
        let (a, n) = (self.end(), self.size());
        match self.chance.next() % 40 {
            0..=12 => self.call("tryread", &[a, n]),
            13..=24 => self.call("trywrite", &[a, n]),
            25 => self.call("tryreadtimeout", &[a, n]),
            26 => self.call("trywritetimeout", &[a, n]),
            27 | 28 => self.call("waitread", &[a, n]),
            29 | 30 => self.call("waitwrite", &[a, n]),
            31 if self.large => self.call("fill", &[a]),
            31..=35 => {
                let file = self.file();
                let offset = self.chance.pick(&[0, 0, 5, 4096, 69_000, 70_000, 80_000]);
                self.call("sendfile_to", &[a, file, offset, n]);
            }
            36 => {
                let file = self.file();
                let offset = self.chance.pick(&[0, 10, 65_000]);
                // Whether nothing at all can be sent to a bad number is open.
                self.call("mmapwrite", &[a, file, offset, n.clamp(1, 4000)]);
            }
            37 | 38 => {
                let (a, b) = (self.of(&[Kind::Unix]), self.end());
                self.call("passfd", &[a, b]);
            }
            _ => {
                let a = self.of(&[Kind::Unix]);
                self.call("receivefd", &[a]);
            }
        }
    }

    pub(super) fn batch(&mut self) {
        let (b, n) = (self.chance.between(0, 1), self.size());
        match self.chance.next() % 40 {
            0..=5 => self.call("addbuf", &[b, n]),
            6 | 7 => self.call("addbuf_free", &[b, n]),
            8 => self.call("addbuf_munmap", &[b, n]),
            9 => self.call("adds", &[b, n]),
            10 => self.call("adds_free", &[b, n]),
            11..=15 => {
                let file = self.file();
                let offset = self.chance.pick(&[0, 0, 5, 4096, 60_000, 69_999]);
                let n = if self.chance.percent(95) { n.min(FILE_SIZE - offset) } else { n };
                let name = self.chance.pick(&["addfile", "addfile_close"]);
                self.call(name, &[b, file, offset, n]);
            }
            16 => self.call("prefetch", &[b, n]),
            17..=27 => {
                let a = self.of(&[Kind::Unix, Kind::Tcp]);
                self.call("send_batch", &[b, a]);
            }
            28 => {
                // Datagrams that 0.32 holds back (`held-back`) would go together with the next ones.
                let a = self.of(&[Kind::Pipe, Kind::Listener]);
                self.call("send_batch", &[b, a]);
            }
            29 | 30 => {
                let a = self.of(&[Kind::Unix, Kind::Tcp]);
                self.call("pump", &[b, a]);
            }
            31..=36 => {
                let (a, kind) = (self.of(&[Kind::Unix, Kind::Tcp]), self.chance.between(0, 6));
                self.call("write_batch", &[b, a, kind, n]);
            }
            37 => self.call("reset_batch", &[b]),
            38 => self.call("new_batch", &[b, n]),
            _ => self.call("free_batch", &[b]),
        }
    }

    pub(super) fn deadline(&mut self) {
        let a = self.end();
        match self.chance.next() % 10 {
            0..=3 => {
                let ms = self.chance.pick(&[-5, -5, 0, 100_000, i32::MAX]);
                self.call("timeout", &[a, ms]);
            }
            4 | 5 => self.call("timedout", &[a]),
            6 | 7 => self.call("sweep", &[]),
            8 => self.call("tryreadtimeout", &[a, 100]),
            _ => self.call("trywritetimeout", &[a, 100]),
        }
    }

    pub(super) fn mode(&mut self) {
        let a = self.end();
        match self.chance.next() % 8 {
            0 | 1 => {
                let cookie = self.chance.between(0, 99);
                self.call("setcookie", &[a, cookie]);
            }
            2..=4 => self.call("getcookie", &[a]),
            5 => self.call("closeonexec", &[a]),
            6 => self.call("fd", &[a]),
            _ if self.careless => self.call("block", &[a]),
            _ => self.call("nonblock", &[a]),
        }
    }

    pub(super) fn open_or_close(&mut self) {
        if self.chance.percent(50) {
            return self.make();
        }
        let a = self.end();
        match self.chance.next() % 10 {
            0 if self.careless => self.call("plain_close", &[a, 0]),
            1 if self.careless => self.call("plain_close", &[a, 1]),
            _ => self.call("close_end", &[a]),
        }
        let Some(mate) = self.ends[a as usize].take().and_then(|e| e.mate) else { return };
        if let Some(end) = &mut self.ends[mate] {
            end.mate = None;
        }
    }

    /// What is done to the process behind the library.
    pub(super) fn process(&mut self) {
        match self.chance.next() % 12 {
            0 | 1 => self.call("fork_on", &[]),
            2 => self.call("close_all", &[0]),
            3 if self.careless => {
                self.call("close_all", &[1]);
                self.ends = [None; ENDS];
                self.make();
            }
            3 | 4 => {
                let a = self.of(&[Kind::Pipe, Kind::Unix, Kind::Tcp]);
                let Some(b) = self.free() else { return };
                let (kind, name) = self.chance.pick(&[(Kind::Pipe, 0), (Kind::Unix, 1)]);
                self.call("dup2_over", &[a, b as i32, name]);
                for (end, mate) in [(a as usize, b), (b, a as usize)] {
                    self.ends[end] = Some(End { kind, mate: Some(mate) });
                    self.register(end);
                }
            }
            5 | 6 => self.call("crowd", &[1]),
            7 => self.call("crowd", &[0]),
            8 | 9 => {
                let (kind, n) = (self.chance.between(0, 4), self.chance.between(0, 2000));
                self.call("starved", &[kind, n]);
            }
            10 => {
                let (a, n) = (self.of(&[Kind::Tcp]), self.size());
                self.call("notices", &[a]);
                self.call("trywrite", &[a, n]);
            }
            _ => {
                let a = self.of(&[Kind::Tcp]);
                self.call("read_notices", &[a]);
            }
        }
    }

    pub(super) fn odd(&mut self) {
        match self.chance.next() % 12 {
            0 if self.careless => self.call("finish_and_shutdown", &[]),
            0..=2 => {
                let how = self.chance.between(0, 3);
                self.call("no_file", &[how]);
            }
            3 => {
                let file = self.file();
                let name =
                    self.chance.pick(&["fd", "wantread", "tryread", "trywrite", "close_end", "closeonexec"]);
                match name {
                    "tryread" | "trywrite" => self.call(name, &[file, 50]),
                    _ => self.call(name, &[file]),
                }
            }
            _ => {
                let free = self.free().unwrap_or(0) as i32;
                let name = self.chance.pick(&[
                    "fd",
                    "fd_canwrite",
                    "nonblock",
                    "getcookie",
                    "wantread",
                    "wantwrite",
                    "dontwantread",
                    "eagain",
                    "timedout",
                    "closeonexec",
                    "close_end",
                ]);
                self.call(name, &[free]);
            }
        }
    }
}
