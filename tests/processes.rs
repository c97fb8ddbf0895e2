//! Ending what a session has started, on a real engine (`DOCKER_HOST`).

#[path = "common/engine.rs"]
mod common;

use std::time::{Duration, Instant};

use common::{TestContainer, finish, host, spec, tty_spec};
use docker_exec_websocket::engine::{
    EndedBy, Engine, EngineOptions, Exec, ExecSpec, ExecStream, Left, Marker, ServerMark,
};
use serde_json::json;
use tokio::io::AsyncWriteExt;

/// Has `sleep` and `cat`, and no shell.
const BARE_IMAGE: &str = "docker-exec-websocket-bare";
const GRACE: Duration = Duration::from_millis(500);

/// Ways in which processes escape: name, script, and how many `sleep 4242` it starts.
const ESCAPES: [(&str, &str, usize); 11] = [
    ("children", "sleep 4242 & sleep 4242", 2),
    ("the leader is gone", "trap '' HUP; sleep 4242 >/dev/null 2>&1 & exit", 1),
    ("setsid", "setsid sleep 4242 & wait", 1),
    ("double fork and setsid", "(setsid sh -c 'sleep 4242 & exit' &); sleep 4242", 2),
    ("double fork, the leader is gone", "setsid sh -c 'sleep 4242 & exit'; exit", 1),
    ("no environment, setsid", "env -i setsid sleep 4242 & sleep 4242", 2),
    ("job control", "set -m; sleep 4242 & sleep 4242 & wait", 2),
    ("trapped signals", "trap '' TERM HUP INT; sleep 4242 & sleep 4242", 2),
    ("ignoring HUP", "trap '' HUP; sleep 4242 & trap - HUP; sleep 4242", 2),
    ("stopped", "sh -c 'kill -STOP $$; sleep 4242' & sleep 4242", 1),
    ("a chain", "sh -c 'sh -c \"sleep 4242; true\"; true' & exec sleep 4242", 2),
];

fn marker() -> Marker {
    Marker::new(&ServerMark::current()).unwrap()
}

fn engine_with(host_processes: bool) -> Engine {
    Engine::new(host(), EngineOptions { host_processes, ..EngineOptions::default() })
}

/// Starts `spec` and waits until `count` times `sleep 4242` runs.
async fn start(
    engine: &Engine,
    container: &TestContainer,
    spec: ExecSpec,
    count: usize,
) -> (Exec, ExecStream) {
    let exec = engine.create_exec(&container.id, &spec).await.unwrap();
    let stream = exec.start().await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let processes = container.processes();
        if processes.iter().filter(|command| *command == "sleep 4242").count() == count {
            exec.state().await.unwrap();
            return (exec, stream);
        }
        assert!(Instant::now() < deadline, "{spec:?} never came so far: {processes:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn all_escapes_are_ended(engine: Engine, by: EndedBy) {
    let container = TestContainer::start();
    for tty in [false, true] {
        for (name, script, count) in ESCAPES {
            let command = ["sh", "-c", script];
            let spec = if tty { tty_spec(&command) } else { spec(&command) };
            let spec = ExecSpec { marker: Some(marker()), ..spec };
            let (exec, stream) = start(&engine, &container, spec, count).await;
            drop(stream);
            let began = Instant::now();
            let report = exec.end_processes(GRACE).await.unwrap();
            let took = began.elapsed();
            let left = container.processes();
            assert_eq!(left, Vec::<String>::new(), "{name}, tty {tty}: {report:?}");
            assert_eq!((&report.left, report.by), (&Left::Nothing, by), "{name}, tty {tty}");
            assert!(report.ended >= count, "{name}, tty {tty}: {report:?}");
            println!("{name}, tty {tty}: {report:?} in {} ms", took.as_millis());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_process_is_ended_from_the_host() {
    all_escapes_are_ended(engine_with(true), EndedBy::Host).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_process_is_ended_from_inside() {
    all_escapes_are_ended(engine_with(false), EndedBy::Helper).await;
}

/// Nothing but the number of its session still ties it to the command.
#[tokio::test]
async fn a_process_without_environment_is_ended_after_its_leader() {
    let container = TestContainer::start();
    let engine = engine_with(true);
    let spec = ExecSpec {
        marker: Some(marker()),
        ..spec(&["sh", "-c", "env -i sleep 4242 >/dev/null 2>&1 & read line"])
    };
    let (exec, mut stream) = start(&engine, &container, spec, 1).await;
    assert!(exec.state().await.unwrap().pid.is_some());
    stream.input.write_all(b"\n").await.unwrap();
    finish(&exec, stream).await;
    let report = exec.end_processes(GRACE).await.unwrap();
    assert_eq!((report.ended, report.left), (1, Left::Nothing));
    assert_eq!(container.processes(), Vec::<String>::new());
}

#[tokio::test]
async fn an_image_without_a_shell_is_served_from_the_host_and_reported_from_inside() {
    let image = json!({ "Image": BARE_IMAGE, "Cmd": ["/bin/sleep", "100000"] });
    let container = TestContainer::start_at(host(), image);
    for (host_processes, by) in [(false, EndedBy::Nobody), (true, EndedBy::Host)] {
        let engine = engine_with(host_processes);
        let spec = ExecSpec { marker: Some(marker()), ..spec(&["/bin/sleep", "4242"]) };
        let exec = engine.create_exec(&container.id, &spec).await.unwrap();
        let _stream = exec.start().await.unwrap();
        let report = exec.end_processes(GRACE).await.unwrap();
        assert_eq!(report.by, by);
        match report.left {
            Left::Unknown(why) => assert!(!host_processes && why.contains("no shell"), "{why}"),
            left => assert!(host_processes && left == Left::Nothing),
        }
        exec.end_processes(GRACE).await.unwrap();
    }
}

#[tokio::test]
async fn other_sessions_of_the_container_live_on() {
    let container = TestContainer::start();
    for host_processes in [true, false] {
        let engine = engine_with(host_processes);
        let sleep = || ExecSpec { marker: Some(marker()), ..spec(&["sleep", "4242"]) };
        let (first, _first_stream) = start(&engine, &container, sleep(), 1).await;
        let (second, _second_stream) = start(&engine, &container, sleep(), 2).await;
        let report = first.end_processes(GRACE).await.unwrap();
        assert_eq!((report.ended, report.left), (1, Left::Nothing));
        assert_eq!(container.processes(), ["sleep 4242"]);
        assert!(second.state().await.unwrap().running);
        second.end_processes(GRACE).await.unwrap();
        assert_eq!(container.processes(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_handler_of_term_gets_its_time() {
    let container = TestContainer::start();
    for (host_processes, tty) in [(true, false), (true, true), (false, false), (false, true)] {
        let engine = engine_with(host_processes);
        let script = "trap 'echo handled; exit 3' TERM HUP; sleep 4242 & wait";
        let command = ["sh", "-c", script];
        let spec = if tty { tty_spec(&command) } else { spec(&command) };
        let spec = ExecSpec { marker: Some(marker()), ..spec };
        let (exec, stream) = start(&engine, &container, spec, 1).await;
        let (report, end) = tokio::join!(exec.end_processes(GRACE), finish(&exec, stream));
        assert_eq!(report.unwrap().left, Left::Nothing);
        assert_eq!(String::from_utf8_lossy(&end.stdout).trim(), "handled");
        assert_eq!(end.exit_code, Some(3));
    }
}

/// The peer may go before the engine has come to starting the command.
#[tokio::test]
async fn a_command_that_is_just_starting_is_ended() {
    let container = TestContainer::start();
    for host_processes in [true, false] {
        let engine = engine_with(host_processes);
        let spec = ExecSpec { marker: Some(marker()), ..spec(&["sleep", "4242"]) };
        let exec = engine.create_exec(&container.id, &spec).await.unwrap();
        drop(exec.start().await.unwrap());
        exec.end_processes(GRACE).await.unwrap();
        assert_eq!(container.processes(), Vec::<String>::new());
        assert!(!exec.state().await.unwrap().running);
    }
}

/// Between the engine's 101 and the command there are moments when the engine knows of no process,
/// and when the process is still the runtime, which does not carry the marker.
#[tokio::test(flavor = "multi_thread")]
async fn many_commands_that_are_just_starting_are_ended() {
    let container = TestContainer::start();
    let engine = engine_with(true);
    let ending = (0..40).map(|_| {
        let (engine, id) = (engine.clone(), container.id.clone());
        tokio::spawn(async move {
            let spec = ExecSpec { marker: Some(marker()), ..spec(&["sleep", "4242"]) };
            let exec = engine.create_exec(&id, &spec).await.unwrap();
            drop(exec.start().await.unwrap());
            exec.end_processes(GRACE).await.unwrap()
        })
    });
    for ended in ending.collect::<Vec<_>>() {
        assert_eq!(ended.await.unwrap().left, Left::Nothing);
    }
    assert_eq!(container.processes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_command_with_a_clean_environment_is_ended() {
    let container = TestContainer::start();
    let engine = engine_with(true);
    let spec = ExecSpec { marker: Some(marker()), ..spec(&["sh", "-c", "exec env -i sleep 4242"]) };
    let (exec, _stream) = start(&engine, &container, spec, 1).await;
    let report = exec.end_processes(GRACE).await.unwrap();
    assert_eq!((report.ended, report.left), (1, Left::Nothing));
    assert_eq!(container.processes(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_over_or_was_never_started_is_no_work() {
    let container = TestContainer::start();
    let engine = engine_with(true);
    let spec = ExecSpec { marker: Some(marker()), ..spec(&["true"]) };
    let exec = engine.create_exec(&container.id, &spec).await.unwrap();
    let report = exec.end_processes(GRACE).await.unwrap();
    assert_eq!((report.left, report.by), (Left::Nothing, EndedBy::Nobody));
    let stream = exec.start().await.unwrap();
    finish(&exec, stream).await;
    let report = exec.end_processes(GRACE).await.unwrap();
    assert_eq!((report.left, report.by), (Left::Nothing, EndedBy::Nobody));
    container.remove();
    let report = exec.end_processes(GRACE).await.unwrap();
    assert_eq!((report.left, report.by), (Left::Nothing, EndedBy::Nobody));
}

#[tokio::test]
async fn a_paused_container_is_reported_and_not_waited_for() {
    let container = TestContainer::start();
    for host_processes in [true, false] {
        let engine = engine_with(host_processes);
        let spec = ExecSpec { marker: Some(marker()), ..spec(&["sleep", "4242"]) };
        let (exec, _stream) = start(&engine, &container, spec, 1).await;
        container.act("pause");
        let began = Instant::now();
        let report = exec.end_processes(GRACE).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(6));
        container.act("unpause");
        if host_processes {
            // Killed at once or at the end of the pause, as the control groups have it.
            assert!(matches!(report.left, Left::Nothing | Left::Processes(1)), "{report:?}");
        } else {
            assert_eq!(report.left, Left::Unknown("the container is paused".to_owned()));
            exec.end_processes(GRACE).await.unwrap();
        }
        let deadline = Instant::now() + Duration::from_secs(5);
        while !container.processes().is_empty() {
            assert!(Instant::now() < deadline, "{:?}", container.processes());
        }
    }
}

#[tokio::test]
async fn only_what_a_dead_server_has_left_is_reaped() {
    let container = TestContainer::start();
    for host_processes in [true, false] {
        let engine = engine_with(host_processes);
        let (dead, alive) = (marker(), marker());
        let left = |marker: &Marker| ExecSpec {
            marker: Some(marker.clone()),
            ..spec(&["sh", "-c", "setsid sleep 4242 & wait"])
        };
        let (_, first) = start(&engine, &container, left(&dead), 1).await;
        let (exec, second) = start(&engine, &container, left(&alive), 2).await;
        drop((first, second));
        let report = engine.reap(&container.id, |marker| *marker == dead, GRACE).await.unwrap();
        assert_eq!((report.ended, report.left), (2, Left::Nothing));
        assert_eq!(container.processes().len(), 2);
        exec.end_processes(GRACE).await.unwrap();
        assert_eq!(container.processes(), Vec::<String>::new());
    }
}
