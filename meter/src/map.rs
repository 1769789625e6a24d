//! Memory that processes share, as numbers that are read and written in one step.

use std::fs::File;
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// A mapping of a whole number of words, zero at first.
#[derive(Debug)]
pub(crate) struct Map {
    words: NonNull<AtomicU64>,
    length: usize,
}

// SAFETY: the memory belongs to no thread, and is only ever touched in atomic steps.
unsafe impl Send for Map {}
// SAFETY: as above.
unsafe impl Sync for Map {}

impl Map {
    /// The first `length` words of a file, which has that many and keeps them: the file is the
    /// caller's and nobody else shortens it.
    pub(crate) fn of_file(file: &File, length: usize) -> io::Result<Map> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses a place that nothing else has; the memory is reached through
        // this value only, which unmaps it when it goes.
        let address = unsafe {
            mmap(
                std::ptr::null_mut(),
                length * size_of::<AtomicU64>(),
                protection,
                MapFlags::SHARED,
                file,
                0,
            )?
        };
        Map::at(address, length)
    }

    fn at(address: *mut std::ffi::c_void, length: usize) -> io::Result<Map> {
        let words = NonNull::new(address.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Map { words, length })
    }

    pub(crate) fn words(&self) -> &[AtomicU64] {
        // SAFETY: so many words are mapped, at the start of a page and thus aligned, for as long as
        // this value lives; any bits are a number, and other processes touch them atomically too.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr(), self.length) }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: it was mapped by this value with that length, and no slice of it outlives it.
        // There is nothing to do if the kernel refuses: the memory stays mapped.
        unsafe {
            munmap(
                self.words.as_ptr().cast(),
                self.length * size_of::<AtomicU64>(),
            )
        }
        .ok();
    }
}
