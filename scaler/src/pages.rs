//! The size of the pages that memory comes in.

/// Has the memory of this process come in pages of the usual size from now on. The allocator would
/// ask for huge ones, which are taken whole however little of them is used: much of what a gateway
/// with many functions holds. Programs that it starts inherit that, except through a spawner.
pub fn keep_small() {
    // Where the kernel has no huge pages there is nothing to do.
    rustix::thread::disable_transparent_huge_pages(true).ok();
}

/// Lets programs that are started have huge pages.
pub(crate) fn allow_huge() {
    rustix::thread::disable_transparent_huge_pages(false).ok();
}
