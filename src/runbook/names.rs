//! Names of variables: which may be given, and which steer a shell or a loader.

/// Names that a shell, a loader or an interpreter acts on: no parameter, no
/// label and no captured value is ever called like this.
const RESERVED: &[&str] = &[
    "_",
    "CDPATH",
    "COMP_WORDBREAKS",
    "COPROC",
    "DIRSTACK",
    "EDITOR",
    "ENV",
    "EUID",
    "EXECIGNORE",
    "FCEDIT",
    "FIGNORE",
    "FUNCNAME",
    "FUNCNEST",
    "GLOBIGNORE",
    "GROUPS",
    "HISTCMD",
    "HISTCONTROL",
    "HISTFILE",
    "HISTFILESIZE",
    "HISTIGNORE",
    "HISTSIZE",
    "HISTTIMEFORMAT",
    "HOME",
    "HOSTALIASES",
    "HOSTFILE",
    "HOSTNAME",
    "HOSTTYPE",
    "IFS",
    "IGNOREEOF",
    "INPUTRC",
    "INSIDE_EMACS",
    "LANG",
    "LANGUAGE",
    "LESS",
    "LESSCLOSE",
    "LESSOPEN",
    "LINENO",
    "LINES",
    "COLUMNS",
    "LOCALDOMAIN",
    "LOGNAME",
    "MACHTYPE",
    "MAIL",
    "MAILCHECK",
    "MAILPATH",
    "MANPAGER",
    "MAPFILE",
    "NLSPATH",
    "OLDPWD",
    "OPTARG",
    "OPTERR",
    "OPTIND",
    "OSTYPE",
    "PAGER",
    "PATH",
    "PATHEXT",
    "PIPESTATUS",
    "POSIXLY_CORRECT",
    "PPID",
    "PROMPT_COMMAND",
    "PROMPT_DIRTRIM",
    "PWD",
    "RANDOM",
    "READLINE_LINE",
    "READLINE_POINT",
    "REPLY",
    "RES_OPTIONS",
    "SECONDS",
    "SHELL",
    "SHELLOPTS",
    "SHLVL",
    "SRANDOM",
    "SUDO_ASKPASS",
    "SUDO_EDITOR",
    "TERM",
    "TERMCAP",
    "TERMINFO",
    "TIMEFORMAT",
    "TMOUT",
    "TMPDIR",
    "UID",
    "USER",
    "VISUAL",
    "XDG_RUNTIME_DIR",
    "EPOCHREALTIME",
    "EPOCHSECONDS",
    "GCONV_PATH",
    "GETCONF_DIR",
    "LOCPATH",
    "NIS_PATH",
    "RESOLV_HOST_CONF",
    "TZDIR",
    "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "CLASSPATH",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NODE_EXTRA_CA_CERTS",
    "KUBECONFIG_EXEC",
    "PSQLRC",
    "PSQL_EDITOR",
    "PSQL_PAGER",
    "MYSQL_HOME",
    "LIBMYSQL_PLUGINS",
    "BROWSER",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "WGETRC",
    "CURL_HOME",
    "NETRC",
    "OPENSSL_CONF",
    "OPENSSL_ENGINES",
    "OPENSSL_MODULES",
    "SSLKEYLOGFILE",
    "BORG_RSH",
    "BORG_REMOTE_PATH",
    "BORG_PASSCOMMAND",
    "RSYNC_RSH",
    "RESTIC_PASSWORD_COMMAND",
    "DOCKER_HOST",
    "ANSIBLE_CONFIG",
];

/// What such names begin with.
const RESERVED_BEGINNINGS: &[&str] = &[
    "BASH",
    "LD_",
    "DYLD_",
    "LC_",
    "PS0",
    "PS1",
    "PS2",
    "PS3",
    "PS4",
    "GLIBC_",
    "MALLOC_",
    "PYTHON",
    "PERL",
    "RUBY",
    "GEM_",
    "BUNDLE_",
    "GIT_",
    "SSH_",
    "COMP_",
    "OPSROOM_",
    "XDG_CONFIG",
    "AWKPATH",
    "AWKLIBPATH",
    "GAWK",
    "RUST_LOG_EXEC",
];

/// Whether a shell, a loader or an interpreter acts on a variable of this name:
/// it is refused as the name of a parameter, a label or a captured value.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
        || RESERVED_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
}

/// Whether a text is the name of a variable: `[A-Za-z_][A-Za-z0-9_]*`, at most
/// 64 characters.
pub fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && text.len() <= 64
}

/// Names that opsroom itself gives to commands: of the service and of labels.
pub fn is_given(name: &str) -> bool {
    name == "SERVICE" || name.starts_with("SERVICE_") || name.starts_with("LABEL_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_shell_or_a_loader_is_reserved() {
        for name in ["PATH", "IFS", "ENV", "BASH_ENV", "BASHOPTS", "LD_PRELOAD", "PS4", "_", "HOME"]
        {
            assert!(is_reserved(name), "{name}");
        }
        for name in ["RELEASE", "POD", "LABEL_instance", "SERVICE", "PATHS", "release"] {
            assert!(!is_reserved(name), "{name}");
        }
    }

    #[test]
    fn a_name_is_one_word_of_letters_digits_and_underscores() {
        for name in ["A", "_a", "A1", "LABEL_instance"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "1A", "a-b", "a b", "a.b", "ä", "A=", "A\n"] {
            assert!(!is_name(name), "{name:?}");
        }
        assert!(!is_name(&"A".repeat(65)));
    }
}
