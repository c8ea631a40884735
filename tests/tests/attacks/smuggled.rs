//! Requests of which a proxy in front and the server behind it could disagree where they end: what one of them takes for the
//! body would be a request of somebody else's for the other.

use crate::target::Target;

/// What would be smuggled: it is never answered.
const INNER: &str = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn a_request_with_two_ends_is_refused_or_is_the_last_on_its_connection() {
    let target = Target::start();
    let chunked = format!("0\r\n\r\n{INNER}");
    let length = chunked.len();
    let of = |headers: &str, body: &str| format!("POST /sync/v1 HTTP/1.1\r\nHost: x\r\n{headers}\r\n{body}");
    let twice = |one: usize, other: usize| format!("Content-Length: {one}\r\nContent-Length: {other}\r\n");
    let both = |encoding: &str| format!("Content-Length: {length}\r\nTransfer-Encoding: {encoding}\r\n");
    for (what, said) in [
        ("two lengths", of(&twice(0, length), &chunked)),
        ("two lengths, the longer first", of(&twice(length, 0), &chunked)),
        ("a length with a sign", of(&format!("Content-Length: +{length}\r\n"), &chunked)),
        ("a list of lengths", of(&format!("Content-Length: 0, {length}\r\n"), &chunked)),
        ("a length and chunks", of(&both("chunked"), &chunked)),
        (
            "chunks and a length",
            of(&format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n"), &chunked),
        ),
        ("chunks that are none", of(&both("xchunked"), &chunked)),
        ("chunks that are not the last", of(&both("chunked, identity"), &chunked)),
        ("chunks twice", of(&format!("{}Transfer-Encoding: identity\r\n", both("chunked")), &chunked)),
        (
            "a space before the colon",
            of(&format!("Content-Length: {length}\r\nTransfer-Encoding : chunked\r\n"), &chunked),
        ),
        (
            "a folded line",
            of(&format!("Content-Length: {length}\r\nTransfer-Encoding:\r\n chunked\r\n"), &chunked),
        ),
        (
            "a line feed alone in a name",
            of(&format!("X: y\nTransfer-Encoding\n: chunked\r\nContent-Length: {length}\r\n"), &chunked),
        ),
        ("chunks in HTTP/1.0", of(&both("chunked"), &chunked).replacen("HTTP/1.1", "HTTP/1.0", 1)),
        (
            "a size that is too large",
            of("Transfer-Encoding: chunked\r\n", &format!("fffffffffffffffff\r\n{chunked}")),
        ),
        ("a size with a sign", of("Transfer-Encoding: chunked\r\n", &format!("-1\r\n{chunked}"))),
        (
            "chunks without their ends",
            of("Transfer-Encoding: chunked\r\n", &format!("5\r\nabcdefg{chunked}")),
        ),
    ] {
        let mut line = target.door().connect().unwrap();
        line.say(said.as_bytes()).unwrap();
        let mut answers = Vec::new();
        while let Ok(Some(answer)) = line.hear() {
            answers.push(answer.status);
        }
        assert!(answers.len() <= 1 && answers.iter().all(|status| *status >= 400), "{what}: {answers:?}");
    }
    // Two honest requests on one connection are two.
    let mut line = target.door().connect().unwrap();
    line.say(INNER.repeat(2).as_bytes()).unwrap();
    assert_eq!([line.hear().unwrap().unwrap().status, line.hear().unwrap().unwrap().status], [200, 200]);
    // And so is one in chunks with what follows it.
    let chunks = of("Transfer-Encoding: chunked\r\n", &format!("5\r\nhello\r\n{chunked}"));
    line.say(chunks.as_bytes()).unwrap();
    assert_eq!([line.hear().unwrap().unwrap().status, line.hear().unwrap().unwrap().status], [400, 200]);
}
