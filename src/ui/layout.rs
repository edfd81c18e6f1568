//! Where things stand: a pure function of the size and of what is to be shown.

use ratatui::layout::Rect;

/// The least that a screen can be drawn in.
pub const LEAST: (u16, u16) = (80, 24);

/// Whether a screen of so many columns and rows shows nothing but that.
pub fn is_too_small((width, height): (u16, u16)) -> bool {
    width < LEAST.0 || height < LEAST.1
}

/// The parts that every screen has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outer {
    /// Environment, host, counts, clock.
    pub frame: Rect,
    /// What is polled, with its age.
    pub strip: Rect,
    /// The panels.
    pub body: Rect,
    /// Where text is typed, or a notice stands, or which keys there are.
    pub hint: Rect,
}

/// The parts of a screen of this size; nothing where it is too small.
pub fn outer(area: Rect) -> Option<Outer> {
    if is_too_small((area.width, area.height)) {
        return None;
    }
    let line = |y| Rect { y: area.y + y, height: 1, ..area };
    Some(Outer {
        frame: line(0),
        strip: line(1),
        body: Rect { y: area.y + 2, height: area.height - 3, ..area },
        hint: line(area.height - 1),
    })
}

/// What a panel needs of a column of panels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Under this many lines it is not shown at all.
    pub least: u16,
    /// More than this many are of no use to it.
    pub most: u16,
    /// Who is served first; lower numbers first.
    pub order: u8,
}

/// Shares `area` out from top to bottom: first everyone's least, in their
/// order and as long as there is room, then up to everyone's most.
pub fn stack(area: Rect, needs: &[Need]) -> Vec<Rect> {
    let mut heights = vec![0u16; needs.len()];
    let mut left = area.height;
    let mut by_order: Vec<usize> = (0..needs.len()).collect();
    by_order.sort_by_key(|i| needs[*i].order);
    for i in &by_order {
        let least = needs[*i].least.min(needs[*i].most);
        if least <= left {
            heights[*i] = least;
            left -= least;
        }
    }
    for i in &by_order {
        if heights[*i] > 0 {
            let more = needs[*i].most.saturating_sub(heights[*i]).min(left);
            heights[*i] += more;
            left -= more;
        }
    }
    let mut y = area.y;
    heights
        .into_iter()
        .map(|height| {
            let place = Rect { y, height, ..area };
            y += height;
            place
        })
        .collect()
}

/// Shares `area` out from left to right in `count` equal parts with a column between.
pub fn beside(area: Rect, count: u16) -> Vec<Rect> {
    let count = count.max(1);
    let room = area.width.saturating_sub(count - 1);
    let (each, rest) = (room / count, room % count);
    let mut x = area.x;
    (0..count)
        .map(|i| {
            let width = each + u16::from(i < rest);
            let place = Rect { x, width, ..area };
            x = x.saturating_add(width + 1);
            place
        })
        .collect()
}

/// Cells of a grid of `count` things, each at least `least` wide and high;
/// as many as there is room for, none empty.
pub fn grid(area: Rect, count: usize, least: (u16, u16)) -> Vec<Rect> {
    let count = u16::try_from(count).unwrap_or(u16::MAX);
    let across = (area.width.saturating_add(1) / (least.0 + 1)).clamp(1, count.max(1));
    let fit = (area.height / least.1.max(1)).max(u16::from(area.height > 2));
    let down = count.div_ceil(across).min(fit);
    if down == 0 || count == 0 {
        return Vec::new();
    }
    let (each, rest) = (area.height / down, area.height % down);
    let mut cells = Vec::new();
    let mut y = area.y;
    for row in 0..down {
        let height = each + u16::from(row < rest);
        let here = across.min(count - row * across);
        cells.extend(beside(Rect { y, height, ..area }, here));
        y += height;
    }
    cells
}

/// A box in the middle, for help and the palette.
pub fn middle(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_below_the_floor_has_no_parts() {
        assert_eq!(outer(Rect::new(0, 0, 79, 24)), None);
        assert_eq!(outer(Rect::new(0, 0, 80, 23)), None);
        let parts = outer(Rect::new(0, 0, 80, 24)).unwrap();
        assert_eq!(parts.body, Rect::new(0, 2, 80, 21));
        assert_eq!(parts.hint.y, 23);
    }

    #[test]
    fn the_first_in_order_are_served_first() {
        let needs = [
            Need { least: 3, most: 10, order: 0 },
            Need { least: 3, most: 6, order: 1 },
            Need { least: 8, most: 30, order: 2 },
        ];
        let heights =
            |h| stack(Rect::new(0, 0, 80, h), &needs).iter().map(|r| r.height).collect::<Vec<_>>();
        assert_eq!(heights(10), [7, 3, 0]);
        assert_eq!(heights(21), [10, 3, 8]);
        assert_eq!(heights(60), [10, 6, 30]);
    }

    #[test]
    fn grids_fill_their_area_without_overlap() {
        let area = Rect::new(0, 5, 120, 30);
        let cells = grid(area, 5, (40, 8));
        assert_eq!(cells.len(), 5);
        for (i, a) in cells.iter().enumerate() {
            assert!(area.union(*a) == area && a.width >= 40 && a.height >= 8, "{a:?}");
            for b in &cells[i + 1..] {
                assert!(a.intersection(*b).is_empty(), "{a:?} {b:?}");
            }
        }
    }
}
