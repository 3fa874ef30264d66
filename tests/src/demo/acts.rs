//! The story: first deployment, scale-out, what goes wrong if it was asked for, and the validator.

use super::cast::{self, CLUSTER, GATED, Member, Part, UNGATED};
use super::check;
use super::frame::{Actor, Light};
use super::ink::Tone;
use super::look::{Standing, cause};
use super::options::Options;
use super::screen::Screen;
use super::stage::Stage;
use super::story::Validation;
use super::watch::Watch;
use crate::fleet::Presented;
use crate::local_aws::{Caller, LocalAws};
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::cause::{Cause, Class};
use shared::state::{Gate, State};
use std::io::{self, Write};
use std::time::Duration;

/// How often is looked and, on a terminal, redrawn.
const LOOK: Duration = Duration::from_millis(60);
const REMOTE: &str = r"\\fs1.corp.example.com\share";
/// Lines of the table after an act; the one at the end is longer.
const ACT_TABLE: usize = 20;
const VALIDATOR_ACT: &str = "Three task definitions";
/// So many times longer is waited where a real PowerShell runs the script.
const REAL_SCRIPT_PATIENCE: u64 = 6;
/// For how long it is watched that a refused password is not tried again.
const QUIET: Duration = Duration::from_secs(3);

/// A run under way.
pub struct Show<W: Write> {
    /// What was asked for.
    pub options: Options,
    /// The machinery.
    pub stage: Stage,
    /// What has been seen.
    pub watch: Watch,
    /// When each act began.
    pub acts: Vec<(Duration, String)>,
    /// What the validator said.
    pub validations: Vec<Validation>,
    /// Log-ons with the wrong password.
    pub log_ons_while_wrong: usize,
    /// Instances drained by a function while the fault was nobody's host.
    pub drained_in_trouble: usize,
    /// Instances whose gate shut in the outage.
    pub lost: usize,
    /// Tasks with the constraint that were placed on a host without the share.
    pub gated_tasks_astray: usize,
    /// Invocations that failed.
    pub failures: Vec<String>,
    lines_read: [usize; 3],
    screen: Screen<W>,
    base: Timestamp,
}

impl<W: Write> Show<W> {
    /// A run that has not begun: the world began at `base`, with `cast` in it.
    pub fn new(
        options: Options,
        stage: Stage,
        screen: Screen<W>,
        base: Timestamp,
        cast: Vec<Member>,
    ) -> Self {
        let mut watch = Watch::new(base);
        watch.enter(cast);
        Self {
            options,
            stage,
            watch,
            acts: Vec::new(),
            validations: Vec::new(),
            log_ons_while_wrong: 0,
            drained_in_trouble: 0,
            lost: 0,
            gated_tasks_astray: 0,
            failures: Vec::new(),
            lines_read: [0; 3],
            screen,
            base,
        }
    }

    /// The whole story.
    ///
    /// # Errors
    /// When the output is gone.
    pub async fn play(&mut self) -> io::Result<()> {
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

    /// What is put out.
    pub fn screen(&mut self) -> &mut Screen<W> {
        &mut self.screen
    }

    /// Since the start.
    pub fn elapsed(&self) -> Duration {
        self.stage.server.aws().now().duration_since(self.base).unsigned_abs()
    }

    async fn first_deployment(&mut self) -> io::Result<()> {
        let there = self.watch.cast.len();
        self.begin(
            "First deployment",
            &format!(
                "{there} container instances were there before, nothing is known of them, and nobody knows whether the \
                 password is right. One of them goes first; the rest follow once the directory has accepted it."
            ),
        )?;
        self.stage.start_schedule();
        if self.options.wrong_password {
            self.until("waiting for the first log-on", 12, |watch| watch.standings.iter().any(is_refused))
                .await?;
            return self.rest(QUIET, "watching that nobody else tries it").await;
        }
        self.until("waiting for the gates of those that were there", 15, |watch| {
            watch.standings.iter().all(|one| !one.part.can_be_mapped() || one.gate == Gate::Mapped)
        })
        .await
    }

    async fn scale_out(&mut self) -> io::Result<()> {
        let new = cast::launch(&mut self.stage.server.aws(), &self.options);
        let in_cluster = new.iter().filter(|member| member.part != Part::Foreign).count();
        self.begin(
            "Scale-out",
            &format!(
                "An Auto Scaling group launches {in_cluster} container instances at night: a disk stands on G: of one, the SSM \
                 agent of another is late, some run Linux. An EC2 instance of somebody else starts, too. At the same time \
                 a service wants to place tasks."
            ),
        )?;
        self.watch.enter(new);
        self.until("waiting for registrations", 8, |watch| {
            let registered = watch.standings.iter().filter(|one| one.registered).count();
            registered * 2 > watch.standings.len()
        })
        .await?;
        self.run_tasks(UNGATED, "without the constraint");
        self.run_tasks(GATED, "with the constraint");
        if self.options.wrong_password {
            return self
                .rest(QUIET + Duration::from_secs(2), "watching that nobody tries the wrong password")
                .await;
        }
        self.until_settled(25).await
    }

    async fn correct_password(&mut self) -> io::Result<()> {
        self.note_trouble();
        self.begin(
            "The password is corrected",
            "Somebody writes the right password into Parameter Store. Nothing else is done by hand.",
        )?;
        {
            let mut aws = self.stage.server.aws();
            self.log_ons_while_wrong = aws.world.account.count(Presented::Parameters, false);
            let (right, now) = (aws.world.account.password.clone(), aws.now());
            aws.world.write_password_parameter(&right, now);
        }
        self.say(Actor::Customer, Tone::Plain, "aws ssm put-parameter --name domainUserPassword …");
        self.until_settled(30).await
    }

    async fn outage(&mut self, length: Duration) -> io::Result<()> {
        self.begin(
            "The file server is away",
            "Every mapping goes stale at once. That is no host's fault: gates shut where a check finds it, and nothing is drained.",
        )?;
        self.stage.server.aws().world.file_server.goes_down();
        self.say(Actor::World, Tone::Bad, format!("the file server is away for {} s", length.as_secs()));
        self.rest(length, "waiting for the file server").await?;
        let is_shut = |one: &&Standing| one.part.can_be_mapped() && one.gate == Gate::Shut;
        self.lost = self.watch.standings.iter().filter(is_shut).count();
        self.note_trouble();
        self.stage.server.aws().world.file_server.comes_back();
        self.say(Actor::World, Tone::Good, "the file server is back");
        self.until_settled(60).await
    }

    async fn validate(&mut self) -> io::Result<()> {
        self.begin(
            VALIDATOR_ACT,
            "What people register is looked at at once: one that works, one with a network path, one that mounts a volume \
             that nobody declared.",
        )?;
        for sample in cast::samples() {
            let family = sample["family"].as_str().unwrap_or_default().to_owned();
            let invocation = self.stage.functions[2].invoke(&sample).await;
            match invocation.outcome {
                Ok(report) => self.validated(family, &report),
                Err(failure) => self.failures.push(format!("validate-task-definition: {failure}")),
            }
            self.step("asking the validator")?;
        }
        Ok(())
    }

    fn validated(&mut self, family: String, report: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let valid = report["valid"] == true;
        let findings: Vec<[String; 4]> = report["findings"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|finding| {
                let rule = format!("{} {}", text(&finding["code"]), text(&finding["rule"]));
                [text(&finding["level"]), rule, text(&finding["path"]), text(&finding["message"])]
            })
            .collect();
        let verdict = if valid { "valid" } else { "not valid" };
        let tone = if valid { Tone::Good } else { Tone::Bad };
        self.say(Actor::Validator, tone, format!("{family}: {verdict}"));
        for [level, rule, path, message] in &findings {
            let tone = match level.as_str() {
                "error" => Tone::Bad,
                "warning" => Tone::Warn,
                _ => Tone::Quiet,
            };
            self.say(Actor::Validator, tone, format!("{family}: {level} {rule} at {path}: {message}"));
        }
        self.validations.push(Validation { family, valid, findings });
    }

    /// A service of the customer wants tasks while the new instances come.
    fn run_tasks(&mut self, family: &str, how: &str) {
        let mut aws = self.stage.server.aws();
        let now = aws.now();
        let body = json!({"cluster": CLUSTER, "taskDefinition": family, "count": 10, "group": format!("service:{family}")});
        let reply = aws.handle(now, &Caller::named("customer"), "RunTask", body.to_string().as_bytes());
        let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let placed: Vec<&str> = answer["tasks"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|t| t["containerInstanceArn"].as_str())
            .collect();
        let waiting = answer["failures"].as_array().map_or(0, Vec::len);
        let astray = placed.iter().filter(|arn| !holds_share(&aws, arn)).count();
        drop(aws);
        let mut text = format!("10 tasks {how}: {} placed", placed.len());
        if astray > 0 {
            text += &format!(", {astray} of them where there is no G: (\"bind source path does not exist\")");
        } else if !placed.is_empty() {
            text += ", all of them where G: is mapped";
        }
        if waiting > 0 {
            text += &format!(", {waiting} wait for a gate to open");
        }
        if family == GATED {
            self.gated_tasks_astray += astray;
        }
        self.say(Actor::Customer, if astray > 0 { Tone::Bad } else { Tone::Good }, text);
    }

    fn note_trouble(&mut self) {
        let drained = self.watch.standings.iter().filter(|one| one.row.light == Light::Drained);
        let own = |one: &&Standing| one.part.true_cause().is_some();
        // A host with a fault of its own may have been drained before the trouble began.
        self.drained_in_trouble += drained.filter(|one| !own(one)).count();
    }

    /// Waits until everything that must be reached is.
    async fn until_settled(&mut self, limit: u64) -> io::Result<()> {
        self.until("waiting for gates, causes and drains", limit, is_settled).await?;
        // The last change is to be seen, too.
        self.rest(Duration::from_millis(800), "looking once more").await
    }

    fn say(&mut self, actor: Actor, tone: Tone, text: impl Into<String>) {
        let at = self.elapsed();
        self.watch.say(at, actor, tone, text);
    }

    fn begin(&mut self, title: &str, text: &str) -> io::Result<()> {
        self.settle()?;
        let at = self.elapsed();
        // Nothing changes while the validator speaks, and the table at the end follows.
        if !self.acts.is_empty() && title != VALIDATOR_ACT {
            let frame = self.watch.frame(at, title, "");
            self.screen.table(&frame, ACT_TABLE);
        }
        self.acts.push((at, title.to_owned()));
        self.screen.heading(&format!("{}  {title}", self.acts.len()), text);
        self.screen.line(super::ink::Line::new());
        self.screen.flush()
    }

    /// Puts out every line that still waits.
    ///
    /// # Errors
    /// When the output is gone.
    pub fn settle(&mut self) -> io::Result<()> {
        let at = self.elapsed();
        self.watch.finish(at).iter().for_each(|entry| self.screen.entry(entry));
        self.screen.flush()
    }

    async fn rest(&mut self, length: Duration, waiting_for: &str) -> io::Result<()> {
        let end = self.elapsed() + length;
        while self.elapsed() < end {
            self.step(waiting_for)?;
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Waits for something, at most `limit` seconds: what is missed by then is found by the checks at the end.
    async fn until(
        &mut self,
        waiting_for: &str,
        limit: u64,
        done: impl Fn(&Watch) -> bool,
    ) -> io::Result<()> {
        let patience = if self.options.pwsh.is_some() { REAL_SCRIPT_PATIENCE } else { 1 };
        let end = self.elapsed() + Duration::from_secs(limit * patience);
        loop {
            self.step(waiting_for)?;
            if done(&self.watch) || self.elapsed() > end {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn step(&mut self, waiting_for: &str) -> io::Result<()> {
        self.stage.deliver_events();
        self.note_batches();
        self.listen();
        let at = self.elapsed();
        let entries = self.watch.step(at, &self.stage.server.aws(), REMOTE);
        entries.iter().for_each(|entry| self.screen.entry(entry));
        let act = self.acts.last().map_or("", |(_, title)| title);
        let title = format!("{} {act}", self.acts.len());
        let frame = self.watch.frame(at, &title, waiting_for);
        self.screen.show(&frame, self.watch.has_more_to_say())
    }

    /// Reads what the functions printed since the last time.
    pub fn listen(&mut self) {
        let at = self.elapsed();
        let actors = [Actor::MapShare, Actor::DrainUnmapped, Actor::Validator];
        for (n, actor) in actors.into_iter().enumerate() {
            let lines = self.stage.functions[n].lines(self.lines_read[n]);
            self.lines_read[n] += lines.len();
            self.watch.listen(at, actor, &lines);
        }
    }

    fn note_batches(&mut self) {
        for batch in self.stage.map_share_batches() {
            let took = batch.invocation.took.as_millis();
            match &batch.invocation.outcome {
                Ok(_) => {
                    let start = if batch.invocation.cold_start { ", cold start included" } else { "" };
                    let text = format!("a batch of {} events, done in {took} ms{start}", batch.size);
                    self.say(Actor::MapShare, Tone::Quiet, text);
                }
                Err(failure) => self.failures.push(format!("map-share: {failure}")),
            }
        }
        for batch in self.stage.sweeps() {
            if let Err(failure) = &batch.invocation.outcome {
                self.failures.push(format!("drain-unmapped: {failure}"));
            }
        }
    }
}

fn is_refused(one: &Standing) -> bool {
    let class = one.state.as_ref().and_then(cause).map(|cause| Cause::new(cause).class());
    class == Some(Class::Credentials)
}

/// Whether every instance stands as it must in the end.
fn is_settled(watch: &Watch) -> bool {
    watch.standings.iter().all(|one| {
        if !one.part.is_ours() {
            return true;
        }
        match one.part.true_cause() {
            None => one.gate == Gate::Mapped && matches!(one.state, Some(State::Mapped { .. })),
            Some(cause_of_part) => {
                let known =
                    one.state.as_ref().and_then(cause) == Some(cause_of_part) && one.gate == Gate::Shut;
                // Draining is the second of a drain's three writes; only the last one says that it is ours.
                known && (one.drain.is_ours() && one.draining || is_withheld(watch, one))
            }
        }
    })
}

/// Whether a function has said why it does not drain. Where an operator's drain is the whole budget, other reasons come
/// first and pass: half of the cluster must be mapped before there is a budget at all.
fn is_withheld(watch: &Watch, one: &Standing) -> bool {
    let because = watch.heard.withheld.get(&*one.id);
    let faulty = watch.standings.iter().any(|one| matches!(one.part, Part::Faulty(_)));
    because.is_some_and(|rules| faulty || rules.iter().any(|rule| rule == check::BUDGET))
}

fn holds_share(aws: &LocalAws, container_instance_arn: &str) -> bool {
    let id = container_instance_arn.rsplit('/').next().unwrap_or_default();
    let instance = aws.container_instances(CLUSTER).find(|instance| &*instance.id == id);
    instance.is_some_and(|instance| aws.world.hosts[&instance.ec2_instance_id].is_mapped_to(REMOTE))
}
