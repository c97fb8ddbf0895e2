//! The mark by which a session's processes are known again.

use std::fmt;
use std::io;
use std::str::FromStr;

/// The environment variable that carries a [`Marker`].
pub const MARKER_VARIABLE: &str = "DOCKER_EXEC_WEBSOCKET";

/// Hexadecimal digits of a session's random part: 128 bits.
const SESSION_DIGITS: usize = 32;
/// Hexadecimal digits of the place's part: 64 bits.
const PLACE_DIGITS: usize = 16;

/// Which server a marker comes from: a process, exactly.
///
/// A process id alone comes again; with its start time and the running system that it
/// counts in, it never does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerMark {
    /// This boot of this machine, and the pid namespace: where `pid` means anything.
    place: u64,
    pid: u32,
    /// Clock ticks from the boot to the start of the process; 0 where nobody knows.
    started: u64,
}

impl ServerMark {
    /// The mark of this process.
    pub fn current() -> Self {
        let pid = std::process::id();
        Self { place: place(), pid, started: start_time(pid).unwrap_or(0) }
    }

    /// Whether the server is known to be gone: it ran in this boot of this machine, in
    /// our pid namespace, and its process is no more.
    ///
    /// Of a server elsewhere (another machine, another container) nothing is known, so
    /// it is never dead.
    pub fn is_dead(&self) -> bool {
        self.started != 0 && self.place == place() && !self.is_alive()
    }

    /// Whether the server is known to run, on this machine and in our pid namespace.
    pub fn is_alive(&self) -> bool {
        self.place == place() && start_time(self.pid) == Some(self.started)
    }
}

/// A hash of what a process id is relative to.
#[cfg(target_os = "linux")]
fn place() -> u64 {
    let boot = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    // FNV-1a: it has to be the same in every build, and to keep no secret.
    let namespace = namespace.to_string_lossy();
    boot.iter().copied().chain(namespace.bytes()).fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(not(target_os = "linux"))]
fn place() -> u64 {
    0
}

/// When the process began, in clock ticks since the boot; `None` if it is gone.
#[cfg(target_os = "linux")]
fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let process = super::tree::Process::from_stat(pid, &stat)?;
    (!process.is_over()).then_some(process.started)
}

#[cfg(not(target_os = "linux"))]
fn start_time(_: u32) -> Option<u64> {
    None
}

/// A value in a command's environment that no other session has, and that all its
/// descendants inherit unless they clear their environment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Marker {
    server: ServerMark,
    session: u128,
}

impl Marker {
    /// A new marker for a session of `server`.
    ///
    /// # Errors
    ///
    /// When the system gives no random bytes.
    pub fn new(server: &ServerMark) -> io::Result<Self> {
        let mut bytes = [0; size_of::<u128>()];
        getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self { server: server.clone(), session: u128::from_ne_bytes(bytes) })
    }

    /// The server that made it.
    pub fn server(&self) -> &ServerMark {
        &self.server
    }

    /// The marker that `text` begins with. What follows is not looked at: shells read
    /// an environment without the NULs between its entries.
    pub(super) fn from_prefix(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, '.');
        let place = parts.next().filter(|part| part.len() == PLACE_DIGITS)?;
        let server = ServerMark {
            place: u64::from_str_radix(place, 16).ok()?,
            pid: decimal(parts.next()?)?,
            started: decimal(parts.next()?)?,
        };
        let session = parts.next()?.get(..SESSION_DIGITS)?;
        let digits = session.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let session = digits.then(|| u128::from_str_radix(session, 16).ok()).flatten()?;
        Some(Self { server, session })
    }
}

/// Numbers as `Display` writes them: `from_str` would take a sign, too.
fn decimal<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ServerMark { place, pid, started } = self.server;
        write!(f, "{place:016x}.{pid}.{started}.{:032x}", self.session)
    }
}

/// The text is not what [`Marker`]'s `Display` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a session marker")]
pub struct InvalidMarker;

impl FromStr for Marker {
    type Err = InvalidMarker;

    fn from_str(text: &str) -> Result<Self, InvalidMarker> {
        let marker = Self::from_prefix(text).ok_or(InvalidMarker)?;
        if marker.to_string() == text { Ok(marker) } else { Err(InvalidMarker) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_read_as_it_is_written() {
        let marker = Marker::new(&ServerMark::current()).unwrap();
        assert_eq!(marker.to_string().parse(), Ok(marker.clone()));
        assert_eq!(Marker::from_prefix(&format!("{marker}abc=d")), Some(marker.clone()));
        assert_eq!(format!("{marker}a").parse::<Marker>(), Err(InvalidMarker));
        assert_ne!(Marker::new(&ServerMark::current()).unwrap(), marker);
    }

    #[test]
    fn nonsense_is_no_marker() {
        let zeros = "0".repeat(32);
        let texts = ["", "...", "a.b.c.d", &format!("0.1.2.{zeros}"), &format!("{zeros}.1.2.3")];
        for text in texts {
            assert_eq!(text.parse::<Marker>(), Err(InvalidMarker), "{text}");
        }
        let signed = format!("{:016x}.+1.2.{zeros}", 1);
        assert_eq!(signed.parse::<Marker>(), Err(InvalidMarker));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_a_server_of_this_place_can_be_dead() {
        let alive = ServerMark::current();
        assert!(alive.is_alive() && !alive.is_dead());
        let before = ServerMark { started: alive.started - 1, ..alive.clone() };
        assert!(!before.is_alive() && before.is_dead());
        let elsewhere = ServerMark { place: !alive.place, ..alive };
        assert!(!elsewhere.is_alive() && !elsewhere.is_dead());
    }
}
