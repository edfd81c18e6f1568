//! Styles by meaning, read from TOML.

use super::depth::Depth;
use super::glyphs::{Glyphs, UNICODE};
use crate::domain::Status;
use ratatui::style::Style;
use serde::Deserialize;

/// How each meaning looks. `Style` as ratatui reads it: `{ fg = "red", add_modifier = "BOLD" }`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Styles {
    text: Style,
    faint: Style,
    strong: Style,
    title: Style,
    title_focused: Style,
    selected: Style,
    ok: Style,
    warning: Style,
    critical: Style,
    unknown: Style,
    stale: Style,
    frame: Style,
    frame_production: Style,
    frozen: Style,
    key: Style,
    good_notice: Style,
    bad_notice: Style,
    input: Style,
    threshold_warning: Style,
    threshold_critical: Style,
    axis: Style,
    series: Vec<Style>,
}

/// All that drawing needs to know beside the data: styles and glyphs.
#[derive(Clone, Debug)]
pub struct Theme {
    styles: Styles,
    /// The glyphs in use.
    pub glyphs: &'static Glyphs,
}

/// A theme's text could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ThemeMistake {
    /// No theme of that name is built in.
    #[error("there is no theme called {0:?}; built in are {names}", names = Theme::names().collect::<Vec<_>>().join(", "))]
    UnknownName(String),
    /// It is not a theme in TOML.
    #[error("{0}")]
    Text(#[from] toml::de::Error),
    /// It names no colour for the series of a chart.
    #[error("series needs at least one style")]
    NoSeries,
}

const BUILT_IN: [(&str, &str); 5] = [
    ("dark", include_str!("../../themes/dark.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("high-contrast", include_str!("../../themes/high-contrast.toml")),
    ("colour-blind", include_str!("../../themes/colour-blind.toml")),
    ("mono", include_str!("../../themes/mono.toml")),
];

impl Theme {
    /// The names of the themes that are built in.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// A built-in theme.
    pub fn named(name: &str) -> Result<Self, ThemeMistake> {
        match BUILT_IN.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Self::from_toml(text),
            None => Err(ThemeMistake::UnknownName(name.to_owned())),
        }
    }

    /// A theme of one's own; every key must be there.
    pub fn from_toml(text: &str) -> Result<Self, ThemeMistake> {
        let styles: Styles = toml::from_str(text)?;
        if styles.series.is_empty() {
            return Err(ThemeMistake::NoSeries);
        }
        Ok(Self { styles, glyphs: &UNICODE })
    }

    /// The same with colours that a terminal of this depth can show.
    #[must_use]
    pub fn at_depth(mut self, depth: Depth) -> Self {
        let s = &mut self.styles;
        for style in [
            &mut s.text,
            &mut s.faint,
            &mut s.strong,
            &mut s.title,
            &mut s.title_focused,
            &mut s.selected,
            &mut s.ok,
            &mut s.warning,
            &mut s.critical,
            &mut s.unknown,
            &mut s.stale,
            &mut s.frame,
            &mut s.frame_production,
            &mut s.frozen,
            &mut s.key,
            &mut s.good_notice,
            &mut s.bad_notice,
            &mut s.input,
            &mut s.threshold_warning,
            &mut s.threshold_critical,
            &mut s.axis,
        ]
        .into_iter()
        .chain(&mut s.series)
        {
            *style = depth.map(*style);
        }
        self
    }

    /// The same with other glyphs.
    #[must_use]
    pub fn with_glyphs(mut self, glyphs: &'static Glyphs) -> Self {
        self.glyphs = glyphs;
        self
    }

    /// The style of a status.
    pub fn status(&self, status: Status) -> Style {
        match status {
            Status::Ok => self.styles.ok,
            Status::Unknown => self.styles.unknown,
            Status::Warning => self.styles.warning,
            Status::Critical => self.styles.critical,
        }
    }

    /// The style of the `index`th series of a chart.
    pub fn series(&self, index: usize) -> Style {
        self.styles.series[index % self.styles.series.len()]
    }
}

macro_rules! styles {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        impl Theme {
            $($(#[$doc])* pub fn $name(&self) -> Style { self.styles.$name })*
        }
    };
}
styles! {
    /// Plain text: the terminal's own foreground.
    text,
    /// What matters less: units, rules, hints.
    faint,
    /// What matters more.
    strong,
    /// The title of a panel.
    title,
    /// The title of the panel that keys go to.
    title_focused,
    /// The selected row.
    selected,
    /// Data that is old.
    stale,
    /// The line at the top.
    frame,
    /// The environment's name there, in production.
    frame_production,
    /// The word FROZEN.
    frozen,
    /// A key on a hint line or the help page.
    key,
    /// Something went well.
    good_notice,
    /// Something failed.
    bad_notice,
    /// Where text is typed.
    input,
    /// The line at which warning begins.
    threshold_warning,
    /// The line at which critical begins.
    threshold_critical,
    /// The axes of a chart.
    axis,
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::{Color, Modifier};

    #[test]
    fn every_theme_has_every_key_and_leaves_text_in_the_terminals_own_colour() {
        for name in Theme::names() {
            let theme = Theme::named(name).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(matches!(theme.text().fg, None | Some(Color::Reset)), "{name}");
            assert_eq!(theme.text().bg, None, "{name}");
        }
    }

    #[test]
    fn in_every_theme_critical_stands_out_and_statuses_differ() {
        for name in Theme::names().filter(|name| *name != "mono") {
            let theme = Theme::named(name).unwrap();
            let all = [Status::Ok, Status::Warning, Status::Critical, Status::Unknown];
            for (i, a) in all.iter().enumerate() {
                for b in &all[i + 1..] {
                    assert_ne!(theme.status(*a), theme.status(*b), "{name}: {a} and {b}");
                }
            }
        }
        for name in Theme::names() {
            let critical =
                Theme::named(name).unwrap().at_depth(Depth::None).status(Status::Critical);
            assert!(
                critical.add_modifier.intersects(Modifier::BOLD | Modifier::REVERSED),
                "{name}"
            );
        }
    }

    #[test]
    fn a_theme_with_a_missing_or_an_unknown_key_says_which() {
        let whole = BUILT_IN[0].1;
        let short: String =
            whole.lines().filter(|l| !l.starts_with("stale")).collect::<Vec<_>>().join("\n");
        assert!(Theme::from_toml(&short).unwrap_err().to_string().contains("stale"));
        let long = format!("sparkle = {{}}\n{whole}");
        assert!(Theme::from_toml(&long).unwrap_err().to_string().contains("sparkle"));
        assert!(Theme::named("neon").unwrap_err().to_string().contains("high-contrast"));
    }
}
