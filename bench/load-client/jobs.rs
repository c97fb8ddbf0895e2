//! The jobs, and the sessions that they are about.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::open::{Opened, open};
use crate::session::{MOVED, Session};
use crate::wire::{self, Seen};

const REPORT: Duration = Duration::from_millis(250);

/// Takes jobs until there are no more.
pub(crate) async fn serve() -> io::Result<()> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut clients = Clients::new();
    while let Some(line) = lines.next_line().await? {
        let job = serde_json::from_str(&line)?;
        let answer = {
            let mut work = std::pin::pin!(clients.work(&job));
            let mut reports = tokio::time::interval(REPORT);
            loop {
                tokio::select! {
                    biased;
                    answer = &mut work => break answer,
                    _ = reports.tick() => {
                        println!("{}", json!({ "progress": MOVED.load(Ordering::Relaxed) }));
                    }
                }
            }
        };
        match answer {
            Ok(result) => println!("{}", json!({ "result": result })),
            Err(error) => println!("{}", json!({ "error": error.to_string() })),
        }
    }
    Ok(())
}

/// All sessions that are open.
struct Clients {
    sessions: Vec<Arc<Session>>,
    running: JoinSet<io::Result<Seen>>,
    /// Whether what the servers send is read.
    reading: watch::Sender<bool>,
}

impl Clients {
    fn new() -> Self {
        let (sessions, running) = (Vec::new(), JoinSet::new());
        Self { sessions, running, reading: watch::Sender::new(true) }
    }

    async fn work(&mut self, job: &Value) -> io::Result<Value> {
        let began = Instant::now();
        let mut answer = match job["do"].as_str().unwrap_or_default() {
            "open" => self.open(job).await?,
            "start" => self.start().await?,
            "go" => {
                self.start().await?;
                self.wait().await?
            }
            "moved" => json!({ "bytes": MOVED.load(Ordering::Relaxed) }),
            "input" => self.input(number(job, "bytes")?, number(job, "size")?).await?,
            "wait" => self.wait().await?,
            "keys" => self.keys(job).await?,
            "rate" => rate(job).await?,
            "drop" => {
                self.running.shutdown().await;
                self.sessions.clear();
                json!({})
            }
            other => return Err(io::Error::other(format!("no job {other}"))),
        };
        answer["ms"] = json!(began.elapsed().as_secs_f64() * 1000.0);
        Ok(answer)
    }

    /// `url`, `command`, `tty`, `count`, `width`: opens so many sessions, so many at a time, until
    /// each one's command runs. With `hold` nothing more is read of any session until a `wait`.
    async fn open(&mut self, job: &Value) -> io::Result<Value> {
        let width = number(job, "width").unwrap_or(1);
        let mut opening = JoinSet::new();
        self.reading.send_replace(job["hold"] != true);
        for _ in 0..number(job, "count").unwrap_or(1) {
            if opening.len() >= width {
                self.add(opening.join_next().await)?;
            }
            opening.spawn(open_one(job.clone()));
        }
        while let Some(opened) = opening.join_next().await {
            self.add(Some(opened))?;
        }
        Ok(json!({}))
    }

    fn add(
        &mut self,
        opened: Option<Result<io::Result<Opened>, tokio::task::JoinError>>,
    ) -> io::Result<()> {
        let Some(opened) = opened else { return Ok(()) };
        let Opened { session, mut reader, mut seen } = opened??;
        self.sessions.push(Arc::clone(&session));
        let mut reading = self.reading.subscribe();
        self.running.spawn(async move {
            let _ = reading.wait_for(|reading| *reading).await;
            session.take_until(&mut reader, &mut seen, |_| false).await.map(|()| seen)
        });
        Ok(())
    }

    /// One byte of input for each session. The job `go` is this, and then `wait`.
    async fn start(&mut self) -> io::Result<Value> {
        for session in &self.sessions {
            session.send(&wire::input(session.wire, 1)).await?;
        }
        Ok(json!({}))
    }

    /// `bytes`, `size`: each session sends so much input in messages of that size, and then as `wait`.
    async fn input(&mut self, bytes: usize, size: usize) -> io::Result<Value> {
        let mut sending = JoinSet::new();
        for session in &self.sessions {
            let session = Arc::clone(session);
            sending.spawn(async move { session.input(bytes, size).await });
        }
        while let Some(sent) = sending.join_next().await {
            sent??;
        }
        self.wait().await
    }

    /// Waits for the end of all sessions; says what they were sent in all, and how the first one to
    /// end began. Exit codes other than 0 are failures; an engine's own stream has none.
    async fn wait(&mut self) -> io::Result<Value> {
        self.reading.send_replace(true);
        let (mut bytes, mut frames, mut failed, mut text) = (0, 0, 0, None);
        while let Some(ended) = self.running.join_next().await {
            match ended? {
                Ok(seen) => {
                    bytes += seen.bytes;
                    frames += seen.frames;
                    failed += u32::from(seen.exit_code.unwrap_or(0) != 0 || !seen.error.is_empty());
                    text.get_or_insert_with(|| String::from_utf8_lossy(&seen.text).into_owned());
                }
                Err(_) => failed += 1,
            }
        }
        self.sessions.clear();
        Ok(json!({ "bytes": bytes, "frames": frames, "failed": failed, "text": text }))
    }

    /// `samples`, `warmUp`, `gap` (ms): types into the first session and waits for each echo.
    async fn keys(&mut self, job: &Value) -> io::Result<Value> {
        let Some(session) = self.sessions.first() else {
            return Err(io::Error::other("no session is open"));
        };
        let warm_up = number(job, "warmUp").unwrap_or(0);
        let gap = Duration::from_millis(number(job, "gap").unwrap_or(1) as u64);
        let key = wire::input(session.wire, 1);
        let mut times = Vec::new();
        for sample in 0..number(job, "samples")? + warm_up {
            let began = Instant::now();
            session.send(&key).await?;
            session.arrived.notified().await;
            if sample >= warm_up {
                times.push(began.elapsed().as_secs_f64() * 1000.0);
            }
            tokio::time::sleep(gap).await;
        }
        Ok(json!({ "times": times }))
    }
}

async fn open_one(job: Value) -> io::Result<Opened> {
    open(job["url"].as_str().unwrap_or_default(), &job, job["tty"] == true).await
}

/// `url`, `count`, `width`: runs so many sessions from beginning to end, so many at a time.
async fn rate(job: &Value) -> io::Result<Value> {
    let count = number(job, "count")?;
    let width = number(job, "width").unwrap_or(1);
    let mut running = JoinSet::new();
    let (mut failed, mut why) = (0, Value::Null);
    let mut take = |ended: Option<Result<io::Result<()>, tokio::task::JoinError>>| {
        if let Some(Ok(Err(error))) = ended {
            failed += 1;
            why = json!(error.to_string());
        }
    };
    for _ in 0..count {
        if running.len() >= width {
            take(running.join_next().await);
        }
        let job = job.clone();
        running.spawn(async move {
            let Opened { session, mut reader, mut seen } = open_one(job).await?;
            session.take_until(&mut reader, &mut seen, |_| false).await?;
            match seen.exit_code {
                Some(0) => Ok(()),
                None if session.wire == wire::Wire::Engine => Ok(()),
                code => Err(io::Error::other(format!("a session ended with {code:?}"))),
            }
        });
    }
    while let Some(ended) = running.join_next().await {
        MOVED.fetch_add(1, Ordering::Relaxed);
        take(Some(ended));
    }
    Ok(json!({ "failed": failed, "why": why }))
}

fn number(job: &Value, name: &str) -> io::Result<usize> {
    let number = job[name].as_u64().and_then(|number| usize::try_from(number).ok());
    number.ok_or_else(|| io::Error::other(format!("{name} is missing")))
}
