//! Chunk sizes: into which chunks an encrypted file is cut.
//!
//! A relay knows of a file only how many chunks of which of four sizes it has, and there are few such sums.

use crate::encoding::TooLong;

/// The chunk sizes that every relay takes, in bytes, ascending.
pub const CHUNK_SIZES: [u32; 4] = [64 * KB, 256 * KB, 1024 * KB, MAX_CHUNK_SIZE];
/// The largest chunk that every relay takes: 4 MiB.
pub const MAX_CHUNK_SIZE: u32 = 4096 * KB;
/// The largest encrypted file, in bytes: 5 GiB. Peers in use offer to send a gigabyte, and refuse to cut more than this.
pub const MAX_FILE_SIZE: u64 = 5 * 1024 * 1024 * 1024;

const KB: u32 = 1024;

/// The sizes of the chunks of an encrypted file of at least `length` bytes, in the order of the file.
///
/// The file is padded to the sum. The largest size of which it needs more than three quarters is used as often as it fits, and
/// the rest has one more of these, or the next smaller ones.
///
/// # Errors
/// [`TooLong`] if the file is larger than [`MAX_FILE_SIZE`].
pub fn chunk_sizes(length: u64) -> Result<Vec<u32>, TooLong> {
    let check = |length: u64| {
        let as_usize = |length: u64| usize::try_from(length).unwrap_or(usize::MAX);
        let error = TooLong { length: as_usize(length), maximum: as_usize(MAX_FILE_SIZE) };
        if length > MAX_FILE_SIZE { Err(error) } else { Ok(()) }
    };
    check(length)?;
    let [smallest, small, large, largest] = CHUNK_SIZES;
    let (rest_size, size) = match length {
        _ if length > three_quarters(largest) => (large, largest),
        _ if length > three_quarters(large) => (small, large),
        _ => (smallest, small),
    };
    let (full, rest) = (length / u64::from(size), length % u64::from(size));
    let (more, of_size) = match rest {
        _ if rest > three_quarters(size) => (1, size),
        _ => (rest.div_ceil(u64::from(rest_size)), rest_size),
    };
    let sizes: Vec<u32> = repeated(size, full).chain(repeated(of_size, more)).collect();
    check(total(&sizes))?;
    Ok(sizes)
}

/// The size of the only chunk of a file of at least `length` bytes; `None` if it needs more than one.
///
/// The descriptions that redirects lead to are cut so, if they can be.
#[must_use]
pub fn single_chunk_size(length: u64) -> Option<u32> {
    CHUNK_SIZES.into_iter().find(|&size| length <= u64::from(size))
}

/// The sum of sizes, in bytes.
#[must_use]
pub fn total(sizes: &[u32]) -> u64 {
    sizes.iter().map(|&size| u64::from(size)).sum()
}

fn three_quarters(size: u32) -> u64 {
    u64::from(size) * 3 / 4
}

fn repeated(size: u32, times: u64) -> impl Iterator<Item = u32> {
    (0..times).map(move |_| size)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Each entry: times and KB.
    fn expected(chunks: &[(usize, u32)]) -> Vec<u32> {
        chunks.iter().flat_map(|&(times, kb)| vec![kb * KB; times]).collect()
    }

    /// As the reference cut files of these sizes, with their names.
    #[test]
    fn recorded_sizes() {
        let table: [(u64, &[(usize, u32)]); 24] = [
            (100, &[(1, 64)]),
            (65_000, &[(1, 64)]),
            (65_507, &[(2, 64)]),
            (70_000, &[(2, 64)]),
            (131_000, &[(2, 64)]),
            (196_000, &[(3, 64)]),
            (200_000, &[(1, 256)]),
            (262_000, &[(1, 256)]),
            (300_000, &[(1, 256), (1, 64)]),
            (400_000, &[(1, 256), (3, 64)]),
            (600_000, &[(2, 256), (2, 64)]),
            (786_000, &[(3, 256)]),
            (790_000, &[(1, 1024)]),
            (1_048_000, &[(1, 1024)]),
            (2_000_000, &[(2, 1024)]),
            (3_145_000, &[(3, 1024)]),
            (3_150_000, &[(1, 4096)]),
            (4_194_000, &[(1, 4096)]),
            (5_000_000, &[(1, 4096), (1, 1024)]),
            (12_000_000, &[(3, 4096)]),
            // The bounds themselves.
            (3 * 65_536 - 30, &[(3, 64)]),
            (3 * 65_536 - 29, &[(1, 256)]),
            (4 * 65_536 - 30, &[(1, 256)]),
            (4 * 65_536 - 29, &[(1, 256), (1, 64)]),
        ];
        for (size, chunks) in table {
            // Length, tag, and the header of a name of 4 bytes.
            assert_eq!(chunk_sizes(size + 8 + 16 + 6).unwrap(), expected(chunks), "of {size} bytes");
        }
    }

    #[test]
    fn single_chunks() {
        assert_eq!(single_chunk_size(1), Some(65_536));
        assert_eq!(single_chunk_size(65_537), Some(262_144));
        assert_eq!(single_chunk_size(4_194_304), Some(4_194_304));
        assert_eq!(single_chunk_size(4_194_305), None);
    }

    #[test]
    fn the_largest_file() {
        assert_eq!(total(&chunk_sizes(MAX_FILE_SIZE).unwrap()), MAX_FILE_SIZE);
        for length in [MAX_FILE_SIZE + 1, u64::MAX] {
            assert!(chunk_sizes(length).is_err());
        }
        assert_eq!(chunk_sizes(0), Ok(vec![]));
    }

    proptest! {
        #[test]
        fn files_fit_and_little_is_added(length in 1..=MAX_FILE_SIZE) {
            let sizes = chunk_sizes(length).unwrap();
            let sum = total(&sizes);
            prop_assert!(sum >= length);
            prop_assert!(sum - length <= length.max(65_536) / 3 + 65_536);
            prop_assert!(sizes.iter().all(|size| CHUNK_SIZES.contains(size)));
            prop_assert!(sizes.windows(2).all(|pair| pair[0] >= pair[1]), "large ones come first");
        }
    }
}
