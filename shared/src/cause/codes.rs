//! Codes of Windows, each with its meaning by Microsoft's list of system error codes:
//! <https://learn.microsoft.com/windows/win32/debug/system-error-codes>.

use super::row::Class::{Configuration, Credentials, Directory, Host, Network};
use super::row::QuickRetries::{All, Never, Once};
use super::row::{Cause, Class, QuickRetries, Row};

/// What a code that is not in the table means.
pub(super) const UNLISTED_MEANING: &str = "a Windows error code that this version does not know";
/// What to do about it.
pub(super) const UNLISTED_REMEDY: &str =
    "look it up in Microsoft's list of system error codes; read the command's output in Run Command";

impl Cause {
    /// The log-on was accepted; the account has no rights on the share or its root.
    pub const ACCESS_DENIED: Cause = Cause::listed("5");
    /// Windows' management layer names no reason.
    pub const GENERIC_FAILURE: Cause = Cause::listed("0x80041001");
}

const fn code(code: &'static str, name: &'static str, class: Class, quick_retries: QuickRetries) -> Row {
    let mut row = Row::new(Cause::listed(code), class, quick_retries);
    row.name = name;
    row
}

/// By class, and within it by number.
pub(super) static ROWS: &[Row] = &[
    code("8", "ERROR_NOT_ENOUGH_MEMORY", Network, All)
        .means("the instance or the file server has too little memory")
        .remedy("check the file system's load and sessions; if one instance alone fails, replace it"),
    code("21", "ERROR_NOT_READY", Network, All)
        .means("the share was not ready when it was read")
        .remedy("wait for a fail-over or maintenance to end; if it lasts, check the FSx file system's state"),
    code("51", "ERROR_REM_NOT_LIST", Network, All)
        .means("the file server is not there, or is too busy to answer")
        .remedy("check the FSx file system's state, its security group (TCP 445) and the subnets' routes"),
    code("53", "ERROR_BAD_NETPATH", Network, All)
        .means("the file server was not found on the network")
        .remedy("check the FSx file system's state, its security group (TCP 445) and the subnets' routes"),
    code("54", "ERROR_NETWORK_BUSY", Network, All)
        .means("the network or the file server is busy")
        .remedy("wait; if it lasts, check the throughput of the file system and of the instance"),
    code("55", "ERROR_DEV_NOT_EXIST", Network, All)
        .means("the share is no longer available on the file server")
        .remedy("wait for a fail-over or maintenance to end; if it lasts, check that the share still exists"),
    code("59", "ERROR_UNEXP_NET_ERR", Network, All)
        .means("the connection broke with an unexpected network error")
        .remedy("wait; if it lasts, check the FSx file system's state and the network on the way to it"),
    code("64", "ERROR_NETNAME_DELETED", Network, All)
        .means("the file server closed the connection")
        .remedy("wait: a fail-over takes under a minute, Single-AZ maintenance up to 20; then check FSx"),
    code("71", "ERROR_REQ_NOT_ACCEP", Network, All)
        .means("the file server takes no more connections")
        .remedy("raise the FSx throughput capacity or close idle sessions"),
    code("121", "ERROR_SEM_TIMEOUT", Network, All)
        .means("the file server did not answer in time")
        .remedy("wait for a fail-over to end; if it lasts, check the way to the server, and its load"),
    code("1117", "ERROR_IO_DEVICE", Network, All)
        .means("reading the share failed with an I/O error")
        .remedy("check the state and the events of the FSx file system"),
    code("1130", "ERROR_NOT_ENOUGH_SERVER_MEMORY", Network, All)
        .means("a server has too little memory for the request")
        .remedy("check the file system's load and sessions; if one instance alone fails, replace it"),
    code("1201", "ERROR_CONNECTION_UNAVAIL", Network, All)
        .means("Windows remembers the connection, but it is not open now")
        .remedy("check the FSx file system's state, its security group (TCP 445) and the subnets' routes"),
    code("1203", "ERROR_NO_NET_OR_BAD_PATH", Network, All)
        .means("the path leads nowhere, or Windows' network client is not available")
        .remedy("check RemotePath, and on the instance the Workstation service"),
    code("1220", "ERROR_REMOTE_SESSION_LIMIT_EXCEEDED", Network, All)
        .means("the file server takes no more sessions")
        .remedy("raise the FSx throughput capacity or close idle sessions"),
    code("1225", "ERROR_CONNECTION_REFUSED", Network, All)
        .means("the file server refused the connection")
        .remedy("check that RemotePath names the file server and that the FSx file system is available"),
    code("1229", "ERROR_CONNECTION_INVALID", Network, All)
        .means("the connection to the file server is gone")
        .remedy("wait for a fail-over to end; if it lasts, check the FSx file system's state"),
    code("1231", "ERROR_NETWORK_UNREACHABLE", Network, All)
        .means("there is no route to the file server's network")
        .remedy("check the subnets' routes and network ACLs, and the VPC's peering or transit gateway"),
    code("1232", "ERROR_HOST_UNREACHABLE", Network, All)
        .means("there is no route to the file server")
        .remedy("check the FSx file system's state, the subnets' routes and the network ACLs"),
    code("1233", "ERROR_PROTOCOL_UNREACHABLE", Network, All)
        .means("the file server's network does not take the protocol")
        .remedy("check the subnets' routes, the network ACLs and any firewall on the way"),
    code("1234", "ERROR_PORT_UNREACHABLE", Network, All)
        .means("nothing on the file server answers at the port")
        .remedy("check the security groups (TCP 445) and that RemotePath names the file server"),
    code("1236", "ERROR_CONNECTION_ABORTED", Network, All)
        .means("the instance itself ended the connection")
        .remedy("wait; if it lasts, check the instance's firewall, virus scanner and network driver"),
    code("1238", "ERROR_CONNECTION_COUNT_LIMIT", Network, All)
        .means("the account has as many connections to the file server as it may have")
        .remedy("close idle sessions, or raise the limit on the file server"),
    code("1394", "ERROR_NO_USER_SESSION_KEY", Network, All)
        .means("the log-on session has no key to sign or encrypt with")
        .remedy(
            "wait; if it lasts, check that the file server demands no more than the account's log-on gives",
        ),
    code("1450", "ERROR_NO_SYSTEM_RESOURCES", Network, All)
        .means("the instance or the file server is out of system resources")
        .remedy("check the file system's load and sessions; if one instance alone fails, replace it"),
    code("0x80041001", "WBEM_E_FAILED", Network, All)
        .means("Windows' management layer failed; Windows Server 2019 also says so of a letter in use")
        .remedy("reboot or replace the instance if it lasts"),
    code("1265", "ERROR_DOWNGRADE_DETECTED", Directory, All)
        .means("no domain controller could be asked to authenticate the account")
        .remedy("check the directory's state, its security groups and DNS, and the way to its controllers"),
    code("1311", "ERROR_NO_LOGON_SERVERS", Directory, All)
        .means("no domain controller is available for the log-on")
        .remedy("check the directory's state, its security groups and DNS, and the way to its controllers"),
    code("1355", "ERROR_NO_SUCH_DOMAIN", Directory, All)
        .means("the account's domain does not exist or cannot be contacted")
        .remedy("check the domain in the user name, the domain's DNS records and the way to its controllers"),
    code("1396", "ERROR_WRONG_TARGET_NAME", Directory, All)
        .means("the server's name has no service principal name (SPN), or another account has it")
        .remedy("use the file system's own DNS name in RemotePath, or register the SPNs of its alias"),
    code("1397", "ERROR_MUTUAL_AUTH_FAILED", Directory, All)
        .means("the file server could not prove who it is: its password in the domain differs")
        .remedy("check the file server's own join and its SPNs"),
    code("1398", "ERROR_TIME_SKEW", Directory, All)
        .means("the clocks of the instance and the server differ too much for Kerberos")
        .remedy(
            "correct the clock and its source (w32tm /query /status); a new instance alone does not help",
        ),
    code("1722", "RPC_S_SERVER_UNAVAILABLE", Directory, All)
        .means("the RPC server of a domain controller is not available")
        .remedy("check the directory's state and the ports to its controllers (TCP 135 and 49152-65535)"),
    code("1786", "ERROR_NO_TRUST_LSA_SECRET", Directory, All)
        .means("the instance has no secret of its own for the trust with the domain")
        .remedy("join the instance again, or replace it; if several fail, check the file server's own join"),
    code("1787", "ERROR_NO_TRUST_SAM_ACCOUNT", Directory, All)
        .means("the domain has no computer account for this trust relationship")
        .remedy("join the instance again, or replace it; if several fail, check the file server's own join"),
    code("1788", "ERROR_TRUSTED_DOMAIN_FAILURE", Directory, All)
        .means("the trust between two domains failed")
        .remedy("check the trust between the account's domain and the file system's"),
    code("1789", "ERROR_TRUSTED_RELATIONSHIP_FAILURE", Directory, All)
        .means("the trust relationship with the domain is broken")
        .remedy("join the instance again, or replace it; if several fail, check the file server's own join"),
    code("1792", "ERROR_NETLOGON_NOT_STARTED", Directory, All)
        .means("the Netlogon service is not started, on the instance or on a server")
        .remedy("check the Netlogon service; if several fail, check the file server's own join"),
    code("1908", "ERROR_DOMAIN_CONTROLLER_NOT_FOUND", Directory, All)
        .means("no domain controller was found for the domain")
        .remedy("check the domain's DNS records and the way to its controllers"),
    code("5", "ERROR_ACCESS_DENIED", Credentials, Never)
        .means("access is denied to the share or its root")
        .remedy("give the account rights on the share and on its root directory"),
    code("65", "ERROR_NETWORK_ACCESS_DENIED", Credentials, Never)
        .means("the file server denies the account access over the network")
        .remedy("give the account rights on the share; check the policies that deny access over the network"),
    code("86", "ERROR_INVALID_PASSWORD", Credentials, Never)
        .means("the password is wrong")
        .remedy("put the right one into its parameter; one instance tries it, then the rest"),
    code("1240", "ERROR_LOGIN_WKSTA_RESTRICTION", Credentials, Never)
        .means("the account may not log on from this computer")
        .remedy("let the account log on from all computers"),
    code("1272", "ERROR_SMB_GUEST_LOGON_BLOCKED", Credentials, Never)
        .means("the file server offered guest access, which a policy blocks: it does not know the account")
        .remedy("put the right user name into its parameter, or create the account"),
    code("1312", "ERROR_NO_SUCH_LOGON_SESSION", Credentials, Never)
        .means("there is no such log-on session: the user name lacks its domain")
        .remedy(r"write the user name as DOMAIN\user or user@domain"),
    code("1315", "ERROR_INVALID_ACCOUNT_NAME", Credentials, Never)
        .means("the user name is not one that an account can have")
        .remedy(r"write the user name as DOMAIN\user or user@domain"),
    code("1317", "ERROR_NO_SUCH_USER", Credentials, Never)
        .means("the account does not exist")
        .remedy("put the right user name into its parameter, or create the account"),
    code("1326", "ERROR_LOGON_FAILURE", Credentials, Never)
        .means("the user name or the password is wrong")
        .remedy("put the right ones into the two parameters; one instance tries them, then the rest"),
    code("1327", "ERROR_ACCOUNT_RESTRICTION", Credentials, Never)
        .means("a restriction keeps the account from logging on: blank password, hours or a policy")
        .remedy("lift the restriction on the account"),
    code("1328", "ERROR_INVALID_LOGON_HOURS", Credentials, Never)
        .means("the account may not log on at this hour")
        .remedy("extend the account's log-on hours"),
    code("1329", "ERROR_INVALID_WORKSTATION", Credentials, Never)
        .means("the account may not log on from this computer")
        .remedy("let the account log on from all computers"),
    code("1330", "ERROR_PASSWORD_EXPIRED", Credentials, Never)
        .means("the account's password has expired (AWS Managed Microsoft AD: after 42 days)")
        .remedy("set a new password in the directory, then in the parameter; let it never expire"),
    code("1331", "ERROR_ACCOUNT_DISABLED", Credentials, Never)
        .means("the account is disabled")
        .remedy("enable it in the directory"),
    code("1380", "ERROR_LOGON_NOT_GRANTED", Credentials, Never)
        .means("the account has not been granted this type of log-on")
        .remedy("grant it the right to log on over the network"),
    code("1385", "ERROR_LOGON_TYPE_NOT_GRANTED", Credentials, Never)
        .means("the account has no right to log on over the network")
        .remedy("grant it that right in the group policy of the file system's domain"),
    code("1793", "ERROR_ACCOUNT_EXPIRED", Credentials, Never)
        .means("the account has expired")
        .remedy("extend it in the directory"),
    code("1807", "ERROR_NOLOGON_INTERDOMAIN_TRUST_ACCOUNT", Credentials, Never)
        .means("the account is one of a trust between domains")
        .remedy("use an ordinary user account"),
    code("1808", "ERROR_NOLOGON_WORKSTATION_TRUST_ACCOUNT", Credentials, Never)
        .means("the account is a computer account")
        .remedy("use an ordinary user account"),
    code("1809", "ERROR_NOLOGON_SERVER_TRUST_ACCOUNT", Credentials, Never)
        .means("the account is one of a domain controller")
        .remedy("use an ordinary user account"),
    code("1907", "ERROR_PASSWORD_MUST_CHANGE", Credentials, Never)
        .means("the account's password must be changed before the first log-on")
        .remedy("set a new password in the directory that need not be changed, then in the parameter"),
    code("1909", "ERROR_ACCOUNT_LOCKED_OUT", Credentials, Never)
        .means("the account is locked out")
        .remedy("find what locks it; unlock it in the directory once the parameter's password is right"),
    code("1935", "ERROR_AUTHENTICATION_FIREWALL_FAILED", Credentials, Never)
        .means(
            "selective authentication: the account may not authenticate to the file server across the trust",
        )
        .remedy("grant the account Allowed to Authenticate on the file server's computer object"),
    code("1937", "ERROR_NTLM_BLOCKED", Credentials, Never)
        .means("NTLM is blocked, and Kerberos was not used")
        .remedy("use a DNS name in RemotePath, not an address, so that Kerberos is used"),
    code("1938", "ERROR_PASSWORD_CHANGE_REQUIRED", Credentials, Never)
        .means("the account's password must be changed before it can log on")
        .remedy("set a new password in the directory, then in the parameter"),
    code("2202", "ERROR_BAD_USERNAME", Credentials, Never)
        .means("the user name is not valid")
        .remedy(r"write the user name as DOMAIN\user or user@domain"),
    code("2", "ERROR_FILE_NOT_FOUND", Configuration, Never)
        .means("the directory of RemotePath does not exist")
        .remedy("create it, or correct RemotePath"),
    code("3", "ERROR_PATH_NOT_FOUND", Configuration, Never)
        .means("a part of RemotePath does not exist")
        .remedy("create it, or correct RemotePath"),
    code("50", "ERROR_NOT_SUPPORTED", Configuration, Never)
        .means("the server or Windows does not support the request")
        .remedy("check that RemotePath names an SMB 3 file server, which can encrypt"),
    code("58", "ERROR_BAD_NET_RESP", Configuration, Never)
        .means("the server cannot do what was asked")
        .remedy("check that RemotePath names an SMB 3 file server, which can encrypt"),
    code("66", "ERROR_BAD_DEV_TYPE", Configuration, Never)
        .means("the resource is no disk share")
        .remedy("name a disk share in RemotePath, not a printer or a pipe"),
    code("67", "ERROR_BAD_NET_NAME", Configuration, Once)
        .means("the share does not exist on the file server")
        .remedy("correct the name of the share in RemotePath, or create the share"),
    code("87", "ERROR_INVALID_PARAMETER", Configuration, Never)
        .means("Windows does not accept a value of the mapping")
        .remedy("correct RemotePath (no trailing backslash, no DFS namespace) or the form of the user name"),
    code("161", "ERROR_BAD_PATHNAME", Configuration, Once)
        .means("Windows does not accept RemotePath as a path")
        .remedy(r"write it as \\server\share or \\server\share\directory; a DFS namespace does not work"),
    code("14", "ERROR_OUTOFMEMORY", Host, All)
        .means("the instance has too little memory")
        .remedy("check the instance's memory, or replace it"),
    code("85", "ERROR_ALREADY_ASSIGNED", Host, Never)
        .means("the drive letter is in use")
        .remedy("remove the other use with net use /delete, or replace the instance"),
    code("1202", "ERROR_DEVICE_ALREADY_REMEMBERED", Host, Never)
        .means("Windows remembers another connection of the letter")
        .remedy("remove it with net use /delete, or replace the instance"),
    code("1219", "ERROR_SESSION_CREDENTIAL_CONFLICT", Host, All)
        .means("the instance has another log-on to that server, or a share above or below ours is mapped")
        .remedy("remove that connection or native FSx volume of the file system, or replace the instance"),
    code("1222", "ERROR_NO_NETWORK", Host, All)
        .means("Windows' network is not present or not started")
        .remedy("check the instance's network adapter and the Workstation service, or replace it"),
    code("2138", "NERR_WkstaNotStarted", Host, All)
        .means("the Workstation service is not started")
        .remedy("start the Workstation service on the instance, or replace it"),
];
