use super::*;

fn shown(source: &str, columns: usize) -> String {
    shown_with(source, columns, &|_| None)
}

fn shown_with(source: &str, columns: usize, note: &dyn Fn(u32) -> Option<String>) -> String {
    let theme = Theme::named("dark").unwrap().with_glyphs(&crate::ui::ASCII);
    let mut out = String::new();
    for line in lay_out(source, columns, note) {
        let area = Rect::new(0, 0, u16::try_from(columns).unwrap(), 1);
        let mut buf = Buffer::empty(area);
        draw(&theme, area, &mut buf, &line);
        let mut row = String::new();
        let mut skip = 0;
        for x in 0..area.width {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            row.push_str(buf[(x, 0)].symbol());
            skip = text::width(buf[(x, 0)].symbol()).saturating_sub(1);
        }
        out.push_str(row.trim_end());
        out.push('\n');
    }
    out
}

const BOOK: &str = "---
title: Roll back
---
# Roll back the API

Use this *only* when the **new release** is at fault, see [the wiki](https://wiki.example/api).

1. First look
   ```sh {reads}
   deployctl current \"$SERVICE\"
   ```
2. Then think
   - about users
   - and `data`

> Nobody rolls back
> past a migration.

| what | who | how long it may take at most |
|---|---|---|
| app | li | two minutes or a little more than that |
| 数据库 | wang | ten |

- [ ] Tell the channel
- [x] Breathe

## End
";

#[test]
fn all_blocks_are_laid_out() {
    insta::assert_snapshot!(shown(BOOK, 60));
}

#[test]
fn notes_stand_at_their_blocks() {
    let text = shown_with(BOOK, 60, &|line| match line {
        9 => Some("step 1 reads".into()),
        24 => Some("step 2".into()),
        _ => None,
    });
    assert!(text.contains("step 1 reads: sh {reads}"), "{text}");
    assert!(text.contains("[ ] step 2: Tell the channel"), "{text}");
}

#[test]
fn long_words_and_code_break_and_lose_nothing() {
    let text = shown("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b", 20);
    assert_eq!(text, "aaaaaaaaaaaaaaaaaaaa\naaaaaaaaaaaaaaaaaaaa\nb\n");
    let code = shown("```\n0123456789 0123456789\n\tx\n```\n", 20);
    assert_eq!(code, "| 0123456789 0123456\n| 789\n|     x\n");
}

#[test]
fn nothing_in_a_text_steers_the_terminal() {
    let source =
        "# a\u{1b}[2Jb\n\n`c\u{9b}31m` <b>\u{202e}</b>\n\n```sh \u{1b}]0;t\u{7}\nx\u{1b}[0m\n```\n";
    for line in lay_out(source, 40, &|_| Some("\u{1b}[1m".into())) {
        for piece in line.pieces {
            assert_eq!(harmless(&piece.text), piece.text);
        }
    }
}

#[test]
fn deep_nesting_keeps_room_for_the_text() {
    let source = format!("{}deep", "> ".repeat(200));
    let lines = lay_out(&source, 80, &|_| None);
    assert!(lines.iter().any(|line| line.holds("deep")));
}

#[test]
fn lines_know_where_they_come_from() {
    let lines = lay_out(BOOK, 60, &|_| None);
    let at = |words: &str| lines.iter().find(|line| line.holds(words)).unwrap().source;
    assert_eq!((at("roll back the api"), at("deployctl"), at("tell the")), (4, 10, 24));
}

proptest::proptest! {
    #[test]
    fn any_text_is_laid_out_within_its_columns(source in "\\PC{0,200}|[ #>*`|\\-\\[\\]x\\n0-9a.~]{0,200}", columns in 20_usize..90) {
        for line in lay_out(&source, columns, &|_| None) {
            let wide: usize = line.pieces.iter().map(Piece::width).sum();
            proptest::prop_assert!(wide <= columns.max(DEEPEST * 4 + 8) + 4, "{line:?}");
        }
    }
}
