//! kqueue(2): a filter for each direction of a descriptor, level-triggered.
//!
//! * The kernel ends the filters of a number when the number is closed, whether copies of it remain or not. So there are
//!   no ghosts, and a filter that is still there shows that the file is the same.
//! * Regular files are refused, which the kernel would watch in a way of its own: not ready at their end.
//! * A full hang-up is the end of both directions, each told by its own filter: one that is not watched is not told of.
//! * No edges: a read also comes up short at urgent data, with more behind it, and not every kernel tells of that.
//! * Nothing is exclusive: each set that watches a listening socket is told of a connection.
//! * Threads are woken through a pipe, which all systems have.
//! * A child does not inherit the set: its number may be any file's.
//! * What is put off is told by a look that does not sleep, under the lock: told by a call that sleeps, another thread's
//!   change could come before it. A wait that finds nothing then sleeps in a second call.
//!
//! `changes` and `report` make no system call and are tested everywhere.

pub(super) mod changes;
#[cfg(not(target_os = "linux"))]
mod kernel;
pub(super) mod report;
#[cfg(test)]
mod tests;

#[cfg(not(target_os = "linux"))]
pub(crate) use kernel::Kqueue;
