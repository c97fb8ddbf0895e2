//! The codec against `vectors/messages.json`, the golden bytes that all our codecs share.

use bytes::Bytes;
use serde_json::Value;

use super::{ClientMessage, DecodeError, ExecRequest, ServerMessage};

fn vectors(section: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../../vectors/messages.json")).unwrap();
    let section = all[section].as_array().unwrap().clone();
    assert!(!section.is_empty());
    section
}

fn unhex(value: &Value) -> Bytes {
    let hex = value.as_str().unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn error_name(error: DecodeError) -> &'static str {
    match error {
        DecodeError::Empty => "empty",
        DecodeError::UnknownCode(_) => "unknown code",
        DecodeError::ShortResize(_) => "short resize",
        DecodeError::ShortStopped => "short stopped",
    }
}

/// Checks one section: what decodes, to what, what does not and why, and that encoding gives the bytes back.
fn check<M: PartialEq + std::fmt::Debug>(
    section: &str,
    expected: impl Fn(&str, &Value) -> M,
    decode: impl Fn(Bytes) -> Result<M, DecodeError>,
    encode: impl Fn(&M) -> Bytes,
) {
    for vector in vectors(section) {
        let (name, wire) = (&vector["name"], unhex(&vector["wire"]));
        let decoded = decode(wire.clone());
        if let Some(error) = vector["error"].as_str() {
            assert_eq!(decoded.map_err(error_name), Err(error), "{name}");
            continue;
        }
        let (kind, payload) = vector["message"].as_object().unwrap().iter().next().unwrap();
        let message = expected(kind, payload);
        assert_eq!(decoded.as_ref(), Ok(&message), "{name}");
        if vector["decodeOnly"] != true {
            assert_eq!(encode(&message), wire, "{name}");
        }
    }
}

fn cells(value: &Value) -> u16 {
    u16::try_from(value.as_u64().unwrap()).unwrap()
}

#[test]
fn client_messages_match_the_golden_bytes() {
    let expected = |kind: &str, payload: &Value| match kind {
        "stdin" => ClientMessage::Stdin(unhex(payload)),
        "resize" => ClientMessage::Resize { rows: cells(&payload[0]), cols: cells(&payload[1]) },
        "resume" => ClientMessage::Resume,
        "pause" => ClientMessage::Pause,
        "end" => ClientMessage::End,
        other => panic!("no such client message: {other}"),
    };
    check("client", expected, ClientMessage::decode, ClientMessage::encode);
}

#[test]
fn server_messages_match_the_golden_bytes() {
    let expected = |kind: &str, payload: &Value| match kind {
        "stdout" => ServerMessage::Stdout(unhex(payload)),
        "stderr" => ServerMessage::Stderr(unhex(payload)),
        "resume" => ServerMessage::Resume,
        "pause" => ServerMessage::Pause,
        "stopped" => ServerMessage::Stopped(u8::try_from(payload.as_u64().unwrap()).unwrap()),
        "shutdown" => ServerMessage::Shutdown,
        "error" => ServerMessage::Error(unhex(payload)),
        other => panic!("no such server message: {other}"),
    };
    check("server", expected, ServerMessage::decode, ServerMessage::encode);
}

#[test]
fn queries_match_the_golden_text() {
    for vector in vectors("query") {
        let query = vector["query"].as_str().unwrap();
        let wanted = &vector["request"];
        let command = wanted["command"].as_array().unwrap();
        let request = ExecRequest {
            command: command.iter().map(|word| word.as_str().unwrap().to_owned()).collect(),
            tty: wanted["tty"] == true,
            size: wanted["size"].as_array().map(|size| (cells(&size[0]), cells(&size[1]))),
        };
        assert_eq!(ExecRequest::from_query(query), request, "{query}");
        if vector["decodeOnly"] != true {
            assert_eq!(request.to_query(), query);
        }
    }
}
