//! One process of the practice environment: serves, asks others, obeys.

use super::chance::Chance;
use super::exposition::{CONTENT_TYPE, Writer};
use super::folder;
use super::health::{self, Doing};
use super::host;
use super::log::Log;
use super::peer::{NoAnswer, Peer};
use super::releases;
use super::shop::{Ailment, Member, Route};
use super::tally::Tally;
use super::tracker::{Report, Tracker};
use crate::domain::Timestamp;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE as CONTENT_TYPE_HEADER;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::io::{self, BufRead, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio::task::{LocalSet, spawn_local};

/// What a process of the practice environment is started with.
///
/// Its standard input is a pipe that orders come through, and whose end is the
/// end of the console; its standard output is the socket that it listens on.
#[derive(Clone, Debug)]
pub struct Part {
    /// Who it is.
    pub name: String,
    /// The folder of this practice.
    pub folder: PathBuf,
    /// The seed of all chance.
    pub seed: u64,
    /// After how many seconds the bad release comes by itself.
    pub release_after: Option<u64>,
    /// The release that runs; the good one where none is said.
    pub release: Option<String>,
    /// Who has just deployed it, where somebody has.
    pub deployed_by: Option<String>,
    /// Where the others listen: `db=127.0.0.1:21000`.
    pub peers: Vec<String>,
    /// Tells the time.
    pub now: fn() -> Timestamp,
}

/// Plays one part until the console is gone.
pub fn serve(part: &Part) -> io::Result<()> {
    let wrong = |what: &str| io::Error::new(ErrorKind::InvalidInput, what);
    let member = Member::named(&part.name).ok_or_else(|| wrong("no such service"))?;
    if !folder::is_practice(&part.folder) {
        return Err(wrong("this is started by `opsroom demo`, in a folder of its own"));
    }
    let mut peers = BTreeMap::new();
    for peer in &part.peers {
        let (name, address) = peer.split_once('=').ok_or_else(|| wrong("no such peer"))?;
        let other = Member::named(name).ok_or_else(|| wrong("no such peer"))?;
        let address: SocketAddr = address.parse().map_err(|_| wrong("no such address"))?;
        peers.insert(other, Peer::new(address, member.patience()));
    }
    if member.reports()
        && let Some(tracker) = peers.get_mut(&Member::Tracker)
    {
        *tracker = Peer::new(tracker.address(), REPORT_PATIENCE);
    }
    let version = match &part.release {
        Some(name) => member.release(name).ok_or_else(|| wrong("no such release"))?,
        None => member.releases().0,
    };
    let began = (part.now)();
    if let Some(by) = &part.deployed_by {
        let before = releases::current(&part.folder, member);
        releases::write(&part.folder, member, version, before, by, began)?;
    }
    let room = Rc::new(Room {
        member,
        now: part.now,
        peers,
        folder: part.folder.clone(),
        tracker: (member == Member::Tracker).then(|| RefCell::new(Tracker::new(began))),
        reporting: Cell::new(0),
        version: Cell::new(version),
        ailment: Cell::new(Ailment {
            released: member.is_bad(version).then_some(began),
            ..Ailment::default()
        }),
        tally: RefCell::new(Tally::new(version, began)),
        seen: RefCell::default(),
        // A restarted service does not live the same minutes again.
        chance: RefCell::new(Chance::new(part.seed ^ began.millis().unsigned_abs(), member as u64)),
        log: RefCell::new(Log::open(&part.folder, member.name())?),
        hung: Cell::new(false),
        woken: Notify::new(),
    });
    if member == Member::Visitors {
        // Their day is the seed's alone.
        *room.chance.borrow_mut() = Chance::new(part.seed, 0);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let orders = orders()?;
    let result = LocalSet::new().block_on(&runtime, room.play(orders, part.release_after));
    // The console is gone, perhaps without a word.
    folder::remove(&part.folder);
    // A listener that waits for a connection need not be waited for.
    runtime.shutdown_background();
    result
}

/// The orders from the console; the channel ends when the console does.
fn orders() -> io::Result<mpsc::UnboundedReceiver<String>> {
    let (sender, orders) = mpsc::unbounded_channel();
    std::thread::Builder::new().name("orders".into()).spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    })?;
    Ok(orders)
}

/// For how long it is remembered how others answered.
const REMEMBERED: Duration = Duration::from_secs(8);

/// A report that takes longer is lost.
const REPORT_PATIENCE: Duration = Duration::from_millis(500);
/// So many reports are on their way at once; others are lost, as in real life.
const REPORTS: u32 = 4;

/// What a process knows and has.
struct Room {
    member: Member,
    now: fn() -> Timestamp,
    peers: BTreeMap<Member, Peer>,
    folder: PathBuf,
    tracker: Option<RefCell<Tracker>>,
    /// Reports that are on their way.
    reporting: Cell<u32>,
    version: Cell<&'static str>,
    ailment: Cell<Ailment>,
    tally: RefCell<Tally>,
    seen: RefCell<VecDeque<(Timestamp, Member, bool)>>,
    chance: RefCell<Chance>,
    log: RefCell<Log>,
    hung: Cell<bool>,
    woken: Notify,
}

impl Room {
    async fn play(
        self: &Rc<Self>,
        mut orders: mpsc::UnboundedReceiver<String>,
        release_after: Option<u64>,
    ) -> io::Result<()> {
        self.say("INFO", &format!("started, pid {}", std::process::id()));
        match self.member {
            Member::Visitors => {
                spawn_local(Rc::clone(self).visit());
            }
            Member::Worker => {
                self.tally.borrow_mut().count_jobs();
                spawn_local(Rc::clone(self).work_off());
                self.listen()?;
            }
            _ => self.listen()?,
        }
        if let Some(seconds) = release_after {
            let room = Rc::clone(self);
            spawn_local(async move {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                room.obey("release");
            });
        }
        while let Some(order) = orders.recv().await {
            self.obey(&order);
        }
        Ok(())
    }

    fn obey(&self, order: &str) {
        let now = (self.now)();
        let mut ailment = self.ailment.get();
        match order {
            "release" if ailment.released.is_none() => {
                ailment.released = Some(now);
                self.run_release(self.member.releases().1);
            }
            "slow" if ailment.slow.is_none() => {
                ailment.slow = Some(now);
                self.say("WARN", "a query of reports reads all orders; others wait for it");
            }
            "cancel" if ailment.slow.is_some() => {
                ailment.slow = None;
                self.say("INFO", "the query of reports was cancelled");
            }
            "hang" => self.hung.set(true),
            "heal" => {
                if ailment.released.is_some() {
                    self.run_release(self.member.releases().0);
                }
                if ailment.slow.is_some() {
                    self.say("INFO", "the query of reports has ended");
                }
                ailment = Ailment::default();
                self.hung.set(false);
                self.woken.notify_waiters();
            }
            _ => {}
        }
        self.ailment.set(ailment);
    }

    /// Counters begin anew, as those of a new process do.
    fn run_release(&self, version: &'static str) {
        let before = self.version.replace(version);
        let now = (self.now)();
        if let Err(error) = releases::write(&self.folder, self.member, version, before, "ci", now) {
            self.say("WARN", &format!("the deployment was not written down: {error}"));
        }
        *self.tally.borrow_mut() = Tally::new(version, (self.now)());
        self.say("INFO", &format!("release {version} by ci, before {before}"));
    }

    fn say(&self, level: &str, text: &str) {
        let member = self.member.name();
        let version = self.version.get();
        self.log.borrow_mut().line((self.now)(), &format!("{level:<5} {member} {version} {text}"));
    }

    fn listen(self: &Rc<Self>) -> io::Result<()> {
        let socket = io::stdout().as_fd().try_clone_to_owned()?;
        let listener = std::net::TcpListener::from(socket);
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let room = Rc::clone(self);
        spawn_local(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    // Out of file descriptors, most likely: some will be freed.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                };
                let _ = stream.set_nodelay(true);
                let room = Rc::clone(&room);
                let answer = service_fn(move |request| {
                    let room = Rc::clone(&room);
                    async move { Ok::<_, Infallible>(room.answer(request).await) }
                });
                // How a connection ends is the other side's business.
                spawn_local(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
        Ok(())
    }

    async fn answer(self: &Rc<Self>, request: Request<Incoming>) -> Response<Full<Bytes>> {
        self.until_awake().await;
        if let Some(tracker) = &self.tracker {
            return self.answer_as_tracker(tracker, &request);
        }
        let path = request.uri().path();
        let health_path = self.member.health_path().split('?').next().unwrap_or_default();
        let (code, content_type, body) = if path == "/metrics" {
            (200, CONTENT_TYPE, self.metrics())
        } else if let Some(route) = self.member.route(path) {
            let (code, text) = self.answer_route(route).await;
            (code, "text/plain", text)
        } else if path == health_path {
            health::body(self.member, self.version.get(), &self.needs())
        } else {
            (404, "text/plain", "not here\n".into())
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        if let Ok(status) = hyper::StatusCode::from_u16(code) {
            *response.status_mut() = status;
        }
        let value = hyper::header::HeaderValue::from_static(content_type);
        response.headers_mut().insert(CONTENT_TYPE_HEADER, value);
        response
    }

    fn answer_as_tracker(
        &self,
        tracker: &RefCell<Tracker>,
        request: &Request<Incoming>,
    ) -> Response<Full<Bytes>> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let token = request.headers().get(hyper::header::AUTHORIZATION);
        let token = token.and_then(|token| token.to_str().ok()).unwrap_or_default();
        let user = self.chance.borrow_mut().number() % 2_000;
        let (code, headers, body) = tracker.borrow_mut().answer(path, token, (self.now)(), user);
        let mut response = Response::new(Full::new(Bytes::from(body)));
        if let Ok(status) = hyper::StatusCode::from_u16(code) {
            *response.status_mut() = status;
        }
        let json = hyper::header::HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE_HEADER, json);
        for (name, value) in headers {
            if let Ok(value) = hyper::header::HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }

    /// Tells the tracker of an error, beside everything else.
    fn report(self: &Rc<Self>, kind: &str, value: &str, place: &str, route: &str) {
        if !self.peers.contains_key(&Member::Tracker) || self.reporting.get() >= REPORTS {
            return;
        }
        let report = Report {
            project: self.member,
            kind: kind.into(),
            value: value.into(),
            place: place.into(),
            route: route.into(),
            release: self.version.get().into(),
        };
        self.reporting.set(self.reporting.get() + 1);
        let room = Rc::clone(self);
        spawn_local(async move {
            if let Some(tracker) = room.peers.get(&Member::Tracker) {
                // A tracker that is away hears nothing, and nobody minds.
                let _ = tracker.ask(&report.path()).await;
            }
            room.reporting.set(room.reporting.get() - 1);
        });
    }

    async fn until_awake(&self) {
        while self.hung.get() {
            self.woken.notified().await;
        }
    }

    fn metrics(&self) -> String {
        if self.member == Member::Host {
            return host::page((self.now)());
        }
        let mut page = Writer::default();
        self.tally.borrow().write(&mut page);
        page.finish()
    }

    /// One request of the shop's business, counted and logged.
    async fn answer_route(self: &Rc<Self>, route: Route) -> (u16, String) {
        let began = (self.now)();
        let work = self.ailment.get().work(self.member, began, &mut self.chance.borrow_mut());
        tokio::time::sleep(work.takes).await;
        let (mut code, mut text) = (200, "ok".to_owned());
        if work.fails {
            let order = self.chance.borrow_mut().number() % 90_000 + 10_000;
            (code, text) = (500, format!("order {order} has no price (pricing.rs:88)"));
            let value = format!("order {order} has no price");
            self.report("PriceMissing", &value, "pricing.rs:88", route.name);
        } else if let Some((other, what)) = route.asks
            && let Some(why) = self.ask(other, what).await
        {
            code = if why.ends_with("timed out") { 504 } else { 502 };
            let kind = if code == 504 { "UpstreamTimeout" } else { "UpstreamFailed" };
            self.report(kind, &why, "upstream.rs:40", route.name);
            text = why;
        }
        self.until_awake().await;
        let took = (self.now)().since(began);
        self.tally.borrow_mut().answered(route.name, code, took);
        let level = if code < 500 { "INFO" } else { "ERROR" };
        let line = format!("GET {} {code} {}ms", route.name, took.as_millis());
        if code < 500 {
            self.say(level, &line);
        } else {
            self.say(level, &format!("{line}: {text}"));
        }
        (code, text)
    }

    /// Asks another service; says what is wrong if something is.
    async fn ask(&self, other: Member, what: &str) -> Option<String> {
        let name = other.name();
        let wrong = match self.peers.get(&other) {
            None => Some(format!("{name}: not known")),
            Some(peer) => match peer.ask(what).await {
                Ok(status) if status < 500 => None,
                Ok(status) => Some(format!("{name} answered {status}")),
                Err(why @ (NoAnswer::Broken | NoAnswer::Late)) => Some(format!("{name}: {why}")),
            },
        };
        let now = (self.now)();
        let mut seen = self.seen.borrow_mut();
        seen.push_back((now, other, wrong.is_none()));
        while seen.front().is_some_and(|(at, ..)| now.since(*at) > REMEMBERED) {
            seen.pop_front();
        }
        wrong
    }

    /// How those that are needed have answered lately.
    fn needs(&self) -> Vec<(Member, Doing)> {
        let now = (self.now)();
        let seen = self.seen.borrow();
        let doing = |other: Member| {
            let lately: Vec<bool> = seen
                .iter()
                .filter(|(at, who, _)| *who == other && now.since(*at) <= REMEMBERED)
                .map(|(_, _, good)| *good)
                .collect();
            let bad = lately.iter().filter(|good| !**good).count();
            match (bad * 10).checked_div(lately.len()) {
                Some(5..) => Doing::Down,
                Some(1..) => Doing::Poorly,
                _ => Doing::Well,
            }
        };
        self.member.needs().iter().map(|other| (*other, doing(*other))).collect()
    }

    /// People come and look, put things in carts and sometimes buy.
    async fn visit(self: Rc<Self>) {
        /// So many are in the shop at most; others find it full and go.
        const MOST: usize = 120;
        let inside = Rc::new(Cell::new(0));
        loop {
            let (gap, path) = {
                let mut chance = self.chance.borrow_mut();
                let gap = chance.gap(Duration::from_millis(25));
                let share = chance.share();
                let path = match share {
                    ..0.60 => "/",
                    ..0.88 => "/cart",
                    _ => "/checkout",
                };
                (gap, path)
            };
            tokio::time::sleep(gap).await;
            if inside.get() >= MOST {
                continue;
            }
            inside.set(inside.get() + 1);
            let room = Rc::clone(&self);
            let inside = Rc::clone(&inside);
            spawn_local(async move {
                room.ask(Member::Web, path).await;
                inside.set(inside.get() - 1);
            });
        }
    }

    /// One job after the other.
    async fn work_off(self: Rc<Self>) {
        loop {
            let pause = self.chance.borrow_mut().gap(Duration::from_millis(220));
            tokio::time::sleep(pause).await;
            self.until_awake().await;
            let began = (self.now)();
            let work = self.ailment.get().work(self.member, began, &mut self.chance.borrow_mut());
            tokio::time::sleep(work.takes).await;
            let wrong = self.ask(Member::Db, "/query").await;
            let took = (self.now)().since(began).as_millis();
            self.tally.borrow_mut().worked(if wrong.is_none() { "done" } else { "failed" });
            match wrong {
                None => self.say("INFO", &format!("job done {took}ms")),
                Some(why) => {
                    self.report("JobFailed", &why, "jobs.rs:64", "job");
                    self.say("ERROR", &format!("job failed {took}ms: {why}"));
                }
            }
        }
    }
}
