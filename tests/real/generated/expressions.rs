//! Expressions by chance, of all that the language of Prometheus 2.42 has.

use super::chance::Chance;

/// Names of metrics, with the labels that theirs have beside job and instance.
const METRICS: &[&str] = &[
    "requests_total",
    "errors_total",
    "depth",
    "width",
    "odd",
    "still",
    "build_info",
    "limit",
    "born",
    "huge",
    "share",
    "odd_text",
    "alone",
    "time_bucket",
    "nothing",
];
const COUNTERS: &[&str] = &["requests_total", "errors_total", "time_bucket"];
const LABELS: &[&str] =
    &["job", "instance", "code", "version", "le", "sort", "text", "nolabel", "__name__"];
const EACH: &[&str] = &[
    "abs",
    "ceil",
    "floor",
    "exp",
    "ln",
    "log2",
    "log10",
    "sqrt",
    "sgn",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "acosh",
    "atanh",
    "deg",
    "rad",
    "timestamp",
    "sort",
    "sort_desc",
    "absent",
];
const CALENDAR: &[&str] = &[
    "minute",
    "hour",
    "day_of_week",
    "day_of_month",
    "day_of_year",
    "days_in_month",
    "month",
    "year",
];
const OVER: &[&str] = &[
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "sum_over_time",
    "count_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "last_over_time",
    "present_over_time",
    "absent_over_time",
    "changes",
    "resets",
    "delta",
    "idelta",
    "deriv",
];
const RATES: &[&str] = &["rate", "increase", "irate"];
const GROUPS: &[&str] = &["sum", "avg", "min", "max", "count", "group"];
const MATHS: &[&str] = &["+", "-", "*", "/", "%", "^"];
const COMPARED: &[&str] = &["==", "!=", "<", ">", "<=", ">="];
const SETS: &[&str] = &["and", "or", "unless"];
/// The older version takes a parameter that changes from step to step for one
/// that does not where what it is about does not change: these are constant.
const NUMBERS: &[&str] = &[
    "0", "1", "2", "-1", "0.5", "3", "10", "-0.25", "NaN", "Inf", "-Inf", "0x1F", "1e3", "100",
    "1.5e-2", "017", "-0",
];

pub(super) struct Made<'c> {
    pub(super) chance: &'c mut Chance,
    /// The moments that `@` may name, in seconds.
    pub(super) moments: [String; 3],
}

impl Made<'_> {
    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        self.chance.one(of)
    }

    fn labels(&mut self) -> String {
        let count = self.chance.below(4);
        let labels: Vec<&str> = (0..count).map(|_| self.one(LABELS)).collect();
        let labels: Vec<&str> = labels
            .into_iter()
            .filter(|name| *name != "__name__" || self.chance.percent(30))
            .collect();
        format!("({})", labels.join(", "))
    }

    fn duration(&mut self) -> &'static str {
        self.one(&["30s", "1m", "2m", "5m", "90s", "3m20s", "10m", "46s"])
    }

    fn shift(&mut self) -> String {
        let mut out = String::new();
        if self.chance.percent(12) {
            out += self.one(&[
                " offset 1m",
                " offset 20s",
                " offset -45s",
                " offset 5m",
                " offset -2m",
            ]);
        }
        if self.chance.percent(8) {
            let moments = self.moments.clone();
            let at = match self.chance.below(5) {
                0 => "start()",
                1 => "end()",
                n => &moments[n - 2],
            };
            out = if self.chance.percent(50) {
                format!(" @ {at}{out}")
            } else {
                format!("{out} @ {at}")
            };
        }
        out
    }

    fn series(&mut self, of: &[&str]) -> String {
        let name = self.one(of);
        let mut matchers = Vec::new();
        for _ in 0..self.chance.below(3) {
            if self.chance.percent(50) {
                matchers.push(self.one(&[
                    "job=\"api\"",
                    "job!=\"api\"",
                    "job=~\"a.*|x\"",
                    "job!~\"d.\"",
                    "instance=\"a:1\"",
                    "instance=~\"[ab]:1\"",
                    "code=~\"2..\"",
                    "code!=\"200\"",
                    "version=\"\"",
                    "version!=\"\"",
                    "le=\"+Inf\"",
                    "nolabel=\"x\"",
                    "nolabel=~\".*\"",
                    "nolabel!~\".+\"",
                    "instance=~\".*\"",
                    "sort!=\"odd\"",
                    "job=~\"\"",
                    "text=~\"(?s)a.*\"",
                    "instance=~\"(?i:A|b):.\"",
                ]));
            }
        }
        if self.chance.percent(6) {
            let name = self.one(&[
                "__name__=~\"depth|width\"",
                "__name__=~\"(requests|errors)_total\"",
                "__name__!~\".*total|time.*\", job=\"db\"",
                "__name__=\"still\"",
            ]);
            return format!("{{{name}}}");
        }
        if matchers.is_empty() {
            name.to_owned()
        } else {
            format!("{name}{{{}}}", matchers.join(","))
        }
    }

    fn range(&mut self, depth: usize, of: &[&str]) -> String {
        if depth > 0 && self.chance.percent(25) {
            let inner = if of.len() == COUNTERS.len() {
                let one = self.series(of);
                if self.chance.percent(40) {
                    format!("sum by {} ({one})", self.labels())
                } else {
                    one
                }
            } else {
                self.vector(depth - 1)
            };
            let range = self.duration();
            // Without a step within it, the versions differ in what they evaluate.
            let short = ["30s", "46s"].contains(&range);
            let step =
                self.one(if short { &["15s", "7s"] } else { &["15s", "30s", "1m", "7s", ""] });
            // Steps lie on full seconds; the half second keeps those of a nested
            // subquery off the edge of its range.
            let back = if self.chance.percent(20) { " offset 60500ms" } else { " offset 500ms" };
            let at = if self.chance.percent(10) {
                format!(" @ {}", self.moments[0])
            } else {
                String::new()
            };
            return format!("({inner})[{range}:{step}]{back}{at}");
        }
        let (series, range) = (self.series(of), self.duration());
        let shift = self.shift();
        format!("{series}[{range}]{shift}")
    }

    /// A range without `@`: with it the older version moves the window from step
    /// to step where another argument does not stay the same.
    fn unpinned(&mut self, depth: usize) -> String {
        loop {
            let of = self.range(depth, METRICS);
            if !of.contains('@') {
                return of;
            }
        }
    }

    pub(super) fn scalar(&mut self, depth: usize) -> String {
        match self.chance.below(if depth == 0 { 6 } else { 11 }) {
            0..=4 => self.one(NUMBERS).to_owned(),
            5 => self
                .one(&["time()", "pi()", "time() % 7", "(1 + 2)", "-(3)", "scalar(alone)"])
                .to_owned(),
            6 | 7 => format!("scalar({})", self.vector(depth - 1)),
            8 => {
                let op = self.one(MATHS);
                format!("({} {op} {})", self.scalar(depth - 1), self.scalar(depth - 1))
            }
            9 => {
                let op = self.one(COMPARED);
                format!("({} {op} bool {})", self.scalar(depth - 1), self.scalar(depth - 1))
            }
            _ => format!("-{}", self.scalar(depth - 1)),
        }
    }

    fn grouping(&mut self) -> String {
        match self.chance.below(3) {
            0 => String::new(),
            1 => format!(" by {} ", self.labels()),
            _ => format!(" without {} ", self.labels()),
        }
    }

    fn matching(&mut self, set: bool) -> String {
        let mut out = match self.chance.below(10) {
            0..=2 => return String::new(),
            3 => " on (job)".to_owned(),
            4 => " on (job, instance)".to_owned(),
            5 => " ignoring (code)".to_owned(),
            6 => " ignoring (version)".to_owned(),
            7 => format!(" on {}", self.labels()),
            8 => format!(" ignoring {}", self.labels()),
            _ => " ignoring (code, version, instance)".to_owned(),
        };
        if !set && self.chance.percent(55) {
            out += self.one(&[" group_left", " group_right"]);
            out += match self.chance.below(4) {
                0 => " (version)",
                1 => " (code, nolabel)",
                2 => " ()",
                _ => " ",
            };
        }
        out
    }

    fn pair(&mut self, depth: usize) -> String {
        if self.chance.percent(5) {
            // The older version keeps the name; a sign drops it before.
            let with = self.matching(false);
            return format!("(-({}) atan2{with} -({}))", self.vector(depth), self.vector(depth));
        }
        // Sides that fit together are seldom met by chance alone.
        if self.chance.percent(45) {
            let op = if self.chance.percent(60) { self.one(MATHS) } else { self.one(COMPARED) };
            let bool = if COMPARED.contains(&op) && self.chance.percent(40) { " bool" } else { "" };
            let (lhs, with, rhs) = [
                ("depth", "", "width"),
                ("depth", " on (job, instance) group_left (version)", "build_info"),
                ("build_info", " on (job, instance) group_right (version)", "requests_total"),
                ("requests_total", " ignoring (code) group_left", "depth"),
                ("errors_total", "", "requests_total"),
                (
                    "errors_total",
                    " / ignoring (code) group_left sum without (code) (requests_total) *",
                    "2",
                ),
                ("depth", " on (job) group_left", "limit"),
                ("limit", " on (job) group_right ()", "odd"),
                ("limit", " on (job) group_right (version)", "share"),
                ("sum by (job) (depth)", "", "limit"),
                ("depth", " ignoring (code) group_right", "errors_total"),
                ("odd", "", "still"),
                ("odd", " on (instance, job)", "depth"),
            ][self.chance.below(13)];
            if with.starts_with(" /") {
                return format!("({lhs}{with} {rhs})");
            }
            return format!("({lhs} {op}{bool}{with} {rhs})");
        }
        let (op, set) = match self.chance.below(10) {
            0..=3 => (self.one(MATHS).to_owned(), false),
            4..=6 => {
                let op = self.one(COMPARED);
                (if self.chance.percent(40) { format!("{op} bool") } else { op.to_owned() }, false)
            }
            _ => (self.one(SETS).to_owned(), true),
        };
        let with = self.matching(set);
        format!("({} {op}{with} {})", self.vector(depth), self.vector(depth))
    }

    #[expect(clippy::too_many_lines, reason = "a list of what there is")]
    pub(super) fn vector(&mut self, depth: usize) -> String {
        if depth == 0 {
            let shift = self.shift();
            return format!("{}{shift}", self.series(METRICS));
        }
        let less = depth - 1;
        match self.chance.below(30) {
            0 => {
                // What is no moment has parts that depend on the processor.
                let inner = self.vector(less);
                format!("{}({inner} > -1e12 < 1e12)", self.one(CALENDAR))
            }
            1 | 2 => format!("{}({})", self.one(EACH), self.vector(less)),
            3..=6 => format!("{}({})", self.one(OVER), self.range(depth, METRICS)),
            7 | 8 => format!("{}({})", self.one(RATES), self.range(depth, COUNTERS)),
            9 => match self.chance.below(3) {
                0 => {
                    let of = self.unpinned(depth);
                    format!("quantile_over_time({}, {of})", self.scalar(less))
                }
                1 => {
                    let of = self.unpinned(depth);
                    format!("predict_linear({of}, {})", self.scalar(less))
                }
                _ => format!(
                    "holt_winters({}, 0.{}, 0.{})",
                    self.range(depth, METRICS),
                    1 + self.chance.below(9),
                    1 + self.chance.below(9)
                ),
            },
            10..=12 => {
                format!("{}{}({})", self.one(GROUPS), self.grouping(), self.vector(less))
            }
            13 => {
                // Infinity has another deviation in the older version.
                let (op, by) = (self.one(&["stddev", "stdvar"]), self.grouping());
                format!("{op}{by}({} < Inf > -Inf)", self.vector(less))
            }
            14 if self.chance.percent(40) => {
                format!("quantile{}({}, {})", self.grouping(), self.one(NUMBERS), self.vector(less))
            }
            14 => {
                let of = self.series(&["requests_total", "errors_total"]);
                let of = match self.chance.below(3) {
                    0 => of,
                    1 => format!("rate({of}[2m])"),
                    _ => format!("avg_over_time({of}[1m])"),
                };
                let (op, by) = (self.one(&["topk", "bottomk"]), self.grouping());
                format!("{op}{by}({}, {of})", self.one(NUMBERS))
            }
            15 => {
                let label = self.one(&["v", "job", "code", "__name__"]);
                let by = self.grouping();
                let of =
                    if self.chance.percent(50) { self.vector(0) } else { self.vector(less.min(1)) };
                // The older version loses labels of a range where there are three.
                let by = if by.contains("by") && by.matches(',').count() > 1 { "" } else { &by };
                format!("count_values{by}(\"{label}\", round({of}, 0.125))")
            }
            16..=20 => self.pair(less),
            21 => {
                let op = if self.chance.percent(50) {
                    self.one(MATHS).to_owned()
                } else {
                    format!(
                        "{}{}",
                        self.one(COMPARED),
                        if self.chance.percent(50) { " bool" } else { "" }
                    )
                };
                if self.chance.percent(50) {
                    format!("({} {op} {})", self.vector(less), self.scalar(less))
                } else {
                    format!("({} {op} {})", self.scalar(less), self.vector(less))
                }
            }
            22 => format!(
                "histogram_quantile({}, {})",
                self.scalar(less),
                [
                    "time_bucket",
                    "rate(time_bucket[5m])",
                    "sum by (le, sort) (time_bucket)",
                    "time_bucket{sort=\"uneven\"}",
                    "increase(time_bucket{job=\"api\"}[2m])",
                    "avg without (job) (time_bucket)"
                ][self.chance.below(6)]
            ),
            23 => {
                let inner = self.vector(less);
                let label = self.one(&["job", "new", "code", "__name__", "instance", ""]);
                let with = self.one(&[
                    "$1",
                    "x-$1-$2",
                    "",
                    "${1}y",
                    "$nope",
                    "$$1",
                    "$name",
                    "é",
                    "${name}_z",
                    "$1x",
                    "$0",
                ]);
                let from = self.one(&["job", "instance", "code", "nolabel", "__name__"]);
                let regex = self.one(&[
                    "(.*)",
                    "(.)(.*)",
                    "a.*",
                    "(?P<name>[a-z]+).*",
                    "",
                    "(",
                    "([0-9]+)",
                ]);
                format!("label_replace({inner}, \"{label}\", \"{with}\", \"{from}\", \"{regex}\")")
            }
            24 => {
                let inner = self.vector(less);
                let label = self.one(&["job", "new", "code", "__name__", "job"]);
                let of = self.one(&[
                    ", \"job\"",
                    ", \"job\", \"instance\"",
                    ", \"code\", \"nolabel\"",
                    ", \"nolabel\"",
                    "",
                    ", \"__name__\", \"job\"",
                ]);
                let by = self.one(&["-", "", "::"]);
                format!("label_join({inner}, \"{label}\", \"{by}\"{of})")
            }
            25 => match self.chance.below(4) {
                0 => format!(
                    "clamp({}, {}, {})",
                    self.vector(less),
                    self.scalar(less),
                    self.scalar(less)
                ),
                1 => format!("clamp_min({}, {})", self.vector(less), self.scalar(less)),
                2 => format!("clamp_max({}, {})", self.vector(less), self.scalar(less)),
                _ => format!("round({}, {})", self.vector(less), self.scalar(less)),
            },
            26 => format!("vector({})", self.scalar(less)),
            27 => format!("round({})", self.vector(less)),
            28 => format!("-{}", self.vector(less)),
            _ => {
                let shift = self.shift();
                format!("{}{shift}", self.series(METRICS))
            }
        }
    }

    pub(super) fn any(&mut self) -> String {
        let depth = 1 + self.chance.below(4);
        match self.chance.below(20) {
            0 => self.scalar(depth),
            1 => self.range(depth, METRICS),
            2 => {
                self.one(&["\"text\"", "'it''s'", "`a\\n`", "\"\\x41\\u00e9\\101\\n\""]).to_owned()
            }
            3 => format!("({})", self.vector(depth)),
            4 => {
                let (op, by) = (self.one(&["topk", "bottomk"]), self.grouping());
                format!("{op}{by}({}, {})", self.one(NUMBERS), self.vector(depth - 1))
            }
            _ => self.vector(depth),
        }
    }
}
