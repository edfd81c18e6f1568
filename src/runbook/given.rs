//! Names of variables: which a runbook may use, and which steer a shell or a loader.

/// Names that a shell, the dynamic loader or a common program acts upon: no
/// runbook may set them, whatever the value.
const REFUSED: &[&str] = &[
    "AWKPATH",
    "AWKLIBPATH",
    "BASHOPTS",
    "BASHPID",
    "BASH",
    "BROWSER",
    "CDPATH",
    "CHILD_MAX",
    "CLASSPATH",
    "COLUMNS",
    "COPROC",
    "CURL_HOME",
    "CVS_RSH",
    "DIRSTACK",
    "EDITOR",
    "ENV",
    "EPOCHREALTIME",
    "EPOCHSECONDS",
    "EUID",
    "EXECIGNORE",
    "FCEDIT",
    "FIGNORE",
    "FPATH",
    "FUNCNAME",
    "FUNCNEST",
    "GCONV_PATH",
    "GETCONF_DIR",
    "GLOBIGNORE",
    "GROUPS",
    "GROFF_NO_SGR",
    "HISTFILE",
    "HOME",
    "HOSTALIASES",
    "HOSTNAME",
    "HOSTTYPE",
    "IFS",
    "IGNOREEOF",
    "INPUTRC",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "LANG",
    "LANGUAGE",
    "LESS",
    "LESSCLOSE",
    "LESSOPEN",
    "LINENO",
    "LINES",
    "LOCALDOMAIN",
    "LOCPATH",
    "LOGNAME",
    "MACHTYPE",
    "MAIL",
    "MAILCHECK",
    "MAILPATH",
    "MANPAGER",
    "MAPFILE",
    "MORE",
    "NIS_PATH",
    "NLSPATH",
    "NULLCMD",
    "OLDPWD",
    "OPENSSL_CONF",
    "OPENSSL_ENGINES",
    "OPENSSL_MODULES",
    "OPTARG",
    "OPTERR",
    "OPTIND",
    "OSTYPE",
    "PAGER",
    "PATH",
    "PIPESTATUS",
    "POSIXLY_CORRECT",
    "PPID",
    "PROMPT_COMMAND",
    "PROMPT_DIRTRIM",
    "PS0",
    "PS1",
    "PS2",
    "PS3",
    "PS4",
    "PSQLRC",
    "PSQL_EDITOR",
    "PSQL_PAGER",
    "PSQL_WATCH_PAGER",
    "PWD",
    "RANDOM",
    "READNULLCMD",
    "REPLY",
    "RES_OPTIONS",
    "RSYNC_RSH",
    "RSYNC_CONNECT_PROG",
    "SECONDS",
    "SERVICE",
    "SHELL",
    "SHELLOPTS",
    "SHLVL",
    "SRANDOM",
    "SSLKEYLOGFILE",
    "SUDO_ASKPASS",
    "SUDO_EDITOR",
    "SYSTEMD_EDITOR",
    "SYSTEMD_PAGER",
    "TAPE",
    "TAR_OPTIONS",
    "TERM",
    "TERMCAP",
    "TERMINFO",
    "TERMINFO_DIRS",
    "TIMEFORMAT",
    "TMOUT",
    "TMPDIR",
    "TZ",
    "TZDIR",
    "UID",
    "USER",
    "VISUAL",
    "WGETRC",
    "XAUTHORITY",
    "ZDOTDIR",
    "_",
    "_JAVA_OPTIONS",
    "auto_resume",
    "histchars",
];

/// Beginnings of such names.
const REFUSED_FAMILIES: &[&str] = &[
    "BASH_",
    "COMP_",
    "DYLD_",
    "GIT_",
    "GLIBC_",
    "LABEL_",
    "LC_",
    "LD_",
    "LUA_",
    "MALLOC_",
    "NODE_",
    "OPSROOM_",
    "PERL",
    "PYTHON",
    "READLINE_",
    "RUBY",
    "SERVICE_",
    "SSH_",
];

/// Names of such a family that runbooks use, and that no program acts upon.
const FREE: &[&str] = &[
    "GIT_BRANCH",
    "GIT_COMMIT",
    "GIT_REF",
    "GIT_REPO",
    "GIT_SHA",
    "GIT_TAG",
    "GIT_URL",
    "GIT_VERSION",
    "NODE_ADDRESS",
    "NODE_GROUP",
    "NODE_HOST",
    "NODE_ID",
    "NODE_IP",
    "NODE_NAME",
    "NODE_POOL",
    "NODE_PORT",
    "NODE_ROLE",
    "NODE_TYPE",
    "NODE_ZONE",
    "SSH_HOST",
    "SSH_PORT",
    "SSH_USER",
];

/// Names that bash sets by itself: a step that uses them needs nobody to give them.
const OF_BASH: &[&str] = &[
    "BASHPID",
    "BASH",
    "COLUMNS",
    "DIRSTACK",
    "EPOCHREALTIME",
    "EPOCHSECONDS",
    "EUID",
    "FUNCNAME",
    "GROUPS",
    "HOSTNAME",
    "HOSTTYPE",
    "IFS",
    "LINENO",
    "LINES",
    "MACHTYPE",
    "OPTIND",
    "OSTYPE",
    "PIPESTATUS",
    "PPID",
    "PS4",
    "PWD",
    "RANDOM",
    "REPLY",
    "SECONDS",
    "SHELL",
    "SHELLOPTS",
    "SHLVL",
    "SRANDOM",
    "UID",
    "_",
];

/// Names that any POSIX shell sets by itself.
const OF_SH: &[&str] = &["IFS", "LINENO", "OPTIND", "PPID", "PS4", "PWD"];

/// Names that every command gets in its environment.
const OF_EVERY_STEP: &[&str] =
    &["HOME", "LANG", "LOGNAME", "OPSROOM_RUN", "OPSROOM_STEP", "PATH", "USER"];

/// Whether this can be the name of a shell variable.
pub fn is_identifier(name: &str) -> bool {
    name.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Why no parameter and no capture may have this name; none where it may.
/// Names that steer a shell, a loader or a common program are refused, and
/// those that opsroom gives itself: `SERVICE`, `LABEL_…`.
pub fn refused(name: &str) -> Option<String> {
    if !is_identifier(name) {
        let shown = crate::domain::harmless_within(name, 40);
        return Some(format!("`{shown}` is no name of a variable: letters, digits and _"));
    }
    let own = name == "SERVICE"
        || ["SERVICE_", "LABEL_", "OPSROOM_"].iter().any(|it| name.starts_with(it));
    if own {
        return Some(format!("`{name}` is a name that opsroom gives by itself"));
    }
    steers(name).then(|| format!("`{name}` is reserved: it steers the shell or programs"))
}

/// Whether a runbook that declares nothing may be asked for this name, where
/// nobody gives it: fields of the service among them.
pub fn can_be_asked(name: &str) -> bool {
    refused(name).is_none() || (is_identifier(name) && name.starts_with("SERVICE_"))
}

fn steers(name: &str) -> bool {
    let of_family = || REFUSED_FAMILIES.iter().any(|family| name.starts_with(family));
    name.to_ascii_lowercase().ends_with("_proxy")
        || REFUSED.contains(&name)
        || (of_family() && !FREE.contains(&name))
}

/// Whether a step has this variable without anybody giving it.
pub fn is_given(name: &str, bash: bool, tty: bool) -> bool {
    OF_EVERY_STEP.contains(&name)
        || (tty && name == "TERM")
        || if bash {
            OF_BASH.contains(&name) || name.starts_with("BASH_")
        } else {
            OF_SH.contains(&name)
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_steer_a_shell_or_a_loader_are_refused() {
        for name in [
            "PATH",
            "IFS",
            "ENV",
            "BASH_ENV",
            "BASH_FUNC_x",
            "LD_PRELOAD",
            "PS4",
            "SHELLOPTS",
            "HOME",
            "PYTHONPATH",
            "PERL5OPT",
            "GIT_SSH_COMMAND",
            "NODE_OPTIONS",
            "SSH_ASKPASS",
            "LESSOPEN",
            "http_proxy",
            "HTTPS_PROXY",
            "PAGER",
            "TAR_OPTIONS",
            "PROMPT_COMMAND",
            "SERVICE",
            "SERVICE_UNIT",
            "LABEL_x",
            "a-b",
            "1a",
            "",
            "x y",
            "OPSROOM_RUN",
        ] {
            assert!(refused(name).is_some(), "{name}");
        }
    }

    #[test]
    fn names_of_ones_own_are_free() {
        for name in [
            "RELEASE",
            "PREVIOUS",
            "PGHOST",
            "PGPASSWORD",
            "file",
            "_x",
            "HOST",
            "SERVICES",
            "LABEL",
            "NODE_NAME",
            "GIT_SHA",
        ] {
            assert_eq!(refused(name), None, "{name}");
        }
    }

    #[test]
    fn what_the_shell_gives_by_itself_is_known() {
        assert!(is_given("HOSTNAME", true, false) && !is_given("HOSTNAME", false, false));
        assert!(is_given("HOME", false, false) && is_given("TERM", true, true));
        assert!(!is_given("RELEASE", true, false) && !is_given("TERM", true, false));
    }
}
