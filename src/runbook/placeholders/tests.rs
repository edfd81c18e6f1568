use super::*;

fn filled(text: &str) -> (String, Vec<String>) {
    let filled = fill(text);
    assert_eq!(filled.edit, None, "{text}");
    (filled.script, filled.asks.into_iter().map(|(name, _)| name).collect())
}

#[test]
fn each_placeholder_becomes_an_expansion_that_fits_where_it_stands() {
    for (text, expected, names) in [
        ("kubectl logs <pod>", "kubectl logs \"$POD\"", &["POD"][..]),
        (
            "kubectl logs <pod name> -n <namespace>",
            "kubectl logs \"$POD_NAME\" -n \"$NAMESPACE\"",
            &["POD_NAME", "NAMESPACE"],
        ),
        ("a \"pod/<pod>\"", "a \"pod/${POD}\"", &["POD"]),
        (
            "A='<value of instance label from alert>'",
            "A=''\"$VALUE_OF_INSTANCE_LABEL_FROM_ALERT\"''",
            &["VALUE_OF_INSTANCE_LABEL_FROM_ALERT"],
        ),
        ("a app-<id>-x/<id>", "a app-\"$ID\"-x/\"$ID\"", &["ID"]),
        ("a --name=<name>", "a --name=\"$NAME\"", &["NAME"]),
        ("a \"$(b <x> \"c\")\"", "a \"$(b \"$X\" \"c\")\"", &["X"]),
        ("ssh <host>", "ssh \"$HOST\"", &["HOST"]),
        ("set-server <drain|ready>", "set-server \"$DRAIN_READY\"", &["DRAIN_READY"]),
        ("test -f {{compose_file}}", "test -f \"$COMPOSE_FILE\"", &["COMPOSE_FILE"]),
        (
            "curl -sf {{app_url}}/health | jq -r '.status'",
            "curl -sf \"$APP_URL\"/health | jq -r '.status'",
            &["APP_URL"],
        ),
        ("a \"{{x}}\" '{{ .inputs.y }}'", "a \"${X}\" ''\"$Y\"''", &["X", "Y"]),
        ("kubectl delete pod YOUR_POD", "kubectl delete pod \"$YOUR_POD\"", &["YOUR_POD"]),
        (
            "kubectl -n NAMESPACE get pod POD_NAME",
            "kubectl -n \"$NAMESPACE\" get pod \"$POD_NAME\"",
            &["NAMESPACE", "POD_NAME"],
        ),
        (
            "a --user=${top-user-from-last-command}",
            "a --user=\"$TOP_USER_FROM_LAST_COMMAND\"",
            &["TOP_USER_FROM_LAST_COMMAND"],
        ),
        ("curl https://x/{release_id}/y", "curl https://x/\"$RELEASE_ID\"/y", &["RELEASE_ID"]),
        ("cat <path> > <file>", "cat \"$THE_PATH\" > \"$FILE\"", &["THE_PATH", "FILE"]),
        ("kubectl delete pod %s", "kubectl delete pod \"$VALUE\"", &["VALUE"]),
        ("POD=<pod>; a $POD", "POD=\"$POD\"; a $POD", &["POD"]),
        ("POD=$(x); a <pod>", "POD=$(x); a \"$GIVEN_POD\"", &["GIVEN_POD"]),
        ("a -H 'X: <token>'", "a -H 'X: '\"$TOKEN\"''", &["TOKEN"]),
    ] {
        let (script, asks) = filled(text);
        assert_eq!(script, expected, "{text}");
        assert_eq!(asks, names, "{text}");
    }
}

#[test]
fn what_means_something_to_the_shell_is_no_placeholder() {
    for text in [
        "a < file > out",
        "cat <<EOF\nx\nEOF",
        "cat <<EOF > out\nx\nEOF",
        "diff <(a) <(b)",
        "a 2>&1 >/dev/null",
        "a <file >out",
        "[[ a < b ]] && [[ c > d ]]",
        "echo '<b>x</b>'",
        "git log --author='A <a@b.example>'",
        "docker images | grep '<none>'",
        "kubectl get po -o go-template='{{range .items}}{{.metadata.name}}{{end}}'",
        "docker inspect -f '{{.State}}' x",
        "jq '.a[] | {name, id}' f",
        "awk '{print $1}'",
        "find . -exec rm {} \\;",
        "git stash drop stash@{0}",
        "cp a.{txt,md} b",
        "curl -X DELETE -w '%{http_code}' x",
        "gpg-connect-agent \"SCD KILLSCD\" \"SCD BYE\" /bye",
        "kill -TERM 1 && export POD_NAME",
        "POD_NAME=x a",
        "# <pod> in a remark\na",
        "printf '%s\\n' %s",
        "psql -c 'SELECT NAME FROM t'",
        "echo ${A:-x} ${B-y}",
        "kubectl get x -o jsonpath='{.items}'",
    ] {
        assert_eq!(filled(text), (text.to_owned(), vec![]), "{text}");
    }
}

#[test]
fn what_cannot_be_placed_safely_is_edited_by_hand() {
    for (text, why) in [
        ("echo `cat <x>`", "inside backticks"),
        ("cat <<EOF\n<x>\nEOF", "in the text of a heredoc"),
        ("cat <<'EOF'\n<x>\nEOF", "in the text of a heredoc"),
        ("ssh host 'ls <x>'", "inside a command for another host's shell"),
        ("ssh host ls <x>", "inside a command for another host's shell"),
        ("sh -c 'ls <x>'", "inside `sh -c`"),
        ("sh -c \"ls <x>\"", "inside `sh -c`"),
        ("eval ls <x>", "inside `eval`"),
        ("awk '/<x>/ {print}' f", "inside a program for awk, sed, jq, SQL or the like"),
        ("psql -c \"select <x>\"", "inside a program for awk, sed, jq, SQL or the like"),
        ("echo $((<x> + 1))", "inside arithmetic"),
        ("echo ${A:-<x>}", "inside `${…}`"),
        ("echo $'<x>'", "inside `$'…'`"),
        ("<command> a", "in the place of a command"),
        ("A=1 <command> a", "in the place of a command"),
        ("sudo <command> a", "in the place of a command"),
        ("echo <x> | sh", "in what a shell or a program is given to run"),
        ("bash <<< <x>", "in what a shell or a program is given to run"),
        ("psql -Atc \"select <x>\"", "inside a program for awk, sed, jq, SQL or the like"),
        ("docker exec c psql -c \"<x>\"", "inside a program for awk, sed, jq, SQL or the like"),
        ("A[<x>]=1", "inside arithmetic"),
        ("for ((i=0; i<{{x}}; i++)); do a; done", "inside arithmetic"),
        ("declare -i n; n=<x>", "as a name or a number, which a shell evaluates"),
        ("unset <x>", "as a name or a number, which a shell evaluates"),
        (". <x>", "as a file that is run"),
        ("a $(b <<E)\n<x>\nE", "in a command that cannot be read for sure"),
        ("sort <in>out", "where it could also mean a file to read from"),
    ] {
        let filled = fill(text);
        assert_eq!(filled.script, text, "{text}");
        assert!(filled.edit.as_ref().is_some_and(|edit| edit.ends_with(why)), "{text}: {filled:?}");
    }
    assert!(fill("kubectl edit x\n...\na\n").edit.is_some());
}

#[test]
fn names_of_parameters_can_be_given() {
    assert_eq!(name_of("pod name"), "POD_NAME");
    assert_eq!(name_of("your-pod's name"), "YOUR_POD_S_NAME");
    assert_eq!(name_of("1st"), "THE_1ST");
    assert_eq!(name_of("user"), "THE_USER");
    assert_eq!(name_of("SERVICE"), "THE_SERVICE");
    assert_eq!(name_of("é"), "VALUE");
    assert!(is_secret("DB_PASSWORD") && is_secret("token") && !is_secret("TOKENS_LEFT"));
}
