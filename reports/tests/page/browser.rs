//! A Chromium of our own for one test: started, asked, ended. What the page must do is not known here.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use fabric_reports::{Record, html};
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a page may take to come to what a test waits for. It is only waited for in vain when the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A browser that shows one page from disk.
pub(crate) struct Browser {
    pub(crate) client: Client,
    driver: Child,
    /// Kept open: a driver that cannot write ends.
    _said: BufReader<ChildStdout>,
    address: String,
    folder: TempDir,
}

impl Browser {
    /// A browser that shows the page of this record; none where there is no Chromium.
    pub(crate) async fn open(record: &Record) -> Option<Self> {
        Self::show(&html::render(record).unwrap()).await
    }

    /// The same of a page that was made already.
    pub(crate) async fn show(page: &str) -> Option<Self> {
        let Some((chromium, chromedriver)) = programs() else {
            assert_ne!(
                std::env::var("FABRIC_PAGE").as_deref(),
                Ok("required"),
                "FABRIC_PAGE=required, and there is no chromium with its chromedriver: apt-get install chromium chromium-driver"
            );
            eprintln!(
                "skipped: no chromium with its chromedriver (apt-get install chromium chromium-driver)"
            );
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.html");
        fs::write(&file, page).unwrap();
        let address = format!("file://{}", file.display());
        // Port 0 is one that is free; chromedriver says which.
        let mut driver = Command::new(chromedriver)
            .arg("--port=0")
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(driver.stdout.take().unwrap());
        let port = port(&mut said);
        let profile = folder.path().join("profile");
        let arguments: Vec<String> = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--force-device-scale-factor=1",
            "--window-size=1400,900",
        ]
        .map(str::to_owned)
        .into_iter()
        .chain([format!("--user-data-dir={}", profile.display())])
        .collect();
        let mut capabilities = serde_json::Map::new();
        capabilities.insert("goog:chromeOptions".into(), json!({"binary": chromium, "args": arguments}));
        capabilities.insert("goog:loggingPrefs".into(), json!({"browser": "ALL"}));
        let connected = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await;
        let client = match connected {
            Ok(client) => client,
            Err(error) => {
                let _ = driver.kill();
                end_browser(folder.path());
                panic!("chromedriver has no session with {}: {error}", chromium.display());
            }
        };
        let browser = Self { client, driver, _said: said, address, folder };
        browser.size(1400).await;
        browser.go("").await;
        Some(browser)
    }

    /// Loads the page anew, at what follows `#`.
    pub(crate) async fn go(&self, fragment: &str) {
        self.client.goto("about:blank").await.unwrap();
        self.client.goto(&format!("{}{fragment}", self.address)).await.unwrap();
    }

    /// The width of the window, in CSS pixels: also those that Chromium's own windows cannot have.
    pub(crate) async fn size(&self, width: u32) {
        let metrics = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// What the reader's system says of colours (`light` or `dark`), or of the medium.
    pub(crate) async fn scheme(&self, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.devtools("Emulation.setEmulatedMedia", json!({"media": "", "features": features})).await;
    }

    /// Whether the page is on paper.
    pub(crate) async fn paper(&self, paper: bool) {
        let media = if paper { "print" } else { "" };
        self.devtools("Emulation.setEmulatedMedia", json!({"media": media, "features": []})).await;
    }

    /// One command of Chromium's own protocol.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.client.issue_cmd(Raw { path: "goog/cdp/execute", body }).await.unwrap()
    }

    /// What a script gives back.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.client.execute(script, vec![]).await.unwrap()
    }

    /// What an expression is, as text.
    pub(crate) async fn text(&self, expression: &str) -> String {
        let value = self.run(&format!("return String({expression})")).await;
        value.as_str().unwrap().to_owned()
    }

    /// Whether a condition holds.
    pub(crate) async fn is(&self, condition: &str) -> bool {
        self.run(&format!("return Boolean({condition})")).await == Value::Bool(true)
    }

    /// Waits until a condition holds.
    pub(crate) async fn until(&self, condition: &str) {
        let start = Instant::now();
        while !self.is(condition).await {
            assert!(start.elapsed() < PATIENCE, "never so: {condition}");
            // A browser tells nobody over WebDriver when a condition comes true.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Types keys, to whatever has the focus.
    pub(crate) async fn keys(&self, keys: &str) {
        self.client.active_element().await.unwrap().send_keys(keys).await.unwrap();
    }

    /// What scripts and the browser complained of since the last time this was asked.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log =
            self.client.issue_cmd(Raw { path: "se/log", body: json!({"type": "browser"}) }).await.unwrap();
        let entries = log.as_array().cloned().unwrap_or_default();
        entries.iter().map(|entry| format!("{}: {}", entry["level"], entry["message"])).collect()
    }

    /// Ends the browser; nothing was to be complained of.
    pub(crate) async fn close(self) {
        assert_eq!(self.complaints().await, Vec::<String>::new());
        self.client.clone().close().await.unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromedriver takes its browser along when it is asked to end, which a kill is not.
        let _ = Command::new("kill").arg(self.driver.id().to_string()).status();
        let _ = self.driver.wait();
        end_browser(self.folder.path());
        let _ = fs::remove_dir_all(self.folder.path());
    }
}

/// Ends a browser that its chromedriver has left behind, known by the profile it was given: its other processes end with it.
fn end_browser(folder: &Path) {
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(line) = fs::read(process.path().join("cmdline")) else { continue };
        if line.split(|byte| *byte == 0).any(|word| word == profile.as_bytes()) {
            let _ = Command::new("kill").arg("-KILL").arg(process.file_name()).status();
        }
    }
}

/// A command that is Chromium's alone.
#[derive(Debug)]
struct Raw {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Raw {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}

/// Chromium and its driver.
fn programs() -> Option<(PathBuf, PathBuf)> {
    let chromium = ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(on_path)?;
    Some((chromium, on_path("chromedriver")?))
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// The port that a chromedriver says it listens on.
fn port(said: &mut BufReader<ChildStdout>) -> u16 {
    let found = said.lines().map_while(Result::ok).find_map(|line| {
        let (_, port) = line.split_once("successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });
    found.expect("chromedriver said no port")
}
