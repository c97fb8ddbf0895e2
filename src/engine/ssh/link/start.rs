//! How a link comes up: `ssh` connects, and a way to the engine is found.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::commands::{self, found};
use super::super::error::{SshError, SshFailure};
use super::super::folder::Folder;
use super::super::process::Process;
use super::super::stdio::{self, Retries};
use super::{END_GRACE, Link, Route};

/// How often is looked whether `ssh` has connected.
const READY_POLL: Duration = Duration::from_millis(10);

/// What a start has come to.
pub(super) struct Connected {
    pub(super) master: Process,
    pub(super) guardian: Child,
    pub(super) route: Route,
}

impl Link {
    /// Everything from the start of `ssh` to the engine's first answer.
    pub(super) fn connect(self: &Arc<Self>) -> Result<Connected, SshError> {
        let deadline = Instant::now() + self.host.options().connect_timeout;
        let failed = |error: std::io::Error| self.failed(&error.to_string());
        let folder = Folder::create().map_err(failed)?;
        let command = commands::master(&self.host, &folder).map_err(failed)?;
        let ours = Arc::clone(self);
        let on_exit = move || {
            // Under the lock, or it could be missed by who is about to wait.
            drop(ours.inner());
            ours.changed.notify_all();
        };
        let master = Process::spawn(command, on_exit).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => SshError::new(SshFailure::Missing, &self.host, ""),
            _ => failed(error),
        })?;
        let guarded = commands::guardian(master.pid(), folder.path()).spawn();
        let guardian = guarded.inspect_err(|_| master.end(END_GRACE)).map_err(failed)?;
        self.inner().master = Some(master.clone());
        let ready = self.wait_ready(&master, &folder, deadline);
        folder.forget_key();
        match ready.and_then(|()| self.find_route(&master, &folder, deadline)) {
            Ok(forwards) => Ok(Connected { master, guardian, route: Route { folder, forwards } }),
            Err(error) => {
                self.end(&master, guardian);
                Err(error)
            }
        }
    }

    /// Waits until `ssh` takes orders, which is when it has connected.
    fn wait_ready(
        &self,
        master: &Process,
        folder: &Folder,
        deadline: Instant,
    ) -> Result<(), SshError> {
        loop {
            if master.wait_until(Instant::now() + READY_POLL).is_some() {
                return Err(self.gave_up(master));
            }
            if folder.control().exists() {
                return Ok(());
            }
            if Instant::now() >= deadline || self.inner().closing {
                return Err(SshError::new(SshFailure::Timeout, &self.host, &master.said()));
            }
        }
    }

    /// The error of an `ssh` that has ended.
    fn gave_up(&self, master: &Process) -> SshError {
        let said = master.said();
        SshError::new(SshFailure::from_words(&said), &self.host, &said)
    }

    /// Whether the engine answers through a forwarded socket; false if through a session.
    fn find_route(
        self: &Arc<Self>,
        master: &Process,
        folder: &Folder,
        deadline: Instant,
    ) -> Result<bool, SshError> {
        let (status, words) = self.ask(commands::forward(&self.host, folder), deadline)?;
        if status != Some(0) {
            return Err(self.failed(&words));
        }
        let socket = UnixStream::connect(folder.engine());
        if socket.is_ok_and(|socket| answers(socket, deadline)) {
            return Ok(true);
        }
        if master.exited().is_some() {
            return Err(self.gave_up(master));
        }
        let (status, words) = self.ask(commands::diagnose(&self.host, folder), deadline)?;
        // What it said before it carried out the diagnosis is here by now.
        let refused = master.said();
        let failure = match status {
            Some(found::NO_SOCKET) => SshFailure::SocketMissing,
            Some(found::NO_PERMISSION) => SshFailure::SocketDenied,
            Some(found::NOTHING_WRONG) => return self.try_session(folder, deadline),
            _ => SshFailure::ForwardingRefused,
        };
        Err(SshError::new(failure, &self.host, &format!("{refused}{words}")))
    }

    fn try_session(&self, folder: &Folder, deadline: Instant) -> Result<bool, SshError> {
        let failed = |error: std::io::Error| self.failed(&error.to_string());
        let mut retries = Retries::default();
        loop {
            let (socket, session) =
                stdio::spawn(commands::dial(&self.host, folder), || {}).map_err(failed)?;
            let answered = stdio::greeted(&socket, deadline) && answers(socket, deadline);
            session.end(END_GRACE);
            if answered {
                return Ok(false);
            }
            let said = session.said();
            // The session of the diagnosis may still count: a server frees them late.
            match retries.after(self, &said) {
                Some(rest) if Instant::now() + rest < deadline => self.rest(rest),
                _ => return Err(SshError::new(SshFailure::EngineSilent, &self.host, &said)),
            }
        }
    }

    /// Runs a command that asks the connection; its exit status and its words.
    fn ask(
        &self,
        command: std::process::Command,
        deadline: Instant,
    ) -> Result<(Option<i32>, String), SshError> {
        let asking =
            Process::spawn(command, || {}).map_err(|error| self.failed(&error.to_string()))?;
        match asking.wait_until(deadline) {
            Some(status) => Ok((status.code(), asking.said())),
            None => {
                asking.end(END_GRACE);
                Err(SshError::new(SshFailure::Timeout, &self.host, &asking.said()))
            }
        }
    }
}

/// Whether what is behind `socket` answers as an engine does.
fn answers(mut socket: UnixStream, deadline: Instant) -> bool {
    const PING: &[u8] = b"GET /_ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    const STATUS: &[u8] = b"HTTP/";
    let mut begun = [0; STATUS.len()];
    let left = deadline.saturating_duration_since(Instant::now()).max(READY_POLL);
    socket.set_read_timeout(Some(left)).is_ok()
        && socket.write_all(PING).is_ok()
        && socket.read_exact(&mut begun).is_ok()
        && begun == STATUS
}
