//! The TCP server: real sockets in wall time.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use tests::fleet::{Pace, World};
use tests::local_aws::LocalAws;
use tests::local_aws::faults::{Fault, FaultRule};
use tests::local_aws::server::Server;

use super::id;

async fn server() -> Server {
    let world =
        World::new(7, Server::wall_clock()).pace(Pace::quick()).cluster("apps").windows_instances("apps", 2);
    Server::start(LocalAws::new(world), "127.0.0.1:0").await.unwrap()
}

fn ssm(server: &Server, name: &str) -> aws_sdk_ssm::Client {
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config = aws_types::SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(aws_types::region::Region::from_static("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(name, "s", None, None, "test")))
        .sleep_impl(aws_smithy_async::rt::sleep::SharedAsyncSleep::new(
            aws_smithy_async::rt::sleep::TokioSleep::new(),
        ))
        .endpoint_url(server.url())
        .http_client(http)
        .build();
    aws_sdk_ssm::Client::new(&config)
}

#[tokio::test]
async fn a_command_runs_in_wall_time_and_the_access_key_names_the_caller() {
    let server = server().await;
    let ssm = ssm(&server, "MAPSHARE");
    server.aws().faults.add(FaultRule::once("SendCommand", Fault::AnswerLost));
    let sent = ssm.send_command().document_name("ecs-smb-mapper-G").instance_ids(id(1));
    let sent = sent.parameters("Action", vec!["map".to_owned()]).send().await.unwrap();
    let command = sent.command().unwrap().command_id().unwrap().to_owned();
    assert_eq!(server.aws().commands().count(), 2, "the first response was lost, but not its effect");
    let finished = async {
        loop {
            let listed =
                ssm.list_command_invocations().command_id(&command).details(true).send().await.unwrap();
            if listed.command_invocations()[0].status_details() == Some("Success") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), finished).await.expect("the script ends within seconds");
    assert_eq!(&*server.aws().calls()[0].caller.0, "MAPSHARE");
}
