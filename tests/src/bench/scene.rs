//! One function's binary in the local Lambda, in front of a local AWS, with real work to do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::fleet::{
    Letter, Mapping, PASSWORD, Pace, REMOTE, Scripted, USER, World, instance_id, task_definition,
};
use crate::local_aws::endpoint::Endpoint;
use crate::local_aws::server::Server;
use crate::local_aws::throttles::Bucket;
use crate::local_aws::{Caller, LocalAws};
use crate::map_share::{event_of, mapped_at, mapped_line, sqs};
use crate::runtime_api::function::wall_clock;
use crate::runtime_api::{Function, FunctionSettings, InvocationFailure, InvocationOutcome};
use crate::stack::{QUEUE_ARN, tick_with};

/// The watched cluster.
const CLUSTER: &str = "apps";

/// Instances that are mapped and need nothing.
const MAPPED: u64 = 100;

/// New instances: one for each invocation of `map-share`.
const NEW: u64 = 40;

/// Longer than anything here lasts.
const PATIENCE: Duration = Duration::from_secs(50);

/// What is invoked, and with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// The hello-world of the runtime's documentation.
    Floor,
    /// A function that does nothing, over no more of the runtime than ours use.
    Leanest,
    /// A new instance registered: it is sent a command, because the password is fresh.
    MapShare,
    /// A reconcile run over a hundred mapped instances.
    DrainUnmapped,
    /// A task definition in a CloudTrail event: checked without a call.
    ValidateRegistered,
    /// A task definition by its name: described through ECS.
    ValidateNamed,
    /// A small Python function that makes the same two reads as our warm-up.
    Boto3,
}

impl Work {
    /// Ours, as they are deployed.
    pub const OURS: [Work; 3] = [Work::MapShare, Work::DrainUnmapped, Work::ValidateRegistered];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Work::Floor => "floor",
            Work::Leanest => "leanest",
            Work::MapShare => "map-share",
            Work::DrainUnmapped => "drain-unmapped",
            Work::ValidateRegistered => "validate-task-definition",
            Work::ValidateNamed => "validate-task-definition by name",
            Work::Boto3 => "boto3",
        }
    }

    /// The binary's name.
    pub fn binary(self) -> &'static str {
        match self {
            Work::ValidateNamed => Work::ValidateRegistered.name(),
            other => other.name(),
        }
    }
}

/// Where a function's calls go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To endpoints like AWS's.
    Tls,
    /// Without TLS, so that nothing random is computed.
    Plain,
    /// To a port that nobody listens on.
    Refused,
}

/// A function and the world around it. Both end when this is dropped.
pub struct Scene {
    work: Work,
    server: Server,
    /// The endpoint, where there is TLS.
    pub endpoint: Option<Endpoint>,
    /// The function, without a process yet.
    pub function: Function,
    invocations: u64,
}

impl Scene {
    /// A world around a function's binary.
    ///
    /// # Errors
    /// Where no port can be listened on.
    pub async fn open(work: Work, program: &Path, way: Way) -> std::io::Result<Self> {
        let now = Server::wall_clock();
        let begun = now - Duration::from_secs(20);
        let logon = now - Duration::from_secs(600);
        // Commands stay in flight, and nothing changes by itself.
        let pace = Pace { steady: true, map: Duration::from_secs(500), ..Pace::default() };
        let mut world =
            World::new(9, begun).pace(pace).cluster(CLUSTER).task_definition(task_definition("orders", true));
        for _ in 0..MAPPED {
            let mapping = Mapping::new(REMOTE, USER, PASSWORD);
            world = world.windows_instance(CLUSTER, |host| {
                mapped_at(host, logon).with(|host| host.letter = Letter::Smb(mapping))
            });
        }
        if work == Work::MapShare {
            world = world.windows_instances(CLUSTER, usize::try_from(NEW).expect("a few"));
        }
        let mut aws = LocalAws::new(world);
        // More commands than an account may send in so short a time. Throttling is not measured here.
        aws.throttles.limit(Bucket::SendCommand, 1_000, 1_000, begun);
        if work == Work::MapShare {
            let_in(&mut aws, begun + Duration::from_secs(1));
        }
        let server = Server::start(aws, "127.0.0.1:0").await?;
        let endpoint = match way {
            Way::Tls => Some(Endpoint::start(&server).await?),
            Way::Plain | Way::Refused => None,
        };
        let mut environment = environment();
        if work == Work::MapShare {
            // The password stays fresh for ten minutes, however slow the machine is.
            environment.insert("RETRY_BASE_SECONDS".to_owned(), "300".to_owned());
        }
        match (&endpoint, way) {
            (Some(endpoint), _) => environment.extend(endpoint.environment()),
            (None, Way::Refused) => {
                environment.insert("AWS_ENDPOINT_URL".to_owned(), "https://127.0.0.1:9".to_owned());
            }
            (None, _) => {
                environment.insert("AWS_ENDPOINT_URL".to_owned(), server.url());
            }
        }
        let settings = FunctionSettings {
            name: work.binary().to_owned(),
            program: program.to_owned(),
            environment,
            timeout: PATIENCE,
        };
        let function = Function::new(settings, wall_clock());
        Ok(Scene { work, server, endpoint, function, invocations: 0 })
    }

    /// Invokes the function with its next event.
    ///
    /// # Errors
    /// Where there is no answer, or one that gives records back to the queue.
    pub async fn invoke(&mut self) -> Result<InvocationOutcome, InvocationFailure> {
        let event = self.next_event();
        let mut invocation = self.function.invoke(&event).await;
        let answer = std::mem::replace(&mut invocation.outcome, Ok(Value::Null))?;
        let kept = answer["batchItemFailures"].as_array().map_or(0, Vec::len);
        assert_eq!(kept, 0, "records came back: {answer}");
        invocation.outcome = Ok(answer);
        Ok(invocation)
    }

    fn next_event(&mut self) -> Value {
        let n = self.invocations;
        self.invocations += 1;
        match self.work {
            Work::Floor | Work::Leanest | Work::Boto3 => json!({ "n": n }),
            Work::MapShare => {
                let id = instance_id(MAPPED + 1 + n % NEW).to_string();
                sqs(&[event_of(&self.server.aws(), &id, self.server.now())])
            }
            Work::DrainUnmapped => {
                tick_with(&json!({"detail-type": "Scheduled Event", "id": n, "detail": {}}).to_string())
            }
            Work::ValidateRegistered => registered(n),
            Work::ValidateNamed => json!({"taskDefinition": "orders:1"}),
        }
    }

    /// The instances that commands were sent to, in order.
    pub fn commanded(&self) -> Vec<String> {
        let aws = self.server.aws();
        let invocations = aws.commands().flat_map(|command| command.invocations());
        invocations.map(|one| one.instance.to_string()).collect()
    }
}

/// An instance is let in with the parameters' password.
fn let_in(aws: &mut LocalAws, at: Timestamp) {
    let id = instance_id(1).to_string();
    aws.world.host(&id).scripted.push_back(Scripted::success(&mapped_line("true")));
    let request = json!({
        "DocumentName": "ecs-smb-mapper-G",
        "InstanceIds": [id],
        "Parameters": {"Action": ["map"]},
    });
    let reply = aws.handle(at, &Caller::named("operator"), "SendCommand", request.to_string().as_bytes());
    assert_eq!(reply.status, 200, "the command is accepted");
}

/// The variables that the template sets.
pub(super) fn environment() -> BTreeMap<String, String> {
    [
        ("CLUSTERS", CLUSTER),
        ("STACK", "bench"),
        ("DRIVE_LETTER", "G"),
        ("REMOTE_PATH", REMOTE),
        ("DOCUMENT_NAME", "ecs-smb-mapper-G"),
        ("QUEUE_ARN", QUEUE_ARN),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// The n-th event: the repository's sample with other ids.
fn registered(n: u64) -> Value {
    let sample = include_str!("../../../events/validate-task-definition/registered-valid.json");
    let mut event: Value = serde_json::from_str(sample).expect("the sample is JSON");
    event["id"] = json!(format!("00000000-0000-4000-8000-{n:012}"));
    event
}

/// The binary of a function, in the directory of `cargo lambda build`.
pub fn packaged(root: &Path, work: Work) -> PathBuf {
    root.join("target/lambda").join(work.binary()).join("bootstrap")
}
