//! Commands, and the variables in their words.

use super::*;

fn commands(script: &str) -> Vec<Command> {
    read(script).commands
}

fn told(script: &str) -> Vec<String> {
    commands(script)
        .iter()
        .map(|command| {
            let words: Vec<String> =
                command.words.iter().map(|word| word.text.replace(EXPANDED, "§")).collect();
            words.join("_")
        })
        .collect()
}

fn uses(script: &str) -> Vec<(String, How)> {
    let mut all = Vec::new();
    for command in commands(script) {
        all.extend(command.uses().map(|used| (used.name.clone(), used.how)));
    }
    all
}

fn how(script: &str, name: &str) -> Vec<How> {
    uses(script).into_iter().filter(|(used, _)| used == name).map(|(_, how)| how).collect()
}

#[test]
fn commands_are_told_apart() {
    assert_eq!(told("a b; c && d || e | f\ng &\nh"), ["a_b", "c", "d", "e", "f", "g", "h"]);
    assert_eq!(told("if a; then b; elif c; then d; else e; fi"), ["a", "b", "c", "d", "e"]);
    assert_eq!(told("for i in 1 2; do a \"$i\"; done"), ["for_i_in_1_2", "a_§"]);
    assert_eq!(told("(a; b) | c; { d; }"), ["a", "b", "c", "d"]);
    assert_eq!(told("f() { a; }\nf x"), ["a", "f_x"]);
    assert_eq!(told("a # b; c\n# d\ne#f"), ["a", "e#f"]);
    assert_eq!(told("a \\\n  b 'c d' \"e f\"g"), ["a_b_c d_e fg"]);
    assert_eq!(told("case $X in a) b;; c|d) e;; esac; f"), ["case_§", "b", "e", "f"]);
    assert_eq!(told("[[ a == b && c > d ]] && e"), ["[[_a_==_b_&_&_c_>_d_]]", "e"]);
    assert_eq!(told("A=1 B=\"$C\" d e=f"), ["d_e=f"]);
    assert_eq!(told("((i++)); a"), ["((", "a"]);
    assert_eq!(told("function f { a; }; g () ( b )\nf"), ["a", "b", "f"]);
    assert_eq!(told("\"if\" a; i\\f b"), ["if_a", "if_b"]);
    assert_eq!(told("[[ a\n&& b ]]\nc"), ["[[_a_&_&_b_]]", "c"]);
    assert_eq!(told("time -p a; ! b; A=(c d) e"), ["a", "b", "e"]);
}

#[test]
fn substitutions_are_commands_of_their_own() {
    assert_eq!(told("a \"$(b \"$(c)\" d)\" `e f`"), ["c", "b_§_d", "e_f", "a_§_§"]);
    assert_eq!(told("diff <(a) <(b)"), ["a", "b", "diff_§_§"]);
    assert_eq!(how("a \"$(b $X)\"", "X"), [How::Bare, How::Quoted]);
}

#[test]
fn variables_are_found_where_they_stand() {
    assert_eq!(how("a \"$X\"", "X"), [How::Quoted]);
    assert_eq!(how("a \"${X}y\"", "X"), [How::Quoted]);
    assert_eq!(how("a $X", "X"), [How::Bare]);
    assert_eq!(how("a x=$X", "X"), [How::Bare]);
    assert_eq!(how("a '$X' \\$X \"\\$X\"", "X"), []);
    for script in [
        "a $((X + 1))",
        "a $(( $X ))",
        "((X > 1))",
        "a ${Y[X]}",
        "a ${Y[$X]}",
        "a ${!X}",
        "a ${Y:X}",
        "a ${Y:$X:1}",
        "a ${X@P}",
        "a $[X]",
        "for ((i=0; i<X; i++)); do b; done",
        "Y[$X]=1",
        "Y[X]=1",
        "Y=([$X]=1)",
        "declare -A Y=([$X]=1)",
        "Y[$(a $X)]=1",
    ] {
        assert!(how(script, "X").contains(&How::Evaluated), "{script}: {:?}", uses(script));
    }
    assert_eq!(how("a \"${Y:-$X}\"", "X"), [How::Quoted]);
    assert_eq!(how("A=($X)", "X"), [How::Bare]);
    assert_eq!(how("a > \"$X\"", "X"), [How::Quoted]);
    assert_eq!(how("a <<< \"$X\"", "X"), [How::Quoted]);
    assert_eq!(how("case a in $X) b;; esac", "X"), [How::Bare]);
    assert_eq!(how("a `b \\$X`", "X"), [How::Bare, How::Quoted]);
    assert_eq!(how("a \"`b \\\"$X\\\"`\"", "X"), [How::Quoted, How::Quoted]);
}

#[test]
fn here_documents_belong_to_their_command() {
    let script = "ssh h <<EOF && b\nrm $X `y`\nEOF\nc <<'END'\n$Z\nEND\nd <<-E\n\t\t$W\n\tE\ne";
    let all = commands(script);
    assert_eq!(told(script), ["ssh_h", "b", "y", "c", "d", "e"], "{all:?}");
    assert_eq!(all[0].input[0].uses[0].name, "X");
    assert_eq!(how(script, "Z"), []);
    assert_eq!(how(script, "W"), [How::Quoted]);
}

#[test]
fn redirections_are_no_words() {
    let all = commands("a b 2>&1 >out >>more 2>/dev/null <in &>both x >|force");
    let [a] = all.as_slice() else { panic!("{all:?}") };
    let text = |words: &[Word]| words.iter().map(|word| word.text.clone()).collect::<Vec<_>>();
    assert_eq!(text(&a.words), ["a", "b", "x"]);
    assert_eq!(text(&a.writes), ["out", "more", "/dev/null", "both", "force"]);
    assert_eq!(text(&a.input), ["in"]);
}

#[test]
fn the_parts_of_a_pipeline_know_each_other() {
    let all = commands("a \"$(b | c)\" | d; e | f");
    let of = |name: &str| all.iter().find(|it| it.program() == Some(name)).unwrap().stage.pipeline;
    assert_eq!((of("a"), of("b"), of("e")), (of("d"), of("c"), of("f")));
    assert!(of("a") != of("b") && of("a") != of("e"));
    let reaches = |script: &str| {
        let read = read(script);
        let of = |name: &str| read.commands.iter().find(|it| it.program() == Some(name)).unwrap();
        read.are_piped(of("a"), of("z"))
    };
    for script in [
        "a |\nz",
        "a | b | z",
        "{ a; b; } | z",
        "(a; b) | z",
        "for i in 1; do a; done | z",
        "if b; then a; fi | z",
        "case b in c) a;; esac | z",
        "a | while b; do z; done",
        "a | (b; z)",
        "{ { a; }; b; } | { b; z; }",
    ] {
        assert!(reaches(script), "{script}");
    }
    for script in [
        "a; z",
        "a && z",
        "{ a; z; }",
        "{ a; z; } | b",
        "z | a",
        "a \"$(z)\" | b",
        "{ a; } && z | b",
        "(a) & z",
    ] {
        assert!(!reaches(script), "{script}");
    }
}

#[test]
fn what_shells_differ_about_is_not_said_for_sure() {
    for script in [
        "a $(b <<E)\nc\nE",
        "a <<E $(b\nc)\nd\nE",
        "a $((b) | c)",
        "a \"${X:-'}'}\"",
        "a ${ b; }",
        "a <<E\n`b \\\"c\\\"`\nE",
        "a <<$E\nb\n$E",
    ] {
        assert!(read(script).unsure, "{script}");
    }
    for script in ["a \"${X:-'b'}\" \"${X#'}'}\"", "a $(b <<E\nc\nE\n)", "a $(( (b) + (c) ))"] {
        assert!(!read(script).unsure, "{script}");
    }
}

#[test]
fn a_line_of_a_heredoc_that_ends_in_a_backslash_goes_on() {
    assert_eq!(told("a <<E\nb\\\nE\nc\nE\nd"), ["a", "d"]);
    assert_eq!(told("a <<'E'\nb\\\nE\nd"), ["a", "d"]);
}

#[test]
fn what_is_used_within_does_not_double_with_each_level() {
    let script = format!("{}$X{}", "a $(".repeat(30), ")".repeat(30));
    let most = commands(&script).iter().map(|command| command.uses().count()).max();
    assert_eq!(most, Some(1));
}

#[test]
fn what_a_script_wants_from_outside_is_what_it_does_not_set() {
    let script =
        "A=1; a $A $B \"${C:-x}\" ${D?gone}; for i in $E; do b $i; done; read F; c $F $1 $@";
    assert_eq!(variables(script), ["B", "D", "E"]);
    assert_eq!(variables("X=$X a"), ["X"]);
    assert_eq!(variables("export Y=$(cat $Z); echo $Y"), ["Z"]);
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_to_its_end(text in "(?s)[a-c $\\\\(){}\\[\\]<>|&;'\"`#=\\n0!:@-]{0,60}") {
        commands(&text);
        let script = read(&text);
        script.variables();
        coded(&script);
    }

    #[test]
    fn any_text_at_all(text in "(?s).{0,80}") {
        commands(&text);
    }
}

#[test]
fn deep_nesting_ends() {
    for open in ["$(", "\"$(", "`", "${x:-", "$((", "(", "<(", "{ "] {
        commands(&open.repeat(5_000));
    }
}
