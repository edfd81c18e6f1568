//! Room that is kept for a full disk: a file that is given back in parts.

use super::place::Place;
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use std::fs::OpenOptions;
use std::io::{self, Write};

/// All that is kept.
const WHOLE: u64 = 16 << 20;
/// What a full disk is given at a time: another process that fills it does not
/// take everything at once.
const PART: u64 = WHOLE / 4;
/// It is made again when so much would be free beside it.
const ROOM: u64 = 2 * WHOLE;
/// A disk with less than this is full.
const WAY: u64 = 1 << 20;

/// Whether all of it is there.
pub(super) fn is_whole(place: &Place) -> bool {
    std::fs::metadata(place.reserve()).is_ok_and(|about| about.len() == WHOLE)
}

/// Makes it, or makes it whole again, where there is room for that.
pub(super) fn fill(place: &Place) -> io::Result<()> {
    if is_whole(place) {
        return Ok(());
    }
    let disk = statvfs(&place.folder)?;
    if disk.f_bavail.saturating_mul(disk.f_frsize) < ROOM {
        return Err(io::ErrorKind::StorageFull.into());
    }
    let mut file = place.open_file(&place.reserve())?;
    match fallocate(&file, FallocateFlags::empty(), 0, WHOLE) {
        Ok(()) => Ok(()),
        // File systems that cannot promise room are written to: not with zeros,
        // which some keep as nothing.
        Err(rustix::io::Errno::OPNOTSUPP) => {
            let block = vec![0x5a; 1 << 20];
            (0..WHOLE >> 20).try_for_each(|_| file.write_all(&block))?;
            file.sync_all()
        }
        Err(error) => Err(error.into()),
    }
}

/// Gives a part back to a disk that is full: a journal is not even opened
/// without some room.
pub(super) fn make_way(place: &Place) -> io::Result<()> {
    let disk = statvfs(&place.folder)?;
    if disk.f_bavail.saturating_mul(disk.f_frsize) < WAY {
        release(place);
    }
    Ok(())
}

/// Gives a part back to the disk. Whether there was one.
pub(super) fn release(place: &Place) -> bool {
    let given = || {
        let file = OpenOptions::new().write(true).open(place.reserve())?;
        let length = file.metadata()?.len();
        if length == 0 {
            return Ok(false);
        }
        file.set_len(length.saturating_sub(PART))?;
        file.sync_all()?;
        Ok::<_, io::Error>(true)
    };
    given().unwrap_or(false)
}
