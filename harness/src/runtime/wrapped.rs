//! A command as it is run where only an exec leads in: by a shell that says its pid first, so that it can be signalled.
//!
//! What lives here: the words around a command, and reading what the shell says before the command begins. What does not: the ways in
//! (`docker`, `kubectl`). An exec of Docker or of Kubernetes knows no signals; another exec that runs `kill` does, once
//! the pid is known. The shell is gone when the command runs: `exec` makes one process of the two.

use crate::node::Command;

/// First word of the line in which the shell says its pid, on standard error.
const HELLO: &str = "fabric-pid";
/// What the shell says of a program that is not there.
const MISSING: &str = "fabric-missing";

/// Exit code of a shell for a program that is not there.
pub(crate) const NOT_FOUND: i32 = 127;

/// The command line that runs `command`: `sh` with a script, and the command's own words as its arguments. The working
/// directory and the environment are set by the script too, because Kubernetes' exec can set neither.
pub(crate) fn wrapped(command: &Command) -> Vec<String> {
    let mut script = format!("printf '{HELLO} %s\\n' $$ >&2; ");
    script.push_str(&setting(command));
    script.push_str(&format!(
        "command -v \"$1\" >/dev/null 2>&1 || {{ echo {MISSING} >&2; exit {NOT_FOUND}; }}; exec \"$@\""
    ));
    with_words(script, command)
}

/// The same without a word of its own, for a command on a terminal: there is one stream, and what is said on it is seen.
pub(crate) fn wrapped_on_terminal(command: &Command) -> Vec<String> {
    let mut script = setting(command);
    script.push_str("exec \"$@\"");
    with_words(script, command)
}

/// The command line that sends a signal to a command whose pid is known.
pub(crate) fn kill(pid: i32, signal: i32) -> Vec<String> {
    ["sh".to_owned(), "-c".to_owned(), format!("kill -{signal} {pid}")].into()
}

fn setting(command: &Command) -> String {
    let cwd = command.cwd.as_deref().map_or_else(|| "/".to_owned(), |cwd| cwd.display().to_string());
    let mut script = format!("cd {} || exit 126; ", shell_words::quote(&cwd));
    for (name, value) in &command.env {
        script.push_str(&format!("export {name}={}; ", shell_words::quote(value)));
    }
    script
}

fn with_words(script: String, command: &Command) -> Vec<String> {
    let shell = ["sh".to_owned(), "-c".to_owned(), script, "fabric".to_owned()];
    shell.into_iter().chain(command.argv.iter().cloned()).collect()
}

/// Takes the shell's own lines off the beginning of standard error, however it comes in pieces.
#[derive(Debug, Default)]
pub(crate) struct Opening {
    held: Vec<u8>,
    over: bool,
}

impl Opening {
    /// Feeds a piece; what is the command's own comes back, and once the pid the shell said: the command's by now, in the
    /// node's own pid namespace.
    pub(crate) fn feed(&mut self, piece: &[u8]) -> (Vec<u8>, Option<i32>) {
        if self.over {
            return (piece.to_vec(), None);
        }
        self.held.extend_from_slice(piece);
        let Some(end) = self.held.iter().position(|byte| *byte == b'\n') else {
            // A line of ours is short: what is longer is not one.
            return if self.held.len() > 64 { (self.give_up(), None) } else { (Vec::new(), None) };
        };
        let line = String::from_utf8_lossy(&self.held[..end]).into_owned();
        let pid = line.strip_prefix(HELLO).and_then(|rest| rest.trim().parse().ok());
        let Some(pid) = pid else { return (self.give_up(), None) };
        let rest = self.held.split_off(end + 1);
        self.give_up();
        (rest, Some(pid))
    }

    fn give_up(&mut self) -> Vec<u8> {
        self.over = true;
        std::mem::take(&mut self.held)
    }

    /// What is still held when the stream has ended.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        self.give_up()
    }
}

/// Whether a command that ended so was not there at all.
pub(crate) fn is_missing(code: i32, stderr: &[u8]) -> bool {
    code == NOT_FOUND && stderr.strip_suffix(b"\n").unwrap_or(stderr) == MISSING.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::whole(&["fabric-pid 12\nwarning\n"], "warning\n", Some(12))]
    #[case::in_pieces(&["fab", "ric-pid 1", "2\nwarn", "ing\n"], "warning\n", Some(12))]
    #[case::nothing_else(&["fabric-pid 7\n"], "", Some(7))]
    #[case::somebody_elses(&["sh: not found\n"], "sh: not found\n", None)]
    #[case::without_an_end(&["oops"], "oops", None)]
    fn the_shells_own_line_is_taken_off(
        #[case] pieces: &[&str],
        #[case] rest: &str,
        #[case] pid: Option<i32>,
    ) {
        let mut opening = Opening::default();
        let (mut all, mut said) = (Vec::new(), None);
        for piece in pieces {
            let (text, pid) = opening.feed(piece.as_bytes());
            all.extend(text);
            said = said.or(pid);
        }
        all.extend(opening.rest());
        assert_eq!(String::from_utf8_lossy(&all), rest);
        assert_eq!(said, pid);
    }

    #[test]
    fn a_shell_runs_it_and_says_its_pid() {
        let mut command = Command::new(["sh", "-c", "echo out; echo $WORD; pwd; echo err >&2; exit 3"]);
        command.env.insert("WORD".into(), "it's here".into());
        command.cwd = Some("/tmp".into());
        let argv = wrapped(&command);
        let output = std::process::Command::new(&argv[0]).args(&argv[1..]).output().expect("sh");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "out\nit's here\n/tmp\n");
        let (rest, said) = Opening::default().feed(&output.stderr);
        assert_eq!((rest.as_slice(), output.status.code()), (b"err\n".as_slice(), Some(3)));
        assert!(matches!(said, Some(pid) if pid > 1));
    }

    #[test]
    fn a_program_that_is_not_there_is_told_from_one_that_ends_so() {
        let run = |argv: &[&str]| {
            let argv = wrapped(&Command::new(argv.iter().copied()));
            let output = std::process::Command::new(&argv[0]).args(&argv[1..]).output().expect("sh");
            let (rest, _) = Opening::default().feed(&output.stderr);
            is_missing(output.status.code().unwrap_or(-1), &rest)
        };
        assert!(run(&["no-such-program"]));
        assert!(!run(&["sh", "-c", "exit 127"]));
    }
}
