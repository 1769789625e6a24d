//! Waiting for a time, to within the kernel's own precision.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// Waits by a timerfd, for the timers of tokio know milliseconds only. What is left of the time at
/// the end may be spun away: the kernel wakes a sleeper some tens of microseconds late.
pub(super) struct Pacer {
    timer: AsyncFd<OwnedFd>,
    spin: Duration,
}

impl Pacer {
    /// Within a runtime; the last `spin` before each time is spent looking at the clock and at the
    /// sockets in turn, which costs a CPU.
    pub(super) fn new(spin: Duration) -> io::Result<Pacer> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        // SAFETY: an `OwnedFd` is an open descriptor that nothing else closes, it stays so until the
        // `AsyncFd` that owns it is dropped, and its number never changes.
        let timer = unsafe { AsyncFd::register(timer) }?;
        Ok(Pacer { timer, spin })
    }

    /// Returns at `time`, never before it; at once if it is past.
    pub(super) async fn until(&self, time: Instant) -> io::Result<()> {
        loop {
            let left = time.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            let asleep = left.saturating_sub(self.spin);
            if asleep.is_zero() {
                tokio::task::yield_now().await;
            } else {
                self.sleep(asleep).await?;
            }
        }
    }

    async fn sleep(&self, time: Duration) -> io::Result<()> {
        let zero = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let value = Timespec {
            tv_sec: time.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: time.subsec_nanos().into(),
        };
        let timer = Itimerspec {
            it_interval: zero,
            it_value: value,
        };
        timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &timer)?;
        loop {
            let mut ready = self.timer.readable().await?;
            let mut expirations = [0; 8];
            match rustix::io::read(self.timer.get_ref(), &mut expirations) {
                Ok(_) => return Ok(()),
                Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
