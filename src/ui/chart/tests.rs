use super::*;
use crate::ui::glyphs::ASCII;

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(second * 1000)
}

fn drawn(series: &[Series<'_>], ascii: bool, height: u16) -> String {
    drawn_with(series, &[], ascii, height)
}

fn drawn_with(series: &[Series<'_>], moments: &[Moment<'_>], ascii: bool, height: u16) -> String {
    let mut theme = Theme::named("dark").unwrap();
    if ascii {
        theme = theme.with_glyphs(&ASCII);
    }
    let area = Rect::new(0, 0, 40, height);
    let mut buf = Buffer::empty(area);
    let chart = Chart {
        title: "5xx",
        note: "",
        aside: "",
        unit: Unit::Ratio,
        from: at(0),
        until: at(600),
        gap: Duration::from_secs(30),
        thresholds: Thresholds { below: false, warning: Some(0.01), critical: Some(0.05) },
        base: Base::Auto,
        series,
        moments,
        empty: "no data in this range",
        offset_min: 0,
        focused: false,
        legend: true,
        live: true,
        now: at(600),
        unseen: None,
        cursor: None,
    };
    chart.draw(&theme, area, &mut buf);
    let line = |y| (0..40).map(|x| buf[(x, y)].symbol().to_owned()).collect::<String>();
    (0..height).map(|y| line(y).trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

fn points() -> Vec<(Timestamp, Num)> {
    let value = |s: i64| if s < 300 { 0.004 } else { 0.06 };
    (0..=40)
        .map(|i| i * 15)
        .filter(|s| !(120..240).contains(s))
        .map(|s| (at(s), Num(value(s))))
        .collect()
}

#[test]
fn a_line_with_a_gap_and_both_thresholds() {
    let points = points();
    let series = [Series { name: "api".into(), points: &points, slot: 0, letter: "" }];
    insta::assert_snapshot!(drawn(&series, false, 10));
    insta::assert_snapshot!(drawn(&series, true, 10));
}

#[test]
fn releases_are_lines_with_labels_that_hide_no_data_and_share_where_they_are_crowded() {
    let points = points();
    let series = [Series { name: "api".into(), points: &points, slot: 0, letter: "" }];
    let moment = |s, label: &'static str| Moment { at: at(s), label: label.into() };
    let moments = [
        moment(-50, "before"),
        moment(60, "v140"),
        moment(280, "v141"),
        moment(300, "v142"),
        moment(320, "v143"),
        moment(595, "v144"),
    ];
    insta::assert_snapshot!(drawn_with(&series, &moments, false, 10));
    insta::assert_snapshot!(drawn_with(&series, &moments, true, 10));
    let long = [moment(500, "a-version-that-is-far-too-long-for-this")];
    for height in 0..12 {
        drawn_with(&series, &long, false, height);
    }
}

#[test]
fn without_data_it_says_why() {
    assert!(drawn(&[], false, 10).contains("no data in this range"));
    let points = [(at(5), Num(f64::NAN))];
    let series = [Series { name: "x".into(), points: &points, slot: 0, letter: "" }];
    assert!(drawn(&series, false, 10).contains("no data in this range"));
}

#[test]
fn no_size_and_no_value_is_too_odd_to_be_drawn() {
    let points = [(at(1), Num(f64::MAX)), (at(2), Num(-f64::MAX)), (at(3), Num(1e-300))];
    let series = [Series { name: "x".into(), points: &points, slot: 0, letter: "" }];
    for height in 0..12 {
        drawn(&series, false, height);
        drawn(&series, true, height);
    }
}
