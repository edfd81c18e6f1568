//! What an expression with comparisons in it speaks of: an empty answer says
//! that nothing is beyond a threshold only where there is something to compare.

use super::ast::{Binary, BinaryOp, Expr, Kind, Selector, Shift, Type};
use super::parser::parse;

/// Labels that tell failed requests from others.
const OUTCOMES: [&str; 17] = [
    "code",
    "status",
    "status_code",
    "statuscode",
    "http_status",
    "http_status_code",
    "http_response_status_code",
    "response_code",
    "grpc_code",
    "grpc_status",
    "outcome",
    "result",
    "error",
    "exception",
    "success",
    "level",
    "severity",
];

/// One side of a comparison, as expressions that can be asked by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// What is compared.
    pub text: String,
    /// Where that is a quotient: what it is divided by. With that there and
    /// nothing above it, nothing of it has failed.
    pub divisor: Option<String>,
    /// The same of all requests, whatever came of them, where it counts some of
    /// them over a time.
    pub all: Option<String>,
    /// `> 0.05`, where it is compared with a number.
    pub compared: Option<String>,
}

/// The sides of all comparisons in an expression that have none inside.
pub fn subjects(expr: &Expr) -> Vec<Subject> {
    let mut found = Vec::new();
    find(expr, &mut found);
    found
}

/// Whether the expression is `absent` of something: its empty answer says that
/// there is something.
pub fn asks_absence(expr: &Expr) -> bool {
    matches!(&expr.bare().kind, Kind::Call(function, _) if function.name.starts_with("absent"))
}

/// The selectors that look at the moment itself, or at a time before it: each
/// as text, without its range.
pub fn instants(expr: &Expr) -> Vec<String> {
    let mut found: Vec<String> = super::selectors(expr)
        .into_iter()
        .filter(|selector| selector.shift == Shift::default())
        .map(|selector| Expr::new(Kind::Selector(selector.clone()), expr.span).to_string())
        .collect();
    found.sort();
    found.dedup();
    found
}

fn filters(expr: &Expr) -> bool {
    matches!(&expr.kind, Kind::Binary(binary) if is_filter(binary)) || expr.children().any(filters)
}

fn is_filter(binary: &Binary) -> bool {
    binary.op.compares() && !binary.bool_result
}

fn find(expr: &Expr, found: &mut Vec<Subject>) {
    let Kind::Binary(binary) = &expr.kind else {
        return expr.children().for_each(|child| find(child, found));
    };
    // What is taken away may be empty, and should be.
    if binary.op == BinaryOp::Unless {
        return find(&binary.lhs, found);
    }
    if !is_filter(binary) || filters(&binary.lhs) || filters(&binary.rhs) {
        find(&binary.lhs, found);
        return find(&binary.rhs, found);
    }
    for (side, other) in [(&binary.lhs, Some(&binary.rhs)), (&binary.rhs, None)] {
        if side.value_type() == Type::Vector {
            let number = other.map(Expr::bare).filter(|it| is_number(it));
            let compared = number.map(|it| format!("{} {it}", binary.op.sign()));
            found.push(subject(side.bare(), compared));
        }
    }
}

fn is_number(expr: &Expr) -> bool {
    match &expr.kind {
        Kind::Number(_) => true,
        Kind::Negate(inner) | Kind::Plus(inner) => is_number(inner),
        _ => false,
    }
}

fn subject(side: &Expr, compared: Option<String>) -> Subject {
    let divisor = match &side.kind {
        Kind::Binary(binary) if binary.op == BinaryOp::Div => Some(&binary.rhs),
        _ => None,
    };
    let divisor = divisor.filter(|it| it.value_type() == Type::Vector);
    Subject {
        text: side.to_string(),
        divisor: divisor.map(|it| it.bare().to_string()),
        all: of_all_requests(side),
        compared,
    }
}

/// The same text with the conditions on labels of outcomes left out.
fn of_all_requests(side: &Expr) -> Option<String> {
    if !counts_over_time(side) {
        return None;
    }
    // In a quotient the divisor counts them all.
    let counted = match &side.kind {
        Kind::Binary(binary) if binary.op == BinaryOp::Div => &binary.rhs,
        _ => side,
    };
    let is_outcome = |name: &str| OUTCOMES.contains(&name.to_ascii_lowercase().as_str());
    let tells = |selector: &&Selector| selector.matches.iter().any(|one| is_outcome(&one.name));
    if super::selectors(side).iter().filter(|it| tells(it)).count() == 0 {
        return None;
    }
    let mut text = counted.to_string();
    for selector in super::selectors(counted).into_iter().filter(tells) {
        let of = |selector: &Selector| {
            let plain = Selector { shift: Shift::default(), ..selector.clone() };
            Expr::new(Kind::Selector(plain), counted.span).to_string()
        };
        let mut wider = selector.clone();
        wider.matches.retain(|one| !is_outcome(&one.name));
        text = text.replace(&of(selector), &of(&wider));
    }
    // Whatever came of it must still be an expression.
    parse(&text).ok().map(|_| text)
}

fn counts_over_time(expr: &Expr) -> bool {
    let counts = matches!(
        &expr.kind,
        Kind::Call(function, _) if matches!(function.name, "rate" | "irate" | "increase" | "delta")
    );
    counts || expr.children().any(counts_over_time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<Subject> {
        subjects(&parse(text).unwrap())
    }

    #[test]
    fn a_threshold_speaks_of_its_other_side() {
        let found = of("up{job=\"api\"} == 0");
        assert_eq!(found[0].text, "up{job=\"api\"}");
        assert_eq!(found[0].compared.as_deref(), Some("== 0"));
        assert_eq!((found[0].divisor.as_deref(), found[0].all.as_deref()), (None, None));
        assert_eq!(of("up"), []);
        assert_eq!(of("count(up == 0) > 2")[0].text, "up");
        assert_eq!(of("a > 1 and b < 2").len(), 2);
        assert_eq!(of("a > 1 unless b > 2").len(), 1);
        assert_eq!(of("a > b").len(), 2);
        assert_eq!(of("a > bool 1"), []);
    }

    #[test]
    fn a_share_of_failures_is_known_by_all_requests() {
        let found = of(r#"sum(rate(r{code=~"5.."}[1m])) / sum(rate(r[1m])) > 0.05"#);
        assert_eq!(found[0].divisor.as_deref(), Some("sum(rate(r[1m]))"));
        assert_eq!(found[0].all.as_deref(), Some("sum(rate(r[1m]))"));
        let found = of(r#"sum(rate(r{job="api", code=~"5.."}[1m])) > 0.1"#);
        assert_eq!(found[0].all.as_deref(), Some(r#"sum(rate(r{job="api"}[1m]))"#));
        assert_eq!(of(r#"increase(restarts{pod="x"}[5m]) > 0"#)[0].all, None);
        assert_eq!(of(r#"r{code="500"} > 0"#)[0].all, None);
    }

    #[test]
    fn absence_and_moments() {
        assert!(asks_absence(&parse("(absent(up))").unwrap()));
        assert!(!asks_absence(&parse("up").unwrap()));
        let of = |text: &str| instants(&parse(text).unwrap());
        assert_eq!(of("rate(a[5m]) / rate(a[1m]) > b offset 5m"), ["a"]);
    }
}
