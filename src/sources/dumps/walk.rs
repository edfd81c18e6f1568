//! Structures that tell by themselves whether a file is whole, from header to
//! header and without reading what lies between.

use super::content::Found;
use super::read::fill;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicBool, Ordering};

/// Header and trailer of a gzip stream that holds nothing.
pub(super) const GZIP_LEAST: u64 = 18;
/// So many headers are read at most.
const STEPS: u32 = 100_000;

/// Walks the blocks of zstd frames (RFC 8878, section 3.1.1). A frame that
/// ends where the file ends is whole, if not sound.
pub(super) fn zstd(file: &mut File, size: u64, stop: &AtomicBool) -> io::Result<Found> {
    const MAGIC: u32 = 0xfd2f_b528;
    let early = || Found::bad("truncated: the zstd stream ends early");
    let mut at = 0;
    let mut steps = 0;
    while at < size {
        let Some(magic) = read_at::<4>(file, at)?.map(u32::from_le_bytes) else {
            return Ok(early());
        };
        if magic & 0xffff_fff0 == 0x184d_2a50 {
            let Some(long) = read_at::<4>(file, at + 4)? else { return Ok(early()) };
            at += 8 + u64::from(u32::from_le_bytes(long));
            if at > size {
                return Ok(early());
            }
            continue;
        }
        if magic != MAGIC {
            return Ok(Found::bad("damaged: no zstd frame where one should be"));
        }
        let Some([flags]) = read_at::<1>(file, at + 4)? else { return Ok(early()) };
        let single = flags & 0x20 != 0;
        let dictionary = [0, 1, 2, 4][usize::from(flags & 3)];
        let content = match flags >> 6 {
            0 => u64::from(single),
            1 => 2,
            2 => 4,
            _ => 8,
        };
        at += 5 + u64::from(!single) + dictionary + content;
        loop {
            steps += 1;
            if steps > STEPS || stop.load(Ordering::Relaxed) {
                return Ok(Found::unseen("not read whole"));
            }
            let Some([a, b, c]) = read_at::<3>(file, at)? else { return Ok(early()) };
            let block = u32::from_le_bytes([a, b, c, 0]);
            let (last, kind, long) = (block & 1 == 1, (block >> 1) & 3, u64::from(block >> 3));
            if kind == 3 {
                return Ok(Found::bad("damaged: a zstd block of no kind"));
            }
            at += 3 + if kind == 1 { 1 } else { long };
            if at > size {
                return Ok(early());
            }
            if last {
                break;
            }
        }
        at += if flags & 4 != 0 { 4 } else { 0 };
        if at > size {
            return Ok(early());
        }
    }
    Ok(Found::unseen("not read whole"))
}

/// Walks the members of a tar archive. `None` where it goes on for too long:
/// then its end alone tells.
pub(super) fn tar(file: &mut File, size: u64, stop: &AtomicBool) -> io::Result<Option<Found>> {
    const BLOCK: u64 = 512;
    let mut at = 0;
    for _ in 0..STEPS {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let Some(header) = read_at::<512>(file, at)? else {
            return Ok(Some(Found::bad("truncated: the archive ends early")));
        };
        if header.iter().all(|byte| *byte == 0) {
            // The second block of zeros, and what pads it, need no look.
            return Ok(None);
        }
        let told = octal(&header[148..156]);
        let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
        let own: u64 = header[148..156].iter().map(|byte| u64::from(*byte)).sum();
        if told != Some(sum - own + 8 * u64::from(b' ')) {
            return Ok(Some(Found::bad("damaged: a header of the archive makes no sense")));
        }
        let Some(long) = member(&header[124..136]) else {
            return Ok(Some(Found::bad("damaged: a header of the archive makes no sense")));
        };
        let next = long.checked_next_multiple_of(BLOCK).and_then(|long| long.checked_add(BLOCK));
        match next.and_then(|next| at.checked_add(next)) {
            Some(next) if next <= size => at = next,
            _ => return Ok(Some(Found::bad("truncated: the archive ends early"))),
        }
    }
    Ok(None)
}

/// A member's length: octal, or binary where it is 8 GiB and more.
fn member(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 == 0 {
        return octal(field);
    }
    let number = field[4..].iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    Some(number)
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
    if text.is_empty() { Some(0) } else { u64::from_str_radix(text, 8).ok() }
}

/// So many bytes from a place; `None` where the file ends before.
fn read_at<const MANY: usize>(file: &mut File, at: u64) -> io::Result<Option<[u8; MANY]>> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = [0; MANY];
    let read = fill(&mut Read::by_ref(file), &mut bytes)?;
    Ok((read == MANY).then_some(bytes))
}
