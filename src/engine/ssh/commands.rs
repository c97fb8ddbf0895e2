//! The command lines of `ssh`: one process that holds the connection, and others that ask it.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Pid;

use super::SshHost;
use super::folder::Folder;

/// What a session at the other end prints before it is joined to the engine.
pub(super) const GREETING: &[u8] = b"dew-ready\n";

/// What [`diagnose`] ends with.
pub(super) mod found {
    pub(crate) const NO_SOCKET: i32 = 41;
    pub(crate) const NO_PERMISSION: i32 = 42;
    pub(crate) const NO_DOCKER: i32 = 43;
    pub(crate) const NOTHING_WRONG: i32 = 44;
}

/// Holds the connection, and takes orders at the folder's control socket.
///
/// The user's configuration counts, but for what would have a kept connection do more than ours
/// is to do: forwards of its own, commands, agents, displays. Nobody is there to be asked, so an
/// unknown host key is refused unless the configuration says otherwise.
pub(super) fn master(host: &SshHost, folder: &Folder) -> io::Result<Command> {
    let options = host.options();
    let mut command = Command::new("ssh");
    command.args(["-N", "-T", "-M", "-S"]).arg(folder.control());
    if let Some(file) = &options.config_file {
        command.arg("-F").arg(file);
    }
    for file in &options.identity_files {
        command.arg("-i").arg(file);
    }
    if let Some(key) = &options.private_key {
        command.arg("-i").arg(folder.keep_key(key.bytes())?);
    }
    if let Some(agent) = &options.agent {
        command.arg("-o").arg(format!("IdentityAgent=\"{}\"", agent.display()));
    }
    let alive = options.server_alive_interval.as_secs();
    for setting in [
        "BatchMode=yes",
        "LogLevel=INFO",
        "ControlPersist=no",
        "ClearAllForwardings=yes",
        "ForwardAgent=no",
        "ForwardX11=no",
        "PermitLocalCommand=no",
        "RemoteCommand=none",
        "Tunnel=no",
        &format!("ConnectTimeout={}", whole_seconds(options.connect_timeout)),
        &format!("ServerAliveInterval={alive}"),
        &format!("ServerAliveCountMax={}", options.server_alive_count.max(1)),
    ] {
        command.args(["-o", setting]);
    }
    if let Some(user) = host.user() {
        command.args(["-l", user]);
    }
    if let Some(port) = host.port() {
        command.args(["-p", &port.to_string()]);
    }
    command.args(["--", host.name()]).stdin(Stdio::null()).stdout(Stdio::null());
    Ok(command)
}

/// Has the connection forward the folder's other socket to the engine.
pub(super) fn forward(host: &SshHost, folder: &Folder) -> Command {
    let mut command = ask(host, folder);
    let both = format!("{}:{}", folder.engine().display(), host.socket());
    command.args(["-O", "forward", "-L", &both, "--", host.name()]);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Finds out why nothing comes from the engine's socket: the exit status is one of [`found`].
pub(super) fn diagnose(host: &SshHost, folder: &Folder) -> Command {
    let socket = host.socket();
    let script = format!(
        "test -S {socket} || exit {}; test -r {socket} && test -w {socket} || exit {}; \
         command -v docker >/dev/null 2>&1 || exit {}; exit {}",
        found::NO_SOCKET,
        found::NO_PERMISSION,
        found::NO_DOCKER,
        found::NOTHING_WRONG,
    );
    let mut command = session(host, folder, &script);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Joins its stdin and stdout to the engine by the docker command at the other end.
pub(super) fn dial(host: &SshHost, folder: &Folder) -> Command {
    let greeting = String::from_utf8_lossy(GREETING);
    let (greeting, socket) = (greeting.trim_end(), host.socket());
    let script = format!("echo {greeting}; exec docker --host unix://{socket} system dial-stdio");
    session(host, folder, &script)
}

/// A session that runs `script`, which must not have quotes, in whatever the user's shell is.
fn session(host: &SshHost, folder: &Folder, script: &str) -> Command {
    let mut command = ask(host, folder);
    command.args(["-T", "--", host.name(), &format!("exec sh -c '{script}'")]);
    command
}

/// An `ssh` that only asks the one that holds the connection, and never connects itself.
fn ask(host: &SshHost, folder: &Folder) -> Command {
    let mut command = Command::new("ssh");
    command.args(["-F", "none", "-S"]).arg(folder.control());
    for setting in ["BatchMode=yes", "ControlMaster=no", "ProxyCommand=false"] {
        command.args(["-o", setting]);
    }
    if let Some(user) = host.user() {
        command.args(["-l", user]);
    }
    command
}

/// Outlives this process, however that ends: ends the `ssh` of `pid` then, and removes `folder`.
/// A line on its stdin tells it that there is nothing to end.
pub(super) fn guardian(pid: Pid, folder: &Path) -> Command {
    const SCRIPT: &str = "trap '' HUP INT TERM; read -r line || kill \"$1\"; rm -rf -- \"$2\"";
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT, "dew-ssh"]).arg(pid.as_raw_nonzero().to_string()).arg(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    command
}

fn whole_seconds(time: Duration) -> u64 {
    time.as_millis().div_ceil(1000).max(1).try_into().unwrap_or(u64::MAX)
}
