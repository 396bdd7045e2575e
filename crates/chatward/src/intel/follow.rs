//! Following feeds: when each is looked at, and what a look does.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use chatward_detect::indicator::Batch;
use chatward_intel::{Form, Item, Limits, Options, Summary, misp, read};
use http::header::{ACCEPT, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use http::{HeaderName, StatusCode, Uri};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::fetch::{FetchError, Look};
use super::state::Version;
use super::{FeedError, Intel, PART, Said};
use crate::config::intel::{Feed, FeedForm, From};

/// How often a file is looked at: it counts once it stays the same from one look to the next.
const FILE_TICK: Duration = Duration::from_millis(500);
/// How often it is looked whether feeds are stale.
const STALE_TICK: Duration = Duration::from_secs(1);
/// How often new sightings are written down.
const SIGHTINGS_TICK: Duration = Duration::from_secs(10);
/// The first wait after a failure; it doubles up to the feed's own time.
const AGAIN: Duration = Duration::from_secs(15);
/// Most pages of one look.
const PAGES: usize = 10_000;
/// How many objects or attributes a page has.
const PAGE: usize = 5000;
/// After so long a collection is asked for all it has: what is gone or changed in it is not told in between.
const WHOLE_AFTER: u64 = 24 * 3600 * 1000;
/// With so many indicators, what was freed is worth giving back at once.
const LARGE: u64 = 1_000_000;

pub(super) const TAXII: &str = "application/taxii+json;version=2.1";

impl Intel {
    /// Follows all feeds until the stop.
    pub(crate) async fn follow_for_ever(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        loop {
            let changed = self.changed.notified();
            let mut tasks = JoinSet::new();
            for feed in &self.settings.load().config.feeds {
                let (intel, feed) = (Arc::clone(&self), feed.clone());
                match &feed.from {
                    From::Url(_) => tasks.spawn(async move { intel.follow_url(&feed).await }),
                    From::File(file) => {
                        let file = file.clone();
                        tasks.spawn(async move { intel.follow_file(&feed, &file).await })
                    }
                };
            }
            let intel = Arc::clone(&self);
            tasks.spawn(async move {
                let mut tick = tokio::time::interval(STALE_TICK);
                loop {
                    tick.tick().await;
                    intel.tell();
                }
            });
            let intel = Arc::clone(&self);
            tasks.spawn(async move {
                let mut tick = tokio::time::interval(SIGHTINGS_TICK);
                loop {
                    tick.tick().await;
                    let intel = Arc::clone(&intel);
                    // What is not kept now is tried again at the next tick.
                    let _ = apart(move || intel.keep_sightings()).await;
                }
            });
            let stopped = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => true,
                () = changed => false,
            };
            if stopped {
                drop(tasks);
                // At the end of the program there is nobody to tell but the log, which is told.
                let _ = apart(move || self.keep_sightings()).await;
                return;
            }
        }
    }

    async fn follow_url(self: &Arc<Self>, feed: &Feed) {
        loop {
            let (asked, failures) = {
                let books = self.books();
                books.feeds.get(&*feed.name).map_or((0, 0), |state| (state.asked, state.failures))
            };
            let wait = match failures {
                0 => feed.every,
                n => AGAIN.saturating_mul(1 << n.min(16).saturating_sub(1)).min(feed.every),
            };
            let since = Duration::from_millis(self.clock.now().0.saturating_sub(asked));
            tokio::time::sleep(wait.saturating_sub(since)).await;
            self.look(feed).await;
        }
    }

    async fn follow_file(self: &Arc<Self>, feed: &Feed, file: &Path) {
        let sign =
            |file: &Path| std::fs::metadata(file).ok().map(|m| (m.ino(), m.len(), m.mtime(), m.mtime_nsec()));
        let mut tick = tokio::time::interval(FILE_TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut seen, mut taken) = (None, None);
        let mut missing = false;
        loop {
            tick.tick().await;
            let now = sign(file);
            if now.is_some() && now == seen && now != taken || now.is_none() && !missing {
                missing = now.is_none();
                taken = now;
                self.look(feed).await;
            }
            seen = now;
        }
    }

    /// Looks at a feed now, and notes what came of it.
    pub(crate) async fn look(self: &Arc<Self>, feed: &Feed) {
        let turn = self.turn_of(&format!("feed {}", feed.name));
        let _turn = turn.lock().await;
        let outcome = self.look_once(feed).await;
        let now = self.clock.now().0;
        let (good, with_set) = (outcome.is_ok(), matches!(outcome, Ok(Some(_))));
        {
            let mut books = self.books();
            let state = books.feeds.entry(feed.name.to_string()).or_default();
            state.asked = now;
            match outcome {
                Ok(version) => {
                    state.good = now;
                    state.failures = 0;
                    state.error = None;
                    if let Some(version) = version {
                        state.version = version;
                    }
                }
                Err(error) => {
                    state.failures += 1;
                    let text = error.to_string();
                    if state.error.as_ref() != Some(&text) {
                        tracing::warn!(feed = %feed.name, cause = %text, "a feed was not taken: what it said before stays");
                    }
                    state.error = Some(text);
                }
            }
        }
        self.tell();
        let intel = Arc::clone(self);
        let _ = apart(move || intel.keep(with_set)).await;
        if good && with_set && self.len() > LARGE {
            give_back().await;
        }
    }

    /// The version that is in force now, or nothing if it was in force before.
    async fn look_once(self: &Arc<Self>, feed: &Feed) -> Result<Option<Version>, FeedError> {
        self.folder_is_there()?;
        let old = {
            let books = self.books();
            books.feeds.get(&*feed.name).map(|state| state.version.clone()).unwrap_or_default()
        };
        let of = format!("{:?} {:?} {:?}", feed.form, feed.from, feed.defaults);
        let old = if old.of == of { old } else { Version::default() };
        let now = self.clock.now().0;
        let uri = match &feed.from {
            From::File(file) => {
                let said = self.read_apart(feed, vec![file.clone()], true, Pages::default()).await?;
                return Ok(Some(Version { of, patterns: said, whole: now, ..Version::default() }));
            }
            From::Url(uri) => uri,
        };
        let mut look = Look::new(feed, uri)?;
        let new = match feed.form {
            FeedForm::Taxii => self.taxii(feed, uri, &mut look, &old, now).await?,
            FeedForm::MispFeed => self.misp_feed(feed, uri, &mut look, &old).await?,
            FeedForm::MispRest => self.misp_rest(feed, uri, &mut look).await?,
            _ => self.plain(feed, uri, &mut look, &old).await?,
        };
        Ok(new.map(|new| Version { of, whole: if new.whole == 0 { now } else { new.whole }, ..new }))
    }

    /// One answer is all of the feed.
    async fn plain(
        self: &Arc<Self>,
        feed: &Feed,
        uri: &Uri,
        look: &mut Look<'_>,
        old: &Version,
    ) -> Result<Option<Version>, FeedError> {
        let (path, mut file) = self.scratch(feed)?;
        let scratch = Pages(vec![path]);
        let head = look.ask(uri, &conditions(old), None, &mut file).await?;
        if head.status == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        let patterns = self.read_apart(feed, scratch.0.clone(), true, scratch).await?;
        Ok(Some(Version {
            etag: head.text("etag"),
            last_modified: head.text("last-modified"),
            patterns,
            ..Version::default()
        }))
    }

    /// Page by page, what was added since the last look; now and then all of it.
    async fn taxii(
        self: &Arc<Self>,
        feed: &Feed,
        uri: &Uri,
        look: &mut Look<'_>,
        old: &Version,
        now: u64,
    ) -> Result<Option<Version>, FeedError> {
        let whole = old.added.is_none() || now.saturating_sub(old.whole) > WHOLE_AFTER;
        let mut pages = Pages::default();
        let (mut added, mut next) = (old.added.clone(), None::<String>);
        for number in 0.. {
            if number >= PAGES {
                return Err(FetchError::Pages(PAGES).into());
            }
            let since = old.added.as_deref().filter(|_| !whole);
            let page = below(uri, "objects/", &objects(since, next.as_deref()))?;
            let (path, mut file) = self.scratch(feed)?;
            pages.0.push(path.clone());
            let head = look.ask(&page, &[(ACCEPT, TAXII)], None, &mut file).await?;
            // Some servers name the first only, where there is one object.
            let last = head.text("x-taxii-date-added-last").or_else(|| head.text("x-taxii-date-added-first"));
            if let Some(last) = last {
                added = added.filter(|before| *before > last).or(Some(last));
            }
            let summary = apart(move || summary_of(&path, Form::Stix)).await??;
            match (summary.more, summary.next) {
                // Some servers name all further pages alike.
                (true, Some(after)) => next = Some(after.into()),
                (true, None) => {
                    return Err(
                        FetchError::Request("the server says that there is more, and not where").into()
                    );
                }
                (false, _) => break,
            }
        }
        let patterns = self.read_apart(feed, pages.0.clone(), whole, pages).await?;
        let patterns = if whole { patterns } else { patterns || old.patterns };
        let whole = if whole { now } else { old.whole };
        Ok(Some(Version { added, patterns, whole, ..Version::default() }))
    }

    /// The events that the manifest names; those that did not change are kept beside the set.
    async fn misp_feed(
        self: &Arc<Self>,
        feed: &Feed,
        uri: &Uri,
        look: &mut Look<'_>,
        old: &Version,
    ) -> Result<Option<Version>, FeedError> {
        let (path, mut file) = self.scratch(feed)?;
        let scratch = Pages(vec![path]);
        let head = look.ask(&below(uri, "manifest.json", "")?, &conditions(old), None, &mut file).await?;
        if head.status == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        file.rewind()?;
        let events = misp::manifest(&mut file, &limits(feed))?;
        drop(scratch);
        if events.len() > PAGES {
            return Err(FetchError::Pages(PAGES).into());
        }
        let folder = self.folder.join(format!("{}.events", feed.name));
        let mut builder = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(builder.recursive(true), 0o700);
        builder.create(&folder)?;
        let mut files = Vec::new();
        for event in &events {
            let kept = folder.join(format!("{}.{}.json", event.uuid, event.timestamp));
            if !kept.exists() {
                let (path, mut file) = self.scratch(feed)?;
                let scratch = Pages(vec![path.clone()]);
                look.ask(&below(uri, &format!("{}.json", event.uuid), "")?, &[], None, &mut file).await?;
                std::fs::rename(&path, &kept)?;
                drop(scratch);
            }
            files.push(kept);
        }
        let known: std::collections::BTreeSet<PathBuf> = files.iter().cloned().collect();
        self.read_apart(feed, files, true, Pages::default()).await?;
        // Only what is in force now is kept.
        for entry in std::fs::read_dir(&folder)?.flatten().filter(|entry| !known.contains(&entry.path())) {
            drop(std::fs::remove_file(entry.path()));
        }
        Ok(Some(Version {
            etag: head.text("etag"),
            last_modified: head.text("last-modified"),
            ..Version::default()
        }))
    }

    /// All attributes that are for detection, page by page.
    async fn misp_rest(
        self: &Arc<Self>,
        feed: &Feed,
        uri: &Uri,
        look: &mut Look<'_>,
    ) -> Result<Option<Version>, FeedError> {
        let mut pages = Pages::default();
        let place = below(uri, "attributes/restSearch", "")?;
        for number in 1.. {
            if number > PAGES {
                return Err(FetchError::Pages(PAGES).into());
            }
            let body = serde_json::json!({
                "returnFormat": "json", "to_ids": true, "deleted": false, "includeEventTags": true,
                "limit": PAGE, "page": number,
            });
            let (path, mut file) = self.scratch(feed)?;
            pages.0.push(path.clone());
            let body = Bytes::from(body.to_string());
            look.ask(&place, &[(ACCEPT, "application/json")], Some(body), &mut file).await?;
            let summary = apart(move || summary_of(&path, Form::Misp)).await??;
            if summary.entries < PAGE as u64 {
                break;
            }
        }
        self.read_apart(feed, pages.0.clone(), true, pages).await?;
        Ok(Some(Version::default()))
    }

    /// A file to write an answer to.
    fn scratch(&self, feed: &Feed) -> std::io::Result<(PathBuf, File)> {
        // A name of its own: a look that was broken off may still be read.
        let number = self.scratched.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(format!("{}.{number}{PART}", feed.name));
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        Ok((path, file))
    }

    /// Reads files, one after the other, and puts what they say in force; whether there are patterns among it.
    async fn read_apart(
        self: &Arc<Self>,
        feed: &Feed,
        files: Vec<PathBuf>,
        whole: bool,
        scratch: Pages,
    ) -> Result<bool, FeedError> {
        let (intel, feed) = (Arc::clone(self), feed.clone());
        apart(move || {
            let read = intel.read_files(&feed, &files, whole);
            drop(scratch);
            read
        })
        .await?
    }

    fn read_files(&self, feed: &Feed, files: &[PathBuf], whole: bool) -> Result<bool, FeedError> {
        let (settings, source) = (self.settings.load_full(), self.source_of(&feed.name));
        let mut batch = match whole {
            true => Batch::whole(self.key(), source, &settings.warnings),
            false => Batch::more(self.key(), source, &settings.warnings),
        };
        let (mut patterns, mut summary) = (Vec::new(), Summary::default());
        let options = Options { limits: limits(feed), defaults: feed.defaults };
        for path in files {
            let mut file = File::open(path)?.take(feed.max_bytes + 1);
            let part = read(feed.form.read(), &mut file, &options, &mut |item| match item {
                // Warning lists say no, and the batch counts how often.
                Item::Indicator(indicator) => drop(batch.add(&indicator)),
                Item::Withdrawn(value) => batch.remove(&value),
                Item::Pattern(pattern) => patterns.push(*pattern),
                Item::Advisory(_) => {}
            })?;
            summary.join(part, options.limits.faults);
        }
        let any = !patterns.is_empty();
        let start = std::time::Instant::now();
        let (entries, malformed) = (summary.entries, summary.malformed);
        let difference = self.take(feed, Said { batch, patterns, summary })?;
        tracing::info!(
            feed = %feed.name,
            entries,
            malformed,
            added = difference.added,
            removed = difference.removed,
            changed = difference.changed,
            ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
            "a feed was taken"
        );
        Ok(any)
    }

    /// Looks at this feed, or at all of them, now. Nothing if there is none of this name.
    pub async fn pull(self: &Arc<Self>, name: Option<&str>) -> Option<()> {
        self.load();
        let settings = self.settings.load_full();
        let named = |feed: &&Feed| name.is_none_or(|name| &*feed.name == name);
        let feeds: Vec<&Feed> = settings.config.feeds.iter().filter(named).collect();
        if feeds.is_empty() && name.is_some() {
            return None;
        }
        for feed in feeds {
            self.look(feed).await;
        }
        Some(())
    }
}

/// Files that go when this does.
#[derive(Default)]
struct Pages(Vec<PathBuf>);

impl Drop for Pages {
    fn drop(&mut self) {
        for path in &self.0 {
            drop(std::fs::remove_file(path));
        }
    }
}

fn limits(feed: &Feed) -> Limits {
    Limits { bytes: feed.max_bytes, ..Limits::default() }
}

fn conditions(old: &Version) -> Vec<(HeaderName, &str)> {
    let etag = old.etag.as_deref().map(|etag| (IF_NONE_MATCH, etag));
    let modified = old.last_modified.as_deref().map(|at| (IF_MODIFIED_SINCE, at));
    etag.into_iter().chain(modified).collect()
}

/// What a page says of the next one.
fn summary_of(path: &Path, form: Form) -> Result<Summary, FeedError> {
    Ok(read(form, &mut File::open(path)?, &Options::default(), &mut |_| {})?)
}

/// The query for the indicators of a collection.
fn objects(since: Option<&str>, next: Option<&str>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("match[type]", "indicator").append_pair("limit", &PAGE.to_string());
    for (name, value) in [("added_after", since), ("next", next)] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    query.finish()
}

/// A place below a place.
pub(super) fn below(base: &Uri, name: &str, query: &str) -> Result<Uri, FetchError> {
    let path = base.path().trim_end_matches('/');
    let mark = if query.is_empty() { "" } else { "?" };
    let mut parts = base.clone().into_parts();
    let whole = format!("{path}/{name}{mark}{query}");
    parts.path_and_query = Some(whole.parse().map_err(|_| FetchError::Request("not a place on a server"))?);
    Uri::from_parts(parts).map_err(|_| FetchError::Request("not a place on a server"))
}

/// Does it on a thread of its own: a large feed takes seconds, and what it allocates goes back with the thread.
pub(super) async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, FeedError> {
    let (done, result) = oneshot::channel();
    std::thread::Builder::new()
        .name("intel".to_owned())
        .spawn(move || drop(done.send(work())))
        .map_err(|_| FeedError::Thread)?;
    result.await.map_err(|_| FeedError::Thread)
}

/// The allocator gives freed memory back to the system when a thread ends some time later.
async fn give_back() {
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let _ = apart(|| drop(std::hint::black_box(Vec::<u8>::with_capacity(1 << 20)))).await;
    }
}
