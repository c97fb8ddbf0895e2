//! An ssh agent of this machine, lent to a command of a build.
//!
//! The command may list keys and have something signed. It may not add, remove or lock keys: the
//! agent outlives the build, and is not the build's.

use std::path::PathBuf;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::grpc::{Messages, Refusal};
use super::message;

/// The longest message of the agents' protocol, either way: OpenSSH's own limit.
const MAX_AGENT_MESSAGE: usize = 256 * 1024;
/// The kinds of requests that are passed on.
const LIST_KEYS: u8 = 11;
const SIGN: u8 = 13;
/// An agent's "no": length 1, kind 5.
const FAILURE: &[u8] = &[0, 0, 0, 1, 5];

#[cfg(unix)]
type Socket = tokio::net::UnixStream;
#[cfg(not(unix))]
type Socket = tokio::net::TcpStream;

/// An agent, by the name that a build knows it by.
#[derive(Clone, Debug)]
pub struct SshAgent {
    /// What `RUN --mount=type=ssh,id=…` calls it; `default` if that says nothing.
    pub id: String,
    /// Where it listens. Only unix sockets can be used.
    pub socket: PathBuf,
}

impl SshAgent {
    pub(super) async fn connect(&self) -> Result<Socket, Refusal> {
        #[cfg(unix)]
        let connected = Socket::connect(&self.socket).await;
        #[cfg(not(unix))]
        let connected = Err::<Socket, _>(std::io::Error::from(std::io::ErrorKind::Unsupported));
        connected.map_err(|error| {
            Refusal::unavailable(format!("the ssh agent {:?} does not answer: {error}", self.id))
        })
    }
}

/// The agent's replies to what `requests` carry, as messages for the builder.
pub(super) fn forward(
    requests: Messages,
    agent: Socket,
) -> impl Stream<Item = Result<Bytes, Refusal>> {
    let exchange = Exchange { requests, rest: BytesMut::new(), agent };
    stream::try_unfold(exchange, |mut exchange| async {
        let Some(request) = exchange.request().await? else { return Ok(None) };
        let reply = exchange.reply(&request).await?;
        let mut wrapped = Vec::with_capacity(reply.len() + 8);
        message::put(&mut wrapped, 1, &reply);
        Ok(Some((Bytes::from(wrapped), exchange)))
    })
}

struct Exchange {
    requests: Messages,
    rest: BytesMut,
    agent: Socket,
}

impl Exchange {
    /// The next whole request, which may come in several messages; `None` when there is no more.
    async fn request(&mut self) -> Result<Option<Bytes>, Refusal> {
        loop {
            if let Some(request) = whole(&mut self.rest)? {
                return Ok(Some(request));
            }
            let Some(message) = self.requests.next().await? else { return Ok(None) };
            self.rest.extend_from_slice(&message::field(&message, 1)?);
        }
    }

    /// What the agent says, with its length in front.
    async fn reply(&mut self, request: &[u8]) -> Result<Bytes, Refusal> {
        if !matches!(request.get(4), Some(&(LIST_KEYS | SIGN))) {
            return Ok(Bytes::from_static(FAILURE));
        }
        let lost = |_| Refusal::unavailable("the ssh agent broke the connection".to_owned());
        self.agent.write_all(request).await.map_err(lost)?;
        let length = self.agent.read_u32().await.map_err(lost)?;
        let mut reply = vec![0; 4 + checked(length)?];
        reply[..4].copy_from_slice(&length.to_be_bytes());
        self.agent.read_exact(&mut reply[4..]).await.map_err(lost)?;
        Ok(Bytes::from(reply))
    }
}

/// Takes a request with its length off the front, if it is there as a whole.
fn whole(rest: &mut BytesMut) -> Result<Option<Bytes>, Refusal> {
    let Some(length) = rest.first_chunk::<4>() else { return Ok(None) };
    let whole = 4 + checked(u32::from_be_bytes(*length))?;
    Ok((rest.remaining() >= whole).then(|| rest.split_to(whole).freeze()))
}

fn checked(length: u32) -> Result<usize, Refusal> {
    let length = length as usize;
    if length > MAX_AGENT_MESSAGE {
        let text = format!("a message of the ssh agent's protocol has {length} bytes");
        return Err(Refusal::unavailable(text));
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_taken_whole() {
        let mut rest = BytesMut::from(&b"\0\0\0\x01\x0b\0\0\0\x02\x0d"[..]);
        assert_eq!(whole(&mut rest).unwrap().as_deref(), Some(&b"\0\0\0\x01\x0b"[..]));
        assert!(whole(&mut rest).unwrap().is_none());
        rest.extend_from_slice(b"x");
        assert_eq!(whole(&mut rest).unwrap().as_deref(), Some(&b"\0\0\0\x02\x0dx"[..]));
        assert!(whole(&mut rest).unwrap().is_none());
    }

    #[test]
    fn a_request_that_no_agent_would_take_is_refused_before_it_is_there() {
        assert!(whole(&mut BytesMut::from(&b"\0\x04\0\x01"[..])).is_err());
    }
}
