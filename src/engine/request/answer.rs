//! One answer of HTTP/1.1, out of bytes that come in any pieces.
//!
//! Strict: if it were not sure where an answer ends, its rest would be taken for the next one. What
//! may be read in more than one way is refused.

#[cfg(test)]
mod tests;

use super::chunks::{Chunks, Part};
use super::response_head::{parse, take_head};

/// What is set aside for a body at once, whatever its length is said to be.
const MAX_RESERVED: u64 = 64 * 1024;

/// An answer that is complete.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct WholeAnswer {
    /// The HTTP status.
    pub status: u16,
    /// Where a redirect leads.
    pub location: Option<String>,
    /// The whole body.
    pub body: Vec<u8>,
    /// Whether the connection can be used for another request.
    pub reusable: bool,
}

/// Why bytes are no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// They are not HTTP, or not surely.
    Unreadable(&'static str),
    /// The body is longer than this.
    TooLong(usize),
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
enum Stage {
    Head,
    /// So many bytes of a body.
    Length(u64),
    Chunks(Chunks),
    /// A body that ends with the connection.
    UntilEnd,
    Complete,
}

/// Reads one answer.
#[derive(Debug)]
pub(super) struct AnswerReader {
    stage: Stage,
    /// The head, as far as it is there.
    head: Vec<u8>,
    answer: WholeAnswer,
    /// Whether the request was one whose answer has no body.
    bodiless: bool,
    /// The longest body.
    limit: usize,
}

impl AnswerReader {
    /// For the answer to a request by `method`, with a body of at most `limit` bytes.
    pub(super) fn new(method: &str, limit: usize) -> Self {
        Self {
            stage: Stage::Head,
            head: Vec::new(),
            answer: WholeAnswer::default(),
            bodiless: method == "HEAD",
            limit,
        }
    }

    /// Whether the head is there.
    pub(super) fn has_head(&self) -> bool {
        self.stage != Stage::Head
    }

    /// Takes the next bytes; the answer, once it is complete.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Option<WholeAnswer>, Flaw> {
        if self.stage == Stage::Head {
            let seen = self.head.len();
            self.head.extend_from_slice(bytes);
            self.take_heads(seen)?;
        } else {
            self.take_body(bytes)?;
        }
        Ok((self.stage == Stage::Complete).then(|| std::mem::take(&mut self.answer)))
    }

    /// The connection has ended: that is the end of some answers.
    pub(super) fn end(&mut self) -> Option<WholeAnswer> {
        (self.stage == Stage::UntilEnd).then(|| {
            self.stage = Stage::Complete;
            std::mem::take(&mut self.answer)
        })
    }

    /// Looks for the end of a head behind what was `seen`; those of interim answers are skipped.
    fn take_heads(&mut self, mut seen: usize) -> Result<(), Flaw> {
        while self.stage == Stage::Head {
            let head = take_head(&mut self.head, seen).map_err(Flaw::Unreadable)?;
            let Some(head) = head else { return Ok(()) };
            self.parse(&head)?;
            seen = 0;
        }
        let body = std::mem::take(&mut self.head);
        self.take_body(&body)
    }

    fn parse(&mut self, head: &[u8]) -> Result<(), Flaw> {
        let parsed = parse(head, |head| {
            self.answer.status = head.status;
            self.answer.reusable = head.framing.keeps;
            let redirects = (300..400).contains(&head.status);
            (head.is_bodiless(), redirects, head.framing)
        });
        let Some((bodiless, redirects, framing)) = parsed.map_err(Flaw::Unreadable)? else {
            return Ok(());
        };
        self.answer.location = redirects.then_some(framing.location).flatten();
        self.stage = if self.bodiless || bodiless {
            Stage::Complete
        } else if framing.chunked {
            Stage::Chunks(Chunks::default())
        } else {
            self.length(framing.length)?
        };
        Ok(())
    }

    fn length(&mut self, length: Option<u64>) -> Result<Stage, Flaw> {
        let Some(length) = length else {
            self.answer.reusable = false;
            return Ok(Stage::UntilEnd);
        };
        if usize::try_from(length).map_or(true, |length| length > self.limit) {
            return Err(Flaw::TooLong(self.limit));
        }
        let reserved = usize::try_from(length.min(MAX_RESERVED)).unwrap_or(0);
        self.answer.body.reserve_exact(reserved);
        Ok(if length == 0 { Stage::Complete } else { Stage::Length(length) })
    }

    fn take_body(&mut self, mut bytes: &[u8]) -> Result<(), Flaw> {
        while !bytes.is_empty() {
            bytes = match self.stage {
                Stage::Length(left) => {
                    let (now, rest) = split(bytes, left);
                    self.push(now)?;
                    let left = left - now.len() as u64;
                    self.stage = if left == 0 { Stage::Complete } else { Stage::Length(left) };
                    rest
                }
                Stage::UntilEnd => {
                    self.push(bytes)?;
                    &[]
                }
                Stage::Chunks(ref mut chunks) => {
                    let (part, rest) = chunks.take(bytes).map_err(Flaw::Unreadable)?;
                    match part {
                        Part::Data(data) => self.push(data)?,
                        Part::Between => {}
                        Part::End => self.stage = Stage::Complete,
                    }
                    rest
                }
                Stage::Complete | Stage::Head => {
                    // More than was asked for: whose it is, nobody knows.
                    self.answer.reusable = false;
                    &[]
                }
            };
        }
        Ok(())
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), Flaw> {
        if bytes.len() > self.limit - self.answer.body.len() {
            return Err(Flaw::TooLong(self.limit));
        }
        self.answer.body.extend_from_slice(bytes);
        Ok(())
    }
}

fn split(bytes: &[u8], left: u64) -> (&[u8], &[u8]) {
    bytes.split_at(usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len())))
}
