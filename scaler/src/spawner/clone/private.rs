//! What a child has of its own in memory that it shares with its parent while both run: a stack, and
//! the storage of a thread, for the C library leaves errors there.

use std::arch::asm;

use super::STACK;

/// Around the places in the storage of a thread that the child uses: the error of the last call,
/// and what the C library and compilers keep at its beginning.
const MARGIN: usize = 4096;

/// A stack and the storage of a thread.
#[derive(Debug)]
pub(super) struct Private {
    stack: *mut [u128],
    thread: *mut [u128],
    /// What the register of the thread is set to.
    pointer: usize,
}

impl Private {
    pub(super) fn new() -> Private {
        // SAFETY: the location is valid, and only its address is used.
        let error = unsafe { libc::__errno_location() } as usize;
        let distance = error.abs_diff(thread_pointer());
        // The pointer is in the middle and aligned to 64 bytes, as the ABIs want it.
        let half = (distance + MARGIN).next_multiple_of(64) + 64;
        let words = 2 * half / size_of::<u128>();
        let thread = Box::into_raw(vec![0_u128; words].into_boxed_slice());
        let pointer = (thread.cast::<u8>() as usize + half) / 64 * 64;
        let offset = pointer - thread.cast::<u8>() as usize;
        // SAFETY: the words from there on lie within the allocation, which nobody else has, and are
        // aligned. On x86-64 the first and the third are the pointer itself.
        unsafe {
            let header = thread.cast::<u8>().add(offset).cast::<usize>();
            header.write(pointer);
            header.add(2).write(pointer);
        }
        Private {
            stack: Box::into_raw(vec![0_u128; STACK / size_of::<u128>()].into_boxed_slice()),
            thread,
            pointer,
        }
    }

    /// For CLONE_SETTLS.
    pub(super) fn pointer(&self) -> usize {
        self.pointer
    }

    /// The stack, which is the child's as soon as there is one.
    pub(super) fn stack(&mut self) -> &mut [u128] {
        // SAFETY: it is this value's own, and no child uses it yet.
        unsafe { &mut *self.stack }
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // SAFETY: both came from boxes; whoever drops this knows that the child no longer runs here.
        unsafe {
            drop(Box::from_raw(self.stack));
            drop(Box::from_raw(self.thread));
        }
    }
}

/// Where the storage of this thread is.
fn thread_pointer() -> usize {
    let pointer: usize;
    // SAFETY: reads a register, or the word that the ABI has there, which holds the same.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        asm!("mov {}, fs:0", out(reg) pointer, options(nostack, readonly, preserves_flags));
        #[cfg(target_arch = "aarch64")]
        asm!("mrs {}, tpidr_el0", out(reg) pointer, options(nomem, nostack, preserves_flags));
    }
    pointer
}
