//! The directions of a running session: output to the peer, the peer's input, terminal sizes,
//! and a watch over the command. All live in one task and share only [`Flow`].

use std::{
    convert::Infallible,
    future::pending,
    pin::Pin,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{
    sync::oneshot,
    time::{sleep, sleep_until},
};

use super::{
    flow::{Flow, Words},
    stdin::StdinQueue,
    timer::Timer,
};
use crate::{
    engine::{Chunk, EngineError, Exec, ExecInput, ExecOutput, OutputStream, TerminalSize},
    protocol::{ClientMessage, DecodeError, ServerMessage, code},
    transport::{Incoming, PeerReceiver, PeerSender, Pulse, TransportError},
};

/// How long the output may be silent, once the command itself has ended, before we stop waiting for
/// more. Engines end it themselves, whoever still holds it: podman with the command, dockerd two
/// seconds later (seen on 20.10, 26.1 and 28.5). So this is for an engine that has lost sight of it,
/// and longer than a host under load or a bad connection may keep the last of it back.
const LINGER: Duration = Duration::from_secs(5);

/// How often a running command is looked at, besides listening to the engine's events.
const LIVENESS: Duration = Duration::from_secs(15);

/// How long input may be stuck before a peer is asked to pause. Until then the full socket says
/// it without a word.
const PAUSE_AFTER: Duration = Duration::from_millis(250);

/// How often a peer is looked at whose input we leave unread. It may be gone: its last words
/// are behind that input, and never come.
const UNREAD_BEAT: Duration = Duration::from_secs(5);

/// Waits between looks for an exit code: first and longest.
const EXIT_WAIT: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(500));

/// How often an engine that cannot be reached is asked for the exit code.
const EXIT_ATTEMPTS: u32 = 5;

/// How often a command is looked at whose output the peer does not take. dockerd closes the output
/// two seconds after the command's end, and drops what it could not write by then: up to 64 KiB
/// of each stream, and what it holds in its hands (seen on 20.10).
const STUCK_LOOK: Duration = Duration::from_millis(500);

/// How long an engine may take to say how such a command is. dockerd from 23 on answers for one that
/// has ended only when it has dropped its output (`ContainerExecInspect` waits for the lock that is
/// held for those two seconds), so who does not answer is taken for one that is about to.
const STUCK_ANSWER: Duration = Duration::from_millis(500);

/// What may be read and not taken of a command that has ended while the peer takes no output. That
/// makes room for all that dockerd would drop, 200 KiB of each stream in pipes and in the hands of
/// those who copy from them, behind what was read ahead at an earlier time and waits here still.
const LEFT_BEHIND: usize = 1024 * 1024;

/// The most that is read so where the engine was only slow, again and again.
const MOST_AHEAD: usize = 2 * 1024 * 1024;

/// Why output stopped without having come to its end.
pub(super) enum OutputError {
    Peer(TransportError),
    Engine(EngineError),
}

impl From<TransportError> for OutputError {
    fn from(error: TransportError) -> Self {
        Self::Peer(error)
    }
}

/// Sends all output to the peer, and whatever else [`Flow`] has to say. Returns at the output's
/// end, or once the command is over and nothing more has come for a while.
pub(super) async fn send_output(
    sender: &mut PeerSender,
    output: &mut ExecOutput,
    exec: &Exec,
    flow: &Flow,
) -> Result<(), OutputError> {
    sender.send(ServerMessage::Resume.encode()).await?;
    let mut rescue = Rescue::new(exec);
    loop {
        if let Some(words) = flow.take_words() {
            rescue.during(say(sender, words, flow), output).await?;
        }
        if flow.is_peer_paused() {
            rescue.during(flow.changed.notified(), output).await;
            continue;
        }
        tokio::select! {
            biased;
            () = flow.changed.notified() => {}
            chunk = output.next() => match chunk.map_err(OutputError::Engine)? {
                Some(chunk) => {
                    rescue = Rescue::new(exec);
                    flow.set_writing(true);
                    let mut next = Some(chunk);
                    while let Some(chunk) = next {
                        rescue.during(sender.feed(message(chunk)), output).await?;
                        next = output.try_next();
                    }
                    rescue.during(sender.flush(), output).await?;
                    flow.set_writing(false);
                }
                None => return Ok(()),
            },
            () = sleep(LINGER), if flow.is_over() => return Ok(()),
        }
    }
}

/// Takes in what a command leaves behind when it ends while nothing is read of it, before the
/// engine drops that. One of them is for the time from one read to the next.
struct Rescue<'a> {
    exec: &'a Exec,
    look_at: Option<tokio::time::Instant>,
    /// Whether the command has ended, as the engine is being asked.
    asking: Option<Pin<Box<dyn Future<Output = bool> + Send + 'a>>>,
    limit: usize,
    ended: bool,
}

impl<'a> Rescue<'a> {
    fn new(exec: &'a Exec) -> Self {
        Self { exec, look_at: None, asking: None, limit: LEFT_BEHIND, ended: false }
    }

    /// Waits for `work`, which may be held up by the peer.
    async fn during<T>(&mut self, work: impl Future<Output = T>, output: &mut ExecOutput) -> T {
        tokio::select! {
            biased;
            done = work => done,
            never = self.save(output) => match never {},
        }
    }

    /// Cancel-safe: goes on where it was.
    async fn save(&mut self, output: &mut ExecOutput) -> Infallible {
        let exec = self.exec;
        while !self.ended {
            let look_at =
                *self.look_at.get_or_insert_with(|| tokio::time::Instant::now() + STUCK_LOOK);
            sleep_until(look_at).await;
            // In a box: seldom needed, and large.
            let asking = self.asking.get_or_insert_with(|| {
                Box::pin(async { exec.state().await.is_ok_and(|state| state.exit_code.is_some()) })
            });
            let answer_by = look_at + STUCK_ANSWER;
            let unanswered = async {
                sleep_until(answer_by).await;
                output.read_ahead(self.limit).await;
                pending().await
            };
            self.ended = tokio::select! {
                biased;
                ended = asking => ended,
                never = unanswered => never,
            };
            self.asking = None;
            let now = tokio::time::Instant::now();
            if now >= answer_by {
                self.limit = MOST_AHEAD.min(self.limit + LEFT_BEHIND);
            }
            self.look_at = Some(now + STUCK_LOOK);
        }
        output.read_ahead(self.limit).await;
        pending().await
    }
}

/// Sends what [`Flow`] has to say besides output, for as long as there is nothing else to send.
pub(super) async fn send_words_only(
    sender: &mut PeerSender,
    flow: &Flow,
) -> Result<Infallible, TransportError> {
    loop {
        if let Some(words) = flow.take_words() {
            say(sender, words, flow).await?;
        }
        flow.changed.notified().await;
    }
}

async fn say(sender: &mut PeerSender, words: Words, flow: &Flow) -> Result<(), TransportError> {
    flow.set_writing(true);
    for message in words.messages {
        sender.feed(message).await?;
    }
    if words.ping {
        sender.ping().await?;
    }
    sender.flush().await?;
    flow.set_writing(false);
    Ok(())
}

fn message(chunk: Chunk) -> Bytes {
    let code = match chunk.stream {
        OutputStream::Stdout => code::STDOUT,
        OutputStream::Stderr => code::STDERR,
    };
    chunk.into_prefixed(code)
}

/// How a peer left.
#[derive(Debug)]
pub(super) enum PeerEnd {
    /// It sent a close frame.
    Closed,
    /// The connection broke, or had to be given up.
    Failed(TransportError),
}

/// Takes the peer's messages until it is gone. Input that the command does not take yet waits in
/// a bounded queue; when that fills, the socket is left unread, and a peer that stays blocked is
/// asked to pause.
pub(super) async fn read_peer(
    receiver: &mut PeerReceiver,
    flow: &Flow,
    mut input: oneshot::Receiver<ExecInput>,
    tty: bool,
    limit: usize,
) -> PeerEnd {
    let mut stdin = StdinQueue::new(tty);
    let mut asked_to_pause = false;
    let high = limit / 2;
    let (mut stuck, mut beat) = (Timer::default(), Timer::default());
    beat.set_to(receiver.next_beat());
    let after = |wait| Some(Instant::now() + wait);
    // Whether the rest of the message that came last is input.
    let mut to_stdin = false;
    loop {
        let reading = stdin.cost() < if asked_to_pause { limit } else { high };
        if reading {
            stuck.set_to(None);
        } else if !stuck.is_set() {
            stuck.set_to(after(if asked_to_pause { UNREAD_BEAT } else { PAUSE_AFTER }));
        }
        // What was read already is queued before anything is written, for fewer and larger writes.
        let unread = if reading { receiver.next_unread().await } else { None };
        let incoming = tokio::select! {
            biased;
            Some(incoming) = std::future::ready(unread) => incoming,
            Ok(writer) = &mut input, if stdin.is_expected() => {
                stdin.attach(writer);
                continue;
            }
            () = stdin.write_some(), if stdin.has_work() => {
                if asked_to_pause && stdin.cost() <= high / 2 {
                    asked_to_pause = false;
                    flow.tell(ServerMessage::Resume);
                }
                continue;
            }
            incoming = receiver.next(), if reading => incoming,
            () = stuck.wait() => {
                stuck.set_to(None);
                if !asked_to_pause {
                    asked_to_pause = true;
                    flow.tell(ServerMessage::Pause);
                } else if receiver.is_hung_up() {
                    return PeerEnd::Failed(TransportError::Lost(None));
                } else {
                    // Makes the system of a peer that is gone say so.
                    flow.ping();
                }
                continue;
            }
            () = beat.wait() => {
                match receiver.beat(!reading || flow.is_peer_excused()) {
                    Pulse::Ping => flow.ping(),
                    Pulse::Wait => {}
                    Pulse::Gone => return PeerEnd::Failed(TransportError::Silent(receiver.patience())),
                }
                beat.set_to(receiver.next_beat());
                continue;
            }
        };
        match incoming {
            Ok(Incoming::Message(wire)) => to_stdin = take(wire, &mut stdin, flow, tty),
            Ok(Incoming::Continued(bytes)) if to_stdin => stdin.push(bytes),
            Ok(Incoming::Continued(_)) => {}
            Ok(Incoming::Closed(..)) => return PeerEnd::Closed,
            Err(error) => return PeerEnd::Failed(error),
        }
    }
}

/// Acts on one message of the peer; answers whether it is input.
fn take(wire: Bytes, stdin: &mut StdinQueue<ExecInput>, flow: &Flow, tty: bool) -> bool {
    match ClientMessage::decode(wire) {
        Ok(ClientMessage::Stdin(bytes)) => {
            stdin.push(bytes);
            return true;
        }
        Ok(ClientMessage::End) => stdin.end(),
        Ok(ClientMessage::Resize { rows, cols }) if tty => {
            flow.set_size(TerminalSize { rows, cols });
        }
        Ok(ClientMessage::Resize { .. }) => flow.tell_error("cannot resize, not a tty instance"),
        Ok(ClientMessage::Resume) => flow.set_peer_paused(false),
        Ok(ClientMessage::Pause) => flow.set_peer_paused(true),
        Err(DecodeError::Empty | DecodeError::UnknownCode(_)) => {}
        Err(error @ (DecodeError::ShortResize(_) | DecodeError::ShortStopped)) => {
            flow.tell_error(error.to_string());
        }
    }
    false
}

/// Applies terminal sizes as they come. Never returns; a size that cannot be set is dropped.
pub(super) async fn apply_sizes(exec: &Exec, flow: &Flow) -> Infallible {
    loop {
        let Some(size) = flow.take_size() else {
            flow.resized.notified().await;
            continue;
        };
        // The command may be over by now, and then needs no size.
        let _ = exec.resize(size).await;
    }
}

/// Says through [`Flow`] when the command has ended, or is no longer known to the engine, in case
/// its output stays open all the same. Never returns.
pub(super) async fn watch(exec: &Exec, flow: &Flow) -> Infallible {
    let polling = async {
        loop {
            sleep(LIVENESS).await;
            match exec.state().await {
                Ok(state) if state.running => {}
                Ok(_) | Err(EngineError::NotFound { .. }) => return,
                // An engine that does not answer says nothing about the command.
                Err(_) => {}
            }
        }
    };
    tokio::select! {
        () = exec.exited() => {}
        () = polling => {}
    }
    flow.set_over();
    pending().await
}

/// The command's exit code, once it has ended; its output may have ended before it.
pub(super) async fn exit_code(exec: &Exec) -> Result<u8, EngineError> {
    let (mut wait, longest) = EXIT_WAIT;
    let mut failures = 0;
    loop {
        match exec.state().await {
            Ok(state) if !state.running => {
                if let Some(exit_code) = state.exit_code {
                    return Ok(exit_byte(exit_code));
                }
            }
            Ok(_) => {}
            Err(error @ EngineError::NotFound { .. }) => return Err(error),
            Err(error) => {
                failures += 1;
                if failures == EXIT_ATTEMPTS {
                    return Err(error);
                }
            }
        }
        sleep(wait).await;
        wait = (wait * 2).min(longest);
    }
}

/// Exit codes are 0 to 255 on every system that runs containers; the engine's type is wider.
fn exit_byte(exit_code: i64) -> u8 {
    exit_code.to_le_bytes()[0]
}
