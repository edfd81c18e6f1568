//! The config file from look to look: changed and at rest, gone, back again.

use std::path::Path;
use std::time::SystemTime;

/// So many looks in a row must miss the file before it is said to be gone:
/// editors put a new file in the place of the old one.
const MISSED: u32 = 3;

/// What tells one state of the file from another: time, size and inode.
pub(super) type Signature = (SystemTime, u64, u64);

/// What there is to do after a look.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It has changed and rests: it is to be read.
    Changed,
    /// It has been out of reach for some looks, for this reason.
    Gone(String),
    /// It is there again as it was before.
    Back,
}

/// What is remembered of the file.
#[derive(Debug)]
pub(super) struct Following {
    known: Option<Signature>,
    seen: Option<Signature>,
    missed: u32,
    told: bool,
}

impl Following {
    /// From the first look on, when the file has just been read.
    pub(super) fn from(first: Result<Signature, String>) -> Self {
        let known = first.ok();
        Self { known, seen: known, missed: 0, told: false }
    }

    /// Takes a look in.
    pub(super) fn look(&mut self, now: Result<Signature, String>) -> Option<Turn> {
        let now = match now {
            Ok(now) => now,
            Err(why) => {
                self.seen = None;
                self.missed = self.missed.saturating_add(1);
                if self.missed < MISSED || self.told {
                    return None;
                }
                self.told = true;
                return Some(Turn::Gone(why));
            }
        };
        self.missed = 0;
        if self.seen.replace(now) != Some(now) {
            return None;
        }
        let told = std::mem::take(&mut self.told);
        if self.known.replace(now) != Some(now) {
            return Some(Turn::Changed);
        }
        told.then_some(Turn::Back)
    }
}

/// Looks at a file; the reason where there is nothing to see.
pub(super) fn signature(path: &Path) -> Result<Signature, String> {
    use std::os::unix::fs::MetadataExt;
    let about = std::fs::metadata(path);
    let signature = about.and_then(|about| Ok((about.modified()?, about.len(), about.ino())));
    signature.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "the config file is gone".to_owned(),
        _ => format!("the config file is out of reach ({error})"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there(size: u64) -> Signature {
        (SystemTime::UNIX_EPOCH, size, 1)
    }

    fn gone() -> Result<Signature, String> {
        Err("gone".into())
    }

    #[test]
    fn a_change_counts_once_when_the_file_rests() {
        let mut file = Following::from(Ok(there(1)));
        let looks = [Ok(there(1)), Ok(there(2)), Ok(there(3)), Ok(there(3)), Ok(there(3))];
        let turns = looks.map(|look| file.look(look));
        assert_eq!(turns, [None, None, None, Some(Turn::Changed), None]);
    }

    #[test]
    fn an_editor_that_puts_a_new_file_in_its_place_is_no_loss() {
        let mut file = Following::from(Ok(there(1)));
        let turns = [gone(), gone(), Ok(there(2)), Ok(there(2))].map(|look| file.look(look));
        assert_eq!(turns, [None, None, None, Some(Turn::Changed)]);
    }

    #[test]
    fn a_file_that_is_gone_is_told_once_and_so_is_its_return() {
        let mut file = Following::from(Ok(there(1)));
        let turns = [gone(), gone(), gone(), gone(), gone()].map(|look| file.look(look));
        assert_eq!(turns, [None, None, Some(Turn::Gone("gone".into())), None, None]);
        let turns = [Ok(there(1)), Ok(there(1)), Ok(there(1))].map(|look| file.look(look));
        assert_eq!(turns, [None, Some(Turn::Back), None]);
        let again =
            [gone(), gone(), gone(), Ok(there(2)), Ok(there(2))].map(|look| file.look(look));
        assert_eq!(again[2..], [Some(Turn::Gone("gone".into())), None, Some(Turn::Changed)]);
    }

    #[test]
    fn a_look_says_why_there_is_nothing_to_see() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("config.toml");
        assert_eq!(signature(&path).unwrap_err(), "the config file is gone");
        std::fs::write(&path, "a").unwrap();
        assert_eq!(signature(&path).unwrap().1, 1);
        let below = signature(&path.join("x")).unwrap_err();
        assert!(below.starts_with("the config file is out of reach ("), "{below}");
    }
}
