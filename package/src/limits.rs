/// What an archive may come to; the defaults are those of `[packages]` in the gateway's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Length of the archive in bytes, as it is sent.
    pub archive_bytes: u64,
    /// Bytes of all files together, unpacked.
    pub total_bytes: u64,
    /// Times that the unpacked files may be longer than the archive. Not asked of the first 16 MiB:
    /// so much of anything does no harm.
    pub ratio: u32,
    /// Files, directories and links together, also directories that only their files name.
    pub entries: u32,
    /// Length of a path and of a link's target in bytes.
    pub path_bytes: usize,
    /// Directories that may lie in each other, the file included.
    pub depth: usize,
    /// Length of one file in bytes, unpacked.
    pub file_bytes: u64,
}

impl Limits {
    /// Unpacked bytes to which `ratio` does not apply.
    pub(crate) const FREE_BYTES: u64 = 16 << 20;
    /// Links are made last, so that nothing is written through one: until then they are in memory.
    pub(crate) const LINKS: usize = 10_000;

    /// The ratio that the archive may not exceed is exceeded.
    pub(crate) fn is_bomb(&self, archive_bytes: u64, total_bytes: u64) -> bool {
        total_bytes > Self::FREE_BYTES
            && total_bytes > archive_bytes.saturating_mul(self.ratio.into())
    }

    /// Length that a tar archive may have: its files, and room for what stands between them.
    pub(crate) fn stream_bytes(&self) -> u64 {
        let between = u64::from(self.entries).saturating_mul(2048);
        let files = self.total_bytes.saturating_add(Self::FREE_BYTES);
        files.saturating_add(between)
    }
}

impl Default for Limits {
    /// For a machine of two cores.
    fn default() -> Self {
        Limits {
            archive_bytes: 256 << 20,
            total_bytes: 1 << 30,
            ratio: 100,
            entries: 50_000,
            path_bytes: 512,
            depth: 32,
            file_bytes: 512 << 20,
        }
    }
}
