//! Signals that the host sends to belljar. They set flags and wake a sleeping run loop; the loop decides what they mean.

use rustix::process::Signal;
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::Cause;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// What somebody outside wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostSignal {
    /// SIGINT: Ctrl-C at a terminal that is not raw.
    Interrupt,
    /// SIGQUIT from the terminal's driver: Ctrl-\. It is the guest's.
    Quit,
    /// SIGQUIT from a process, kill(1): tell what everybody is doing, and go on.
    Ask,
    /// SIGTSTP: Ctrl-Z.
    Suspend,
    /// SIGCONT: the shell continues belljar.
    Continue,
    /// SIGWINCH: the terminal's window changed its size.
    WindowSize,
    /// SIGTERM: end the run and give its account.
    Terminate,
    /// SIGHUP: the terminal is gone; as SIGTERM.
    HangUp,
}

impl HostSignal {
    const ALL: [HostSignal; 7] = [
        HostSignal::Interrupt,
        HostSignal::Quit,
        HostSignal::Suspend,
        HostSignal::Continue,
        HostSignal::WindowSize,
        HostSignal::Terminate,
        HostSignal::HangUp,
    ];

    /// The signal's number, signal(7).
    pub fn number(self) -> i32 {
        match self {
            HostSignal::Interrupt => Signal::INT,
            HostSignal::Quit | HostSignal::Ask => Signal::QUIT,
            HostSignal::Suspend => Signal::TSTP,
            HostSignal::Continue => Signal::CONT,
            HostSignal::WindowSize => Signal::WINCH,
            HostSignal::Terminate => Signal::TERM,
            HostSignal::HangUp => Signal::HUP,
        }
        .as_raw()
    }
}

/// The signals that have come and were not taken yet. Clones share them.
#[derive(Clone, Debug)]
pub struct Signals {
    any: Arc<AtomicBool>,
    each: Arc<[Arc<AtomicBool>; 7]>,
    wake: Option<Arc<UnixStream>>,
    /// Who sent each SIGQUIT.
    quits: Option<Arc<Mutex<SignalsInfo<WithOrigin>>>>,
}

impl Signals {
    /// Nothing ever comes: for runs inside a test or another program, whose signals are its own.
    pub fn none() -> Signals {
        Signals { any: Arc::default(), each: Arc::default(), wake: None, quits: None }
    }

    /// Listens to the host's signals from now on, in place of what they did before. Those that belljar was started with as
    /// ignored (SIGHUP under nohup, SIGINT in the background of a shell without job control) stay ignored.
    ///
    /// # Errors
    /// The host's, if handlers cannot be installed.
    pub fn listen() -> io::Result<Signals> {
        let (wake, trigger) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        trigger.set_nonblocking(true)?;
        let ignored = ignored_signals();
        let quit = HostSignal::Quit.number();
        let quits = match ignored & 1 << (quit - 1) {
            0 => Some(Arc::new(Mutex::new(SignalsInfo::<WithOrigin>::new([quit])?))),
            _ => None,
        };
        let signals = Signals { any: Arc::default(), each: Arc::default(), wake: Some(Arc::new(wake)), quits };
        for (signal, flag) in HostSignal::ALL.iter().zip(signals.each.iter()) {
            let number = signal.number();
            if ignored & 1 << (number - 1) != 0 {
                continue;
            }
            signal_hook::flag::register(number, Arc::clone(flag))?;
            signal_hook::flag::register(number, Arc::clone(&signals.any))?;
            signal_hook::low_level::pipe::register(number, trigger.try_clone()?)?;
        }
        Ok(signals)
    }

    /// Whether [`Signals::take`] would give any. Cheap: asked at every trap.
    #[inline]
    pub fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// The signals that have come since the last call.
    pub fn take(&self) -> Vec<HostSignal> {
        if !self.any.swap(false, Ordering::SeqCst) {
            return Vec::new();
        }
        if let Some(wake) = &self.wake {
            let mut bytes = [0; 64];
            while matches!(rustix::io::read(&**wake, &mut bytes), Ok(count) if count == bytes.len()) {}
        }
        let came =
            |(signal, flag): (&HostSignal, &Arc<AtomicBool>)| flag.swap(false, Ordering::SeqCst).then_some(*signal);
        let mut all: Vec<HostSignal> = HostSignal::ALL.iter().zip(self.each.iter()).filter_map(came).collect();
        if all.contains(&HostSignal::Quit) {
            all.retain(|signal| *signal != HostSignal::Quit);
            all.extend(self.quits());
        }
        all
    }

    /// What each SIGQUIT means, by its sender: the terminal's driver is the kernel, kill(1) a process.
    fn quits(&self) -> Vec<HostSignal> {
        let Some(mut quits) = self.quits.as_ref().and_then(|quits| quits.lock().ok()) else {
            return vec![HostSignal::Quit];
        };
        let mut all: Vec<HostSignal> = quits
            .pending()
            .map(|origin| match origin.cause {
                Cause::Sent(_) => HostSignal::Ask,
                _ => HostSignal::Quit,
            })
            .collect();
        all.dedup();
        all
    }

    /// Readable when a signal has come: for poll(2) beside other things.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.wake.as_ref().map(|wake| wake.as_fd())
    }
}

/// The signals that this process ignores, one bit each: `SigIgn` of proc(5) `/proc/pid/status`.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_taken_once() {
        let signals = Signals::listen().unwrap();
        assert!(signals.take().is_empty());
        rustix::process::kill_process(rustix::process::getpid(), Signal::WINCH).unwrap();
        while !signals.any() {
            std::thread::yield_now();
        }
        assert_eq!(signals.take(), [HostSignal::WindowSize]);
        assert!(!signals.any() && signals.take().is_empty());
    }
}
