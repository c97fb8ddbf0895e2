//! Processes as a shell inside the container sees them: for engines elsewhere.
//!
//! One more exec, which looks and signals on command. It needs a shell and nothing
//! else, since an image may have nothing else: no `ps`, `cat`, `grep`, `sleep`.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use super::EndedBy;
use super::end::{Backend, Signal};
use super::marker::{MARKER_VARIABLE, Marker};
use super::tree::Process;
use crate::engine::{Engine, EngineError, ExecSpec, ExecStream, OutputStream};

/// What may be a shell, in the order in which it is tried.
const SHELLS: [&[&str]; 3] = [&["sh"], &["busybox", "sh"], &["bash"]];
/// Longest answer that is read: a container can make its processes say anything.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// Waits between two looks at whether processes have ended.
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_millis(320);
/// How long the shell may take to end.
const FINISH_WAIT: Duration = Duration::from_secs(1);

/// Reads commands, a line each, until its stdin ends; answers each with lines and a dot.
///
/// `look`: for each process its number, its marker or what may be one, and what follows
/// its name in `/proc/PID/stat`. `read` leaves out the NULs between the entries of an
/// environment, so the marker runs into the next entry.
/// Anything else: the name of a signal, and the processes that get it.
const SCRIPT: &str = r#"
while read -r what list; do
  case $what in
  look)
    for entry in /proc/[0-9]*; do
      stat= marker=-
      while IFS= read -r line; do stat=$line; done <$entry/stat
      while IFS= read -r line || [ -n "$line" ]; do
        case $line in *VARIABLE=*) marker=${line##*VARIABLE=}; marker=${marker%%[!0-9a-f.]*} ;; esac
      done <$entry/environ
      echo "${entry#/proc/} $marker ${stat##*) }"
    done ;;
  *) kill -"$what" $list ;;
  esac 2>/dev/null
  echo .
done
"#;

/// A shell in a container, waiting for commands.
pub(super) struct Helper {
    stream: ExecStream,
    /// Output that is not a whole line yet.
    pending: Vec<u8>,
    timeout: Duration,
}

impl Helper {
    /// Starts one in `container` as `user`; `None` if there is no shell in it.
    pub(super) async fn start(
        engine: &Engine,
        container: &str,
        user: Option<&str>,
    ) -> Result<Option<Self>, EngineError> {
        let script = SCRIPT.replace("VARIABLE", MARKER_VARIABLE);
        for shell in SHELLS {
            let words = shell.iter().copied().chain(["-c", script.as_str()]);
            let spec = ExecSpec {
                command: words.map(str::to_owned).collect(),
                user: user.map(str::to_owned),
                ..ExecSpec::default()
            };
            let exec = engine.create_exec(container, &spec).await?;
            let stream = exec.start().await?;
            let timeout = engine.options().call_timeout;
            let mut helper = Self { stream, pending: Vec::new(), timeout };
            // An empty line is a command too, and its answer the proof of a shell.
            if helper.ask("").await.is_some() {
                return Ok(Some(helper));
            }
        }
        Ok(None)
    }

    /// Lets the shell end, and waits until it has: it should not be seen in the
    /// container after our work is done.
    pub(super) async fn finish(mut self) {
        let ended = async {
            if self.stream.input.shutdown().await.is_ok() {
                while let Ok(Some(_)) = self.stream.output.next().await {}
            }
        };
        // One that does not end by now ends when its connection is dropped.
        let _ = tokio::time::timeout(FINISH_WAIT, ended).await;
    }

    /// Gives one command; its answer without the dot, or `None` if nobody answered.
    async fn ask(&mut self, command: &str) -> Option<Vec<u8>> {
        let answer = async {
            self.stream.input.write_all(format!("{command}\n").as_bytes()).await.ok()?;
            loop {
                if let Some(answer) = take_answer(&mut self.pending) {
                    return Some(answer);
                }
                if self.pending.len() > MAX_ANSWER {
                    return None;
                }
                let chunk = self.stream.output.next().await.ok()??;
                if chunk.stream == OutputStream::Stdout {
                    self.pending.extend_from_slice(chunk.as_slice());
                }
            }
        };
        tokio::time::timeout(self.timeout, answer).await.ok().flatten()
    }

    /// As [`ask`](Self::ask), of a helper that has answered before.
    async fn demand(&mut self, command: &str) -> Result<Vec<u8>, EngineError> {
        self.ask(command).await.ok_or_else(|| EngineError::Conflict {
            message: "the helper shell in the container ended before its work did".to_owned(),
        })
    }
}

impl Backend for Helper {
    const KIND: EndedBy = EndedBy::Helper;

    async fn look(&mut self) -> Result<Arc<[Process]>, EngineError> {
        let answer = self.demand("look").await?;
        let lines = String::from_utf8_lossy(&answer);
        Ok(lines.lines().filter_map(parse_line).collect())
    }

    async fn signal(&mut self, to: &[Process], signal: Signal) -> Result<(), EngineError> {
        if to.is_empty() {
            return Ok(());
        }
        let mut command = match signal {
            Signal::Hangup => "HUP",
            Signal::Terminate => "TERM",
            Signal::Continue => "CONT",
            Signal::Kill => "KILL",
        }
        .to_owned();
        for process in to {
            command += &format!(" {}", process.pid);
        }
        self.demand(&command).await.map(drop)
    }

    async fn wait(
        &mut self,
        of: &[Process],
        deadline: Instant,
    ) -> Result<Vec<Process>, EngineError> {
        let mut wait = FIRST_WAIT;
        let mut left = of.to_vec();
        loop {
            if left.is_empty() {
                return Ok(left);
            }
            let now = self.look().await?;
            left.retain(|old| {
                now.iter().any(|new| new.identity() == old.identity() && !new.is_over())
            });
            if left.is_empty() || Instant::now() >= deadline {
                return Ok(left);
            }
            tokio::time::sleep_until(deadline.min(Instant::now() + wait)).await;
            wait = LONGEST_WAIT.min(wait * 2);
        }
    }
}

/// The lines before the first that is a dot; `None` if there is none yet.
fn take_answer(pending: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = match pending.strip_prefix(b".\n") {
        Some(_) => 0,
        None => pending.windows(3).position(|three| three == b"\n.\n")? + 1,
    };
    let rest = pending.split_off(end + 2);
    let mut answer = std::mem::replace(pending, rest);
    answer.truncate(end);
    Some(answer)
}

fn parse_line(line: &str) -> Option<Process> {
    let (pid, rest) = line.split_once(' ')?;
    let (marker, stat) = rest.split_once(' ')?;
    let mut process = Process::from_stat(pid.parse().ok()?, stat)?;
    process.marker = Marker::from_prefix(marker);
    Some(process)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_taken_one_by_one() {
        let mut pending = b"1 a\n2 b\n.\n.\n3".to_vec();
        assert_eq!(take_answer(&mut pending), Some(b"1 a\n2 b\n".to_vec()));
        assert_eq!(take_answer(&mut pending), Some(Vec::new()));
        assert_eq!(take_answer(&mut pending), None);
        assert_eq!(pending, b"3");
    }

    #[test]
    fn a_line_without_a_process_is_left_out() {
        let marker = format!("{:016x}.1.2.{:032x}", 7, 9);
        let line = format!("12 {marker}abcPATH S 3 12 12 0 {}55", "0 ".repeat(14));
        let process = parse_line(&line).unwrap();
        assert_eq!((process.pid, process.parent, process.started), (12, 3, 55));
        assert_eq!(process.marker.unwrap().to_string(), marker);
        for line in ["", "12", "12 - ", "x - S 1 2 3", "12 - "] {
            assert_eq!(parse_line(line), None, "{line:?}");
        }
    }
}
