//! Credentials, region and endpoints: from the environment, as Lambda sets them; else from a profile, for local runs.
//!
//! Deliberately absent: aws-config's loader and its profile provider. They ask STS, instance metadata and container
//! endpoints, and link an API client and Unicode tables that a function never needs. Of a profile only keys that are written
//! in it are read. One that logs on (SSO, a role) is exported first:
//! `eval "$(aws configure export-credentials --format env)"`.

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_runtime::env_config::section::EnvConfigSections;
use aws_runtime::env_config::{EnvConfigValue, source};
use aws_types::os_shim_internal::{Env, Fs};
use aws_types::region::Region;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

/// The error of a call where no credentials were found.
const NO_KEYS: &str = "neither the environment nor the profile holds an access key id and a secret access key; a profile that \
                       logs on is put into the environment by `aws configure export-credentials --format env`";

/// The process's environment, and the profile that `AWS_PROFILE` names.
#[derive(Debug, Clone)]
pub(super) struct Environment {
    env: Env,
    profile: EnvConfigSections,
}

impl Environment {
    /// Reads them. Lambda's environment is complete, so no file is opened there.
    pub(super) async fn read() -> Self {
        Self::of(Env::real(), Fs::real()).await
    }

    async fn of(env: Env, files: Fs) -> Self {
        let mut this = Environment { env, profile: EnvConfigSections::default() };
        let names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"];
        if !names.into_iter().all(|name| this.variable(name).is_some()) {
            match source::load(&this.env, &files, &EnvConfigFiles::default())
                .await
                .map(EnvConfigSections::parse)
            {
                Ok(Ok(profile)) => this.profile = profile,
                Ok(Err(error)) => tracing::warn!(%error, "profile not read"),
                Err(error) => tracing::warn!(%error, "profile not read"),
            }
        }
        this
    }

    /// A variable that is not blank.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.env.get(name).ok().filter(|value| !value.trim().is_empty())
    }

    fn setting(&self, key: &str) -> Option<String> {
        self.profile.get(key).map(str::to_owned)
    }

    pub(super) fn region(&self) -> Option<Region> {
        let region = self.variable("AWS_REGION").or_else(|| self.variable("AWS_DEFAULT_REGION"));
        region.or_else(|| self.setting("region")).map(Region::new)
    }

    /// A switch: `AWS_USE_FIPS_ENDPOINT` with `use_fips_endpoint`, and the like.
    pub(super) fn switch(&self, variable: &str, key: &str) -> Option<bool> {
        let value = self.variable(variable).or_else(|| self.setting(key))?;
        Some(value.eq_ignore_ascii_case("true"))
    }

    /// Both keys from the same place.
    pub(super) fn credentials(&self) -> CredentialsProviderChain {
        let environment = EnvironmentVariableCredentialsProvider::new();
        CredentialsProviderChain::first_try("Environment", environment).or_else("Profile", self.clone())
    }

    fn keys_of_profile(&self) -> provider::Result {
        let keys = self.setting("aws_access_key_id").zip(self.setting("aws_secret_access_key"));
        let (id, secret) = keys.ok_or_else(|| CredentialsError::not_loaded(NO_KEYS))?;
        Ok(Credentials::new(id, secret, self.setting("aws_session_token"), None, "Profile"))
    }
}

impl ProvideCredentials for Environment {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(self.keys_of_profile())
    }
}

/// `AWS_ENDPOINT_URL_SSM`, `AWS_ENDPOINT_URL`, and the same settings of a profile.
impl LoadServiceConfig for Environment {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let value = EnvConfigValue::new().env(key.env()).profile(key.profile()).service_id(key.service_id());
        value.load(&self.env, Some(&self.profile)).map(|(value, _)| value.into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILES: &str = "[default]\nregion = eu-north-1\naws_access_key_id = standing\naws_secret_access_key = s\n\
         [profile staging]\nregion = eu-west-3\nendpoint_url = http://staging\n\
         [profile half]\naws_access_key_id = alone\n";

    async fn environment(variables: &[(&str, &str)]) -> Environment {
        let home = [("HOME", "/home/me")];
        let env: Vec<_> = home.iter().chain(variables).copied().collect();
        Environment::of(Env::from_slice(&env), Fs::from_slice(&[("/home/me/.aws/config", PROFILES)])).await
    }

    fn endpoint(environment: &Environment, service: &str) -> Option<String> {
        let key =
            ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url");
        environment.load_config(key.build().unwrap())
    }

    const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "lambdas"), ("AWS_SECRET_ACCESS_KEY", "s")];

    #[tokio::test]
    async fn lambdas_environment_is_enough_and_no_file_is_read() {
        let lambda = environment(&[KEYS[0], KEYS[1], ("AWS_REGION", "eu-west-1")]).await;
        assert_eq!(lambda.region(), Some(Region::new("eu-west-1")));
        assert!(lambda.profile.is_empty());
    }

    #[tokio::test]
    async fn a_profile_fills_in_what_the_environment_lacks() {
        let local = environment(&[]).await;
        assert_eq!(local.keys_of_profile().unwrap().access_key_id(), "standing");
        assert_eq!(local.region(), Some(Region::new("eu-north-1")));
        let exported = environment(&[KEYS[0], KEYS[1], ("AWS_PROFILE", "staging")]).await;
        assert_eq!(exported.region(), Some(Region::new("eu-west-3")));
        assert_eq!(endpoint(&exported, "ECS").as_deref(), Some("http://staging"));
    }

    #[tokio::test]
    async fn half_of_the_keys_is_none_of_them_and_what_to_do_is_said() {
        let half = environment(&[("AWS_PROFILE", "half")]).await;
        let error = half.keys_of_profile().unwrap_err();
        assert!(crate::logs::with_causes(&error).contains("export-credentials"), "{error:?}");
    }

    #[tokio::test]
    async fn an_endpoint_of_one_service_comes_before_that_of_all() {
        let urls = [("AWS_ENDPOINT_URL", "http://all"), ("AWS_ENDPOINT_URL_SSM", "http://ssm")];
        let local = environment(&urls).await;
        assert_eq!(endpoint(&local, "SSM").as_deref(), Some("http://ssm"));
        assert_eq!(endpoint(&local, "ECS").as_deref(), Some("http://all"));
        assert_eq!(endpoint(&environment(&[]).await, "ECS"), None);
    }

    #[tokio::test]
    async fn a_switch_is_on_off_or_not_said() {
        let switch = async |value| {
            let environment = environment(&[("AWS_USE_FIPS_ENDPOINT", value)]).await;
            environment.switch("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")
        };
        assert_eq!(switch("true").await, Some(true));
        assert_eq!(switch("FALSE").await, Some(false));
        assert_eq!(switch("").await, None);
    }
}
