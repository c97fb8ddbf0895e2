//! One peer joined to one exec, from the open WebSocket to the last word.
//!
//! A session is one future with independent directions (`pump`) that share only a small flow
//! state (`flow`). It spawns nothing. Output decides the normal end; errors of the input never
//! do. The exit code is asked for after the last byte of output was handed on.

mod flow;
mod pump;
mod stdin;
mod timer;

use std::{future::Future, pin::Pin, time::Duration};

use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    engine::{
        Engine, EngineError, Exec, ExecOutput, ExecSpec, ExecStream, Left, Marker, TerminalSize,
    },
    protocol::{ExecRequest, ServerMessage},
    transport::{Peer, PeerReceiver, PeerSender, TransportError, close_code},
};
use flow::Flow;
use pump::{OutputError, PeerEnd};

/// How long a peer may take to read the end of the output, which waits in the system's buffers
/// by then. Were the connection dropped before, whatever the peer sends would take it away.
const OUTPUT_LINGER: Duration = Duration::from_secs(60);

/// What happens to the command when its peer goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDisconnect {
    /// The command's whole process tree is ended.
    #[default]
    Kill,
    /// It is left to run, as the packages of version 3.0.0 did.
    Leave,
}

/// What to run, and within which bounds.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// The container's id.
    pub container: String,
    /// What the peer asked for, the wrapper command already in front of it.
    pub request: ExecRequest,
    /// What marks the command's processes, so that they can be ended; `None` with
    /// [`OnDisconnect::Leave`].
    pub marker: Option<Marker>,
    /// From asking the processes to end to making them.
    pub kill_grace: Duration,
    /// For the close of the WebSocket on both sides.
    pub close_timeout: Duration,
    /// Bytes of input that may wait for the command.
    pub stdin_limit: usize,
}

/// How a session ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionEnd {
    /// The command ended with this code, and the peer has been told everything.
    Exited(u8),
    /// The peer went first.
    PeerGone,
    /// The peer had to be given up; the reason was sent to it if that was possible.
    PeerFailed(TransportError),
    /// The server ended the session.
    Cancelled,
    /// The command could not be started, or its exit code cannot be known.
    Failed(SessionError),
}

/// Why a session could not start or had to be cut short.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// No command was asked for.
    #[error("no command was given: ask for one with `command=` in the URL's query")]
    NoCommand,
    /// The engine did not start the command.
    #[error("cannot start the command: {0}")]
    Start(EngineError),
    /// The engine, the container or the connection to them went while the command ran: whether
    /// it goes on, and how it ends, is unknown.
    #[error("the command was lost, its exit code is unknown: {0}")]
    Lost(EngineError),
}

impl SessionError {
    /// Stable name for programs, listed in docs/errors.md.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoCommand => "DEW_NO_COMMAND",
            Self::Start(error) => error.code(),
            Self::Lost(_) => "DEW_EXEC_LOST",
        }
    }
}

/// What may be left of a command that was to be ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Leftover {
    /// The engine could not be asked.
    #[error("the engine could not be asked to end the command: {0}")]
    Engine(#[from] EngineError),
    /// So many processes; in a paused container they go when it goes on.
    #[error("{0} of the command's processes were sent KILL and are still there")]
    Processes(usize),
    /// Nobody could look.
    #[error("the command's processes could not be ended: {0}")]
    Unknown(String),
}

/// The exec, and its stream if it could be started.
type Opened = (Exec, Result<ExecStream, EngineError>);

type Opening = Pin<Box<dyn Future<Output = Result<Opened, EngineError>> + Send>>;

/// What is still to be done when a session is over for its peer: see [`Aftermath::finish`].
pub struct Aftermath {
    receiver: PeerReceiver,
    close_timeout: Duration,
    /// How long the peer's own close is waited for; `None` if the peer is gone or was not told.
    linger: Option<Duration>,
    /// A command that has not ended.
    cut_short: Option<Unfinished>,
    /// How long its processes get to end by themselves; `None` leaves them alone.
    kill_grace: Option<Duration>,
}

/// A command whose end has not been seen.
enum Unfinished {
    Opening(Opening),
    Running(Box<Running>),
}

struct Running {
    exec: Exec,
    /// Its output, until all of that was sent.
    output: Option<ExecOutput>,
}

impl Aftermath {
    /// Waits for the peer's own close, and ends the command's processes where that is called
    /// for, side by side. A peer that has the end of a command's output still to read gets a
    /// minute for it, or the close timeout once `hurry` is cancelled; the processes get their
    /// grace with the engine's timeouts.
    ///
    /// # Errors
    ///
    /// Says what may be left of the command.
    pub async fn finish(mut self, hurry: CancellationToken) -> Result<(), Leftover> {
        let drain = async {
            let Some(linger) = self.linger else { return };
            tokio::select! {
                () = self.receiver.drain(linger) => return,
                () = hurry.cancelled() => {}
            }
            self.receiver.drain(linger.min(self.close_timeout)).await;
        };
        let end = async {
            let Running { exec, output } = match self.cut_short {
                None => return Ok(()),
                Some(Unfinished::Running(running)) => *running,
                // Cut off in the middle, the start might still happen: wait for it.
                Some(Unfinished::Opening(opening)) => match opening.await {
                    Ok((exec, stream)) => Running { exec, output: stream.ok().map(|s| s.output) },
                    Err(_) => return Ok(()),
                },
            };
            let detach = async {
                if let Some(output) = output {
                    exec.detach(output).await;
                }
            };
            let end = async {
                match self.kill_grace {
                    Some(grace) => end_processes(&exec, grace).await,
                    None => Ok(()),
                }
            };
            // In a box: seldom needed, and large.
            Box::pin(async { tokio::join!(detach, end).1 }).await
        };
        tokio::join!(drain, end).1
    }
}

async fn end_processes(exec: &Exec, grace: Duration) -> Result<(), Leftover> {
    match exec.end_processes(grace).await?.left {
        Left::Nothing => Ok(()),
        Left::Processes(count) => Err(Leftover::Processes(count)),
        Left::Unknown(why) => Err(Leftover::Unknown(why)),
    }
}

/// Runs one session. Returns when the peer has been told all, or is gone; what is then left to
/// do is in the [`Aftermath`]. To drop the future is to stop at once.
pub async fn run(
    engine: Engine,
    peer: Peer,
    options: SessionOptions,
    cancel: CancellationToken,
) -> (SessionEnd, Aftermath) {
    let (mut sender, mut receiver) = peer.split();
    let mut command = None;
    let end = join(&engine, &mut sender, &mut receiver, &options, &cancel, &mut command).await;
    let last_words = timeout(options.close_timeout, say_why(&mut sender, &end)).await;
    let kill_grace = options.marker.is_some().then_some(options.kill_grace);
    let cut_short = command.filter(|command| match command {
        _ if matches!(end, SessionEnd::Exited(_)) => false,
        Unfinished::Opening(_) => kill_grace.is_some(),
        Unfinished::Running(_) => true,
    });
    let linger = match end {
        SessionEnd::Exited(_) => Some(OUTPUT_LINGER.max(options.close_timeout)),
        SessionEnd::PeerGone => None,
        _ => Some(options.close_timeout),
    };
    let aftermath = Aftermath {
        receiver,
        close_timeout: options.close_timeout,
        linger: linger.filter(|_| matches!(last_words, Ok(Ok(())))),
        cut_short,
        kill_grace,
    };
    (end, aftermath)
}

/// The close that tells the peer how the session ended, and the words that go before it. A
/// normal end has been told already.
async fn say_why(sender: &mut PeerSender, end: &SessionEnd) -> Result<(), TransportError> {
    let (word, code, reason) = match end {
        SessionEnd::Exited(_) => return Ok(()),
        SessionEnd::PeerGone => return sender.flush().await,
        SessionEnd::PeerFailed(TransportError::Lost(_)) => return Err(TransportError::Lost(None)),
        SessionEnd::PeerFailed(error) => (None, error.close_code(), error.code()),
        SessionEnd::Cancelled => (Some(ServerMessage::Shutdown), close_code::GOING_AWAY, ""),
        SessionEnd::Failed(error) => {
            let text = error.to_string().into();
            (Some(ServerMessage::Error(text)), close_code::INTERNAL, error.code())
        }
    };
    if let Some(word) = word {
        sender.feed(word.encode()).await?;
    }
    sender.close(code, reason).await
}

/// `command` is filled in as soon as there is one.
async fn join(
    engine: &Engine,
    sender: &mut PeerSender,
    receiver: &mut PeerReceiver,
    options: &SessionOptions,
    cancel: &CancellationToken,
    command: &mut Option<Unfinished>,
) -> SessionEnd {
    if options.request.command.is_empty() {
        return SessionEnd::Failed(SessionError::NoCommand);
    }
    let flow = Flow::default();
    let tty = options.request.tty;
    let (input_to, input) = oneshot::channel();
    let reading = pump::read_peer(receiver, &flow, input, tty, options.stdin_limit);
    let mut reading = std::pin::pin!(reading);

    let mut opening = open(engine.clone(), options);
    let opened = tokio::select! {
        biased;
        () = cancel.cancelled() => Err(SessionEnd::Cancelled),
        end = &mut reading => Err(peer_end(end)),
        opened = &mut opening => Ok(opened),
    };
    let (exec, stream) = match opened {
        Ok(Ok((exec, Ok(stream)))) => (exec, stream),
        Ok(Ok((exec, Err(error)))) => {
            // Its answer did not come, or made no sense: it may run.
            *command = Some(Unfinished::Running(Box::new(Running { exec, output: None })));
            return SessionEnd::Failed(SessionError::Start(error));
        }
        Ok(Err(error)) => return SessionEnd::Failed(SessionError::Start(error)),
        Err(end) => {
            *command = Some(Unfinished::Opening(opening));
            return end;
        }
    };
    drop(opening);
    let running = Unfinished::Running(Box::new(Running { exec, output: None }));
    let Unfinished::Running(running) = command.insert(running) else {
        return SessionEnd::Cancelled;
    };
    let Running { exec, output: unread } = &mut **running;
    let (exec, output) = (&*exec, unread.insert(stream.output));
    let _ = input_to.send(stream.input);

    let sent = tokio::select! {
        biased;
        () = cancel.cancelled() => return SessionEnd::Cancelled,
        sent = pump::send_output(sender, output, exec, &flow) => sent,
        end = &mut reading => return peer_end(end),
        never = pump::apply_sizes(exec, &flow) => match never {},
        never = pump::watch(exec, &flow) => match never {},
    };
    match sent {
        Ok(()) => *unread = None,
        Err(OutputError::Peer(error)) => return SessionEnd::PeerFailed(error),
        Err(OutputError::Engine(error)) => return SessionEnd::Failed(SessionError::Lost(error)),
    }

    let exit_code = tokio::select! {
        biased;
        () = cancel.cancelled() => return SessionEnd::Cancelled,
        exit_code = pump::exit_code(exec) => exit_code,
        end = &mut reading => return peer_end(end),
        failed = pump::send_words_only(sender, &flow) => match failed {
            Ok(never) => match never {},
            Err(error) => return SessionEnd::PeerFailed(error),
        },
    };
    let exit_code = match exit_code {
        Ok(exit_code) => exit_code,
        Err(error) => return SessionEnd::Failed(SessionError::Lost(error)),
    };
    let told = async {
        flow.set_writing(true);
        sender.feed(ServerMessage::Stopped(exit_code).encode()).await?;
        sender.close(close_code::NORMAL, "").await
    };
    // Whoever reads slowly is to hear it although the server closes, within the time for last words.
    let overdue = async {
        cancel.cancelled().await;
        sleep(options.close_timeout).await;
    };
    tokio::select! {
        biased;
        told = told => match told {
            Ok(()) => SessionEnd::Exited(exit_code),
            Err(error) => SessionEnd::PeerFailed(error),
        },
        end = &mut reading => peer_end(end),
        () = overdue => SessionEnd::Exited(exit_code),
    }
}

fn peer_end(end: PeerEnd) -> SessionEnd {
    match end {
        PeerEnd::Closed => SessionEnd::PeerGone,
        PeerEnd::Failed(error) => SessionEnd::PeerFailed(error),
    }
}

/// Creates and starts the exec.
fn open(engine: Engine, options: &SessionOptions) -> Opening {
    let request = &options.request;
    let size = request.size.map(|(rows, cols)| TerminalSize { rows, cols });
    let spec = ExecSpec {
        command: request.command.clone(),
        tty: request.tty,
        size: size.filter(|_| request.tty),
        marker: options.marker.clone(),
        ..ExecSpec::default()
    };
    let container = options.container.clone();
    Box::pin(async move {
        let exec = engine.create_exec(&container, &spec).await?;
        let stream = exec.start().await;
        Ok((exec, stream))
    })
}
