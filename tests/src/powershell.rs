//! Runs the real mapping script in PowerShell for the hosts of the local AWS ([`Scripts::External`]).
//!
//! A few long-lived processes (`shared/document/tests/serve.ps1`) run the document of `template.yaml` with the settings
//! that CloudFormation would insert. Each run gets its host's part of the [`World`](crate::fleet::World) and returns the
//! new mapping and the log-ons; causes and result lines are the script's own. Time limits are shortened.
//!
//! Two concurrent scripts on one host are not modelled. A script that hangs ends at the document's timeout.

use std::collections::BTreeMap;
use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use crate::document;
use crate::fleet::{Hang, Letter, Mapping, MappingSettings, Presented, Readable, Scripts};
use crate::local_aws::LocalAws;
use crate::local_aws::server::Server;
use crate::local_aws::ssm::runs::StartedRun;
use crate::repository::{read, root};

/// The number of scripts that run at the same time.
const PROCESSES: usize = 2;
/// The polling interval for started scripts.
const LOOK: Duration = Duration::from_millis(20);
const ADDRESS: &str = "10.0.1.10";

/// Runs the scripts that the agents of `server` start in PowerShell, until the result is dropped.
///
/// # Errors
/// `pwsh` does not start, or the template does not hold the document as expected.
pub async fn carry_out(server: &Server, pwsh: &str) -> io::Result<JoinSet<io::Result<()>>> {
    let settings = {
        let mut aws = server.aws();
        aws.world.scripts = Scripts::External;
        aws.world.documents.values().find_map(|document| document.settings(1).cloned())
    };
    let settings = settings.ok_or_else(|| io::Error::other("the world has no mapping document"))?;
    let text = document_text(&read("template.yaml"), &settings).map_err(io::Error::other)?;
    let (sender, receiver) = mpsc::unbounded_channel();
    let receiver = Arc::new(Mutex::new(receiver));
    let mut running = JoinSet::new();
    for _ in 0..PROCESSES {
        let process = PowerShell::start(pwsh, &text).await?;
        running.spawn(work(process, server.clone(), receiver.clone()));
    }
    let server = server.clone();
    running.spawn(async move {
        let mut interval = tokio::time::interval(LOOK);
        loop {
            interval.tick().await;
            for run in server.aws().take_started_runs() {
                sender.send(run).map_err(io::Error::other)?;
            }
        }
    });
    Ok(running)
}

fn document_text(template: &str, settings: &MappingSettings) -> Result<String, document::DocumentError> {
    let domain = settings.require_domain.to_string();
    document::run_command(
        template,
        &BTreeMap::from([
            ("DriveLetter", settings.drive.trim_end_matches(':')),
            ("RemotePath", settings.remote.as_str()),
            ("UserNameParameterName", "domainUserName"),
            ("PasswordParameterName", "domainUserPassword"),
            ("RequireDomain", domain.as_str()),
            ("ProbeDirectory", ""),
        ]),
    )
}

type Runs = Arc<Mutex<mpsc::UnboundedReceiver<StartedRun>>>;

async fn work(mut process: PowerShell, server: Server, runs: Runs) -> io::Result<()> {
    loop {
        let Some(run) = runs.lock().await.recv().await else { return Ok(()) };
        let Some((seen, host)) = before(&server.aws(), &run) else { continue };
        let answer = process.run(&json!({ "action": action(&run), "host": host })).await?;
        let now = server.now();
        after(&mut server.aws(), &run, seen, answer, now);
    }
}

fn action(run: &StartedRun) -> &'static str {
    match run.action {
        crate::fleet::script::ScriptAction::Check => "check",
        crate::fleet::script::ScriptAction::Map => "map",
    }
}

/// The part of the host's state at the start of a run that its end needs.
struct Seen {
    booted: Timestamp,
    generation: u64,
}

/// The host's model for `serve.ps1`; `None` where the script never ends by itself.
fn before(aws: &LocalAws, run: &StartedRun) -> Option<(Seen, Value)> {
    let world = &aws.world;
    let host = world.hosts.get(&run.instance)?;
    let server = &world.file_server;
    let mut faults = json!({});
    match host.hang {
        Some(Hang::Process) => return None,
        Some(Hang::Call) => {
            faults["read"] = json!([{"hang": 30, "forever": true}]);
            faults["New-SmbGlobalMapping"] = json!([{"hang": 30}]);
        }
        Some(Hang::Child) | None => {}
    }
    if let Some(code) = server.read_error {
        faults["read"] = json!([{"code": code, "forever": true}]);
    }
    let mut drives = vec!["C:"];
    let mut mappings = Vec::new();
    match &host.letter {
        Letter::Free => {}
        Letter::Disk => drives.push(&run.settings.drive),
        Letter::Smb(mapping) => {
            let live = mapping.session.is_some_and(|(of, used)| {
                of == server.generation()
                    && run.started.duration_since(used).unsigned_abs() < server.idle_limit
            });
            mappings.push(json!({"local": run.settings.drive, "remote": mapping.remote, "status": mapping.status,
                "privacy": mapping.privacy, "persistent": true, "user": mapping.user, "password": mapping.password,
                "owner": "ours", "live": live}));
        }
    }
    let name = run.settings.remote.trim_start_matches('\\').split('\\').next().unwrap_or_default();
    let resolves = server.resolves && !host.dns_broken;
    let account = &world.account;
    let state = account.refuses_with.or(account.is_locked(run.started).then_some(1909));
    let mut parameters = json!({});
    match world.parameters.fetch() {
        Ok((user, password)) => parameters = json!({"domainUserName": user, "domainUserPassword": password}),
        Err("bad-credentials") => {
            parameters = json!({"domainUserName": account.user, "domainUserPassword": ""});
        }
        Err(_) => {
            let readable = [&world.parameters.user, &world.parameters.password].map(|one| one.readable);
            if let Some((error, message)) = readable.into_iter().find_map(service_error) {
                faults["GetParameters"] = json!([{"error": error, "message": message, "forever": true}]);
            }
        }
    }
    let model = json!({
        "drives": drives, "mappings": mappings, "boot": format!("{:.0}", host.booted), "domain": host.domain_joined,
        "dns": if resolves { json!({name: [ADDRESS]}) } else { json!({}) },
        "addresses": {ADDRESS: server.up && !host.port_445_blocked},
        "shares": [format!(r"\\{name}\{}", server.share)],
        "accounts": {account.user.as_str(): account.password}, "accountState": state,
        "parameters": parameters, "faults": faults,
    });
    Some((Seen { booted: host.booted, generation: server.generation() }, model))
}

/// The error of `GetParameters`. A missing parameter is not an error.
fn service_error(readable: Readable) -> Option<(&'static str, &'static str)> {
    match readable {
        Readable::Yes | Readable::Missing => None,
        Readable::Denied => Some(("AccessDeniedException", "not authorized to perform: ssm:GetParameters")),
        Readable::KmsDenied => Some(("AccessDeniedException", "not authorized to perform: kms:Decrypt")),
        Readable::Unreachable => Some(("ThrottlingException", "Rate exceeded")),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    line: String,
    exit: i64,
    mappings: Vec<AnsweredMapping>,
    log_ons: Vec<AnsweredLogOn>,
}

#[derive(Deserialize)]
struct AnsweredMapping {
    remote: String,
    status: String,
    privacy: bool,
    user: String,
    password: String,
    #[serde(default)]
    live: bool,
}

#[derive(Deserialize)]
struct AnsweredLogOn {
    user: String,
    password: String,
    kept: bool,
}

fn after(aws: &mut LocalAws, run: &StartedRun, seen: Seen, answer: Answer, now: Timestamp) {
    let world = &mut aws.world;
    // After a reboot the script has no effect; the local AWS reports that it was lost.
    if let Some(host) = world.hosts.get_mut(&run.instance).filter(|host| host.booted == seen.booted) {
        for one in answer.log_ons {
            let presented = if one.kept { Presented::Kept } else { Presented::Parameters };
            // The script has the result already; this records the log-on.
            let _ = world.account.log_on(now, &run.instance, presented, &one.user, &one.password);
        }
        if host.letter != Letter::Disk {
            host.letter = answer.mappings.into_iter().next().map_or(Letter::Free, |one| {
                let mut mapping = Mapping::new(&one.remote, &one.user, &one.password);
                mapping.status = one.status;
                mapping.privacy = one.privacy;
                mapping.session = one.live.then_some((seen.generation, now));
                Letter::Smb(mapping)
            });
        }
    }
    aws.complete_run(now, run.key, answer.exit, &answer.line);
}

/// One PowerShell process.
struct PowerShell {
    _child: Child,
    requests: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl PowerShell {
    async fn start(pwsh: &str, document: &str) -> io::Result<Self> {
        let script = root().join("shared/document/tests/serve.ps1");
        let mut child = Command::new(pwsh)
            .args(["-NoProfile", "-File"])
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("{pwsh} does not start: {error}")))?;
        let (requests, answers) = child.stdin.take().zip(child.stdout.take()).expect("both are piped");
        let mut process = Self { _child: child, requests, answers: BufReader::new(answers).lines() };
        let limits = json!({"script": 120, "mutex": 5, "lookup": 10, "read": 10, "readPause": 0.05, "domain": 2,
            "dns": 2, "port": 0.3, "pause": 0.05, "awsTools": 15, "parameters": 5, "remove": 10, "create": 10,
            "proof": 0.3});
        process.send(&json!({"document": document, "limits": limits})).await?;
        Ok(process)
    }

    async fn send(&mut self, value: &Value) -> io::Result<()> {
        self.requests.write_all(format!("{value}\n").as_bytes()).await?;
        self.requests.flush().await
    }

    async fn run(&mut self, request: &Value) -> io::Result<Answer> {
        self.send(request).await?;
        let line = self.answers.next_line().await?;
        let line = line.ok_or_else(|| io::Error::other("the PowerShell process ended"))?;
        serde_json::from_str(&line).map_err(|error| io::Error::other(format!("{error}: {line}")))
    }
}
