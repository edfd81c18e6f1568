//! Reads a dump: its ends alone where that tells enough, all of it where it is
//! packed and not too large, or where that was asked for.

use super::content::{self, ENDS, Ends, Format, Found};
use super::walk;
use flate2::bufread::GzDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicBool, Ordering};

/// A table of contents is read up to this length.
const CONTENTS: u64 = 16 << 20;
/// So much is unpacked between two looks at whether anyone still wants it.
const PIECE: usize = 256 << 10;
/// A run of zeros of this length in a text is a part of the file that was lost.
const LOST: usize = 4 << 10;
/// Nothing real is packed better than this; beyond, the file only costs time.
const MOST_UNPACKED: u64 = 1 << 44;

/// How much of a file is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Depth {
    /// Packed files of up to so many bytes are unpacked whole.
    pub(super) unpack: u64,
    /// All of it, whatever it is.
    pub(super) whole: bool,
}

/// Reads and judges a file of `size` bytes. `stop` ends it between two pieces.
pub(super) fn look(
    file: &mut File,
    size: u64,
    depth: Depth,
    wanted: Option<Format>,
    stop: &AtomicBool,
) -> io::Result<Found> {
    if size == 0 {
        return Ok(Found::empty("empty"));
    }
    let mut head = vec![0; ENDS];
    let read = fill(file, &mut head)?;
    head.truncate(read);
    match content::format_of(&head, size) {
        Format::Gzip if depth.whole || size <= depth.unpack => {
            file.rewind()?;
            unpack_gzip(BufReader::with_capacity(PIECE, file), wanted, stop)
        }
        Format::Gzip if size < walk::GZIP_LEAST => {
            Ok(Found::bad("truncated: the gzip stream ends early"))
        }
        Format::Zstd if depth.whole || size <= depth.unpack => {
            file.rewind()?;
            unpack_zstd(BufReader::with_capacity(PIECE, file), wanted, stop)
        }
        Format::Zstd => walk::zstd(file, size, stop),
        Format::Gzip => Ok(Found::unseen("not read whole")),
        format => {
            if depth.whole
                && let Some(found) = read_through(file, format, stop)?
            {
                return Ok(found);
            }
            if format == Format::Custom {
                head.resize(usize::try_from(size.min(CONTENTS)).unwrap_or(ENDS), 0);
                file.rewind()?;
                let read = fill(file, &mut head)?;
                head.truncate(read);
            }
            if format == Format::Tar
                && let Some(found) = walk::tar(file, size, stop)?
            {
                return Ok(found);
            }
            let mut tail = vec![0; usize::try_from(size).unwrap_or(ENDS).min(ENDS)];
            file.seek(SeekFrom::Start(size - tail.len() as u64))?;
            let read = fill(file, &mut tail)?;
            tail.truncate(read);
            Ok(content::judge(&Ends { head, tail, total: size }, wanted))
        }
    }
}

/// Reads until the buffer is full or the file ends.
pub(super) fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match from.read(&mut buffer[done..]) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Reads all of a file that is not packed: whether it can be read, and whether
/// parts of a text were lost.
fn read_through(file: &mut File, format: Format, stop: &AtomicBool) -> io::Result<Option<Found>> {
    let is_text = matches!(format, Format::Mysql | Format::Postgres | Format::PostgresAll);
    file.rewind()?;
    let mut buffer = vec![0; PIECE];
    loop {
        wanted_still(stop)?;
        let read = fill(file, &mut buffer)?;
        if is_text && buffer[..read].chunks_exact(LOST).any(|part| part.iter().all(|b| *b == 0)) {
            return Ok(Some(Found::bad("damaged: zeros where rows should be")));
        }
        if read < buffer.len() {
            return Ok(None);
        }
    }
}

fn wanted_still(stop: &AtomicBool) -> io::Result<()> {
    if stop.load(Ordering::Relaxed) {
        return Err(io::Error::new(io::ErrorKind::TimedOut, "nobody waits any more"));
    }
    Ok(())
}

/// Collects the ends of what is unpacked.
#[derive(Default)]
struct Sink(Ends);

impl Sink {
    fn take(&mut self, bytes: &[u8]) {
        let Ends { head, tail, total } = &mut self.0;
        *total += bytes.len() as u64;
        let room = ENDS.saturating_sub(head.len());
        head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() >= ENDS {
            tail.clear();
            tail.extend_from_slice(&bytes[bytes.len() - ENDS..]);
        } else {
            tail.extend_from_slice(bytes);
            let over = tail.len().saturating_sub(ENDS);
            tail.drain(..over);
        }
    }
}

/// How the stream ended.
enum Ended {
    Whole,
    Early,
    Damaged,
}

/// Unpacks from `from` into `sink` until its end.
fn pour(from: &mut impl Read, sink: &mut Sink, stop: &AtomicBool) -> io::Result<Ended> {
    let mut buffer = vec![0; PIECE];
    loop {
        wanted_still(stop)?;
        match from.read(&mut buffer) {
            Ok(0) => return Ok(Ended::Whole),
            Ok(read) => sink.take(&buffer[..read]),
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::UnexpectedEof => return Ok(Ended::Early),
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                    return Ok(Ended::Damaged);
                }
                // zstd's own errors come as these; the disk's have a number.
                _ if error.raw_os_error().is_none() => return Ok(Ended::Damaged),
                _ => return Err(error),
            },
        }
        if sink.0.total > MOST_UNPACKED {
            return Ok(Ended::Damaged);
        }
    }
}

fn unpack_gzip(
    mut from: impl BufRead,
    wanted: Option<Format>,
    stop: &AtomicBool,
) -> io::Result<Found> {
    let mut sink = Sink::default();
    let mut members = 0;
    loop {
        let next = from.fill_buf()?;
        if next.is_empty() {
            break;
        }
        if !next.starts_with(&[0x1f]) {
            // Zeros are padding of a tape or a block device, the rest is no part
            // of the stream; gzip itself passes over both.
            if members == 0 {
                return Ok(Found::bad("damaged: no gzip stream"));
            }
            break;
        }
        let mut member = GzDecoder::new(from);
        match pour(&mut member, &mut sink, stop)? {
            Ended::Whole => members += 1,
            Ended::Early => return Ok(cut("gzip", &sink)),
            Ended::Damaged => {
                return Ok(Found::bad("damaged: the gzip stream does not match its checksum"));
            }
        }
        from = member.into_inner();
    }
    Ok(unpacked("gzip", &sink, wanted))
}

fn unpack_zstd(from: impl BufRead, wanted: Option<Format>, stop: &AtomicBool) -> io::Result<Found> {
    let mut sink = Sink::default();
    let mut frames = zstd::stream::read::Decoder::with_buffer(from)?;
    // `--long` archives ask for as much.
    frames.window_log_max(31)?;
    Ok(match pour(&mut frames, &mut sink, stop)? {
        Ended::Whole => unpacked("zstd", &sink, wanted),
        Ended::Early => cut("zstd", &sink),
        Ended::Damaged => Found::bad("damaged: the zstd stream does not match its checksum"),
    })
}

/// The stream ends early; what it held up to there may still say why.
fn cut(how: &str, sink: &Sink) -> Found {
    let tool = content::judge(&sink.0, None).tool;
    Found { tool, ..Found::bad(format!("truncated: the {how} stream ends early")) }
}

fn unpacked(how: &str, sink: &Sink, wanted: Option<Format>) -> Found {
    if sink.0.total == 0 {
        return Found::empty(&format!("empty: the {how} stream holds nothing"));
    }
    content::judge(&sink.0, wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const DUMP: &str =
        "-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)\n--\nINSERT INTO t VALUES (1);\n";
    const CLOSE: &str = "-- Dump completed on 2026-11-21  9:12:33\n";

    fn gzip(text: &str) -> Vec<u8> {
        let mut into = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        into.write_all(text.as_bytes()).unwrap();
        into.finish().unwrap()
    }

    fn zstd(text: &str) -> Vec<u8> {
        let mut into = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
        into.include_checksum(true).unwrap();
        into.write_all(text.as_bytes()).unwrap();
        into.finish().unwrap()
    }

    fn look_at(bytes: &[u8], depth: Depth) -> Found {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        look(&mut file, bytes.len() as u64, depth, None, &AtomicBool::new(false)).unwrap()
    }

    fn fault(bytes: &[u8]) -> String {
        let found = look_at(bytes, Depth { unpack: 1 << 20, whole: false });
        found.fault.map_or_else(|| "good".into(), |fault| fault.words)
    }

    fn rows() -> String {
        (0..2_000).fold(DUMP.to_owned(), |text, row| {
            format!("{text}INSERT INTO t VALUES ({row},{});\n", row * 7_919 % 10_007)
        })
    }

    #[test]
    fn a_packed_dump_is_judged_by_what_is_in_it() {
        let whole = format!("{}{CLOSE}", rows());
        for pack in [gzip, zstd] {
            assert_eq!(fault(&pack(&whole)), "good");
            assert_eq!(fault(&pack(&rows())), "truncated: no closing line");
            assert!(fault(&pack("")).starts_with("empty: the"));
            let packed = pack(&whole);
            for cut in (4..packed.len()).step_by(61).chain([packed.len() - 1]) {
                let said = fault(&packed[..cut]);
                assert!(said.starts_with("truncated"), "cut at {cut}: {said}");
            }
            let mut damaged = packed.clone();
            let middle = damaged.len() / 2;
            damaged[middle] ^= 0x20;
            assert!(fault(&damaged).starts_with("damaged"), "{}", fault(&damaged));
        }
        assert_eq!(gzip("").len(), 20, "a pipe without pipefail leaves this");
    }

    #[test]
    fn several_members_are_one_stream_and_padding_is_no_damage() {
        let mut packed = gzip(&rows());
        packed.extend(gzip(CLOSE));
        assert_eq!(fault(&packed), "good");
        packed.extend([0; 512]);
        assert_eq!(fault(&packed), "good");
    }

    #[test]
    fn what_is_too_large_to_unpack_says_so_and_is_looked_at_whole_on_request() {
        let packed = gzip(&rows());
        let ends = Depth { unpack: 10, whole: false };
        assert_eq!(look_at(&packed, ends), Found::unseen("not read whole"));
        let all = Depth { unpack: 10, whole: true };
        assert_eq!(look_at(&packed, all).fault.unwrap().words, "truncated: no closing line");
        // A cut zstd file is found out by its blocks alone.
        let packed = zstd(&format!("{}{CLOSE}", rows()));
        assert_eq!(look_at(&packed, ends).fault, None);
        let cut = look_at(&packed[..packed.len() - 1], ends).fault.unwrap();
        assert_eq!(cut.words, "truncated: the zstd stream ends early");
    }

    #[test]
    fn lost_blocks_in_the_middle_of_a_text_are_found_by_reading_it_whole() {
        let mut text = format!("{}{CLOSE}", rows().repeat(8)).into_bytes();
        text[300_000..300_000 + 16_384].fill(0);
        assert_eq!(fault(&text), "good");
        let found = look_at(&text, Depth { unpack: 0, whole: true });
        assert_eq!(found.fault.unwrap().words, "damaged: zeros where rows should be");
    }

    #[test]
    fn nothing_is_read_for_nobody() {
        let packed = gzip(&rows());
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&packed).unwrap();
        file.rewind().unwrap();
        let depth = Depth { unpack: 1 << 20, whole: false };
        let stopped = look(&mut file, packed.len() as u64, depth, None, &AtomicBool::new(true));
        assert_eq!(stopped.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
