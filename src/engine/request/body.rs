//! The body of an answer, out of hyper.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};

use super::RequestError;
use super::idle::{Idle, Silent};
use crate::engine::host::EngineHost;

/// The body of an answer, read as fast as it is asked for.
pub struct ResponseBody {
    pub(super) host: Arc<EngineHost>,
    pub(super) body: Incoming,
    pub(super) idle: Idle,
}

impl ResponseBody {
    /// The next piece; `None` after the last.
    ///
    /// # Errors
    ///
    /// `Lost` if the connection broke before the end, `IdleTimeout` if nothing came for too long.
    pub async fn next(&mut self) -> Result<Option<Bytes>, RequestError> {
        loop {
            let frame = match self.idle.watch(self.body.frame()).await {
                Ok(frame) => frame,
                Err(Silent(after)) => {
                    return Err(RequestError::IdleTimeout { host: (*self.host).clone(), after });
                }
            };
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| RequestError::from_connection(&self.host, &error))?;
            // Trailers say nothing that is of use here.
            let Ok(bytes) = frame.into_data() else { continue };
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
    }

    /// The whole body.
    ///
    /// # Errors
    ///
    /// As [`ResponseBody::next`]; `AnswerLimit` if it is longer than `limit` bytes.
    pub async fn gather(mut self, limit: usize) -> Result<Bytes, RequestError> {
        let mut whole = BytesMut::new();
        while let Some(bytes) = self.next().await? {
            if bytes.len() > limit - whole.len() {
                return Err(RequestError::AnswerLimit { limit });
            }
            if whole.is_empty() && self.body.is_end_stream() {
                return Ok(bytes);
            }
            whole.extend_from_slice(&bytes);
        }
        Ok(whole.freeze())
    }
}
