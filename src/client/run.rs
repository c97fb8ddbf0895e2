//! The task that owns a client's connection.

use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::time::{sleep, timeout};

use super::{ClientError, ClientEvent, ClientEvents, Shared, outbox::Outbox};
use crate::{
    pipe::Pipe,
    protocol::{ClientMessage, ServerMessage},
    transport::{Incoming, PeerReceiver, PeerSender, Pulse, TransportError, close_code},
};

/// Input that is gathered before it is written out.
const BATCH: usize = 256 * 1024;

/// How long output may be stuck before the server is asked to pause. Until then the full socket
/// says it without a word; the word keeps the server from taking our silence for death.
const PAUSE_AFTER: Duration = Duration::from_secs(1);

/// When a timer that is never waited for would fire.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// How the connection came to its end.
enum End {
    /// The exit code is known.
    Exited,
    /// The server said that it is going.
    Shutdown,
    /// The caller asked for it.
    Closed,
    /// The caller cut the connection.
    Terminated,
    /// The server's close frame came first.
    ServerClosed(u16, String),
    Failed(TransportError),
}

/// Runs one client to its end.
pub(super) async fn run(
    shared: Arc<Shared>,
    (mut sender, mut receiver): (PeerSender, PeerReceiver),
    close_timeout: Duration,
    events: ClientEvents,
) {
    let mut told_error = false;
    let end = {
        let sending = pin!(send(&mut sender, &shared.input, &shared.outbox));
        let receiving = pin!(receive(&mut receiver, &shared, &events, &mut told_error));
        tokio::select! {
            biased;
            () = shared.outbox.terminated.notified() => End::Terminated,
            end = receiving => end,
            end = sending => match end {
                Ok(()) => End::Closed,
                Err(error) => End::Failed(error),
            },
            () = overdue(&shared.outbox, close_timeout) => End::Terminated,
        }
    };
    shared.outbox.stop();
    // A failed write may be the echo of a close that is still to be read, with the exit code
    // before it: look at what the server sent.
    let end = match end {
        End::Failed(error) => {
            let rest = receive(&mut receiver, &shared, &events, &mut told_error);
            match timeout(close_timeout, rest).await {
                Ok(End::Failed(_)) | Err(_) => End::Failed(error),
                Ok(end) => end,
            }
        }
        end => end,
    };
    shared.stdout.end();
    shared.stderr.end();
    shared.input.close();
    let (code, reason) = finish(&end, &mut sender, &mut receiver, close_timeout).await;
    let error = match end {
        End::Failed(error) => Some(ClientError::Lost(error)),
        End::ServerClosed(code, reason) if !told_error => {
            Some(ClientError::Closed { code, reason })
        }
        _ => None,
    };
    drop((sender, receiver));
    events(ClientEvent::Closed { code, reason, error });
}

/// Returns `limit` after the caller has closed: a server that reads nothing more leaves no room for
/// a close, behind a message of which it has taken half.
async fn overdue(outbox: &Outbox, limit: Duration) {
    outbox.closed.notified().await;
    sleep(limit).await;
}

/// Closes in order where that is possible; answers the code and reason of the close.
async fn finish(
    end: &End,
    sender: &mut PeerSender,
    receiver: &mut PeerReceiver,
    limit: Duration,
) -> (u16, String) {
    match end {
        End::Exited | End::Shutdown | End::Closed => {
            let closing = async {
                // The server's own close may have come first; then this only flushes the answer.
                let _ = sender.close(close_code::NORMAL, "").await;
                loop {
                    match receiver.next().await {
                        Ok(Incoming::Closed(code, reason)) => return (code, reason),
                        Ok(Incoming::Message(_) | Incoming::Continued(_)) => {}
                        Err(_) => return (close_code::ABNORMAL, String::new()),
                    }
                }
            };
            let closed = timeout(limit, closing).await;
            closed.unwrap_or((close_code::ABNORMAL, String::new()))
        }
        End::ServerClosed(code, reason) => {
            let _ = timeout(limit, sender.flush()).await;
            (*code, reason.clone())
        }
        End::Failed(error) => {
            if !matches!(error, TransportError::Lost(_)) {
                let _ = timeout(limit, sender.close(error.close_code(), error.code())).await;
            }
            (close_code::ABNORMAL, String::new())
        }
        End::Terminated => {
            sender.abort();
            (close_code::ABNORMAL, String::new())
        }
    }
}

/// Sends what the caller gives, for as long as the server takes it. Returns when the caller
/// closes, after what can be sent was sent.
async fn send(
    sender: &mut PeerSender,
    input: &Pipe,
    outbox: &Outbox,
) -> Result<(), TransportError> {
    loop {
        if let Some(urgent) = outbox.take_urgent() {
            for message in urgent.messages {
                sender.feed(message).await?;
            }
            if urgent.ping {
                sender.ping().await?;
            }
            sender.flush().await?;
        }
        let closing = outbox.is_closing();
        if closing && (input.is_empty() || !outbox.is_taking()) {
            return Ok(());
        }
        tokio::select! {
            biased;
            () = outbox.changed.notified() => {}
            Some(first) = poll_fn(|cx| outbox.poll_input(input, cx)), if outbox.is_taking() => {
                let mut gathered = first.len();
                sender.feed(first).await?;
                while gathered < BATCH && let Some(next) = input.pop() {
                    gathered += next.len();
                    sender.feed(next).await?;
                }
                sender.flush().await?;
            }
        }
    }
}

/// Takes the server's messages until the end of the session.
async fn receive(
    receiver: &mut PeerReceiver,
    shared: &Shared,
    events: &ClientEvents,
    told_error: &mut bool,
) -> End {
    let mut beat = pin!(sleep(FAR));
    let mut next_beat = receiver.next_beat();
    let rearm = |at: Option<Instant>| at.unwrap_or_else(|| Instant::now() + FAR);
    beat.as_mut().reset(rearm(next_beat).into());
    // Where the rest of the message that came last belongs.
    let mut continued = None;
    loop {
        let wire = tokio::select! {
            biased;
            incoming = next(receiver, shared) => match incoming {
                Ok(Incoming::Message(wire)) => wire,
                Ok(Incoming::Continued(bytes)) => {
                    if let Some(queue) = continued {
                        put(queue, bytes, shared).await;
                    }
                    continue;
                }
                Ok(Incoming::Closed(code, reason)) => return End::ServerClosed(code, reason),
                Err(error) => return End::Failed(error),
            },
            () = beat.as_mut(), if next_beat.is_some() => {
                match receiver.beat(false) {
                    Pulse::Ping => shared.outbox.ping(),
                    Pulse::Wait => {}
                    Pulse::Gone => return End::Failed(TransportError::Silent(receiver.patience())),
                }
                next_beat = receiver.next_beat();
                beat.as_mut().reset(rearm(next_beat).into());
                continue;
            }
        };
        let message = ServerMessage::decode(wire);
        continued = match &message {
            Ok(ServerMessage::Stdout(_)) => Some(&shared.stdout),
            Ok(ServerMessage::Stderr(_)) => Some(&shared.stderr),
            _ => None,
        };
        match message {
            Ok(ServerMessage::Stdout(bytes)) => put(&shared.stdout, bytes, shared).await,
            Ok(ServerMessage::Stderr(bytes)) => put(&shared.stderr, bytes, shared).await,
            Ok(ServerMessage::Resume) => {
                shared.outbox.set_taking(true);
                events(ClientEvent::Resumed);
            }
            Ok(ServerMessage::Pause) => {
                shared.outbox.set_taking(false);
                events(ClientEvent::Paused);
            }
            Ok(ServerMessage::Stopped(exit_code)) => {
                shared.stdout.end();
                shared.stderr.end();
                events(ClientEvent::Exit(exit_code));
                return End::Exited;
            }
            Ok(ServerMessage::Shutdown) => {
                events(ClientEvent::Shutdown);
                return End::Shutdown;
            }
            Ok(ServerMessage::Error(text)) => {
                *told_error = true;
                events(ClientEvent::ServerError(String::from_utf8_lossy(&text).into_owned()));
            }
            // Later versions say things that this one need not know.
            Err(_) => {}
        }
    }
}

/// What the server says next. The output's readers are woken when there is nothing more now: once
/// for a burst.
async fn next(receiver: &mut PeerReceiver, shared: &Shared) -> Result<Incoming, TransportError> {
    poll_fn(|cx| {
        let polled = receiver.poll_next(cx);
        if polled.is_pending() {
            shared.stdout.wake_reader();
            shared.stderr.wake_reader();
        }
        polled
    })
    .await
}

/// Queues output; waits while the queue is full.
async fn put(queue: &Pipe, bytes: Bytes, shared: &Shared) {
    if queue.push_quietly(bytes) {
        return;
    }
    let mut room = pin!(poll_fn(|cx| queue.poll_room(cx)));
    tokio::select! {
        biased;
        () = room.as_mut() => return,
        () = sleep(PAUSE_AFTER), if shared.outbox.is_modern() => {}
    }
    shared.outbox.flow(ClientMessage::Pause.encode());
    room.await;
    shared.outbox.flow(ClientMessage::Resume.encode());
}
