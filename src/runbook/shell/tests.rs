use super::*;
use proptest::prelude::*;

fn place_of(text: &str, what: &str) -> (Place, Around) {
    let script = read(text);
    let at = text.find(what).unwrap();
    let piece = script.piece_at(at).unwrap_or_else(|| panic!("no piece at {at} of {text}"));
    (piece.place, piece.around)
}

fn code_of(text: &str, what: &str) -> Option<Code> {
    let at = text.find(what).unwrap();
    let all = ranges(&read(text));
    // The place of a command is told apart below.
    all.into_iter()
        .find(|(range, code)| range.contains(&at) && *code != Code::Command)
        .map(|it| it.1)
}

#[test]
fn every_place_is_told_apart() {
    for (text, place) in [
        ("echo X", Place::Bare),
        ("echo \"a X\"", Place::Double),
        ("echo 'a X'", Place::Single),
        ("echo $'a\\'X'", Place::Ansi),
        ("echo a # X", Place::Comment),
        ("echo a#X", Place::Bare),
        ("cat <<EOF\nX\nEOF", Place::Heredoc),
        ("cat <<'EOF'\nX\nEOF", Place::QuotedHeredoc),
        ("cat <<-EOF\n\ta\n\tEOF\necho X", Place::Bare),
        ("cat <<A <<'B'\na\nA\nX\nB\n", Place::QuotedHeredoc),
        ("cat <<<X", Place::Bare),
        ("echo $((1+X))", Place::Arithmetic),
        ("((X))", Place::Arithmetic),
        ("echo ${A:-X}", Place::Parameter),
        ("echo \"$(cat X)\"", Place::Bare),
        ("echo \"$(cat 'X')\" b", Place::Single),
        ("echo \"$(cat) X\"", Place::Double),
        ("echo \"$(case a in b) c;; esac; echo X) \"", Place::Bare),
        ("f() { echo 'X'; }", Place::Single),
        ("diff <(a) <(b X)", Place::Bare),
        ("echo \\' X", Place::Bare),
        ("echo \\\" X", Place::Bare),
        ("echo \"\\\" X\"", Place::Double),
        ("echo ö 'ä' X", Place::Bare),
    ] {
        assert_eq!(place_of(text, "X").0, place, "{text}");
    }
    assert!(place_of("echo `cat X`", "X").1.backticks);
    assert!(!place_of("echo `cat` X", "X").1.backticks);
    assert!(!place_of("echo \"`cat 'a'` X\"", "X").1.backticks);
    assert!(place_of("cat <<E\n$(a X)\nE\n", "X").1.heredoc);
    assert_eq!(place_of("cat <<E\n\"\n$(a\nE\necho X", "X"), (Place::Bare, Around::default()));
}

#[test]
fn what_other_programs_read_as_code_is_known() {
    for text in [
        "ssh -p 22 -i key host 'X'",
        "sudo -u a ssh host cat X",
        "A=1 ssh -A host X",
        "knife ssh roles:x 'X'",
    ] {
        assert_eq!(code_of(text, "X"), Some(Code::Remote), "{text}");
    }
    for text in [
        "sh -c 'X'",
        "bash -euo pipefail -c X",
        "docker exec a bash -lc 'X'",
        "kubectl exec a -- sh -c \"X\"",
        "find . -exec sh -c 'X' \\;",
        "su - a -c X",
        "watch -n1 X",
        "timeout -s KILL 5 sh -c X",
    ] {
        assert_eq!(code_of(text, "X"), Some(Code::Shell), "{text}");
    }
    for text in [
        "awk -F: '{print X}' f",
        "a | sed -n 's/X//p'",
        "jq -r --arg a b '.X'",
        "psql -c \"select X\"",
        "mysql -e'X'",
        "python3 -c X",
        "psql --command=X",
    ] {
        assert_eq!(code_of(text, "X"), Some(Code::Program), "{text}");
    }
    assert_eq!(code_of("eval X", "X"), Some(Code::Eval));
    assert_eq!(code_of("[[ $X -gt 1 ]]", "$X"), Some(Code::Arithmetic));
    assert_eq!(code_of("echo $((X))", "X"), Some(Code::Arithmetic));
    assert_eq!(code_of("echo $(( $X ))", "$X"), Some(Code::Arithmetic));
    for text in [
        "ssh X uptime",
        "ssh -J X host",
        "sh X",
        "sh ./c X",
        "awk '{}' X",
        "sed -i s/a/b/ X",
        "jq . X",
        "echo eval X",
        "kubectl exec X -- ls",
        "psql X",
        "ssh host a; echo X",
    ] {
        assert_eq!(code_of(text, "X"), None, "{text}");
    }
}

#[test]
fn variables_that_nothing_sets_are_needed() {
    for (text, expected) in [
        ("echo $A \"${B}\" '$C' # $D", &["A", "B"][..]),
        ("A=1; echo $A", &[]),
        ("A=$A; echo $A", &["A"]),
        ("A=$B echo $A", &["B", "A"]),
        ("export A=1\necho $A", &[]),
        ("read -r A B; echo $A $B", &[]),
        ("for a in $L; do echo $a; done", &["L"]),
        ("echo ${A:-1} ${B-2} ${C:=3} $C", &[]),
        ("echo ${#A} ${!B} ${D%.x} ${E[0]}", &["A", "B", "D", "E"]),
        ("echo ${A:?missing}", &["A"]),
        ("echo $((A+1)) $((0x1f)); ((B++))", &["A", "B"]),
        ("cat <<E\n$A\nE\ncat <<'E'\n$B\nE\n", &["A"]),
        ("echo \"$(echo $A)\" `echo $B`", &["A", "B"]),
        ("echo $1 $@ $? $$ \\$A $", &[]),
        ("while read -r line; do echo $line; done < f", &[]),
        ("printf -v A x; echo $A", &[]),
        ("A+=x; B[1]=2; echo $A $B", &[]),
        ("declare -r A=1; echo $A", &[]),
        ("X=\"$(\n a \\\n | b '{print $1}' \\\n)\"\necho $X", &[]),
    ] {
        assert_eq!(variables(text), expected, "{text}");
    }
}

#[test]
fn where_a_command_is_whole_is_known() {
    let whole = |text: &str| read(text).whole.map(|end| text[..end].to_owned());
    for (text, expected) in [
        ("a\nb\n", Some("a")),
        ("a \\\n b\nc\n", Some("a \\\n b")),
        ("a 'x\ny'\nc\n", Some("a 'x\ny'")),
        ("a |\nb\nc\n", Some("a |\nb")),
        ("cat <<E\nx\nE\nc\n", Some("cat <<E\nx\nE")),
        ("cat <<'E'\nx\nE\nc\n", Some("cat <<'E'\nx\nE")),
        ("for a in b\ndo c\ndone\nd\n", Some("for a in b\ndo c\ndone")),
        ("if a; then\nb\nfi\nd\n", Some("if a; then\nb\nfi")),
        ("f() {\na\n}\nb\n", Some("f() {\na\n}")),
        ("# c\na\n", Some("# c\na")),
        ("a 'x\n", None),
        ("cat <<E\nx\n", None),
    ] {
        assert_eq!(whole(text).as_deref(), expected, "{text}");
    }
    for open in ["a 'x", "a \"x", "a \\", "a |", "a &&", "$(a", "cat <<E", "if a", "`a", "{ a"] {
        assert!(read(open).open, "{open}");
    }
    for closed in ["a", "a; b", "a 'x'", "if a; then b; fi", "cat <<E\nx\nE", "a &", "{ a; }"] {
        assert!(!read(closed).open, "{closed}");
    }
}

#[test]
fn what_is_nested_too_deep_is_said_to_be() {
    assert!(read(&"$(".repeat(100)).unsure);
    assert!(!read(&"$(a) ".repeat(100)).unsure);
    let many = "cat <<'a'".repeat(20_000);
    assert!(read(&many).open);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_read_and_all_parts_lie_in_it(
        text in r#"([a-zX$ '"`(){}<>|&;\\\n#=\[\]:-]|<<E\n|\nE\n|\$\(|\$\{A|\$\(\(|case a in|esac|ö){0,60}"#
    ) {
        let script = read(&text);
        let mut end = 0;
        for piece in &script.pieces {
            prop_assert!(piece.range.start >= end && piece.range.end <= text.len(), "{:?}", script);
            prop_assert!(text.get(piece.range.clone()).is_some());
            end = piece.range.end;
        }
        for used in &script.expansions {
            prop_assert!(text.get(used.range.clone()).is_some_and(|held| held.contains(&used.name)));
        }
        for command in &script.commands {
            for word in command.words.iter().chain(&command.input).chain(&command.patterns) {
                prop_assert!(text.get(word.range.clone()).is_some());
            }
        }
        script.variables();
        let mut end = 0;
        for (range, _) in ranges(&script) {
            prop_assert!(range.start >= end && text.get(range.clone()).is_some());
            end = range.end;
        }
    }
}
