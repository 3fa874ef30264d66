//! Words of the script, and of the functions where SSM brings no result line. A word that code compares is a constant, so
//! that a typo does not compile.

use super::row::Class::{Configuration, Credentials, Host, Network, Unknown};
use super::row::QuickRetries::{All, Never};
use super::row::{Cause, Class, QuickRetries, Row, Source};

impl Cause {
    /// There are no AWS tools for PowerShell on the instance.
    pub const AWS_TOOLS_MISSING: Cause = Cause::listed("aws-tools-missing");
    /// Another share is mapped to the letter.
    pub const MAPPED_ELSEWHERE: Cause = Cause::listed("mapped-elsewhere");
    /// This Windows has no SMB global mappings.
    pub const UNSUPPORTED_OS: Cause = Cause::listed("unsupported-os");
    /// A parameter cannot be used, so nothing was presented.
    pub const BAD_CREDENTIALS: Cause = Cause::listed("bad-credentials");
    /// Another run of the script held the mutex: not an attempt.
    pub const BUSY: Cause = Cause::listed("busy");
    /// A check found the letter free. A `map` gives this cause only where the letter became free again meanwhile.
    pub const NOT_MAPPED: Cause = Cause::listed("not-mapped");
    /// No address of the file server accepts a connection.
    pub const PORT_445: Cause = Cause::listed("port-445");
    /// A call on the host itself failed with a code: one that reaches neither the file server nor the directory.
    pub const WMI_FAILED: Cause = Cause::listed("wmi-failed");
    /// The command ended without a result line.
    pub const NO_RESULT: Cause = Cause::listed("no-result");
    /// The document's own time limit ended the command.
    pub const TIMEOUT: Cause = Cause::listed("timeout");
    /// The command was not final at its deadline.
    pub const LOST: Cause = Cause::listed("lost");
    /// The command did not reach the instance, also because SSM stopped it when another instance failed.
    pub const UNDELIVERED: Cause = Cause::listed("undelivered");
    /// SSM refused the command for this instance.
    pub const REFUSED_BY_SSM: Cause = Cause::listed("refused-by-ssm");
    /// The recorded proof is of another share or letter than the one that is configured.
    pub const OTHER_SHARE: Cause = Cause::listed("other-share");
    /// An open gate had no result for too long, while SSM was well.
    pub const SILENT: Cause = Cause::listed("silent");
    /// A word that is not in the table.
    pub const UNLISTED: Cause = Cause::listed("unlisted");
}

const fn word(word: &'static str, class: Class, quick_retries: QuickRetries) -> Row {
    Row::new(Cause::listed(word), class, quick_retries)
}

const fn compared(cause: Cause, class: Class, quick_retries: QuickRetries) -> Row {
    Row::new(cause, class, quick_retries)
}

const fn of_functions(cause: Cause, class: Class, quick_retries: QuickRetries) -> Row {
    let mut row = Row::new(cause, class, quick_retries);
    row.source = Source::Functions;
    row
}

pub(super) static ROWS: &[Row] = &[
    word("dns", Network, All)
        .means("the file server's name does not resolve on the instance")
        .remedy("check that the VPC's DNS forwards to the directory, and the name in RemotePath"),
    compared(Cause::PORT_445, Network, All)
        .means("no address of the file server takes a connection on TCP port 445")
        .remedy("check both security groups, network ACLs, routes, firewall and the file system's state"),
    word("parameter-store", Network, All)
        .means("Parameter Store was throttled or out of reach")
        .remedy("check the instance's way to the ssm endpoint; throttling passes by itself"),
    compared(Cause::BAD_CREDENTIALS, Credentials, Never)
        .means("a parameter is empty, or holds a character that no name or password has; nothing was presented")
        .remedy("write both parameters again, without quotes, blanks at the ends or line breaks"),
    word("parameter-missing", Configuration, Never)
        .means("a parameter does not exist")
        .remedy("create the two parameters under the names that the stack was given"),
    word("parameter-denied", Configuration, Never)
        .means("the instance's role may not read the parameters")
        .remedy("add its role to InstanceRoleNames; an instance under Default Host Management needs a role of its own"),
    word("kms-denied", Configuration, Never)
        .means("the instance's role may not use the parameters' KMS key")
        .remedy("name the key in KmsKeyArn, and allow the role in the key's own policy"),
    compared(Cause::AWS_TOOLS_MISSING, Configuration, Never)
        .means("there are no AWS tools for PowerShell on the instance, or they do not load")
        .remedy("use an ECS-optimized Windows AMI, or install AWS.Tools.SimpleSystemsManagement"),
    compared(Cause::UNSUPPORTED_OS, Configuration, Never)
        .means("this Windows has no SMB global mappings")
        .remedy("use Windows Server 2019 or later"),
    word("bad-settings", Configuration, Never)
        .means("the document's settings or its action cannot be read")
        .remedy("deploy the stack again; do not edit the document by hand"),
    word("unreadable", Configuration, Never)
        .means("the share could be mapped, but what proves it is missing or cannot be listed")
        .remedy("let the account list the root of RemotePath, or name a directory that it may list in ProbeDirectory"),
    word("dfs-namespace", Configuration, Never)
        .means("the server in RemotePath is the domain, so the path is a DFS namespace, which cannot be mapped")
        .remedy("name the file server itself in RemotePath"),
    word("constrained-language", Configuration, Never)
        .means("AppLocker or WDAC has PowerShell run the script in constrained language mode")
        .remedy("let the policy allow the scripts of the SSM agent"),
    compared(Cause::MAPPED_ELSEWHERE, Configuration, Never)
        .means("another share is mapped to the letter")
        .remedy("replace the instance after RemotePath was changed; else find who maps that share"),
    of_functions(Cause::REFUSED_BY_SSM, Configuration, Never)
        .means("Systems Manager or IAM refused the command for this instance")
        .remedy("give the instance the tag that InstanceTagKey names; check the document's name and platform"),
    of_functions(Cause::OTHER_SHARE, Configuration, All)
        .means("the last proof is of another share: RemotePath was changed, or another stack maps the same letter")
        .remedy("after a change of RemotePath replace the instances; of two stacks with one letter on a cluster delete one"),
    word("metadata-service", Host, All)
        .means("the instance's metadata service gave the AWS tools no credentials")
        .remedy("check that the instance has a role, and its route and proxy settings for 169.254.169.254"),
    word("drive-in-use", Host, Never)
        .means("the letter belongs to a disk, a subst drive or a net use drive")
        .remedy("free the letter in the AMI or the user data, or choose another DriveLetter"),
    compared(Cause::NOT_MAPPED, Host, All)
        .means("the letter is free: there is no mapping")
        .remedy("nothing: it is mapped as soon as the budget of refused log-ons allows it"),
    word("not-domain-joined", Host, All)
        .means("the instance is not a member of a domain, or its join waits for a restart")
        .remedy("join it at launch and restart it; RequireDomain=false where it need not be a member"),
    compared(Cause::BUSY, Host, All)
        .means("another run of the script was at work for a minute")
        .remedy("nothing: it is looked at again"),
    compared(Cause::WMI_FAILED, Host, All)
        .means("Windows' management layer failed on the instance; the log's `host_message` has the code")
        .remedy("reboot or replace the instance if it lasts"),
    word("lookup-hung", Host, All)
        .means("listing the mappings did not end in time")
        .remedy("reboot or replace the instance if it lasts"),
    word("call-hung", Host, All)
        .means("a call into Windows or the AWS tools did not end in time")
        .remedy("reboot or replace the instance if it lasts"),
    of_functions(Cause::NO_RESULT, Unknown, All)
        .means("the command ended without a result line: skipped, killed, cut or of another version")
        .remedy("read the command's output in Run Command"),
    of_functions(Cause::TIMEOUT, Unknown, All)
        .means("the script ran out of its time, or into the document's limit of 10 minutes")
        .remedy("read the command's output in Run Command; check the instance's load"),
    of_functions(Cause::LOST, Unknown, All)
        .means("the command did not end within 13 minutes")
        .remedy("check the SSM agent on the instance"),
    of_functions(Cause::UNDELIVERED, Unknown, All)
        .means("the command did not reach the instance, or was stopped because another instance failed")
        .remedy("nothing at first: it is sent again; if it lasts, check the SSM agent on the instance"),
    of_functions(Cause::SILENT, Unknown, All)
        .means("no check of the mapping came back for twice VerifyEveryMinutes, while SSM was well")
        .remedy("check the SSM agent on the instance"),
    compared(Cause::UNLISTED, Unknown, All)
        .means("a word that this version does not know, or an error without a code; the log has it in full")
        .remedy("read the log line and the command's output in Run Command; update the stack"),
];
