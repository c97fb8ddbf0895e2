//! The engine module against a real engine (`DOCKER_HOST`).

#[path = "common/engine.rs"]
mod common;

use std::time::{Duration, Instant};

use common::{TestContainer, engine, finish, spec, tty_spec};
use docker_exec_websocket::engine::{
    Engine, EngineHost, EngineOptions, ExecSpec, ExecStream, OutputStream, TerminalSize,
};
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn an_engine_tells_its_version() {
    let info = engine().info().await.unwrap();
    assert_eq!(info.api.major, 1);
    assert!(!info.version.is_empty());
}

#[tokio::test]
async fn nobody_listening_is_unreachable_and_names_the_host() {
    let host: EngineHost = "unix:///nonexistent/docker.sock".parse().unwrap();
    let error = Engine::new(host, EngineOptions::default()).info().await.unwrap_err();
    assert_eq!(error.code(), "DEW_ENGINE_UNREACHABLE");
    assert!(error.to_string().contains("unix:///nonexistent/docker.sock"), "{error}");
}

#[tokio::test]
async fn a_container_tells_its_state() {
    let container = TestContainer::start();
    let info = engine().container(&container.id[..12]).await.unwrap();
    assert_eq!(info.id, container.id);
    assert!(info.running && !info.paused && info.pid.is_some());
    container.act("pause");
    assert!(engine().container(&container.id).await.unwrap().paused);
    container.act("unpause");
}

#[tokio::test]
async fn a_missing_container_is_not_found() {
    let error = engine().container("dew-no-such").await.unwrap_err();
    assert_eq!(error.code(), "DEW_ENGINE_NOT_FOUND");
    assert!(error.to_string().contains("dew-no-such"), "{error}");
    let error = engine().create_exec("dew-no-such", &spec(&["true"])).await.unwrap_err();
    assert_eq!(error.code(), "DEW_ENGINE_NOT_FOUND");
}

#[tokio::test]
async fn stopped_and_paused_containers_are_conflicts_in_the_engines_words() {
    let container = TestContainer::start();
    container.act("pause");
    let error = engine().create_exec(&container.id, &spec(&["true"])).await.unwrap_err();
    assert_eq!(error.code(), "DEW_ENGINE_CONFLICT");
    assert!(error.to_string().contains("paused"), "{error}");
    container.act("unpause");
    container.act("kill");
    let error = engine().create_exec(&container.id, &spec(&["true"])).await.unwrap_err();
    assert_eq!(error.code(), "DEW_ENGINE_CONFLICT");
    assert!(error.to_string().contains("running"), "{error}");
}

#[tokio::test]
async fn stdout_and_stderr_are_kept_apart_and_the_exit_code_follows() {
    let container = TestContainer::start();
    let command = ["sh", "-c", "echo out; echo err >&2; exit 7"];
    let exec = engine().create_exec(&container.id, &spec(&command)).await.unwrap();
    let before = exec.state().await.unwrap();
    assert_eq!((before.running, before.exit_code), (false, None));
    let stream = exec.start().await.unwrap();
    let end = finish(&exec, stream).await;
    assert_eq!(end.stdout, b"out\n");
    assert_eq!(end.stderr, b"err\n");
    assert_eq!(end.exit_code, Some(7));
}

/// `wc` answers only once its stdin ends: closing everything would lose the answer,
/// closing nothing would hang.
#[tokio::test]
async fn output_after_the_end_of_stdin_arrives() {
    let container = TestContainer::start();
    let exec = engine().create_exec(&container.id, &spec(&["wc", "-c"])).await.unwrap();
    let mut stream = exec.start().await.unwrap();
    stream.input.write_all(&[b'x'; 300_000]).await.unwrap();
    stream.input.shutdown().await.unwrap();
    let end = finish(&exec, stream).await;
    assert_eq!(end.stdout, b"300000\n");
    assert_eq!(end.exit_code, Some(0));
}

#[tokio::test]
async fn a_command_that_does_not_exist_ends_with_the_engines_text() {
    let container = TestContainer::start();
    let exec = engine().create_exec(&container.id, &spec(&["dew-no-such"])).await.unwrap();
    let stream = exec.start().await.unwrap();
    let end = finish(&exec, stream).await;
    assert!(matches!(end.exit_code, Some(126 | 127)), "{end:?}");
    // dockerd says it on stdout, podman on stderr.
    let said = [end.stdout, end.stderr].concat();
    assert!(String::from_utf8_lossy(&said).contains("dew-no-such"));
}

#[tokio::test]
async fn a_second_start_is_refused() {
    let container = TestContainer::start();
    let exec = engine().create_exec(&container.id, &spec(&["true"])).await.unwrap();
    let stream = exec.start().await.unwrap();
    assert_eq!(finish(&exec, stream).await.exit_code, Some(0));
    assert_eq!(exec.start().await.unwrap_err().code(), "DEW_ENGINE_CONFLICT");
}

#[tokio::test]
async fn tty_output_that_looks_framed_arrives_whole() {
    let container = TestContainer::start();
    let command = ["sh", "-c", r"stty raw; printf '\001\000\000\000\020\000\000\000hello'"];
    let exec = engine().create_exec(&container.id, &tty_spec(&command)).await.unwrap();
    let stream = exec.start().await.unwrap();
    let end = finish(&exec, stream).await;
    assert_eq!(end.stdout, b"\x01\0\0\0\x10\0\0\0hello");
    assert_eq!(end.stderr, b"");
}

/// Engines watch a TTY's input for their detach keys; each key has to arrive when it
/// is typed, not with the one after it.
#[tokio::test]
async fn no_key_is_swallowed_on_a_tty() {
    let container = TestContainer::start();
    let command = ["sh", "-c", "stty raw -echo; echo ready; exec cat"];
    let exec = engine().create_exec(&container.id, &tty_spec(&command)).await.unwrap();
    let mut stream = exec.start().await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"ready\n") && !seen.ends_with(b"ready\r\n") {
        seen.extend_from_slice(stream.output.next().await.unwrap().unwrap().as_slice());
    }
    // Ctrl-^ begins our own keys and waits for the next one, as the engine must.
    for key in (0..=255u8).filter(|&key| key != 0x1e).chain([0x10, 0x11, 0x10, 0x10, 0x11]) {
        stream.input.write_all(&[key]).await.unwrap();
        let echo = tokio::time::timeout(Duration::from_secs(10), stream.output.next()).await;
        let echo = echo.unwrap_or_else(|_| panic!("key {key:#x} was held back"));
        assert_eq!(echo.unwrap().unwrap().as_slice(), [key]);
    }
    stream.input.write_all(b"\x1e").await.unwrap();
    stream.input.write_all(b"a").await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 2 {
        seen.extend_from_slice(stream.output.next().await.unwrap().unwrap().as_slice());
    }
    assert_eq!(seen, b"\x1ea");
}

#[tokio::test]
async fn a_tty_has_its_size_from_the_start_and_takes_new_ones() {
    let container = TestContainer::start();
    let script = "until [ \"$(stty size)\" = '33 99' ]; do :; done; echo first; \
                  while read line; do echo \"<$(stty size)>\"; done";
    let with_size = ExecSpec {
        size: Some(TerminalSize { rows: 33, cols: 99 }),
        ..tty_spec(&["sh", "-c", script])
    };
    let exec = engine().create_exec(&container.id, &with_size).await.unwrap();
    let ExecStream { mut input, mut output } = exec.start().await.unwrap();
    let mut seen = String::new();
    let check = async {
        while !seen.contains("first") {
            let chunk = output.next().await.unwrap().unwrap();
            seen += &String::from_utf8_lossy(chunk.as_slice());
        }
        exec.resize(TerminalSize { rows: 5, cols: 7 }).await.unwrap();
        // dockerd has done it by now; podman has only passed it on.
        while !seen.contains("<5 7>") {
            input.write_all(b"\n").await.unwrap();
            let chunk = output.next().await.unwrap().unwrap();
            seen += &String::from_utf8_lossy(chunk.as_slice());
        }
    };
    let check = tokio::time::timeout(Duration::from_secs(60), check).await;
    assert!(check.is_ok(), "the size never came: {}", &seen[seen.len().saturating_sub(200)..]);
}

/// A size that comes at once must win over the one from the start.
#[tokio::test]
async fn the_latest_size_stays() {
    let container = TestContainer::start();
    let engine = engine();
    for cols in 70..75 {
        let with_size = ExecSpec {
            size: Some(TerminalSize { rows: 33, cols: 99 }),
            ..tty_spec(&["sh", "-c", "while read line; do echo \"<$(stty size)>\"; done"])
        };
        let exec = engine.create_exec(&container.id, &with_size).await.unwrap();
        let ExecStream { mut input, mut output } = exec.start().await.unwrap();
        let sizes = (2..=6).map(|rows| exec.resize(TerminalSize { rows, cols }));
        let wanted = format!("<6 {cols}>");
        let mut seen = String::new();
        let check = async {
            for result in futures_util::future::join_all(sizes).await {
                result.unwrap();
            }
            // dockerd has done it by now; podman has only passed it on.
            while seen.matches(&wanted).count() < 3 {
                input.write_all(b"\n").await.unwrap();
                let chunk = output.next().await.unwrap().unwrap();
                seen += &String::from_utf8_lossy(chunk.as_slice());
            }
        };
        let check = tokio::time::timeout(Duration::from_secs(20), check).await;
        assert!(check.is_ok(), "the size never came: {}", &seen[seen.len().saturating_sub(200)..]);
        drop(input);
        exec.detach(output).await;
    }
}

#[tokio::test]
async fn resizing_what_has_ended_is_an_error_and_quick() {
    let container = TestContainer::start();
    let exec = engine().create_exec(&container.id, &tty_spec(&["true"])).await.unwrap();
    let stream = exec.start().await.unwrap();
    finish(&exec, stream).await;
    let started = Instant::now();
    let error = exec.resize(TerminalSize { rows: 1, cols: 1 }).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(5), "{error}");
}

#[tokio::test]
async fn environment_user_and_folder_reach_the_command() {
    let container = TestContainer::start();
    let with_all = ExecSpec {
        env: vec!["A=b c".to_owned()],
        user: Some("12:34".to_owned()),
        workdir: Some("/dev".to_owned()),
        ..spec(&["sh", "-c", "echo $A $(id -u):$(id -g) $PWD"])
    };
    let exec = engine().create_exec(&container.id, &with_all).await.unwrap();
    let stream = exec.start().await.unwrap();
    assert_eq!(finish(&exec, stream).await.stdout, b"b c 12:34 /dev\n");
}

#[tokio::test]
async fn more_starts_than_places_all_run() {
    let container = TestContainer::start();
    let options = EngineOptions { start_limit: 2, ..EngineOptions::default() };
    let engine = Engine::new(common::host(), options);
    let runs = (0..8).map(|number| {
        let (engine, id) = (engine.clone(), container.id.clone());
        async move {
            let text = number.to_string();
            let exec = engine.create_exec(&id, &spec(&["echo", &text])).await.unwrap();
            let stream = exec.start().await.unwrap();
            assert_eq!(finish(&exec, stream).await.stdout, format!("{text}\n").into_bytes());
        }
    });
    futures_util::future::join_all(runs).await;
}

#[tokio::test]
async fn random_bytes_come_back_as_they_were_sent() {
    let container = TestContainer::start();
    let exec = engine().create_exec(&container.id, &spec(&["cat"])).await.unwrap();
    let stream = exec.start().await.unwrap();
    let mut state = 1u64;
    let sent: Vec<u8> = (0..5_000_000)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .collect();
    let (mut input, mut output) = (stream.input, stream.output);
    let write = async {
        input.write_all(&sent).await.unwrap();
        input.shutdown().await.unwrap();
    };
    let mut got = Vec::new();
    let read = async {
        while let Some(chunk) = output.next().await.unwrap() {
            assert_eq!(chunk.stream, OutputStream::Stdout);
            got.extend_from_slice(chunk.as_slice());
        }
    };
    tokio::join!(write, read);
    assert!(got == sent);
}

/// The engine tells it although a child holds the output open.
#[tokio::test]
async fn the_end_of_a_command_is_told_while_its_child_holds_the_output() {
    let container = TestContainer::start();
    let engine = engine();
    let exec = engine
        .create_exec(&container.id, &spec(&["sh", "-c", "sleep 1000 & read line; exit 9"]))
        .await
        .unwrap();
    let mut stream = exec.start().await.unwrap();
    let exited = exec.exited();
    let mut exited = std::pin::pin!(exited);
    tokio::select! {
        () = &mut exited => panic!("it runs still"),
        state = async {
            while exec.state().await.unwrap().pid.is_none() {}
            exec.state().await.unwrap()
        } => assert!(state.running),
    }
    stream.input.write_all(b"\n").await.unwrap();
    let told = tokio::time::timeout(Duration::from_secs(20), exited).await;
    told.expect("nobody said that it ended");
    assert_eq!(exec.state().await.unwrap().exit_code, Some(9));
    assert!(stream.output.try_next().is_none());
}

#[tokio::test]
async fn a_command_that_ended_before_anybody_waited_has_exited() {
    let container = TestContainer::start();
    let engine = engine();
    // A first waiter keeps the subscription alive, so that the second comes to a live one.
    let long = engine.create_exec(&container.id, &spec(&["sleep", "1000"])).await.unwrap();
    let _stream = long.start().await.unwrap();
    let short = async {
        for _ in 0..2 {
            let exec = engine.create_exec(&container.id, &spec(&["true"])).await.unwrap();
            let stream = exec.start().await.unwrap();
            assert_eq!(finish(&exec, stream).await.exit_code, Some(0));
            exec.exited().await;
        }
    };
    tokio::select! {
        () = long.exited() => panic!("it runs still"),
        done = tokio::time::timeout(Duration::from_secs(20), short) => done.unwrap(),
    }
}
