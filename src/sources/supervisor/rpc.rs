//! supervisord's XML-RPC, over HTTP or its socket.
//! <http://supervisord.org/api.html>, `getAllProcessInfo`.

use super::Process;
use crate::config::{Auth, Client};
use crate::domain::reading::PollFailure;
use crate::domain::{Cause, PollError, Status, harmless_within, units};
use crate::sources::client::{FetchError, Shared, Target, cause, shown};
use crate::sources::processes::Failed;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Url};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::UnixStream;

const CALL: &str = "<?xml version=\"1.0\"?><methodCall>\
                    <methodName>supervisor.getAllProcessInfo</methodName><params/></methodCall>";
/// Of an answer so many bytes are read.
const MOST: usize = 4 << 20;
/// supervisord's fault while it ends.
const SHUTDOWN_STATE: i64 = 6;

/// A supervisord's address.
pub(super) enum Server {
    Http(Box<Target>),
    Socket { path: PathBuf, auth: Option<Auth>, timeout: Duration },
}

impl Server {
    /// From its address; none where that is none.
    pub(super) fn new(
        address: &str,
        client: Client,
        (timeout, connect_timeout): (Duration, Duration),
    ) -> Option<Self> {
        let path = address.strip_prefix("unix://").or(address.starts_with('/').then_some(address));
        if let Some(path) = path {
            let path = PathBuf::from(path);
            return path.is_absolute().then_some(Self::Socket { path, auth: client.auth, timeout });
        }
        let mut url = Url::parse(address).ok()?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return None;
        }
        if matches!(url.path(), "" | "/") {
            url.set_path("/RPC2");
        }
        let mut target = Target::get(url, client, timeout);
        target.method = Method::POST;
        target.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
        target.body = Some(Bytes::from_static(CALL.as_bytes()));
        target.redirects = 0;
        target.connect_timeout = connect_timeout;
        target.max_body = MOST as u64;
        Some(Self::Http(Box::new(target)))
    }

    /// Its address, without secrets.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Http(target) => shown(&target.url),
            Self::Socket { path, .. } => harmless_within(&path.to_string_lossy(), 100),
        }
    }

    pub(super) fn is_network(&self) -> bool {
        matches!(self, Self::Http(_))
    }

    /// All processes.
    pub(super) async fn ask(&self, shared: &Shared) -> Result<Vec<Process>, Failed> {
        let (status, body) = match self {
            Self::Http(target) => match target.fetch(shared).await {
                Ok(fetched) => (fetched.status, fetched.body),
                Err(FetchError::Setup(message)) => return Err(Failed::unasked(message)),
                Err(FetchError::Failed(error)) => return Err(failed(&error)),
            },
            Self::Socket { path, auth, timeout } => {
                let asked = over_socket(path, auth.as_ref(), shared);
                let Ok(answer) = tokio::time::timeout(*timeout, asked).await else {
                    let limit = units::duration(*timeout);
                    let words = format!("supervisord: no answer in {limit}");
                    return Err(Failed::down(words, Cause::Timeout));
                };
                answer?
            }
        };
        match status {
            200 => parse(&body),
            401 | 403 => Err(Failed::unasked("supervisord refuses the credentials")),
            other => Err(Failed::unusable(format!("supervisord: HTTP {other}"))),
        }
    }
}

fn failed(error: &PollError) -> Failed {
    let status = match error.cause {
        PollFailure::TooBig | PollFailure::Broken => Status::Unknown,
        _ => Status::Critical,
    };
    let summary = match error.cause {
        PollFailure::Refused => "supervisord does not run: connection refused".into(),
        _ => format!("supervisord: {}", error.message),
    };
    Failed { status, summary, cause: cause(error.cause) }
}

async fn over_socket(
    path: &PathBuf,
    auth: Option<&Auth>,
    shared: &Shared,
) -> Result<(u16, Bytes), Failed> {
    let stream = UnixStream::connect(path).await.map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failed::down("supervisord does not run: no socket", Cause::Refused),
        ErrorKind::ConnectionRefused => {
            Failed::down("supervisord does not run: connection refused", Cause::Refused)
        }
        ErrorKind::PermissionDenied => Failed::unasked("no permission to ask supervisord"),
        _ => Failed::unasked(format!("supervisord: {error}")),
    })?;
    let broke = |_| Failed::unusable("supervisord: the connection broke in the middle");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broke)?;
    let mut request = hyper::Request::post("/RPC2")
        .header("host", "localhost")
        .header("content-type", "text/xml")
        .header("connection", "close");
    match auth {
        Some(Auth::Basic { user, password }) => {
            let password = shared.secret(password).await.map_err(Failed::unasked)?;
            let both = BASE64.encode(format!("{user}:{}", password.reveal()));
            request = request.header("authorization", format!("Basic {both}"));
        }
        Some(Auth::Bearer(token)) => {
            let token = shared.secret(token).await.map_err(Failed::unasked)?;
            request = request.header("authorization", format!("Bearer {}", token.reveal()));
        }
        None => {}
    }
    let request = request
        .body(Full::new(Bytes::from_static(CALL.as_bytes())))
        .map_err(|_| Failed::unasked("supervisord: the credentials hold what no header may"))?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(broke)?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), MOST).collect().await.map_err(|_| {
            Failed::unusable("supervisord: the answer broke off, or is larger than 4 MiB")
        })?;
        Ok((status, body.to_bytes()))
    };
    tokio::pin!(answer);
    // Dropped together: nothing stays behind.
    tokio::select! {
        done = &mut answer => done,
        _ = connection => answer.await,
    }
}

/// An answer of `getAllProcessInfo`.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Process>, Failed> {
    let text = String::from_utf8_lossy(bytes);
    if !text.contains("<methodResponse") {
        return Err(Failed::unusable("supervisord: the answer is no XML-RPC"));
    }
    let structs: Vec<HashMap<String, String>> =
        text.split("<struct>").skip(1).map(|part| members(until(part, "</struct>"))).collect();
    if text.contains("<fault>") {
        let fault = structs.first();
        let member = |name| fault.and_then(|fault| fault.get(name)).map_or("", String::as_str);
        if member("faultCode").parse() == Ok(SHUTDOWN_STATE) {
            return Err(Failed::down("supervisord is shutting down", Cause::Answer));
        }
        let said = harmless_within(member("faultString"), 80);
        return Err(Failed::unusable(format!("supervisord: {said}")));
    }
    if !text.contains("</methodResponse>") {
        return Err(Failed::unusable("supervisord: the answer is cut off"));
    }
    Ok(structs.iter().map(process).collect())
}

fn process(members: &HashMap<String, String>) -> Process {
    let text = |name: &str| harmless_within(members.get(name).map_or("", String::as_str), 120);
    let number = |name: &str| members.get(name).and_then(|value| value.trim().parse::<i64>().ok());
    let (own, group) = (text("name"), text("group"));
    let name = if group.is_empty() || group == own { own } else { format!("{group}:{own}") };
    let state = match (text("statename"), number("state")) {
        (name, _) if !name.is_empty() => name,
        // supervisor's states.py, `ProcessStates`.
        (_, Some(0)) => "STOPPED".into(),
        (_, Some(10)) => "STARTING".into(),
        (_, Some(20)) => "RUNNING".into(),
        (_, Some(30)) => "BACKOFF".into(),
        (_, Some(40)) => "STOPPING".into(),
        (_, Some(100)) => "EXITED".into(),
        (_, Some(200)) => "FATAL".into(),
        _ => "UNKNOWN".into(),
    };
    let positive = |name: &str| number(name).filter(|value| *value > 0);
    let from = if state == "RUNNING" { positive("start") } else { positive("stop") };
    let held = positive("now").zip(from).and_then(|(now, from)| u64::try_from(now - from).ok());
    let spawn = text("spawnerr");
    let fresh = state == "STOPPED" && positive("start").is_none() && positive("stop").is_none();
    Process {
        name,
        group,
        words: if spawn.is_empty() { text("description") } else { spawn },
        held: held.map(Duration::from_secs),
        start: positive("start").filter(|_| state == "RUNNING"),
        pid: positive("pid"),
        exit: number("exitstatus"),
        fresh,
        state,
    }
}

/// The members of a struct: values are taken as texts, whatever their type.
fn members(text: &str) -> HashMap<String, String> {
    let read = |member: &str| {
        let name = until(member.split_once("<name>")?.1, "</name>");
        let value = until(member.split_once("<value>")?.1, "</value>").trim();
        // `<int>1</int>`, `<string>a</string>`, or a text alone.
        let value = match value.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
            Some((_, rest)) => until(rest, "</"),
            None => value,
        };
        Some((unescaped(name), unescaped(value)))
    };
    text.split("<member>").skip(1).filter_map(read).collect()
}

fn until<'t>(text: &'t str, end: &str) -> &'t str {
    text.split(end).next().unwrap_or_default()
}

/// XML 1.0, section 4.6: the five predefined entities.
fn unescaped(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">");
    text.replace("&quot;", "\"").replace("&apos;", "'").replace("&amp;", "&")
}
