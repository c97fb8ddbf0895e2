//! The request that opens a session: the query of the WebSocket's URL.

/// What to run, as the client asks for it in the query.
///
/// `?tty=true&command=ls&command=-l` as 3.0.0 has it; `rows` and `cols` are an addition that
/// older servers ignore.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecRequest {
    /// The command and its arguments, in order; empty if none was given. Never split, never
    /// given to a shell.
    pub command: Vec<String>,
    /// Whether the command gets a terminal. Only the word `true`, in any case, says so.
    pub tty: bool,
    /// The terminal's first size as (rows, cols), if both were given and are 1 to 65535.
    pub size: Option<(u16, u16)>,
}

impl ExecRequest {
    /// Reads a query such as `tty=true&command=sh`, without its `?`. Parameters that are not
    /// known, or make no sense, are ignored; broken percent-encoding is taken as it stands.
    #[must_use]
    pub fn from_query(query: &str) -> Self {
        let mut request = Self::default();
        let (mut rows, mut cols) = (None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "command" => request.command.push(value.into_owned()),
                "tty" => request.tty = value.eq_ignore_ascii_case("true"),
                "rows" => rows = value.parse::<u16>().ok().filter(|&cells| cells > 0),
                "cols" => cols = value.parse::<u16>().ok().filter(|&cells| cells > 0),
                _ => {}
            }
        }
        request.size = rows.zip(cols);
        request
    }

    /// The query for this request, without a `?`: `tty` first, then `command` in order.
    #[must_use]
    pub fn to_query(&self) -> String {
        let mut query = format!("tty={}", self.tty);
        for word in &self.command {
            query.push_str("&command=");
            for part in form_urlencoded::byte_serialize(word.as_bytes()) {
                // A space as `%20`, which every parser of queries and paths agrees on.
                query.push_str(if part == "+" { "%20" } else { part });
            }
        }
        if let Some((rows, cols)) = self.size {
            query.push_str(&format!("&rows={rows}&cols={cols}"));
        }
        query
    }
}
