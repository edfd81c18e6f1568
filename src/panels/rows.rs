//! Rows of which one is selected: the selection is held by identity, never by
//! row number.

use crate::store::Action;

/// The identities of a panel's rows, and the one that is selected.
#[derive(Clone, Debug)]
pub struct Rows<T> {
    list: Vec<T>,
    selected: Option<T>,
    /// What the filter hid when it was selected; it is selected again when the
    /// filter lets it through, unless the operator has moved meanwhile.
    hidden: Option<T>,
    at: usize,
    from: usize,
    /// A key was pressed here.
    touched: bool,
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self { list: Vec::new(), selected: None, hidden: None, at: 0, from: 0, touched: false }
    }
}

impl<T: Clone + PartialEq> Rows<T> {
    /// What a list needs: `least` lines or all that it has, with its title.
    pub(super) fn need(&self, least: u16, order: u8) -> super::Need {
        let lines = u16::try_from(self.len().max(1)).unwrap_or(u16::MAX).saturating_add(1);
        super::Need { least: least.min(lines), most: lines, order }
    }

    /// `ALERTS 9`, or `ALERTS 4 of 9` where a filter hides some.
    pub(super) fn title(&self, name: &str, all: usize) -> String {
        let count = self.len();
        if count == all { format!("{name} {count}") } else { format!("{name} {count} of {all}") }
    }

    /// Takes in the rows as they are now. What was selected stays selected;
    /// where it is gone, the nearest one by position is. `exists` tells
    /// whether a row that is not in the list is only hidden by a filter.
    pub fn set(&mut self, list: Vec<T>, exists: impl Fn(&T) -> bool) {
        self.list = list;
        if let Some(hidden) = self.hidden.take() {
            if let Some(at) = self.position(&hidden) {
                self.select(at);
                return;
            }
            if exists(&hidden) {
                self.hidden = Some(hidden);
            }
        }
        if let Some(at) = self.selected.as_ref().and_then(|selected| self.position(selected)) {
            self.at = at;
            return;
        }
        if let Some(gone) = self.selected.take()
            && self.hidden.is_none()
            && exists(&gone)
        {
            self.hidden = Some(gone);
        }
        self.select(self.at);
    }

    fn position(&self, wanted: &T) -> Option<usize> {
        if self.list.get(self.at) == Some(wanted) {
            return Some(self.at);
        }
        self.list.iter().position(|row| row == wanted)
    }

    fn select(&mut self, at: usize) {
        self.at = at.min(self.list.len().saturating_sub(1));
        self.selected = self.list.get(self.at).cloned();
    }

    /// Until a key was pressed here nobody has selected anything: the cursor goes to
    /// the first row.
    pub fn rest_on_first(&mut self) {
        if !self.touched {
            self.select(0);
        }
    }

    /// Selects this row, if it is there.
    pub fn choose(&mut self, wanted: &T) {
        self.touched = true;
        if let Some(at) = self.position(wanted) {
            self.hidden = None;
            self.select(at);
        }
    }

    /// The same, with this row as the first one that is shown.
    pub fn lead_with(&mut self, wanted: &T) {
        self.choose(wanted);
        self.from = self.at;
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The row at an index.
    pub fn get(&self, at: usize) -> Option<&T> {
        self.list.get(at)
    }

    /// The rows.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.list.iter()
    }

    /// What is selected.
    pub fn selected(&self) -> Option<&T> {
        self.selected.as_ref()
    }

    /// The row that is selected.
    pub fn at(&self) -> Option<usize> {
        self.selected.as_ref().map(|_| self.at)
    }

    /// The first row to show where `height` rows are: the selected one is among them.
    pub fn from(&self, height: usize) -> usize {
        let last = self.list.len().saturating_sub(height);
        let from = self.from.min(last);
        if self.at < from {
            self.at
        } else if self.at >= from + height {
            (self.at + 1).saturating_sub(height)
        } else {
            from
        }
    }

    /// Moves the selection; whether the action was one that moves.
    pub fn act(&mut self, action: Action, height: usize) -> bool {
        self.touched = true;
        let half = (height / 2).max(1);
        let last = self.list.len().saturating_sub(1);
        let to = match action {
            Action::Up => self.at.saturating_sub(1),
            Action::Down => self.at + 1,
            Action::HalfUp => self.at.saturating_sub(half),
            Action::HalfDown => self.at + half,
            Action::First => 0,
            Action::Last => last,
            _ => return false,
        };
        self.from = self.from(height);
        self.hidden = None;
        self.select(to);
        self.from = self.from(height);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(list: &[u32]) -> Rows<u32> {
        let mut rows = Rows::default();
        rows.set(list.to_vec(), |_| false);
        rows
    }

    #[test]
    fn the_selection_follows_the_thing_and_not_the_row() {
        let mut rows = rows(&[1, 2, 3]);
        rows.act(Action::Down, 5);
        rows.set(vec![9, 3, 1, 2], |_| false);
        assert_eq!((rows.selected(), rows.at()), (Some(&2), Some(3)));
    }

    #[test]
    fn until_a_key_was_pressed_the_cursor_can_rest_on_the_first_row() {
        let mut rows = rows(&[1, 2, 3]);
        rows.set(vec![9, 1, 2, 3], |_| false);
        rows.rest_on_first();
        assert_eq!(rows.selected(), Some(&9));
        // Opening it is enough: whoever comes back finds it under the cursor.
        rows.act(Action::Open, 5);
        rows.set(vec![8, 9, 1], |_| false);
        rows.rest_on_first();
        assert_eq!(rows.selected(), Some(&9));
    }

    #[test]
    fn when_it_is_gone_the_nearest_by_position_is_selected_and_stays() {
        let mut rows = rows(&[1, 2, 3]);
        rows.act(Action::Down, 5);
        rows.set(vec![1, 3], |_| false);
        assert_eq!(rows.selected(), Some(&3));
        rows.set(vec![1, 2, 3], |_| false);
        assert_eq!(rows.selected(), Some(&3), "what came back is not jumped to");
        rows.set(vec![], |_| false);
        assert_eq!((rows.selected(), rows.at()), (None, None));
        rows.set(vec![7], |_| false);
        assert_eq!(rows.selected(), Some(&7));
    }

    #[test]
    fn a_filter_hides_the_selection_and_gives_it_back() {
        let mut rows = rows(&[1, 2, 3, 4]);
        rows.act(Action::Last, 5);
        rows.set(vec![1, 2], |_| true);
        assert_eq!(rows.selected(), Some(&2));
        rows.set(vec![1, 2, 3, 4], |_| true);
        assert_eq!(rows.selected(), Some(&4));
        rows.set(vec![1, 2], |_| true);
        rows.act(Action::Up, 5);
        rows.set(vec![1, 2, 3, 4], |_| true);
        assert_eq!(rows.selected(), Some(&1), "the operator has moved meanwhile");
    }

    #[test]
    fn the_window_moves_only_as_far_as_it_must() {
        let mut rows = rows(&(0..100).collect::<Vec<_>>());
        assert_eq!(rows.from(10), 0);
        for _ in 0..12 {
            rows.act(Action::Down, 10);
        }
        assert_eq!(rows.from(10), 3);
        rows.act(Action::Up, 10);
        assert_eq!(rows.from(10), 3);
        rows.act(Action::Last, 10);
        assert_eq!(rows.from(10), 90);
        assert_eq!(rows.from(200), 0);
    }
}
