use super::*;
use crate::engine::request::response_head::{MAX_HEAD, MAX_HEADERS};

const LIMIT: usize = 1024;

/// What becomes of `text`, cut into pieces at `cuts`, and whether the connection then ends.
fn read(method: &str, text: &[u8], cuts: &[usize]) -> Result<Option<WholeAnswer>, Flaw> {
    let mut reader = AnswerReader::new(method, LIMIT);
    let mut from = 0;
    for &cut in cuts.iter().chain([&text.len()]) {
        if let Some(answer) = reader.take(&text[from..cut])? {
            assert_eq!(cut, text.len(), "complete too early");
            return Ok(Some(answer));
        }
        from = cut;
    }
    Ok(reader.end())
}

fn answer(status: u16, body: &str, reusable: bool) -> WholeAnswer {
    WholeAnswer { status, location: None, body: body.into(), reusable }
}

fn unreadable(text: &str) -> &'static str {
    match read("GET", text.as_bytes(), &[]) {
        Err(Flaw::Unreadable(why)) => why,
        other => panic!("{text:?} was read as {other:?}"),
    }
}

const GOOD: &[(&str, u16, &str, bool)] = &[
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", true),
    ("HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n", 200, "", true),
    ("HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", 204, "", true),
    ("HTTP/1.1 304 Not Modified\r\n\r\n", 304, "", true),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 200, "{}", true),
    ("HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\n{}", 200, "{}", false),
    ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, "{}", false),
    ("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}", 200, "{}", true),
    ("HTTP/1.1 200 OK\r\n\r\nto the end", 200, "to the end", false),
    (
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\nLink: y\r\n\r\nHTTP/1.1 201 X\r\nContent-Length: 1\r\n\r\n1",
        201,
        "1",
        true,
    ),
    (
        "HTTP/1.1 500 X\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n00a;x=\"y\"\r\n0123456789\r\n0\r\n\r\n",
        500,
        "hello0123456789",
        true,
    ),
    (
        "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\nSum: 1\r\nOther: 2\r\n\r\n",
        200,
        "a",
        true,
    ),
];

#[test]
fn an_answer_is_the_same_however_it_is_cut() {
    for &(text, status, body, reusable) in GOOD {
        let bytes = text.as_bytes();
        let expected = Ok(Some(answer(status, body, reusable)));
        for cut in 0..bytes.len() {
            assert_eq!(read("GET", bytes, &[cut]), expected, "{text:?} cut at {cut}");
        }
        let every: Vec<usize> = (0..bytes.len()).collect();
        assert_eq!(read("GET", bytes, &every), expected, "{text:?} byte by byte");
    }
}

#[test]
fn an_answer_that_breaks_off_is_none() {
    for &(text, ..) in GOOD.iter().filter(|(text, ..)| !text.ends_with("to the end")) {
        for end in 0..text.len() {
            assert_eq!(read("GET", &text.as_bytes()[..end], &[]), Ok(None), "{text:?} to {end}");
        }
    }
}

#[test]
fn the_answer_to_head_has_no_body() {
    let text = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    assert_eq!(read("HEAD", text, &[]), Ok(Some(answer(200, "", true))));
}

#[test]
fn what_comes_behind_an_answer_spoils_the_connection() {
    for (body, text) in [
        ("ab", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc"),
        ("", "HTTP/1.1 204 OK\r\n\r\nHTTP/1.1 200 OK"),
        ("a", "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n\r"),
    ] {
        let read = read("GET", text.as_bytes(), &[]).unwrap().unwrap();
        assert_eq!((read.body, read.reusable), (body.into(), false), "{text:?}");
    }
}

#[test]
fn what_may_be_read_in_two_ways_is_refused() {
    let head = |header: &str| unreadable(&format!("HTTP/1.1 200 OK\r\n{header}\r\n\r\n"));
    assert_eq!(head("Content-Length: 1\r\nContent-Length: 2"), "there are two lengths");
    assert_eq!(
        head("Content-Length: 1\r\nTransfer-Encoding: chunked"),
        "there are a length and chunks"
    );
    for length in ["+1", "-1", "0x1", "1, 1", "1 1", "", "18446744073709551616"] {
        assert_eq!(head(&format!("Content-Length: {length}")), "the length is no number");
    }
    for encoding in
        ["gzip, chunked", "chunked, chunked", "identity", "chunked\r\nTransfer-Encoding: chunked"]
    {
        let why = head(&format!("Transfer-Encoding: {encoding}"));
        assert_eq!(why, "the transfer encoding is not `chunked`");
    }
    assert_eq!(
        unreadable("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        "the transfer encoding is not `chunked`"
    );
    assert_eq!(head("A: b\r\n folded"), "a header's name is none");
    assert_eq!(head("Content-Length : 1"), "a header's name is none");
    assert_eq!(
        unreadable("HTTP/1.1 101 X\r\nUpgrade: tcp\r\n\r\n"),
        "an upgrade that was not asked for"
    );
    for text in
        ["220 mail.example ESMTP\r\n", "2", "HTTP/2 200 OK\r\n\r\n", "\r\nHTTP/1.1 200 OK\r\n\r\n"]
    {
        assert_eq!(unreadable(text), "the version is not that of HTTP", "{text:?}");
    }
}

#[test]
fn chunks_are_taken_by_the_letter() {
    for body in [
        "\r\n",
        "g\r\n",
        "-1\r\n",
        ";x\r\n",
        "1\na\r\n",
        "1\rx",
        "1;x\na",
        "1\r\nab",
        "1\r\na\n",
        "1\r\na\rx",
        "0\r\n\n",
        "0\r\nA: b\n",
        "0\r\n\rx",
        "1000000000000000\r\n",
    ] {
        let text = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        assert_eq!(unreadable(&text), "a chunk is not one", "{body:?}");
    }
}

#[test]
fn everything_has_a_limit() {
    let long = "x".repeat(MAX_HEAD);
    assert_eq!(unreadable(&format!("HTTP/1.1 200 OK\r\nA: {long}")), "the head is too long");
    assert_eq!(
        unreadable(&format!("HTTP/1.1 200 OK\r\nA: {long}\r\n\r\n")),
        "the head is too long"
    );
    let many = "A: b\r\n".repeat(MAX_HEADERS + 1);
    assert_eq!(unreadable(&format!("HTTP/1.1 200 OK\r\n{many}\r\n")), "there are too many headers");
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for between in [format!("1;{long}"), format!("0\r\nA: {long}")] {
        assert_eq!(unreadable(&format!("{chunked}{between}")), "too much stands between chunks");
    }
    let body = "x".repeat(LIMIT + 1);
    for text in [
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", LIMIT + 1),
        format!("{chunked}{:x}\r\n{body}", LIMIT + 1),
        format!("HTTP/1.1 200 OK\r\n\r\n{body}"),
    ] {
        assert_eq!(read("GET", text.as_bytes(), &[]), Err(Flaw::TooLong(LIMIT)));
    }
}

#[test]
fn a_redirect_says_where_to() {
    let text = "HTTP/1.1 301 X\r\nLocation: http://images/json\r\nContent-Length: 0\r\n\r\n";
    let read = read("GET", text.as_bytes(), &[]).unwrap().unwrap();
    assert_eq!(read.location.as_deref(), Some("http://images/json"));
}
