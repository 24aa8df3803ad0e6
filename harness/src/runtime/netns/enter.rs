//! Entering a node from outside, as nsenter does, and the two forks that namespaces need: the only unsafe code.
//!
//! What lives here: what must happen between fork and exec. What does not: deciding what to run (`process`).

#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::sched::CloneFlags;

/// Opens a handle on a process that cannot come to mean another process later (`pidfd_open(2)`, Linux 5.3).
pub(crate) fn pidfd(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two integers and returns a new descriptor or -1.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given us this descriptor; nobody else owns it. It fits an i32.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// What entering a node's namespaces takes.
pub(crate) struct Entry {
    /// Handle on the node's first process.
    pub(crate) init: OwnedFd,
    /// Enter the user namespace too: needed when we are outside it, refused when we are already in it.
    pub(crate) userns: bool,
    /// Directory to start in, inside the node.
    pub(crate) cwd: CString,
    /// Make the command the leader of a session of its own, so that a terminal's Ctrl-C does not reach it.
    pub(crate) detach: bool,
    /// Make standard input the terminal that controls this session.
    pub(crate) terminal: bool,
}

/// Makes `command` run inside the node.
///
/// Between fork and exec the child enters the namespaces and forks once more, because a pid namespace takes in
/// only children. The one in between waits, hands signals on, and ends as the command ended; should it be killed,
/// the command is killed with it.
pub(crate) fn enter(command: &mut std::process::Command, entry: Entry) {
    let mut flags = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC;
    if entry.userns {
        flags |= CloneFlags::CLONE_NEWUSER;
    }
    let before_exec = move || into_node(entry.init.as_fd(), flags, &entry.cwd, entry.detach, entry.terminal);
    // SAFETY: `into_node` makes system calls only: no allocation, no lock, nothing that another thread of the
    // forked process could have left half done.
    unsafe {
        std::os::unix::process::CommandExt::pre_exec(command, before_exec);
    }
}

fn into_node(
    init: BorrowedFd<'_>,
    flags: CloneFlags,
    cwd: &CString,
    detach: bool,
    terminal: bool,
) -> io::Result<()> {
    // SAFETY: all of these are plain system calls on values that we own; see each.
    unsafe {
        if libc::setns(init.as_raw_fd(), flags.bits()) != 0 {
            return Err(io::Error::last_os_error());
        }
        // Every signal is blocked until the command has its own mask again: one that came in between would
        // otherwise end the process in the middle and leave the command without a parent.
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut old: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const all, &raw mut old);
        // The raw system call: libc's fork would run handlers that take locks.
        let child = libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0);
        if child < 0 {
            return Err(io::Error::last_os_error());
        }
        if child > 0 {
            between(child as libc::pid_t, &all);
        }
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const old, std::ptr::null_mut());
        if detach {
            libc::setsid();
        }
        if terminal && libc::ioctl(0, libc::TIOCSCTTY, 0) != 0 {
            return Err(io::Error::last_os_error());
        }
        if libc::chdir(cwd.as_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Waits for the command and ends as it ended. Never returns: the process in between runs nothing else.
///
/// # Safety
/// Only in a freshly forked child, with every signal blocked.
unsafe fn between(child: libc::pid_t, all: &libc::sigset_t) -> ! {
    // SAFETY: system calls only. Closing every descriptor gives up the command's pipes and the pipe on which the
    // parent waits to hear of a failed exec; this process needs none.
    unsafe {
        libc::syscall(libc::SYS_close_range, 0u32, u32::MAX, 0u32);
        loop {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let signal = libc::sigwaitinfo(all, &raw mut info);
            if signal == libc::SIGCHLD {
                let mut status = 0;
                if libc::waitpid(child, &raw mut status, libc::WNOHANG) == child {
                    let code = if libc::WIFEXITED(status) {
                        libc::WEXITSTATUS(status)
                    } else {
                        128 + libc::WTERMSIG(status)
                    };
                    libc::_exit(code);
                }
            } else if signal == libc::SIGRTMAX() {
                libc::kill(child, libc::SIGKILL);
            } else if signal > 0 {
                libc::kill(child, signal);
            }
        }
    }
}

/// Asks the process in between to kill its command, and with that to end: SIGKILL itself cannot be handed on.
pub(crate) fn end_command(between: i32) {
    // SAFETY: a plain system call on integers. The process is our child and was not waited for: its pid is its own.
    // One that ended meanwhile is as good as killed.
    unsafe {
        libc::kill(between, libc::SIGRTMAX());
    }
}

/// Makes the kernel kill `command` when the thread that starts it ends, however that comes to be.
///
/// The thread must stay until the command has ended: see `tools::child`.
pub(crate) fn dies_with_this_thread(command: &mut std::process::Command) {
    let parent = std::process::id();
    let before_exec = move || {
        // SAFETY: plain system calls on integers.
        unsafe {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(io::Error::last_os_error());
            }
            // Gone before we asked: nobody would tell us any more.
            if libc::getppid().cast_unsigned() != parent {
                libc::_exit(libc::EXIT_FAILURE);
            }
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls only, as `into_node` does.
    unsafe {
        std::os::unix::process::CommandExt::pre_exec(command, before_exec);
    }
}

/// Sets the size of a terminal. One that is gone has no size to set.
pub(crate) fn set_size(terminal: BorrowedFd<'_>, rows: u16, columns: u16) {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the descriptor is open, and the kernel reads one `winsize` from the address of one.
    unsafe {
        libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size);
    }
}

/// What [`fork`] returns, on each side.
pub(crate) enum Forked {
    /// In the parent: the child's pid.
    Parent(i32),
    /// In the child.
    Child,
}

/// Forks. Only in a process that has one thread: the child may then do whatever it likes.
pub(crate) fn fork() -> io::Result<Forked> {
    // SAFETY: called by the keeper before it has threads, by the zygote and by a node's first stage, which never have any.
    match unsafe { nix::unistd::fork() }? {
        nix::unistd::ForkResult::Parent { child } => Ok(Forked::Parent(child.as_raw())),
        nix::unistd::ForkResult::Child => Ok(Forked::Child),
    }
}

/// Takes over a descriptor that has just been received with a message.
pub(crate) fn own(descriptor: RawFd) -> OwnedFd {
    // SAFETY: the kernel has just installed this descriptor for us as part of a received message; nobody else
    // knows of it. nix hands it out as a bare number.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}
