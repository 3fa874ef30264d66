//! What happens in a run, phase by phase: first deployment, scale-out, the faults that were asked for, the validator.

use super::check::{BUDGET, SENDING, is_right};
use super::deployment::{Deployment, NAMES};
use super::fleet_setup::{self, CLUSTER, DemoInstance, Kind, WITH_CONSTRAINT, WITHOUT_CONSTRAINT};
use super::observations::{Observations, Validation};
use super::options::Options;
use super::screen::{Screen, Tone, instance_table};
use super::view::{Condition, InstanceView};
use crate::fleet::{Presented, REMOTE};
use crate::local_aws::{Caller, LocalAws};
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::cause::{Cause, Class};
use std::io;
use std::time::Duration;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(60);
/// How much longer a phase may take if a real PowerShell runs the script.
const REAL_SCRIPT_FACTOR: u32 = 6;
/// How long a refused password is watched, so that a second try would be seen.
const QUIET: Duration = Duration::from_secs(3);
/// Who runs tasks and commands.
const CUSTOMER: &str = "customer";
const FILE_SERVER: &str = "file server";
const VALIDATOR: &str = "validator";

/// A run under way.
pub(super) struct Scenario {
    pub(super) options: Options,
    pub(super) deployment: Deployment,
    pub(super) seen: Observations,
    pub(super) screen: Screen,
    /// When each phase began, and its title.
    pub(super) phases: Vec<(Duration, String)>,
    lines_read: [usize; 3],
    base: Timestamp,
    /// How long the others follow one that was let in.
    freshness: Duration,
}

impl Scenario {
    /// A run in a world that began at `base` with these instances.
    pub(super) fn new(
        options: Options,
        deployment: Deployment,
        (base, freshness): (Timestamp, Duration),
        instances: Vec<DemoInstance>,
    ) -> Self {
        let (screen, seen) = (Screen::new(&options), Observations::new(base, instances));
        Self { options, deployment, seen, screen, phases: Vec::new(), lines_read: [0; 3], base, freshness }
    }

    /// Every phase. Here and below, an error means that the output is gone.
    pub(super) async fn run(&mut self) -> io::Result<()> {
        self.first_deployment().await?;
        self.scale_out().await?;
        if self.options.wrong_password {
            self.correct_password().await?;
        }
        if let Some(outage) = self.options.outage {
            self.outage(outage).await?;
        }
        self.validate().await
    }

    /// Since the start.
    pub(super) fn elapsed(&self) -> Duration {
        self.deployment.server.aws().now().duration_since(self.base).unsigned_abs()
    }

    async fn first_deployment(&mut self) -> io::Result<()> {
        let count = self.seen.instances.len();
        let text =
            "container instances exist. One of them tries the password; if it is right, the rest follow.";
        self.begin("First deployment", format!("{count} {text}"))?;
        self.deployment.start_schedule();
        if self.options.wrong_password {
            let is_refused = |seen: &Observations| seen.views.iter().any(is_refused);
            self.wait("waiting for the first log-on", self.seconds(12), is_refused).await?;
            return self
                .wait("watching that one more instance tries it, and no other", QUIET, |_| false)
                .await;
        }
        self.wait("waiting for the gates of the existing instances", self.seconds(15), |seen| {
            seen.views.iter().all(is_right)
        })
        .await?;
        let length = self.freshness + SENDING;
        self.wait("waiting until the password is no longer fresh", length, |_| false).await
    }

    async fn scale_out(&mut self) -> io::Result<()> {
        let new = fleet_setup::launch(&mut self.deployment.server.aws(), &self.options);
        let count = new.iter().filter(|one| one.kind != Kind::Foreign).count();
        let kinds =
            "container instances start: one has a disk on G:, one has a late SSM agent, some run Linux.";
        let password = if self.options.wrong_password {
            "The password was refused twice, so none of them tries it."
        } else {
            "Nobody was let in a moment ago, so one of them tries the password first."
        };
        self.begin("Scale-out", format!("{count} {kinds}\n{password}"))?;
        self.seen.add_instances(new);
        self.wait("waiting for registrations", self.seconds(8), |seen| {
            seen.views.iter().filter(|view| view.registered).count() * 2 > seen.views.len()
        })
        .await?;
        self.run_tasks(WITHOUT_CONSTRAINT, "without the constraint");
        self.run_tasks(WITH_CONSTRAINT, "with the constraint");
        if self.options.wrong_password {
            let length = QUIET + Duration::from_secs(2);
            return self.wait("watching that no instance tries the wrong password", length, |_| false).await;
        }
        self.wait_until_settled(25).await
    }

    async fn correct_password(&mut self) -> io::Result<()> {
        self.count_wrong_drains();
        let text = "The right password is written to Parameter Store. The functions do the rest.";
        self.begin("The password is corrected", text)?;
        {
            let mut aws = self.deployment.server.aws();
            self.seen.log_ons_while_wrong = aws.world.account.count(Presented::Parameters, false);
            let (right, now) = (aws.world.account.password.clone(), aws.now());
            aws.world.write_password_parameter(&right, now);
        }
        self.say(CUSTOMER, Tone::Plain, "aws ssm put-parameter --name domainUserPassword …");
        self.wait_until_settled(30).await
    }

    async fn outage(&mut self, length: Duration) -> io::Result<()> {
        let text = "Every mapping is lost at once. Gates are shut as checks find it, and nothing is drained.";
        self.begin("The file server is away", text)?;
        self.deployment.server.aws().world.file_server.goes_down();
        self.say(FILE_SERVER, Tone::Bad, format!("the file server is away for {} s", length.as_secs()));
        self.wait("waiting for the file server", length, |_| false).await?;
        self.count_wrong_drains();
        self.deployment.server.aws().world.file_server.comes_back();
        self.say(FILE_SERVER, Tone::Good, "the file server is back");
        self.wait_until_settled(60).await
    }

    async fn validate(&mut self) -> io::Result<()> {
        let text = "One works, one has a network path, and one has an undeclared volume.";
        self.begin("Three task definitions", text)?;
        for sample in fleet_setup::samples() {
            let family = sample["family"].as_str().unwrap_or_default();
            let invocation = self.deployment.functions[2].invoke(&sample).await;
            match invocation.outcome {
                Ok(report) => self.read_validation(family, &report),
                Err(failure) => self.seen.failures.push(format!("{}: {failure}", NAMES[2])),
            }
        }
        Ok(())
    }

    fn read_validation(&mut self, family: &str, report: &Value) {
        let valid = report["valid"] == true;
        let mut errors = Vec::new();
        for finding in report["findings"].as_array().into_iter().flatten() {
            let [level, code, rule, path] =
                ["level", "code", "rule", "path"].map(|name| finding[name].as_str().unwrap_or("?"));
            if level == "error" {
                errors.push(rule.to_owned());
            }
            self.say(VALIDATOR, Tone::Plain, format!("{family}: {level} {code} {rule} at {path}"));
        }
        let (tone, verdict) = if valid { (Tone::Good, "valid") } else { (Tone::Bad, "not valid") };
        self.say(VALIDATOR, tone, format!("{family}: {verdict}"));
        self.seen.validations.push(Validation { family: family.to_owned(), valid, errors });
    }

    /// The customer's service places tasks while the new instances register.
    fn run_tasks(&mut self, family: &str, how: &str) {
        let mut aws = self.deployment.server.aws();
        let now = aws.now();
        let body = json!({"cluster": CLUSTER, "taskDefinition": family, "count": 10, "group": format!("service:{family}")});
        let reply = aws.handle(now, &Caller::named(CUSTOMER), "RunTask", body.to_string().as_bytes());
        let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let tasks = answer["tasks"].as_array().into_iter().flatten();
        let placed: Vec<&str> = tasks.filter_map(|task| task["containerInstanceArn"].as_str()).collect();
        let misplaced = placed.iter().filter(|arn| !has_share(&aws, arn)).count();
        drop(aws);
        let mut text = format!("10 tasks {how}: {} placed", placed.len());
        if misplaced > 0 {
            text +=
                &format!(", {misplaced} of them where there is no G: (\"bind source path does not exist\")");
        } else if !placed.is_empty() {
            text += ", all of them where G: is mapped";
        }
        if placed.len() < 10 {
            text += &format!(", {} wait for a gate", 10 - placed.len());
        }
        if family == WITH_CONSTRAINT {
            self.seen.misplaced_tasks += misplaced;
        }
        self.say(CUSTOMER, if misplaced > 0 { Tone::Bad } else { Tone::Good }, text);
    }

    /// Counts healthy instances that were drained. A host with a fault of its own may be drained at any time.
    fn count_wrong_drains(&mut self) {
        let healthy = self.seen.views.iter().filter(|view| view.kind.true_cause().is_none());
        self.seen.wrong_drains += healthy.filter(|view| view.condition() == Condition::Drained).count();
    }

    async fn wait_until_settled(&mut self, limit: u32) -> io::Result<()> {
        self.wait("waiting for gates, causes and drains", self.seconds(limit), is_settled).await?;
        // So that the last change is seen, too.
        self.wait("looking once more", Duration::from_millis(800), |_| false).await
    }

    /// How long something may take that takes so many seconds with the model of the script.
    fn seconds(&self, limit: u32) -> Duration {
        let factor = if self.options.pwsh.is_some() { REAL_SCRIPT_FACTOR } else { 1 };
        Duration::from_secs(1) * limit * factor
    }

    /// Waits until `done`, at most until `limit`. What is not done by then is found by the checks at the end.
    async fn wait(
        &mut self,
        waiting_for: &str,
        limit: Duration,
        done: impl Fn(&Observations) -> bool,
    ) -> io::Result<()> {
        let end = self.elapsed() + limit;
        loop {
            self.deployment.deliver_events();
            self.look();
            let at = self.elapsed();
            self.screen.entries(&self.seen.take_entries(at))?;
            self.screen.show(at, &self.seen, waiting_for)?;
            if done(&self.seen) || at > end {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn say(&mut self, actor: &'static str, tone: Tone, text: impl Into<String>) {
        let at = self.elapsed();
        self.seen.say(at, actor, tone, text);
    }

    fn begin(&mut self, title: &str, text: impl Into<String>) -> io::Result<()> {
        let at = self.elapsed();
        self.screen.entries(&self.seen.take_entries(Duration::MAX))?;
        if !self.phases.is_empty() {
            self.screen.print([vec![String::new()], instance_table(&self.seen.views)].concat())?;
        }
        self.phases.push((at, title.to_owned()));
        self.screen.section(&format!("{}  {title}", self.phases.len()), [text.into(), String::new()])
    }

    /// Takes notice of everything that has happened since the last time.
    fn look(&mut self) {
        for (name, batch) in self.deployment.settled_batches() {
            let took = batch.invocation.took.as_millis();
            match &batch.invocation.outcome {
                Err(failure) => self.seen.failures.push(format!("{name}: {failure}")),
                Ok(_) if name == NAMES[0] => {
                    self.say(
                        name,
                        Tone::Quiet,
                        format!("a batch of {} events, done in {took} ms", batch.size),
                    );
                }
                Ok(_) => {}
            }
        }
        let at = self.elapsed();
        for (n, function) in self.deployment.functions.iter().enumerate() {
            let lines = function.lines(self.lines_read[n]);
            self.lines_read[n] += lines.len();
            self.seen.read_logs(at, NAMES[n], &lines);
        }
        self.seen.look(at, &self.deployment.server.aws());
    }

    /// Ends the functions and looks for the last time.
    pub(super) async fn end(&mut self) -> io::Result<()> {
        self.deployment.close().await;
        self.look();
        for (name, source) in NAMES.iter().zip(&self.deployment.sources) {
            let dead = source.queue().dead_letters().len();
            if dead > 0 {
                self.seen.failures.push(format!("{name}: {dead} dead letters"));
            }
        }
        self.screen.entries(&self.seen.take_entries(Duration::MAX))
    }
}

fn is_refused(view: &InstanceView) -> bool {
    view.cause().is_some_and(|cause| Cause::new(cause).class() == Class::Credentials)
}

/// Whether every instance stands as it must in the end, drained if it must be.
fn is_settled(seen: &Observations) -> bool {
    let is_drained = |view: &InstanceView| view.condition() == Condition::Drained || is_withheld(seen, view);
    seen.views.iter().all(|view| is_right(view) && (view.kind.true_cause().is_none() || is_drained(view)))
}

/// Whether the drain of the instance is withheld for good: by the budget, or, among several faulty hosts, by any rule.
/// Other rules pass: for instance, half of the cluster must be mapped before there is a budget.
fn is_withheld(seen: &Observations, view: &InstanceView) -> bool {
    let rules = seen.logs.withheld.get(&*view.id);
    let several = seen.views.iter().any(|view| view.kind.is_faulty());
    rules.is_some_and(|rules| several || rules.iter().any(|rule| rule == BUDGET))
}

fn has_share(aws: &LocalAws, container_instance_arn: &str) -> bool {
    let id = container_instance_arn.rsplit('/').next().unwrap_or_default();
    let instance = aws.container_instances(CLUSTER).find(|instance| &*instance.id == id);
    instance.is_some_and(|instance| aws.world.hosts[&instance.ec2_instance_id].is_mapped_to(REMOTE))
}
