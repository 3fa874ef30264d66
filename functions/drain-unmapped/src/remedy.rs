//! What a cause means and what to do about it, in words for whoever is on call.

use shared::cause::{Cause, Class};

/// A sentence about the cause, and what to do.
pub fn explain(cause: &Cause) -> (&'static str, &'static str) {
    if let Some((_, meaning, remedy)) = TABLE.iter().find(|(causes, _, _)| causes.contains(&cause.as_str())) {
        return (meaning, remedy);
    }
    match cause.class() {
        Class::Network => (
            "the file server could not be reached or dropped the connection",
            "check the FSx file system's state, its security group (TCP 445) and the subnets' routes",
        ),
        Class::Directory => (
            "no domain controller answered for the log-on",
            "check the directory's state and that the instances reach its controllers",
        ),
        Class::Credentials => (
            "the directory refused the account or its password",
            "check the account (locked, expired, disabled) and put the right user name and password into the parameters",
        ),
        Class::Configuration => (
            "the share or a setting does not fit",
            "check the stack's RemotePath and parameters against the file system",
        ),
        Class::Host => (
            "Windows on this instance could not make the mapping",
            "replace the instance, or repair it over Session Manager; it is drained when it stays so",
        ),
        Class::Unknown => (
            "no word of the mapping script's was heard, or one that this version does not know",
            "look at the command's output in Systems Manager, Run Command, and at the SSM agent on the instance",
        ),
    }
}

type Row = (&'static [&'static str], &'static str, &'static str);

const TABLE: &[Row] = &[
    (
        &["53", "51", "64", "121", "1231", "1232"],
        "the file server was not found on the network",
        "check the FSx file system's state, its security group and the subnets' routes",
    ),
    (
        &["71"],
        "the file server takes no more connections",
        "raise the FSx throughput capacity or close idle sessions",
    ),
    (
        &["dns"],
        "the file server's name does not resolve on the instance",
        "check that the VPC's DNS forwards to the directory, and the name in RemotePath",
    ),
    (
        &["port-445"],
        "TCP port 445 of the file server does not answer from the instance",
        "check the security groups of the instance and the file system, and the instance's own firewall",
    ),
    (
        &["parameter-store"],
        "Parameter Store was throttled or out of reach",
        "check the instance's way to the ssm endpoint; throttling passes by itself",
    ),
    (&["5"], "access is denied to the share", "give the account rights on the share and its directory"),
    (
        &["86", "1326"],
        "the user name or the password is wrong",
        "put the right ones into the two parameters; one instance tries them within minutes, then the rest",
    ),
    (
        &["1312"],
        "there is no such log-on session: the user name lacks its domain",
        "write the user name as DOMAIN\\user or user@domain",
    ),
    (
        &["1327", "1328", "1329", "1385"],
        "the account may not log on this way, from here or at this hour",
        "lift the restriction on the account",
    ),
    (
        &["1330", "1907"],
        "the account's password has expired or must be changed",
        "set a new password in the directory, then in the parameter",
    ),
    (&["1331", "1793"], "the account is disabled or has expired", "enable it in the directory"),
    (
        &["1909"],
        "the account is locked",
        "unlock it in the directory after the password in the parameter is right",
    ),
    (&["bad-credentials"], "a parameter is empty or holds a line break", "write both parameters anew"),
    (&["2", "3"], "the directory behind the share does not exist", "create it, or correct RemotePath"),
    (&["67"], "the share's name does not exist on the file server", "correct RemotePath"),
    (
        &["87", "161"],
        "Windows does not take the path",
        "correct RemotePath: no trailing backslash, no DFS namespace",
    ),
    (&["parameter-missing"], "a parameter does not exist", "create the two parameters that the stack names"),
    (
        &["parameter-denied"],
        "the instance's role may not read the parameters",
        "attach the stack's managed policy to the instance role",
    ),
    (
        &["kms-denied"],
        "the instance's role may not use the parameters' KMS key",
        "name the key in KmsKeyArn, and allow the role in the key's policy",
    ),
    (
        &["aws-tools-missing"],
        "no AWS tools for PowerShell were found, or they did not load in time",
        "use an ECS-optimized Windows AMI, or install AWS.Tools.SimpleSystemsManagement",
    ),
    (&["unsupported-os"], "this Windows knows no SMB global mapping", "use Windows Server 2019 or later"),
    (
        &["bad-settings"],
        "the document's settings cannot be read",
        "deploy the stack again; do not edit the document by hand",
    ),
    (
        &["unreadable"],
        "the share is mapped but its root cannot be read",
        "give the account rights on the share's root directory",
    ),
    (
        &["mapped-elsewhere"],
        "the letter is mapped to another share",
        "replace the instance after RemotePath was changed, or remove the other mapping by hand",
    ),
    (
        &["refused-by-ssm"],
        "SSM refused to run the document on the instance",
        "check the document's name and platform, and what may be sent to the instance",
    ),
    (
        &["85", "1202"],
        "Windows still remembers another use of the letter",
        "remove it with net use /delete, or replace the instance",
    ),
    (
        &["drive-in-use"],
        "the letter belongs to a disk, a substituted path or a net use drive",
        "give that another letter, in the AMI or the launch template",
    ),
    (
        &["1219"],
        "the instance is connected to that server under another name",
        "remove the other connection, or replace the instance; a native FSx volume of the same file system collides",
    ),
    (
        &["not-mapped"],
        "the letter is free: the mapping is not there",
        "nothing: it is made as soon as the password is proven",
    ),
    (
        &["not-domain-joined"],
        "the instance is not joined to the domain, or its join waits for a reboot",
        "join it at launch (SSM domain join or user data) and reboot",
    ),
    (&["busy"], "another run of the script is at work", "nothing: it is looked at again"),
    (
        &["lookup-hung", "call-hung"],
        "a call into Windows's SMB client did not come back",
        "reboot or replace the instance",
    ),
    (
        &["no-result"],
        "the command ended without the script's result line: skipped, killed or cut",
        "look at its output in Run Command",
    ),
    (
        &["timeout"],
        "the script ran into SSM's time limit",
        "look at its output in Run Command, and at the instance's load",
    ),
    (&["lost"], "the command never ended within its deadline", "check the SSM agent on the instance"),
    (
        &["undelivered"],
        "the command did not reach the instance, or was stopped with its siblings",
        "nothing at first: it is sent again; else check the SSM agent",
    ),
    (
        &["silent"],
        "nobody vouched for the mapping for two periods while SSM was well",
        "check the SSM agent on the instance",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_about_known_causes_and_none_stands_twice() {
        let known: Vec<&str> = shared::cause::known().map(|(cause, _)| cause).collect();
        let mut seen = Vec::new();
        for (causes, meaning, remedy) in TABLE {
            assert!(!meaning.is_empty() && !remedy.is_empty());
            for cause in *causes {
                assert!(known.contains(cause), "{cause}");
                assert!(!seen.contains(cause), "{cause} stands twice");
                seen.push(cause);
            }
        }
    }

    #[test]
    fn every_word_of_ours_is_explained_by_a_row_of_its_own() {
        for (cause, _) in
            shared::cause::known().filter(|(cause, _)| cause.bytes().any(|b| b.is_ascii_lowercase()))
        {
            let has_row = TABLE.iter().any(|(causes, _, _)| causes.contains(&cause));
            assert!(has_row || matches!(cause, "unlisted" | "0x80041001"), "{cause}");
        }
    }
}
