//! Hears when a program and its children call sync(2) or syncfs(2), by a filter of the kernel: seccomp with user
//! notification. All other calls go on as if it was not there.
//!
//! The process that is about to become the program [`install`]s the filter and hands the listener to the one that records it.
//! That one [`hear`]s of each call while its caller waits, does what it has to do, and lets it [`go_on`].
//!
//! [`run_below_all`] is here only because this package has the unsafe code of the workspace: four system calls with plain
//! structures that the kernel reads or fills.
#![cfg(target_os = "linux")]

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};

/// What the kernel calls the instruction set, so that numbers of calls mean what they mean here.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xC000_00B7;

/// A call that waits to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    id: u64,
    /// Who calls: the number of a thread.
    pub pid: u32,
    /// Whether it is syncfs(2), and on which of its files.
    pub syncfs: Option<RawFd>,
}

/// Installs the filter for the calling thread and all that it starts from now on, and gives the listener. Other threads of the
/// process stay without it. Until somebody hears there, the calls wait.
///
/// Without root it sets `no_new_privs` too: nothing that the thread starts gets more rights than it has.
///
/// # Errors
///
/// Those of the kernel: some systems, and some containers, allow no filter. `Unsupported` on an instruction set that is not
/// known here.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub fn install() -> io::Result<OwnedFd> {
    match install_filter() {
        // Only root may do so for programs that may get more rights than they have.
        Err(error) if error.raw_os_error() == Some(libc::EACCES) => {
            rustix::thread::set_no_new_privs(true)?;
            install_filter()
        }
        installed => installed,
    }
}

/// As above: not known here.
///
/// # Errors
///
/// `Unsupported`.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub fn install() -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn install_filter() -> io::Result<OwnedFd> {
    const LOAD: u16 = 0x20;
    const JUMP_IF: u16 = 0x15;
    const RETURN: u16 = 0x06;
    // Where `struct seccomp_data` has the number of the call, and the instruction set.
    const NUMBER: u32 = 0;
    const SET: u32 = 4;

    let step = |code, k| libc::sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    };
    let jump = |k, jt, jf| libc::sock_filter {
        code: JUMP_IF,
        jt,
        jf,
        k,
    };
    let mut steps = [
        step(LOAD, SET),
        // Another instruction set has other numbers: to the step that allows.
        jump(ARCHITECTURE, 0, 3),
        step(LOAD, NUMBER),
        jump(number(libc::SYS_sync), 2, 0),
        jump(number(libc::SYS_syncfs), 1, 0),
        step(RETURN, libc::SECCOMP_RET_ALLOW),
        step(RETURN, libc::SECCOMP_RET_USER_NOTIF),
    ];
    let program = libc::sock_fprog {
        len: u16::try_from(steps.len()).expect("seven steps"),
        filter: steps.as_mut_ptr(),
    };
    // SAFETY: `program` and the steps that it points to live until the call returns, and the kernel only reads them.
    let listener = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const program,
        )
    };
    let listener = RawFd::try_from(listener).expect("a descriptor, or -1");
    if listener < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just opened it, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(listener) })
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn number(call: libc::c_long) -> u32 {
    u32::try_from(call).expect("numbers of calls are small")
}

/// Lets this thread run only where a processor would have nothing else to do.
///
/// # Errors
///
/// Those of the kernel.
pub fn run_below_all() -> io::Result<()> {
    let none = libc::sched_param { sched_priority: 0 };
    // SAFETY: the kernel only reads `none`, which lives until the call returns.
    match unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const none) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Waits for the next call.
///
/// # Errors
///
/// `NotFound` if its caller was killed; others once nobody is left who could call.
pub fn hear(listener: impl AsFd) -> io::Result<Heard> {
    let mut heard = libc::seccomp_notif {
        id: 0,
        pid: 0,
        flags: 0,
        data: libc::seccomp_data {
            nr: 0,
            arch: 0,
            instruction_pointer: 0,
            args: [0; 6],
        },
    };
    let listener = listener.as_fd().as_raw_fd();
    // SAFETY: the kernel fills the structure, which is its own and all zeros before, as it demands.
    let done = unsafe { libc::ioctl(listener, libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut heard) };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    let is_syncfs = libc::c_long::from(heard.data.nr) == libc::SYS_syncfs;
    // The kernel takes the lower half of the register.
    let low = heard.data.args[0] & u64::from(u32::MAX);
    let file = u32::try_from(low).expect("the lower half").cast_signed();
    Ok(Heard {
        id: heard.id,
        pid: heard.pid,
        syncfs: is_syncfs.then_some(file),
    })
}

/// Lets the call be carried out.
///
/// # Errors
///
/// `NotFound` if its caller was killed.
pub fn go_on(listener: impl AsFd, heard: &Heard) -> io::Result<()> {
    let flags = u32::try_from(libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE).expect("it is 1");
    let answer = libc::seccomp_notif_resp {
        id: heard.id,
        val: 0,
        error: 0,
        flags,
    };
    let listener = listener.as_fd().as_raw_fd();
    // SAFETY: the kernel only reads the structure, which lives until the call returns.
    let done = unsafe { libc::ioctl(listener, libc::SECCOMP_IOCTL_NOTIF_SEND, &raw const answer) };
    match done < 0 {
        true => Err(io::Error::last_os_error()),
        false => Ok(()),
    }
}
