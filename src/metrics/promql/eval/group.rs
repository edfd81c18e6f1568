//! Series that belong together by some of their labels.

use crate::domain::Labels;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// Which labels count.
pub(super) use crate::metrics::Grouping as Pick;

/// The labels that count.
fn of<'l>(pick: &Pick, labels: &'l Labels) -> impl Iterator<Item = (&'l str, &'l str)> {
    let taken = labels.iter().filter(|(name, _)| pick.takes(name));
    taken.map(|(name, value)| (&**name, &**value))
}

/// Gives series whose labels that count are the same one number.
pub(super) struct Grouper {
    pick: Pick,
    heads: HashMap<u64, u32, BuildHasherDefault<AsIs>>,
    memo: Option<Memo>,
    /// The next group with the same hash; none where it is itself.
    next: Vec<u32>,
    /// The first labels of each group, whole.
    pub(super) firsts: Vec<Labels>,
}

impl Grouper {
    pub(super) fn new(pick: Pick, expected: usize) -> Self {
        let heads =
            HashMap::with_capacity_and_hasher(expected.min(1024), BuildHasherDefault::default());
        let memo = match &pick {
            Pick::By(names) if (1..=MEMO_NAMES).contains(&names.len()) => {
                Some(Memo::new(names.len()))
            }
            _ => None,
        };
        Self { pick, heads, memo, next: Vec::new(), firsts: Vec::new() }
    }

    fn hash(&self, labels: &Labels) -> u64 {
        let mut hash = 0;
        for (name, value) in of(&self.pick, labels) {
            hash = mix(mix(hash, name.as_bytes()), value.as_bytes());
        }
        hash
    }

    fn same(&self, group: usize, labels: &Labels) -> bool {
        of(&self.pick, &self.firsts[group]).eq(of(&self.pick, labels))
    }

    /// The number of the group of `labels`, a new one where there is none yet.
    /// All labels that are asked about live until the last question.
    pub(super) fn id(&mut self, labels: &Labels) -> usize {
        let (Some(memo), Pick::By(names)) = (&mut self.memo, &self.pick) else {
            return self.find(labels);
        };
        let key = memo.key(names, labels);
        if let Some(id) = memo.known.get(&key) {
            return *id as usize;
        }
        let id = self.find(labels);
        if let (Some(memo), Ok(id)) = (&mut self.memo, u32::try_from(id)) {
            memo.known.insert(key, id);
        }
        id
    }

    fn find(&mut self, labels: &Labels) -> usize {
        let hash = self.hash(labels);
        let new = u32::try_from(self.firsts.len()).unwrap_or(u32::MAX);
        let head = *self.heads.entry(hash).or_insert(new);
        let mut at = head;
        if head != new {
            loop {
                if self.same(at as usize, labels) {
                    return at as usize;
                }
                let next = self.next[at as usize];
                if next == at {
                    self.next[at as usize] = new;
                    break;
                }
                at = next;
            }
        }
        self.next.push(new);
        self.firsts.push(labels.clone());
        new as usize
    }

    /// The labels of each group, only those that count.
    pub(super) fn labels(&self) -> Vec<Labels> {
        self.firsts.iter().map(|labels| self.pick.take(labels)).collect()
    }
}

/// So many names at most are remembered by their values' places in memory.
const MEMO_NAMES: usize = 4;

/// Groups by the places in memory of the values that count. Storages share the
/// text of a value among series, so that most questions end here, without a
/// look at any text; the same text at two places only costs a second look.
struct Memo {
    known: HashMap<[usize; MEMO_NAMES], u32, BuildHasherDefault<AsIs>>,
    /// Where each name was among the last labels, and the name's place in memory.
    hints: Vec<(usize, usize)>,
}

impl Memo {
    fn new(names: usize) -> Self {
        Self { known: HashMap::default(), hints: vec![(0, 0); names] }
    }

    /// The places of the values of `names` in `labels`, zero where one is not there.
    fn key(&mut self, names: &[String], labels: &Labels) -> [usize; MEMO_NAMES] {
        let place = |text: &Arc<str>| Arc::as_ptr(text).cast::<u8>().addr();
        let mut key = [0; MEMO_NAMES];
        for ((to, name), hint) in key.iter_mut().zip(names).zip(&mut self.hints) {
            if let Some((found, value)) = labels.at(hint.0)
                && place(found) == hint.1
            {
                *to = place(value);
                continue;
            }
            let mut pairs = labels.iter().enumerate();
            if let Some((at, (found, value))) = pairs.find(|(_, pair)| **pair.0 == **name) {
                *hint = (at, place(found));
                *to = place(value);
            }
        }
        key
    }
}

/// Folds bytes into a hash, eight at a time.
fn mix(hash: u64, bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let fold = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    let mut hash = fold(hash, bytes.len() as u64);
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        hash = fold(hash, u64::from_le_bytes(word));
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        hash = fold(hash, u64::from_le_bytes(word));
    }
    hash ^ (hash >> 29)
}

/// A hasher for keys that are hashes.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = mix(self.0, bytes);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}
