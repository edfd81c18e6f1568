//! Which words of a command are code to the program that gets them.

use super::code::Code;

/// Shells, as far as they take a script by `-c`.
pub(super) const SHELLS: &[&str] =
    &["ash", "bash", "busybox", "csh", "dash", "fish", "ksh", "sh", "tcsh", "zsh"];
/// Commands that run the command behind them, and their options that take a value.
const WRAPPERS: &[(&str, &[&str])] = &[
    ("sudo", &["-u", "-g", "-h", "-p", "-C", "-r", "-t", "-U", "-D", "-R", "-T"]),
    ("doas", &["-u", "-C"]),
    ("env", &["-u", "-C", "-S"]),
    ("nohup", &[]),
    ("exec", &["-a"]),
    ("command", &[]),
    ("builtin", &[]),
    ("setsid", &[]),
    ("stdbuf", &["-i", "-o", "-e"]),
    ("nice", &["-n"]),
    ("ionice", &["-c", "-n", "-p"]),
    ("chronic", &[]),
    ("unbuffer", &[]),
    ("strace", &["-o", "-e", "-p", "-s"]),
    ("xargs", &["-I", "-n", "-P", "-L", "-d", "-s", "-E", "-a"]),
];
/// Programs that run a command behind words of their own.
pub(super) const RUNNERS: &[&str] = &[
    "chroot",
    "docker",
    "find",
    "flock",
    "kubectl",
    "nsenter",
    "oc",
    "podman",
    "systemd-run",
    "time",
];
/// Options of `ssh` that take a value.
const SSH_OPTIONS: &str = "BbcDEeFIiJLlmOopQRSWw";
/// Tools that hand all that follows to shells of other hosts.
const FLEETS: &[&str] = &[
    "ansible",
    "clush",
    "dsh",
    "knife",
    "mosh",
    "parallel",
    "parallel-ssh",
    "pdsh",
    "pssh",
    "salt",
];
/// Options behind which code stands, by program.
const CODE_OPTIONS: &[(&[&str], &[&str])] = &[
    (
        &["psql", "vsql", "cockroach", "clickhouse-client"],
        &["-c", "--command", "-q", "--query", "-e", "--execute"],
    ),
    (&["mysql", "mariadb"], &["-e", "--execute"]),
    (&["mongo", "mongosh", "redis-cli"], &["--eval"]),
    (&["python", "python2", "python3"], &["-c"]),
    (&["perl", "ruby", "node", "lua", "osascript", "rails"], &["-e", "-E", "-p", "--eval"]),
    (&["php"], &["-r"]),
];

/// A word of a command that is code, and the program that it is code to.
pub(super) struct Mark {
    pub(super) word: usize,
    pub(super) code: Code,
    pub(super) program: usize,
}

/// The name of a program without its folder.
pub(super) fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// The words of a command that are surely code.
pub(super) fn marks(words: &[&str]) -> Vec<Mark> {
    let mut marking = Marking { words, program: 0, found: Vec::new() };
    // `sh -c CODE` anywhere: behind `docker exec x`, `find -exec`, `kubectl exec x --`.
    for (at, word) in words.iter().enumerate() {
        if SHELLS.contains(&base(word)) {
            marking.program = at;
            marking.shell();
        }
    }
    if let Some(start) = behind_wrappers(words) {
        marking.program = start;
        marking.of_program();
        if RUNNERS.contains(&base(words[start]))
            && let Some(inner) =
                words[start + 1..].iter().position(|word| super::code::is_near(word))
        {
            marking.program = start + 1 + inner;
            marking.of_program();
        }
    }
    marking.found
}

/// The word that names the command, behind assignments, `sudo` and the like.
pub(crate) fn behind_wrappers(words: &[&str]) -> Option<usize> {
    let assigns = |word: &str| {
        word.split_once('=').is_some_and(|(name, _)| crate::runbook::given::is_identifier(name))
    };
    let mut at = 0;
    loop {
        while assigns(words.get(at)?) {
            at += 1;
        }
        let name = base(words.get(at)?);
        if name == "timeout" {
            // The time stands before the command.
            at += 1;
            while words.get(at)?.starts_with('-') {
                at += 1 + usize::from(matches!(words[at], "-s" | "-k"));
            }
            at += 1;
            continue;
        }
        let Some((_, options)) = WRAPPERS.iter().find(|(wrapper, _)| *wrapper == name) else {
            return Some(at);
        };
        at += 1;
        while let Some(word) = words.get(at).filter(|word| word.starts_with('-')) {
            at += 1 + usize::from(options.contains(word));
            if *word == "--" {
                break;
            }
        }
    }
}

struct Marking<'w> {
    words: &'w [&'w str],
    /// The place of the program whose words are looked at.
    program: usize,
    found: Vec<Mark>,
}

impl Marking<'_> {
    fn mark(&mut self, word: usize, code: Code) {
        if word < self.words.len() {
            self.found.push(Mark { word, code, program: self.program });
        }
    }

    fn rest(&mut self, code: Code) {
        (self.program + 1..self.words.len()).for_each(|at| self.mark(at, code));
    }

    fn of_program(&mut self) {
        match base(self.words[self.program]) {
            "eval" => self.rest(Code::Eval),
            "." | "source" => self.rest(Code::Sourced),
            "trap" => {
                if let Some(at) = self.operand(&[]) {
                    self.mark(at, Code::Eval);
                }
            }
            "let" => self.rest(Code::Arithmetic),
            "[[" | "[" | "test" => self.comparison(),
            "ssh" | "autossh" | "rsh" | "sshpass" => self.ssh(),
            "gcloud" | "aws" | "az" => {
                self.behind(&["--command", "--parameters"], Code::Remote);
            }
            "su" | "runuser" | "script" | "flock" => {
                self.behind(&["-c", "--command"], Code::Shell);
            }
            "watch" | "at" | "batch" | "entr" => self.rest(Code::Shell),
            "awk" | "gawk" | "mawk" | "nawk" => {
                self.program_text(&["-e", "--source"], &["-f", "--file"], &["-F", "-v", "-f"]);
            }
            "sed" | "gsed" => {
                self.program_text(&["-e", "--expression"], &["-f", "--file"], &["-f", "-l"]);
            }
            "jq" | "yq" | "gojq" => {
                self.program_text(&[], &["-f", "--from-file"], &["-f", "--indent", "-L"]);
            }
            "sqlite3" => {
                let database = self.operand(&[]).unwrap_or(self.words.len());
                (database + 1..self.words.len()).for_each(|at| self.mark(at, Code::Program));
            }
            name if FLEETS.contains(&name) => self.rest(Code::Remote),
            name => {
                self.names(name);
                for (programs, options) in CODE_OPTIONS {
                    if programs.contains(&name) {
                        self.behind(options, Code::Program);
                    }
                }
            }
        }
    }

    /// Names of variables, which a shell evaluates: `A[…]` is one.
    fn names(&mut self, program: &str) {
        let words = self.words.get(self.program + 1..).unwrap_or_default();
        let first = self.program + 1;
        match program {
            "unset" | "read" | "mapfile" | "readarray" | "getopts" | "wait" => {
                self.rest(Code::Name);
            }
            "printf" if words.first() == Some(&"-v") => self.mark(first + 1, Code::Name),
            program if super::sets::declares(program) => {
                let numbers = super::sets::makes_evaluating(program, words.iter().copied());
                for (at, word) in words.iter().enumerate() {
                    let (name, value) = word.split_once('=').unwrap_or((word, ""));
                    let plain = word.contains('=') && crate::runbook::given::is_identifier(name);
                    if numbers || !plain || value.starts_with('(') {
                        self.mark(first + at, Code::Name);
                    }
                }
            }
            _ => {}
        }
    }

    /// `-c` of a shell, alone or among other letters.
    fn shell(&mut self) {
        let mut at = self.program + 1;
        let mut code = false;
        while let Some(word) = self.words.get(at) {
            let option = word.starts_with(['-', '+']) && word.len() > 1;
            if !option {
                break;
            }
            code |= word.starts_with('-') && !word.starts_with("--") && word.contains('c');
            // `-o pipefail`
            let valued = word.ends_with('o') && !word.starts_with("--");
            at += 1 + usize::from(valued && self.words.get(at + 1).is_some_and(|it| *it != "-c"));
        }
        if code {
            self.mark(at, Code::Shell);
        }
    }

    fn ssh(&mut self) {
        let mut at = self.program + 1;
        if base(self.words[self.program]) == "sshpass" {
            match self.words.iter().position(|word| base(word) == "ssh") {
                Some(ssh) => at = ssh + 1,
                None => return,
            }
        }
        while let Some(word) = self.words.get(at).filter(|word| word.starts_with('-')) {
            let last = word.chars().last().unwrap_or('-');
            let valued = word.len() == 2 && SSH_OPTIONS.contains(last);
            // `-o ProxyCommand=…` is run here.
            for at in [at, at + usize::from(valued)] {
                if self.words.get(at).is_some_and(|word| word.contains("Command=")) {
                    self.mark(at, Code::Shell);
                }
            }
            at += 1 + usize::from(valued);
        }
        // Behind the host stands what its shell reads.
        (at + 1..self.words.len()).for_each(|at| self.mark(at, Code::Remote));
    }

    /// The words behind these options, also `--option=WORD`, `-oWORD` and, among
    /// other letters, `-abo WORD`. Whether there are any.
    fn behind(&mut self, options: &[&str], code: Code) -> bool {
        let before = self.found.len();
        for at in self.program + 1..self.words.len() {
            let word = self.words[at];
            let letters = |option: &str| {
                option.len() == 2
                    && word.starts_with('-')
                    && word.ends_with(&option[1..])
                    && word[1..].bytes().all(|byte| byte.is_ascii_alphabetic())
            };
            let joined = |option: &str| {
                word.strip_prefix(option).is_some_and(|value| {
                    value.starts_with('=') || (option.len() == 2 && !value.is_empty())
                })
            };
            if options.iter().any(|option| *option == word || letters(option)) {
                self.mark(at + 1, code);
            } else if options.iter().any(|option| joined(option)) {
                self.mark(at, code);
            }
        }
        self.found.len() > before
    }

    /// A program in its own language: behind an option, else the first operand,
    /// unless it stands in a file.
    fn program_text(&mut self, given: &[&str], file: &[&str], valued: &[&str]) {
        let in_file = self.words[self.program + 1..].iter().any(|word| file.contains(word));
        if !self.behind(given, Code::Program)
            && !in_file
            && let Some(at) = self.operand(valued)
        {
            self.mark(at, Code::Program);
        }
    }

    /// The first word that is no option and no value of one.
    fn operand(&self, valued: &[&str]) -> Option<usize> {
        let mut at = self.program + 1;
        while let Some(word) = self.words.get(at) {
            if *word == "--" {
                return Some(at + 1);
            } else if ["--arg", "--argjson", "--slurpfile", "--rawfile"].contains(word) {
                at += 3;
            } else if valued.contains(word) {
                at += 2;
            } else if word.starts_with('-') && word.len() > 1 {
                at += 1;
            } else {
                return Some(at);
            }
        }
        None
    }

    /// `[[ $A -gt 1 ]]` is arithmetic on both sides; `-v` evaluates a name.
    fn comparison(&mut self) {
        let double = base(self.words[self.program]) == "[[";
        let evaluates = |word: &&&str| {
            **word == "-v"
                || (double && ["-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-R"].contains(word))
        };
        if self.words.iter().any(|word| evaluates(&word)) {
            self.rest(Code::Arithmetic);
        }
    }
}
