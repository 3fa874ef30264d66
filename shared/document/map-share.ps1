# Maps one SMB share to one drive letter of this Windows container host, as an SMB global mapping, or checks that it is
# mapped, and reports the result in one line of JSON on standard output.
#
# Runs under Windows PowerShell 5.1 as the body of an SSM document, which puts one line before this file:
#
#     $EncodedSettings = '<base64 of UTF-8 text>'
#
# The text holds one `key=value` a line, each key exactly once:
#
#     drive=G                                 letter, D to Z
#     remote=\\server\share                   or \\server\share\directory
#     user-parameter=domainUserName           Parameter Store name of DOMAIN\user or user@domain
#     password-parameter=domainUserPassword   Parameter Store name of its password
#     require-domain=true                     false: do not wait for membership of a domain
#     probe=Directory\app-state               optional: the directory below the path that is read as proof, instead of its root
#
# The settings are part of the document, so the sender of the command chooses only the action: `check` changes nothing;
# `map` may create the mapping, and may replace it if it cannot be read. A readable mapping is never changed, whatever
# its status, and a mapping of another path is never removed.
#
# The line is ASCII, at most 1,000 bytes, and one of
#
#     {"smbMapping":"mapped","v":1,"script":"1a2b3c4d","changed":false,"drive":"G:","remote":"\\\\fs\\share","status":"OK","privacy":true,"boot":"2026-11-22T08:00:00Z"}
#     {"smbMapping":"failed","v":1,"script":"1a2b3c4d","cause":"1326","step":"create","refused":1,"message":"..."}
#
# A cause is a Win32 code, an HRESULT or a word. `refused` counts the log-ons that the run saw refused. Exit codes: 0 mapped,
# 75 may heal by itself, 78 will not; a check also ends with 0 unless a log-on may have been refused. 3010, 168 and 169 have
# a special meaning for the SSM agent and are never used.
#
# A second line before this file gives $ScriptVersion, the fingerprint of this text. Without $EncodedSettings nothing runs:
# tests load the functions by dot-sourcing this file.

$DocumentAction = '{{ Action }}'

# AppLocker and Windows Defender Application Control (WDAC) can forbid a script most of the language. This uses only what stays allowed.
if ("$($ExecutionContext.SessionState.LanguageMode)" -cne 'FullLanguage') {
    '{"smbMapping":"failed","v":1,"script":"' + $ScriptVersion + '","cause":"constrained-language","step":"script","refused":0,"message":"PowerShell runs this script in constrained language mode: let AppLocker or WDAC allow the scripts of the SSM agent"}'
    if ($DocumentAction -ceq 'check') { exit 0 }
    exit 78
}

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$WarningPreference = 'SilentlyContinue'
$VerbosePreference = 'SilentlyContinue'
$ProgressPreference = 'SilentlyContinue'

# Seconds. `script` is below the document's timeout of 600, after which no result line would be written.
function Get-DefaultLimit {
    @{
        script = 540; mutex = 60; lookup = 20; read = 15; readPause = 15; domain = 10; dns = 20; port = 20; pause = 1
        awsTools = 240; parameters = 30; remove = 30; create = 60; proof = 30
    }
}

function Invoke-MapShare([string]$Action, [string]$EncodedSettings, [hashtable]$Limits = (Get-DefaultLimit)) {
    $run = @{
        Action = $Action; Limits = $Limits; Clock = [Diagnostics.Stopwatch]::StartNew(); Worker = $null
        Settings = $null; Credential = $null; ParameterVersions = ''; Removed = $false; Refused = 0
    }
    $mutex = $null
    try {
        if (@('check', 'map') -cnotcontains $Action) { Stop-Run 'bad-settings' 'settings' "the action is '$Action', not check or map" }
        $run.Settings = Read-Settings $EncodedSettings
        $mutex = Enter-Mutex $run
        $mapped = Resolve-Mapping $run
        return @{ Line = Format-Mapped $run $mapped; ExitCode = 0 }
    } catch {
        $failure = $_.TargetObject
        if ($failure -isnot [hashtable] -or -not $failure.ContainsKey('Cause')) {
            $failure = @{ Cause = 'unlisted'; Step = 'script'; Message = "line $($_.InvocationInfo.ScriptLineNumber): $($_.Exception.Message)" }
        }
        return @{ Line = Format-Failed $run $failure; ExitCode = Get-ExitCode $failure $Action }
    } finally {
        if ($null -ne $mutex) { $mutex.ReleaseMutex() }
    }
}

# The whole decision. The mapping is read before anything is waited for: a readable one needs no DNS.
function Resolve-Mapping([hashtable]$Run) {
    $mapping = Find-Mapping $Run
    $mayReplace = $false
    $failure = $null
    if ($null -ne $mapping) {
        Assert-Ours $Run $mapping
        $failure = Read-Root $Run
        if ($null -eq $failure) { return Get-Proof $Run $mapping $false }
    } else {
        Assert-LetterFree $Run
        if ($Run.Action -ceq 'check') { Stop-Run 'not-mapped' 'look' "nothing is mapped to $($Run.Settings.Drive)" }
    }
    Wait-ForServer $Run
    if ($null -ne $mapping) {
        $failure = Read-RootAgain $Run $failure
        if ($null -eq $failure) { return Get-Proof $Run $mapping $false }
        $mapping = Find-Mapping $Run
        if ($null -ne $mapping) { Assert-Ours $Run $mapping }
        elseif ($Run.Action -ceq 'check') { Stop-Run 'not-mapped' 'look' "the mapping of $($Run.Settings.Drive) went away while it was looked at" }
        if ($null -ne $mapping -and (Test-LoggedOn $Run $failure)) {
            Stop-Run 'unreadable' 'read' "the account is logged on, but $($failure.Message); the mapping is left as it is"
        }
        $mayReplace = $Run.Action -ceq 'map' -and ($null -eq $mapping -or (Test-Replaceable $failure.Cause $mapping.Status))
        if (-not $mayReplace) { Stop-Run $failure.Cause 'read' $failure.Message }
    }
    $Run.Credential = Get-ShareCredential $Run
    # Reading the credential can take minutes. The mapping is read again, so that one that healed is not removed.
    $mapping = Find-Mapping $Run
    if ($null -ne $mapping) {
        Assert-Ours $Run $mapping
        if ($null -eq $failure -or -not (Test-LogonRefused $failure.Cause)) { $failure = Read-Root $Run }
        if ($null -eq $failure) { return Get-Proof $Run $mapping $false }
        if (-not ($mayReplace -and (Test-Replaceable $failure.Cause $mapping.Status))) { Stop-Run $failure.Cause 'read' $failure.Message }
        if ((Test-StaleCredential $failure.Cause) -and (Read-Note $Run.Settings.Drive) -ceq (Get-NoteText $Run)) {
            Stop-Run (Get-UnreadableCause $failure.Cause) 'read' "$($failure.Message); a new mapping could not be read either, so it is left as it is until a parameter changes or it is removed by hand"
        }
        Remove-OurMapping $Run $mapping
    }
    New-OurMapping $Run
}

# ---- settings, failures, the result line

function Stop-Run([string]$Cause, [string]$Step, [string]$Message) {
    throw @{ Cause = $Cause; Step = $Step; Message = $Message }
}

function Read-Settings([string]$Encoded) {
    $values = @{}
    try {
        $text = (New-Object Text.UTF8Encoding $false, $true).GetString([Convert]::FromBase64String($Encoded))
    } catch {
        Stop-Run 'bad-settings' 'settings' 'the settings are not base64 of UTF-8 text'
    }
    foreach ($line in $text.Split([char]10)) {
        $line = $line.Trim()
        if ($line -ceq '') { continue }
        $key, $value = $line.Split([char[]]'=', 2)
        if ($values.ContainsKey($key)) { Stop-Run 'bad-settings' 'settings' "the setting '$key' is there twice" }
        $values[$key] = $value
    }
    foreach ($key in @('drive', 'remote', 'user-parameter', 'password-parameter', 'require-domain')) {
        if ([string]::IsNullOrEmpty($values[$key])) { Stop-Run 'bad-settings' 'settings' "the setting '$key' is missing" }
    }
    $probe = (ConvertTo-PlainPath ([string]$values['probe'])).TrimStart('\')
    $values.Remove('probe')
    if ($values.Count -ne 5) { Stop-Run 'bad-settings' 'settings' "unknown settings among: $(@($values.Keys) -join ', ')" }
    if ($values['drive'] -notmatch '^[D-Zd-z]\z') { Stop-Run 'bad-settings' 'settings' "drive is '$($values['drive'])', not a letter from D to Z" }
    $remote = ConvertTo-PlainPath $values['remote']
    if ($remote -notmatch '^\\\\[^\\:*?"<>|\s]+(\\[^\\:*?"<>|]+)+\z' -or (ConvertTo-JsonText $remote 700) -cne (ConvertTo-JsonText $remote 9999)) {
        Stop-Run 'bad-settings' 'settings' "remote is '$remote', not \\server\share or \\server\share\directory"
    }
    if ($probe -match '[:*?"<>|]' -or $probe.Split([char]92) -contains '..' -or (ConvertTo-JsonText $probe 200) -cne (ConvertTo-JsonText $probe 9999)) {
        Stop-Run 'bad-settings' 'settings' "probe is '$probe', not a directory below the path of remote"
    }
    if ($values['user-parameter'] -ceq $values['password-parameter']) { Stop-Run 'bad-settings' 'settings' 'user-parameter and password-parameter are the same' }
    if (@('true', 'false') -cnotcontains $values['require-domain']) { Stop-Run 'bad-settings' 'settings' "require-domain is '$($values['require-domain'])', not true or false" }
    @{
        Drive = $values['drive'].ToUpperInvariant() + ':'; Remote = $remote; Server = $remote.Split([char]92)[2]; Probe = $probe
        UserParameter = $values['user-parameter']; PasswordParameter = $values['password-parameter']
        RequireDomain = $values['require-domain'] -ceq 'true'
    }
}

# SMB compares paths as text: //fs/share/ would not be found as \\fs\share, and a trailing backslash gives error 87.
function ConvertTo-PlainPath([string]$Path) {
    $Path.Replace('/', '\').TrimEnd('\')
}

# SSM counts exit codes other than 0 as errors, and stops a check at the first one. So a check that answered succeeds, unless
# a log-on may have been refused.
function Get-ExitCode([hashtable]$Failure, [string]$Action) {
    if ($Action -ceq 'check' -and (Test-NoLogonRefused $Failure)) { return 0 }
    $stays = @(
        '5', 'bad-credentials', '2', '3', '50', '58', '66', '67', '87', '161', 'parameter-missing', 'parameter-denied', 'kms-denied'
        'aws-tools-missing', 'unsupported-os', 'bad-settings', 'unreadable', 'dfs-namespace', 'mapped-elsewhere', '85', '1202', 'drive-in-use'
    )
    if ($stays -ccontains $Failure.Cause -or (Test-LogonRefused $Failure.Cause)) { 78 } else { 75 }
}

# A check logs on where it reads the root, and nowhere else. These causes of a read rule out that the log-on was refused: the
# network, the directory or the host failed, or the server answered for the account.
function Test-NoLogonRefused([hashtable]$Failure) {
    if (@('read', 'script') -cnotcontains $Failure.Step) { return $true }
    @(
        '8', '21', '51', '53', '54', '55', '59', '64', '71', '121', '1117', '1130', '1201', '1203', '1220', '1225', '1229', '1231', '1232', '1233'
        '1234', '1236', '1238', '1394', '1450', '1265', '1311', '1355', '1396', '1397', '1398', '1722', '1786', '1787', '1788', '1789', '1792'
        '1908', '14', '85', '1202', '1219', '1222', '2138', '2', '3', '67', 'unreadable'
    ) -ccontains $Failure.Cause
}

function Get-ScriptVersion {
    if (Test-Path -LiteralPath 'Variable:ScriptVersion') { $ScriptVersion }
}

function Format-Mapped([hashtable]$Run, [hashtable]$Mapped) {
    $changed = if ($Mapped.Changed) { 'true' } else { 'false' }
    $privacy = if ($null -eq $Mapped.Privacy) { 'null' } elseif ($Mapped.Privacy) { 'true' } else { 'false' }
    $boot = if ($null -eq $Mapped.Boot) { 'null' } else { '"' + $Mapped.Boot + '"' }
    '{"smbMapping":"mapped","v":1,"script":"' + (Get-ScriptVersion) + '","changed":' + $changed + ',"drive":"' + $Run.Settings.Drive + '","remote":"' + (ConvertTo-JsonText $Run.Settings.Remote 700) +
        '","status":"' + (ConvertTo-JsonText $Mapped.Status 40) + '","privacy":' + $privacy + ',"boot":' + $boot + '}'
}

function Format-Failed([hashtable]$Run, [hashtable]$Failure) {
    $message = [string]$Failure.Message
    if ($Run.Removed) { $message = 'the old mapping was removed, then: ' + $message }
    $message = Hide-Password $Run.Credential $message
    '{"smbMapping":"failed","v":1,"script":"' + (Get-ScriptVersion) + '","cause":"' + (ConvertTo-JsonText $Failure.Cause 24) + '","step":"' + (ConvertTo-JsonText $Failure.Step 24) +
        '","refused":' + $Run.Refused + ',"message":"' + (ConvertTo-JsonText $message 840) + '"}'
}

# The inside of a JSON string, in ASCII, cut between two characters to at most $Limit bytes. ConvertTo-Json of 5.1 keeps
# non-ASCII characters, which powershell.exe writes in the OEM code page and the SSM agent reads as UTF-8.
function ConvertTo-JsonText([string]$Text, [int]$Limit) {
    $out = New-Object Text.StringBuilder
    for ($i = 0; $i -lt $Text.Length; $i++) {
        $code = [int]$Text[$i]
        $pair = $i + 1 -lt $Text.Length -and [char]::IsSurrogatePair($Text[$i], $Text[$i + 1])
        # Half of a pair alone is no character, and no JSON.
        if (-not $pair -and [char]::IsSurrogate($Text[$i])) { $code = 0xfffd }
        $escaped = if ($code -eq 34 -or $code -eq 92) { '\' + $Text[$i] } elseif ($code -ge 32 -and $code -lt 127) { [string]$Text[$i] } else { '\u' + $code.ToString('x4') }
        if ($pair) { $i++; $escaped += '\u' + ([int]$Text[$i]).ToString('x4') }
        if ($out.Length + $escaped.Length -gt $Limit) { break }
        [void]$out.Append($escaped)
    }
    $out.ToString()
}

# No message of Windows or AWS is known to contain a password. If one ever does, the password is removed here.
function Hide-Password($Credential, [string]$Text) {
    if ($null -eq $Credential) { return $Text }
    $memory = [Runtime.InteropServices.Marshal]::SecureStringToGlobalAllocUnicode($Credential.Password)
    try { $Text.Replace([Runtime.InteropServices.Marshal]::PtrToStringUni($memory), '***') }
    finally { [Runtime.InteropServices.Marshal]::ZeroFreeGlobalAllocUnicode($memory) }
}

# ---- one at a time, within limits

# Two concurrent runs on one host could both create the mapping, and one of them would fail.
function Enter-Mutex([hashtable]$Run) {
    $name = Get-MutexName $Run.Settings.Drive
    try {
        $mutex = New-Object Threading.Mutex $false, $name
        $taken = $mutex.WaitOne([int](1000 * $Run.Limits.mutex))
    } catch {
        # The last owner was killed. The mutex is ours now, and the mapping is read after this.
        if ($_.Exception.GetBaseException() -isnot [Threading.AbandonedMutexException]) { Stop-Run 'busy' 'mutex' "$name cannot be opened: $($_.Exception.Message)" }
        $taken = $true
    }
    if (-not $taken) { Stop-Run 'busy' 'mutex' "another run held $name for $($Run.Limits.mutex) s" }
    $mutex
}

function Get-TimeLeft([hashtable]$Run) {
    $Run.Limits.script - $Run.Clock.Elapsed.TotalSeconds
}

# Runs one function of this script in another runspace, for at most $Seconds. The runspace is kept for the next call, so that
# modules load once. A runspace that hangs is asked to stop and abandoned, because disposing of it would hang, too.
# The function must not call others of this script. Returns @{ Hung; Error; Value; Within }, where Within is the limit as text.
function Invoke-WithTimeLimit([hashtable]$Run, [double]$Seconds, [string]$Function, [object[]]$Arguments = @()) {
    $limit = [Math]::Min($Seconds, (Get-TimeLeft $Run))
    if ($limit -le 0) { Stop-Run 'timeout' 'script' "$Function was not made: the script's $($Run.Limits.script) s are over" }
    $within = 'within ' + [Math]::Round($limit, 1).ToString([Globalization.CultureInfo]::InvariantCulture) + ' s'
    if ($null -eq $Run.Worker) {
        $Run.Worker = [runspacefactory]::CreateRunspace()
        $Run.Worker.Open()
    }
    $shell = [powershell]::Create()
    $shell.Runspace = $Run.Worker
    # Without Stop the next statement would run after an exception of a method or of parameter binding.
    $text = (Get-Command -Name $Function -CommandType Function).Definition
    [void]$shell.AddScript("`$ErrorActionPreference = 'Stop'; & {" + $text + '} @args', $true)
    foreach ($argument in $Arguments) { [void]$shell.AddArgument($argument) }
    $call = $shell.BeginInvoke()
    if (-not $call.AsyncWaitHandle.WaitOne([int][Math]::Ceiling(1000 * $limit))) {
        $Run.Worker = $null
        [void]$shell.BeginStop($null, $null)
        return @{ Hung = $true; Error = $null; Value = @(); Within = $within }
    }
    try { @{ Hung = $false; Error = $null; Value = @($shell.EndInvoke($call)); Within = $within } }
    catch {
        # EndInvoke wraps the exception; the inner record has the error id.
        $record = $_
        $inner = $_.Exception.InnerException
        if ($inner -is [Management.Automation.RuntimeException]) { $record = $inner.ErrorRecord }
        @{ Hung = $false; Error = $record; Value = @(); Within = $within }
    }
}

# Error codes come from ids, because messages are localised.
function Get-ErrorCause([Management.Automation.ErrorRecord]$Record) {
    $id = $Record.FullyQualifiedErrorId
    if ($id -match '^(CommandNotFoundException|NamedParameterNotFound)(,|\z)') { return 'unsupported-os' }
    if ($id -match '^Windows System Error (\d{1,10})(,|\z)') { return ConvertTo-Cause ([int64]$Matches[1]) }
    if ($id -match '^CimJob_.+_(\d{1,10})(,|\z)') { return ConvertTo-Cause ([int64]$Matches[1]) }
    if ($id -match '^HRESULT 0x([0-9a-fA-F]{1,8})(,|\z)') { return ConvertTo-Cause ([Convert]::ToInt64($Matches[1], 16)) }
    for ($exception = $Record.Exception; $null -ne $exception; $exception = $exception.InnerException) {
        $result = [int64]$exception.HResult -band 4294967295
        if (($result -shr 16) -eq 0x8007) { return ConvertTo-Cause $result }
    }
    'unlisted'
}

# The cause of a call that reaches no server. Its code is in the message: elsewhere the same code would mean the account or
# the network.
function Get-LocalCause([Management.Automation.ErrorRecord]$Record) {
    if ((Get-ErrorCause $Record) -ceq 'unsupported-os') { 'unsupported-os' } else { 'wmi-failed' }
}

function ConvertTo-Cause([int64]$Number) {
    if (($Number -shr 16) -eq 0x8007) { return [string]($Number -band 65535) }
    if ($Number -gt 65535) { return '0x' + $Number.ToString('X8') }
    [string]$Number
}

function Get-ErrorText([Management.Automation.ErrorRecord]$Record) {
    $Record.Exception.GetBaseException().Message + ' [' + $Record.FullyQualifiedErrorId + ']'
}

# ---- the mapping and its root

# The mapping on our letter, or nothing.
function Find-Mapping([hashtable]$Run) {
    $answer = Invoke-WithTimeLimit $Run $Run.Limits.lookup 'Get-LetterMapping' @($Run.Settings.Drive)
    if ($answer.Hung) { Stop-Run 'lookup-hung' 'look' "Get-SmbGlobalMapping did not answer $($answer.Within)" }
    if ($null -ne $answer.Error) { Stop-Run (Get-LocalCause $answer.Error) 'look' (Get-ErrorText $answer.Error) }
    $found = @($answer.Value | Where-Object { [string]::Equals([string]$_.LocalPath, $Run.Settings.Drive, [StringComparison]::OrdinalIgnoreCase) })
    if ($found.Count -eq 0) { return }
    $privacy = $found[0].PSObject.Properties['RequirePrivacy']
    @{
        RemotePath = [string]$found[0].RemotePath; Status = Get-StatusName $found[0].Status
        Privacy = if ($null -eq $privacy -or $null -eq $privacy.Value) { $null } else { [bool]$privacy.Value }
    }
}

# The status is a number where the module's type data is not loaded.
function Get-StatusName($Status) {
    $names = @('OK', 'Paused', 'Disconnected', 'NetworkError', 'Connecting', 'Reconnecting', 'Unavailable')
    $text = ([string]$Status).Replace(' ', '')
    $number = 0
    if ([int]::TryParse($text, [ref]$number) -and $number -ge 0 -and $number -lt $names.Count) { $names[$number] } else { $text }
}

function Assert-Ours([hashtable]$Run, [hashtable]$Mapping) {
    if (-not [string]::Equals((ConvertTo-PlainPath $Mapping.RemotePath), $Run.Settings.Remote, [StringComparison]::OrdinalIgnoreCase)) {
        Stop-Run 'mapped-elsewhere' 'look' "$($Run.Settings.Drive) is mapped to $($Mapping.RemotePath), not to $($Run.Settings.Remote); it is left as it is"
    }
}

function Assert-LetterFree([hashtable]$Run) {
    foreach ($letter in @(Get-DriveLetter)) {
        if ([string]::Equals([string]$letter, $Run.Settings.Drive, [StringComparison]::OrdinalIgnoreCase)) {
            Stop-Run 'drive-in-use' 'look' "$letter is a disk, a subst drive or a net use drive of the system account; it is left as it is"
        }
    }
}

# Nothing if the directory that is the proof can be read, which also reconnects an idle mapping; otherwise @{ Cause; Message }.
# It is the root, or the one that the settings name.
function Read-Root([hashtable]$Run, [string]$Directory = $Run.Settings.Probe) {
    $root = $Run.Settings.Drive + '\' + $Directory
    $answer = Invoke-WithTimeLimit $Run $Run.Limits.read 'Read-FirstEntry' @($root)
    if ($answer.Hung) { @{ Cause = 'call-hung'; Message = "reading $root did not end $($answer.Within)" } }
    elseif ($null -ne $answer.Error) { @{ Cause = Get-CountedCause $Run $answer.Error; Message = "$root cannot be read: " + (Get-ErrorText $answer.Error) } }
}

# The second and the third try. A refused log-on is not tried again, because each one counts towards locking the account.
function Read-RootAgain([hashtable]$Run, [hashtable]$Failure) {
    for ($try = 2; $try -le 3 -and $null -ne $Failure -and -not (Test-LogonRefused $Failure.Cause); $try++) {
        Wait-Pause $Run $Run.Limits.readPause
        $Failure = Read-Root $Run
    }
    $Failure
}

# Whether the file server itself answered for the account, so that a new mapping would not be read either: it finds no directory
# of a new name, or not the one that is the proof. Error 5 alone would not tell, because a stale password also gives it.
function Test-LoggedOn([hashtable]$Run, [hashtable]$Failure) {
    $isMissing = { @('2', '3') -ccontains $args[0] }
    if ($Run.Settings.Probe -cne '' -and (& $isMissing $Failure.Cause)) { return $true }
    if ($Failure.Cause -cne '5') { return $false }
    $other = Read-Root $Run ('ecs-smb-mapper-' + [guid]::NewGuid().ToString('N'))
    $null -ne $other -and (& $isMissing $other.Cause)
}

# The cause of a call that may have logged on.
function Get-CountedCause([hashtable]$Run, [Management.Automation.ErrorRecord]$Record) {
    $cause = Get-ErrorCause $Record
    if (Test-LogonRefused $cause) { $Run.Refused++ }
    $cause
}

function Test-LogonRefused([string]$Cause) {
    @(
        '65', '86', '1240', '1272', '1312', '1315', '1317', '1326', '1327', '1328', '1329', '1330', '1331', '1380', '1385', '1793'
        '1807', '1808', '1809', '1907', '1909', '1935', '1937', '1938', '2202'
    ) -ccontains $Cause
}

# A stale password can look like each of these, and a path that was missing when it was mapped like the last two.
function Test-StaleCredential([string]$Cause) {
    @('5', '86', '1326', '1311', '2', '3') -ccontains $Cause
}

# Whether a new mapping may heal an unreadable one. It does not heal a locked or disabled account, and when the account
# is back the old mapping heals by itself.
function Test-Replaceable([string]$Cause, [string]$Status) {
    if (Test-StaleCredential $Cause) { return $true }
    @('Paused', 'Disconnected', 'NetworkError', 'Connecting', 'Reconnecting', 'Unavailable') -ccontains $Status -and -not (Test-LogonRefused $Cause)
}

# The log-on was accepted, but the account may not read what is mapped.
function Get-UnreadableCause([string]$Cause) {
    if (@('2', '3', '5', 'unlisted') -ccontains $Cause) { 'unreadable' } else { $Cause }
}

function Remove-OurMapping([hashtable]$Run, [hashtable]$Mapping) {
    $needed = $Run.Limits.remove + $Run.Limits.create + $Run.Limits.proof
    if ((Get-TimeLeft $Run) -lt $needed) { Stop-Run 'call-hung' 'remove' "less than $needed s are left, too few to create the mapping again; it is left as it is" }
    $until = $Run.Clock.Elapsed.TotalSeconds + $Run.Limits.remove
    $answer = Invoke-WithTimeLimit $Run $Run.Limits.remove 'Remove-LetterMapping' @($Run.Settings.Drive, $Mapping.RemotePath)
    if ($answer.Hung) { Stop-Run 'call-hung' 'remove' "Remove-SmbGlobalMapping did not end $($answer.Within)" }
    if ($null -ne $answer.Error) { Stop-Run (Get-LocalCause $answer.Error) 'remove' (Get-ErrorText $answer.Error) }
    $Run.Removed = $true
    while ($null -ne (Find-Mapping $Run)) {
        if ($Run.Clock.Elapsed.TotalSeconds -ge $until) { Stop-Run 'call-hung' 'remove' "the mapping is still listed $($Run.Limits.remove) s after its removal" }
        Wait-Pause $Run $Run.Limits.pause
    }
}

# Creates once, because a second try would log on again.
function New-OurMapping([hashtable]$Run) {
    $answer = Invoke-WithTimeLimit $Run $Run.Limits.create 'New-LetterMapping' @($Run.Settings.Drive, $Run.Settings.Remote, $Run.Credential)
    if ($answer.Hung) { Stop-Run 'call-hung' 'create' "New-SmbGlobalMapping did not end $($answer.Within)" }
    if ($null -ne $answer.Error) {
        $cause = Get-CountedCause $Run $answer.Error
        $message = Get-ErrorText $answer.Error
        # After "already exists": another program may have mapped the same share.
        if (@('85', '1202', '1219', '0x80041001') -ccontains $cause) {
            $mapping = $null
            try { $mapping = Find-Mapping $Run; if ($null -ne $mapping) { Assert-Ours $Run $mapping } } catch { $mapping = $null }
            if ($null -ne $mapping -and $null -eq (Read-Root $Run)) { return Get-Proof $Run $mapping $false }
            $message += Get-HolderText $Run
        }
        Stop-Run $cause 'create' $message
    }
    $until = $Run.Clock.Elapsed.TotalSeconds + $Run.Limits.proof
    $failure = Read-Root $Run
    while ($null -ne $failure -and -not (Test-LogonRefused $failure.Cause) -and $Run.Clock.Elapsed.TotalSeconds -lt $until) {
        Wait-Pause $Run $Run.Limits.pause
        $failure = Read-Root $Run
    }
    if ($null -ne $failure) {
        # To replace it again and again would cut off what can use it.
        if (Test-StaleCredential $failure.Cause) { Write-Note $Run.Settings.Drive (Get-NoteText $Run) }
        Stop-Run (Get-UnreadableCause $failure.Cause) 'proof' "mapped, but $($failure.Message)"
    }
    Get-Proof $Run @{ RemotePath = $Run.Settings.Remote; Status = 'Unknown'; Privacy = $true } $true
}

# Who holds the server: Windows refuses a second mapping with another account, letter or path.
function Get-HolderText([hashtable]$Run) {
    try { $answer = Invoke-WithTimeLimit $Run $Run.Limits.lookup 'Get-AllMapping' } catch { return '' }
    if ($null -ne $answer.Error) { return '' }
    $held = @($answer.Value | Where-Object { ([string]$_.RemotePath).StartsWith('\\' + $Run.Settings.Server + '\', [StringComparison]::OrdinalIgnoreCase) })
    if ($held.Count -eq 0) { return '; no global mapping of this server is listed: a net use drive or an open connection may hold it' }
    '; mapped of this server: ' + (@($held | ForEach-Object { ("$($_.LocalPath) $($_.RemotePath)").Trim() }) -join ', ')
}

# What a note says: which path, mapped with which versions of the parameters, could not be read.
function Get-NoteText([hashtable]$Run) {
    $Run.Settings.Remote + ' ' + $Run.Settings.Probe + ' ' + $Run.ParameterVersions
}

# The mapping for the result line, after its root was read. The status is read again, because reading reconnects. If
# that fails, the earlier one is reported: the readable root is the proof.
function Get-Proof([hashtable]$Run, [hashtable]$Mapping, [bool]$Changed) {
    $now = try { Find-Mapping $Run } catch { $Mapping }
    if ($null -eq $now) { Stop-Run 'not-mapped' 'proof' "$($Run.Settings.Drive) can be read, but is not listed as a mapping" }
    Assert-Ours $Run $now
    Write-Note $Run.Settings.Drive ''
    $boot = $null
    $answer = try { Invoke-WithTimeLimit $Run $Run.Limits.domain 'Get-BootTime' } catch { @{ Value = @() } }
    if ($answer.Value.Count -eq 1 -and $answer.Value[0] -is [datetime]) {
        $boot = $answer.Value[0].ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ssZ', [Globalization.CultureInfo]::InvariantCulture)
    }
    @{ Changed = $Changed; Status = $now.Status; Privacy = $now.Privacy; Boot = $boot }
}

# ---- waiting for what the share needs

function Wait-ForServer([hashtable]$Run) {
    $domain = if ($Run.Settings.RequireDomain) { Wait-ForDomain $Run } else { Get-DomainName $Run }
    Assert-NoNamespace $Run $domain
    $addresses = Wait-ForAddress $Run
    Wait-ForPort $Run $addresses
}

function Wait-ForDomain([hashtable]$Run) {
    $until = $Run.Clock.Elapsed.TotalSeconds + $Run.Limits.domain
    while ($true) {
        $answer = Invoke-WithTimeLimit $Run $Run.Limits.domain 'Get-DomainMembership'
        if ($answer.Hung) { Stop-Run 'call-hung' 'domain' "WMI did not answer $($answer.Within)" }
        # On a host that joined and did not restart yet, log-ons with a domain account fail.
        $pending = Test-JoinPending
        if ($answer.Value.Count -eq 1 -and $answer.Value[0].IsMember -and -not $pending) { return $answer.Value[0].Domain }
        if ($Run.Clock.Elapsed.TotalSeconds -ge $until) {
            if ($null -ne $answer.Error) { Stop-Run (Get-LocalCause $answer.Error) 'domain' (Get-ErrorText $answer.Error) }
            $why = if ($pending) { 'the host joined a domain and waits for its restart' } else { 'the host is not a member of a domain' }
            Stop-Run 'not-domain-joined' 'domain' $why
        }
        Wait-Pause $Run $Run.Limits.pause
    }
}

# The domain of a host that need not be a member of one; WMI that does not answer is no obstacle.
function Get-DomainName([hashtable]$Run) {
    $answer = Invoke-WithTimeLimit $Run $Run.Limits.domain 'Get-DomainMembership'
    if ($answer.Value.Count -eq 1 -and $answer.Value[0].IsMember) { $answer.Value[0].Domain }
}

# A domain's own name, or the name without its suffix, is a DFS namespace. Windows maps it and lists its root, but no link below
# works: Microsoft does not support DFS for global mappings.
function Assert-NoNamespace([hashtable]$Run, [string]$Domain) {
    $server = $Run.Settings.Server.TrimEnd('.')
    foreach ($name in $Domain, $Domain.Split([char]46)[0]) {
        if ($name -cne '' -and [string]::Equals($server, $name, [StringComparison]::OrdinalIgnoreCase)) {
            Stop-Run 'dfs-namespace' 'domain' "$server is the host's domain, so $($Run.Settings.Remote) is a DFS namespace: name the file server itself"
        }
    }
}

function Wait-ForAddress([hashtable]$Run) {
    $server = $Run.Settings.Server
    $address = $null
    if ([Net.IPAddress]::TryParse($server, [ref]$address)) { return $server }
    $until = $Run.Clock.Elapsed.TotalSeconds + $Run.Limits.dns
    while ($true) {
        $answer = Invoke-WithTimeLimit $Run $Run.Limits.dns 'Resolve-Server' @($server)
        if ($answer.Value.Count -gt 0) { return $answer.Value }
        $why = if ($answer.Hung) { "no answer $($answer.Within)" } elseif ($null -ne $answer.Error) { Get-ErrorText $answer.Error } else { 'it has no address' }
        if ($answer.Hung -or $Run.Clock.Elapsed.TotalSeconds -ge $until) { Stop-Run 'dns' 'dns' "${server}: $why" }
        Wait-Pause $Run $Run.Limits.pause
    }
}

function Wait-ForPort([hashtable]$Run, [string[]]$Addresses) {
    $until = $Run.Clock.Elapsed.TotalSeconds + $Run.Limits.port
    while ($true) {
        $left = [Math]::Max(0.05, $until - $Run.Clock.Elapsed.TotalSeconds)
        $answer = Invoke-WithTimeLimit $Run ($left + 1) 'Connect-AnyAddress' @($Addresses, 445, $left)
        if ($answer.Value -contains $true) { return }
        if ($answer.Hung -or $Run.Clock.Elapsed.TotalSeconds -ge $until) {
            Stop-Run 'port-445' 'port' "none of $($Addresses -join ', ') accepts a connection to TCP port 445: look at the security groups and at the file system"
        }
        Wait-Pause $Run $Run.Limits.pause
    }
}

function Wait-Pause([hashtable]$Run, [double]$Seconds) {
    $pause = [Math]::Min($Seconds, (Get-TimeLeft $Run))
    if ($pause -gt 0) { Start-Sleep -Milliseconds ([int](1000 * $pause)) }
}

# ---- the credential

function Get-ShareCredential([hashtable]$Run) {
    $region = $env:AWS_SSM_REGION_NAME
    if ([string]::IsNullOrEmpty($region)) { Stop-Run 'bad-settings' 'parameters' 'the SSM agent set no AWS_SSM_REGION_NAME' }
    $tools = Get-AwsTools $Run $region $true
    $read = Read-BothParameters $Run $tools $region
    if ($null -ne $tools.Client -and $null -ne $read.Error -and $null -eq (Get-ServiceError $read.Error)) {
        # The service did not answer: the assemblies may not match each other, this .NET or this script. Their module may still work.
        $module = try { Get-AwsTools $Run $region $false } catch { $null }
        if ($null -ne $module) { $tools = $module; $read = Read-BothParameters $Run $tools $region }
    }
    if ($read.Hung) { Stop-Run 'parameter-store' 'parameters' "Parameter Store did not answer $($read.Within)" }
    if ($null -ne $read.Error) {
        $as = if ($tools.OwnRole) { "the instance's own role" } else { 'the default credentials, because the instance has no role of its own' }
        Stop-Run (Get-ParameterCause $read.Error) 'parameters' "$(Get-ErrorText $read.Error) (with $as)"
    }
    $found = $read.Value[0]
    $missing = @($Run.Settings.UserParameter, $Run.Settings.PasswordParameter | Where-Object { $found.Names -cnotcontains $_ })
    if ($missing.Count -gt 0) { Stop-Run 'parameter-missing' 'parameters' "no such parameter in ${region}: $($missing -join ', ')" }
    if ($found.Problem -cne '') { Stop-Run 'bad-credentials' 'parameters' $found.Problem }
    $Run.ParameterVersions = @($found.Versions | Sort-Object) -join ' '
    New-Object Management.Automation.PSCredential $found.UserName, $found.Password
}

function Get-AwsTools([hashtable]$Run, [string]$Region, [bool]$Assemblies) {
    $answer = Invoke-WithTimeLimit $Run $Run.Limits.awsTools 'Open-AwsTools' @($Region, $Assemblies)
    if ($answer.Hung) { Stop-Run 'call-hung' 'aws-tools' "the AWS tools for PowerShell did not load $($answer.Within)" }
    if ($null -ne $answer.Error) { Stop-Run 'aws-tools-missing' 'aws-tools' (Get-ErrorText $answer.Error) }
    if (-not $answer.Value[0].Found) {
        Stop-Run 'aws-tools-missing' 'aws-tools' "neither AWS.Tools.SimpleSystemsManagement nor AWSPowerShell can be used: $($answer.Value[0].Problem)"
    }
    $answer.Value[0]
}

# After a scale-out hundreds of hosts call within seconds, and Parameter Store's default is 40 calls a second: a throttled
# host calls again until the time limit.
function Read-BothParameters([hashtable]$Run, [hashtable]$Tools, [string]$Region) {
    $until = $Run.Clock.Elapsed.TotalSeconds + $Run.Limits.parameters
    while ($true) {
        $left = [Math]::Max($Run.Limits.pause, $until - $Run.Clock.Elapsed.TotalSeconds)
        $read = Invoke-WithTimeLimit $Run $left 'Read-Parameters' @($Tools, $Run.Settings.UserParameter, $Run.Settings.PasswordParameter, $Region)
        $pause = $Run.Limits.pause * (Get-Random -Minimum 1.0 -Maximum 4.0)
        if (-not (Test-Throttled $read.Error) -or $Run.Clock.Elapsed.TotalSeconds + $pause -ge $until) { return $read }
        Wait-Pause $Run $pause
    }
}

function Test-Throttled([Management.Automation.ErrorRecord]$Record) {
    if ($null -eq $Record) { return $false }
    $service = Get-ServiceError $Record
    $null -ne $service -and $service.ErrorCode -match '^Throttling'
}

# The service's answer: the innermost exception with an error code. What wraps it may say anything. The error codes of sockets and
# of Windows are numbers.
function Get-ServiceError([Management.Automation.ErrorRecord]$Record) {
    $service = $null
    for ($exception = $Record.Exception; $null -ne $exception; $exception = $exception.InnerException) {
        $property = $exception.PSObject.Properties['ErrorCode']
        if ($null -ne $property -and $property.Value -is [string] -and $property.Value -cne '') { $service = $exception }
    }
    $service
}

function Get-ParameterCause([Management.Automation.ErrorRecord]$Record) {
    $service = Get-ServiceError $Record
    if ($null -eq $service) { return Get-UnansweredCause $Record }
    $code = $service.ErrorCode
    if ($code -match '^(KMS|InvalidKeyId)') { return 'kms-denied' }
    if ($code -match '^AccessDenied') { if ($service.Message -match '\bkms:|the ciphertext') { return 'kms-denied' } else { return 'parameter-denied' } }
    if ($code -match '^(ExpiredToken|UnrecognizedClient|InvalidClientTokenId|MissingAuthenticationToken|IncompleteSignature|InvalidSignature|SignatureDoesNotMatch)') { return 'parameter-denied' }
    if ($code -match '^ParameterNotFound') { return 'parameter-missing' }
    if ($code -match '^Validation') { return 'bad-settings' }
    'parameter-store'
}

# The cause where the service did not answer: there were no credentials to ask with, the tools do not work, or it is out of reach.
function Get-UnansweredCause([Management.Automation.ErrorRecord]$Record) {
    for ($exception = $Record.Exception; $null -ne $exception; $exception = $exception.InnerException) {
        if ($exception.Message -match 'credentials') { return 'metadata-service' }
    }
    $type = $Record.Exception.GetBaseException().GetType().FullName
    $local = '^System\.(Management\.Automation\.|Reflection\.|Missing|TypeLoad|TypeInit|BadImageFormat|EntryPoint|DllNotFound|IO\.File|InvalidCast|NullReference|Not|Argument)'
    if ($type -match $local) { 'aws-tools-missing' } else { 'parameter-store' }
}

# ---- calls in another runspace: no function below may call another one of this script

function Get-LetterMapping {
    param([string]$Drive)
    try { Get-SmbGlobalMapping -LocalPath $Drive -ErrorAction Stop }
    catch { if ($_.FullyQualifiedErrorId -notmatch '^CmdletizationQuery_NotFound') { throw } }
}

function Get-AllMapping {
    param()
    Get-SmbGlobalMapping -ErrorAction Stop
}

# Both paths are given, so that only the mapping that was read is removed.
function Remove-LetterMapping {
    param([string]$Drive, [string]$Remote)
    try { Remove-SmbGlobalMapping -LocalPath $Drive -RemotePath $Remote -Force -ErrorAction Stop }
    catch { if ($_.FullyQualifiedErrorId -notmatch '^CmdletizationQuery_NotFound') { throw } }
}

# Without RequirePrivacy containers lose access after about 15 idle minutes.
function New-LetterMapping {
    param([string]$Drive, [string]$Remote, [pscredential]$Credential)
    $null = New-SmbGlobalMapping -LocalPath $Drive -RemotePath $Remote -Credential $Credential -Persistent $true -RequirePrivacy $true -ErrorAction Stop
}

# The first entry is enough. Unlike Test-Path, this keeps the error code.
function Read-FirstEntry {
    param([string]$Root)
    $entries = [IO.Directory]::EnumerateFileSystemEntries($Root).GetEnumerator()
    try { [void]$entries.MoveNext() } finally { $entries.Dispose() }
}

function Get-BootTime {
    param()
    (Get-CimInstance -ClassName Win32_OperatingSystem -ErrorAction Stop).LastBootUpTime
}

function Get-DomainMembership {
    param()
    $system = Get-CimInstance -ClassName Win32_ComputerSystem -ErrorAction Stop
    @{ IsMember = [bool]$system.PartOfDomain; Domain = [string]$system.Domain }
}

function Resolve-Server {
    param([string]$Server)
    foreach ($record in @(Resolve-DnsName -Name $Server -ErrorAction Stop)) {
        $address = $record.PSObject.Properties['IPAddress']
        if ($null -ne $address -and $address.Value) { [string]$address.Value }
    }
}

# All addresses at once; the first that answers is enough. The standby of a Multi-AZ file system does not answer.
function Connect-AnyAddress {
    param([string[]]$Addresses, [int]$Port, [double]$Seconds)
    $clock = [Diagnostics.Stopwatch]::StartNew()
    $attempts = @(foreach ($address in $Addresses) {
        $parsed = [Net.IPAddress]::Parse($address)
        $client = New-Object Net.Sockets.TcpClient $parsed.AddressFamily
        @{ Client = $client; Task = $client.ConnectAsync($parsed, $Port) }
    })
    $connected = $false
    $open = $attempts
    while ($open.Count -gt 0 -and -not $connected) {
        $left = [int](1000 * ($Seconds - $clock.Elapsed.TotalSeconds))
        if ($left -le 0) { break }
        [void][Threading.Tasks.Task]::WaitAny([Threading.Tasks.Task[]]@($open | ForEach-Object { $_.Task }), $left)
        # In this order, so that an address that connects in between is checked again.
        $open = @($open | Where-Object { -not $_.Task.IsCompleted })
        $connected = @($attempts | Where-Object { $_.Client.Connected }).Count -gt 0
    }
    foreach ($attempt in $attempts) { $attempt.Client.Close() }
    $connected
}

# The first import of a whole AWS module can take minutes. Only two of its assemblies are needed, so these are loaded
# first. Strict mode is off, because some releases of AWSPowerShell do not load with it.
function Open-AwsTools {
    param([string]$Region, [bool]$Assemblies)
    Set-StrictMode -Off
    # .NET Framework may be configured to begin with TLS 1.0, which AWS refuses.
    if ([int][Net.ServicePointManager]::SecurityProtocol -ne 0) {
        [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
    }
    $problem = @()
    $roots = @($env:PSModulePath.Split([IO.Path]::PathSeparator) | Where-Object { $_ })
    # A module's folder, and its version folders, newest first.
    $folders = {
        param($path)
        if (-not [IO.Directory]::Exists($path)) { return }
        [IO.Directory]::GetDirectories($path) | Where-Object { [IO.Path]::GetFileName($_) -as [version] } | Sort-Object -Descending { [version][IO.Path]::GetFileName($_) }
        $path
    }
    # The SDK's default chain could find the role of Default Host Management, or a profile that somebody left to the system account.
    $ownRole = {
        if ($null -eq ('Amazon.Runtime.InstanceProfileAWSCredentials' -as [type])) { return }
        try { New-Object Amazon.Runtime.InstanceProfileAWSCredentials } catch { return }
    }
    foreach ($root in $roots) {
        foreach ($name in 'AWS.Tools.SimpleSystemsManagement', 'AWSPowerShell') {
            if (-not $Assemblies) { continue }
            $near = @(& $folders ([IO.Path]::Combine($root, $name)))
            $service = $near | ForEach-Object { [IO.Path]::Combine($_, 'AWSSDK.SimpleSystemsManagement.dll') } | Where-Object { [IO.File]::Exists($_) } | Select-Object -First 1
            $core = @($near) + @(& $folders ([IO.Path]::Combine($root, 'AWS.Tools.Common'))) |
                ForEach-Object { [IO.Path]::Combine($_, 'AWSSDK.Core.dll') } | Where-Object { [IO.File]::Exists($_) } | Select-Object -First 1
            if (-not $service -or -not $core) { continue }
            try {
                [void][Reflection.Assembly]::LoadFrom($core)
                [void][Reflection.Assembly]::LoadFrom($service)
                $role = & $ownRole
                $arguments = @($role, [Amazon.RegionEndpoint]::GetBySystemName($Region)) | Where-Object { $null -ne $_ }
                $client = New-Object Amazon.SimpleSystemsManagement.AmazonSimpleSystemsManagementClient $arguments
                return @{ Found = $true; Client = $client; OwnRole = $role; Problem = '' }
            } catch { $problem += "${service}: $($_.Exception.GetBaseException().Message)" }
        }
    }
    foreach ($name in 'AWS.Tools.SimpleSystemsManagement', 'AWSPowerShell') {
        try {
            Import-Module -Name $name -ErrorAction Stop
            $command = Get-Command -Name Get-SSMParameterValue -ErrorAction Stop
            $role = if ($command.Parameters.ContainsKey('Credential')) { & $ownRole }
            return @{ Found = $true; Client = $null; OwnRole = $role; Problem = '' }
        } catch { $problem += $_.Exception.GetBaseException().Message }
    }
    @{ Found = $false; Client = $null; OwnRole = $null; Problem = $problem -join '; ' }
}

# One call for both. The password is returned as a SecureString that was filled by method calls, because module logging
# writes the parameters and the pipeline input of cmdlets into an event log that ordinary users can read.
function Read-Parameters {
    param($Tools, [string]$UserParameter, [string]$PasswordParameter, [string]$Region)
    Set-StrictMode -Off
    if ($null -ne $Tools.Client) {
        $request = New-Object Amazon.SimpleSystemsManagement.Model.GetParametersRequest
        $request.Names = [Collections.Generic.List[string]][string[]]@($UserParameter, $PasswordParameter)
        $request.WithDecryption = $true
        # The assemblies of AWS.Tools have no synchronous method.
        $answer = $Tools.Client.GetParametersAsync($request, [Threading.CancellationToken]::None).GetAwaiter().GetResult()
    } else {
        $role = @{}
        if ($null -ne $Tools.OwnRole) { $role.Credential = $Tools.OwnRole }
        $answer = Get-SSMParameterValue -Name $UserParameter, $PasswordParameter -WithDecryption $true -Region $Region -ErrorAction Stop @role
    }
    $result = @{ Names = @(); Versions = @(); UserName = ''; Password = (New-Object Security.SecureString); Problem = '' }
    foreach ($parameter in $answer.Parameters) {
        $result.Names += $parameter.Name
        $result.Versions += "$($parameter.Name)=$($parameter.Version) $(if ($parameter.LastModifiedDate -is [datetime]) { $parameter.LastModifiedDate.ToUniversalTime().Ticks })"
        $value = [string]$parameter.Value
        $wrong = @()
        if ($value.Length -eq 0) { $wrong += 'is empty' }
        if ($value.IndexOfAny([char[]]@(0, 10, 13)) -ge 0) { $wrong += 'holds a line break' }
        if ($value.IndexOf([char]0xfeff) -ge 0) { $wrong += 'holds a byte order mark (U+FEFF)' }
        if ([string]::Equals($parameter.Name, $PasswordParameter, [StringComparison]::Ordinal)) {
            foreach ($character in $value.ToCharArray()) { $result.Password.AppendChar($character) }
        } else {
            # What the directory could only refuse, and count. A name may have a blank or an apostrophe inside.
            if ($value -cne $value.Trim()) { $wrong += 'begins or ends with white space' }
            if ($value.IndexOfAny([char[]]@(0x22, 0x201c, 0x201d, 0x201e)) -ge 0) { $wrong += 'holds a double quotation mark' }
            if ($value -match "^['\u2018\u2019]|['\u2018\u2019]\z") { $wrong += 'begins or ends with a quotation mark' }
            if ($value.Contains('\\')) { $wrong += 'holds two backslashes in a row' }
            elseif ($value.Split([char]92).Count -gt 2) { $wrong += 'holds more than one backslash' }
            elseif ($value -match '^\\|\\\z') { $wrong += 'begins or ends with a backslash' }
            if ($value.Contains('/')) { $wrong += 'holds a slash' }
            $result.UserName = $value
        }
        if ($wrong.Count -gt 0 -and $result.Problem -ceq '') { $result.Problem = "the parameter $($parameter.Name) $($wrong[0])" }
    }
    $result
}

# ---- calls that do not hang and run in this runspace

function Get-MutexName([string]$Drive) { 'Global\ecs-smb-mapper-' + $Drive.Substring(0, 1) }

# Lists letters without access to unreachable network drives.
function Get-DriveLetter {
    foreach ($drive in [IO.Directory]::GetLogicalDrives()) { $drive.Substring(0, 2) }
}

function Test-JoinPending {
    $netlogon = 'HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\Netlogon'
    foreach ($name in 'JoinDomain', 'AvoidSpnSet') {
        if ($null -ne [Microsoft.Win32.Registry]::GetValue($netlogon, $name, $null)) { return $true }
    }
    $false
}

# One line about the letter in the system account's own profile, where no other user can write. Without it a mapping would only be
# replaced once more, so its errors are no failures.
function Get-NotePath([string]$Drive) {
    $folder = [Environment]::GetFolderPath('LocalApplicationData', 'DoNotVerify')
    [IO.Path]::Combine($folder, 'ecs-smb-mapper', $Drive.Substring(0, 1) + '.txt')
}

function Read-Note([string]$Drive) {
    try { [IO.File]::ReadAllText((Get-NotePath $Drive)) } catch { return }
}

# An empty text removes the note.
function Write-Note([string]$Drive, [string]$Text) {
    try {
        $path = Get-NotePath $Drive
        if ($Text -ceq '') { [IO.File]::Delete($path); return }
        [void][IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($path))
        [IO.File]::WriteAllText($path, $Text)
    } catch { return }
}

# `exit` would wait for a thread that hangs in the redirector; this does not.
function Exit-Process([int]$ExitCode) {
    [Console]::Out.Flush()
    [Environment]::Exit($ExitCode)
}

if (Test-Path -LiteralPath 'Variable:EncodedSettings') {
    $outcome = Invoke-MapShare $DocumentAction $EncodedSettings
    [Console]::Out.WriteLine($outcome.Line)
    Exit-Process $outcome.ExitCode
}
