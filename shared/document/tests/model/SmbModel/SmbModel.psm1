# One modelled Windows container host, its file server and its Parameter Store, for the stub modules beside this one.
#
# The host is a hashtable (see New-ModelHost). It is stored in the application domain, so that all runspaces share it, or
# in the file that SMB_MODEL_FILE names, so that several processes share it. A hang is a real sleep that cannot be
# interrupted, like a call in the redirector.

function New-ModelHost {
    @{
        drives = @('C:')                 # letters of disks, subst and net use
        mappings = @()                   # local, remote, status, privacy, persistent, user, password, owner; live: its session needs no log-on
        removing = 0                     # look-ups that still show a mapping after its removal
        removalLookups = 0               # the initial value of `removing`
        numericStatus = $false           # status as number, without the module's type data
        privacyProperty = $true          # false: the property is missing
        boot = '2026-11-22T08:00:00Z'
        domain = $true
        domainName = 'corp.example.com'
        note = $null                     # what the script noted about the letter
        joinPending = $false
        dns = @{ 'fs.corp.example.com' = @('10.0.1.10', '10.0.2.10') }
        addresses = @{ '10.0.1.10' = $true; '10.0.2.10' = $false }   # TCP 445; a number: refuses that many attempts first
        shares = @('\\fs.corp.example.com\share')
        directories = @()                # paths below a share that exist, as \\server\share\directory
        accounts = @{ 'CORP\svc-ecs' = 'Not-In-Any-Stream-7' }
        accountState = $null             # a Win32 code instead of a log-on: 1909 locked, 1331 disabled
        refusal = 1326                   # the error of a wrong password
        listable = $true                 # false: the account may not list the root, but what is below it
        region = 'eu-central-1'
        instanceRole = $true             # false: the metadata service has no role, and the default chain is asked
        versions = @{ domainUserName = 1; domainUserPassword = 1 }
        written = 0                      # days after which the parameters were last written; null: they do not say
        parameters = @{ domainUserName = 'CORP\svc-ecs'; domainUserPassword = 'Not-In-Any-Stream-7' }
        faults = @{}                     # name of a call -> entries, one used up by each call; see Use-Fault
        changedByOthers = $false         # set by a fault's `before`
        logOns = @()                     # user, password, whether they were kept or the parameters', and the Win32 code, 0 for success
        calls = @()
    }
}

function Get-ModelHost {
    if ($env:SMB_MODEL_FILE) { return ConvertFrom-Json -AsHashtable ([IO.File]::ReadAllText($env:SMB_MODEL_FILE)) }
    [AppDomain]::CurrentDomain.GetData('SmbModel.Host')
}

function Save-ModelHost($ModelHost) {
    if ($env:SMB_MODEL_FILE) { [IO.File]::WriteAllText($env:SMB_MODEL_FILE, (ConvertTo-Json -Depth 8 $ModelHost)) }
    else { [AppDomain]::CurrentDomain.SetData('SmbModel.Host', $ModelHost) }
}

# Records one call with its arguments, as a log of cmdlet parameters would show them.
function Add-ModelCall([string]$Name, $Bound) {
    $text = $Name
    foreach ($key in @($Bound.Keys) | Sort-Object) {
        $value = $Bound[$key]
        $text += " -$key " + $(if ($value -is [pscredential]) { "<$($value.UserName)>" } else { @($value) -join ',' })
    }
    $modelHost = Get-ModelHost
    $modelHost.calls += $text
    Save-ModelHost $modelHost
}

# Takes the next fault of a call: none; @{ hang = seconds }; @{ error = id; message = text }; @{ code = Win32 }.
# @{ before = @{ ... } } changes the host first; `forever` keeps the entry.
function Use-Fault([string]$Name) {
    $modelHost = Get-ModelHost
    $queue = @($modelHost.faults[$Name])
    $fault = $queue[0]
    if ($null -eq $fault) { if ($queue.Count -gt 1) { $modelHost.faults[$Name] = @($queue[1..($queue.Count - 1)]); Save-ModelHost $modelHost }; return @{} }
    if (-not $fault.forever) {
        $modelHost.faults[$Name] = if ($queue.Count -gt 1) { @($queue[1..($queue.Count - 1)]) } else { @() }
        Save-ModelHost $modelHost
    }
    if ($fault.before) { foreach ($key in @($fault.before.Keys)) { $modelHost[$key] = $fault.before[$key] }; $modelHost.changedByOthers = $true; Save-ModelHost $modelHost }
    if ($fault.hang) { [Threading.Thread]::Sleep([int](1000 * $fault.hang)) }
    $fault
}

function New-ModelError([string]$Id, [string]$Message, $Exception) {
    if ($null -eq $Exception) { $Exception = New-Object InvalidOperationException $Message }
    New-Object Management.Automation.ErrorRecord $Exception, $Id, 'NotSpecified', $null
}

function Read-SecureText([securestring]$Text) {
    $memory = [Runtime.InteropServices.Marshal]::SecureStringToGlobalAllocUnicode($Text)
    [Runtime.InteropServices.Marshal]::PtrToStringUni($memory)
    [Runtime.InteropServices.Marshal]::ZeroFreeGlobalAllocUnicode($memory)
}

# The codes with which a directory or a file server refuses a log-on.
$script:refusals = @(65, 86, 1240, 1272, 1312, 1315, 1317, 1326, 1327, 1328, 1329, 1330, 1331, 1380, 1385, 1793, 1807, 1808, 1809, 1907, 1909, 1935, 1937, 1938, 2202)

function Add-ModelLogon([string]$User, [string]$Password, [bool]$Kept, [int]$Code) {
    $modelHost = Get-ModelHost
    $modelHost.logOns = @($modelHost.logOns) + @{ user = $User; password = $Password; kept = $Kept; code = $Code }
    Save-ModelHost $modelHost
}

# How many log-ons there were, and how many of them were refused.
function Get-ModelLogon {
    $all = @((Get-ModelHost).logOns)
    @{ All = $all.Count; Refused = @($all | Where-Object { $script:refusals -contains $_.code }).Count }
}

# The Win32 code of a log-on to the server of $Remote, 0 for success. An existing connection needs no DNS.
function Test-ModelLogon([string]$Remote, [string]$User, [string]$Password, [switch]$Connected) {
    $modelHost = Get-ModelHost
    $server = $Remote.Split([char]92)[2]
    $addresses = if ($Connected) { @($modelHost.addresses.Keys) } elseif ($server -match '^[0-9.]+$') { @($server) } else { @($modelHost.dns[$server]) }
    if (@($addresses | Where-Object { $_ -and $modelHost.addresses[$_] }).Count -eq 0) { return 53 }
    $code = 0
    if ($User -notmatch '[\\@]') { $code = 1312 }
    elseif ($null -ne $modelHost.accountState) { $code = [int]$modelHost.accountState }
    elseif (-not $modelHost.accounts.ContainsKey($User) -or $modelHost.accounts[$User] -cne $Password) { $code = [int]$modelHost.refusal }
    Add-ModelLogon $User $Password $Connected $code
    if ($code -eq 0 -and @($modelHost.shares | Where-Object { $Remote -eq $_ -or $Remote.StartsWith($_ + '\', 'OrdinalIgnoreCase') }).Count -eq 0) { $code = 67 }
    $code
}

# Get-SmbGlobalMapping. Paths are compared as text, as the real look-up does.
function Find-ModelMapping([string]$LocalPath, [string]$RemotePath) {
    $modelHost = Get-ModelHost
    if ($modelHost.removing -gt 0) {
        $modelHost.removing--
        if ($modelHost.removing -eq 0) { $modelHost.mappings = @($modelHost.mappings | Where-Object { -not $_.removed }) }
        Save-ModelHost $modelHost
    }
    @($modelHost.mappings | Where-Object { (-not $LocalPath -or $_.local -eq $LocalPath) -and (-not $RemotePath -or $_.remote -eq $RemotePath) })
}

# The Win32 code of New-SmbGlobalMapping, 0 after it created the mapping.
function New-ModelMapping([string]$LocalPath, [string]$RemotePath, [pscredential]$Credential, [bool]$Persistent, [bool]$Privacy) {
    $modelHost = Get-ModelHost
    if (@($modelHost.drives) -contains $LocalPath -or @(Find-ModelMapping $LocalPath).Count -gt 0) { return 85 }
    foreach ($other in $modelHost.mappings) {
        if ($other.remote.StartsWith($RemotePath + '\', 'OrdinalIgnoreCase') -or $RemotePath.StartsWith($other.remote + '\', 'OrdinalIgnoreCase')) { return 1219 }
    }
    if ($RemotePath.Contains('/') -or $RemotePath.EndsWith('\')) { return 87 }
    $password = Read-SecureText $Credential.Password
    $code = Test-ModelLogon $RemotePath $Credential.UserName $password
    if ($code -ne 0) { return $code }
    $modelHost = Get-ModelHost
    $modelHost.mappings = @($modelHost.mappings) + @{
        local = $LocalPath; remote = $RemotePath; status = 'OK'; privacy = $Privacy; persistent = $Persistent
        user = $Credential.UserName; password = $password; owner = 'ours'; live = $true
    }
    Save-ModelHost $modelHost
    0
}

function Remove-ModelMapping($Mapping) {
    $modelHost = Get-ModelHost
    $gone = { $_.local -eq $Mapping.local -and $_.remote -eq $Mapping.remote }
    if ($modelHost.removalLookups -gt 0) {
        $modelHost.removing = $modelHost.removalLookups
        foreach ($entry in @($modelHost.mappings | Where-Object $gone)) { $entry.removed = $true }
    } else { $modelHost.mappings = @($modelHost.mappings | Where-Object { -not (& $gone) }) }
    Save-ModelHost $modelHost
}

# Reads the root of a letter: uses the kept credential, and reconnects an idle mapping. Throws the exceptions of .NET.
function Read-ModelRoot([string]$Root) {
    Add-ModelCall 'read' @{ Root = $Root }
    $fault = Use-Fault 'read'
    $code = 0
    $mapping = @(Find-ModelMapping $Root.Substring(0, 2))
    # A fault that is a refusal is a log-on that was made; any other is the network's, or the answer of a live session.
    if ($fault.code) { $code = $fault.code; if ($script:refusals -contains $code -and $mapping.Count -gt 0) { Add-ModelLogon $mapping[0].user $mapping[0].password $true $code } }
    elseif ($mapping.Count -eq 0) { $code = 3 }
    else {
        $code = if ($mapping[0].live) { 0 } else { Test-ModelLogon $mapping[0].remote $mapping[0].user $mapping[0].password -Connected }
        $modelHost = Get-ModelHost
        # A session lasts, whatever the account may read.
        if ($code -eq 0) { foreach ($entry in @($modelHost.mappings | Where-Object { $_.local -eq $mapping[0].local })) { $entry.live = $true } }
        Save-ModelHost $modelHost
        $share = ($mapping[0].remote.Split([char]92)[0..3]) -join '\'
        $path = ($mapping[0].remote.TrimEnd([char]92) + '\' + $Root.Substring(3)).TrimEnd([char]92)
        if ($code -eq 0 -and -not $modelHost.listable -and $path -eq $share) { $code = 5 }
        if ($code -eq 0 -and $path -ne $share -and @($modelHost.directories | ForEach-Object { $_.TrimEnd([char]92) }) -notcontains $path) { $code = if ($Root.Length -gt 3) { 3 } else { 2 } }
    }
    if ($code -eq 0) {
        $modelHost = Get-ModelHost
        foreach ($entry in @($modelHost.mappings | Where-Object { $_.local -eq $Root.Substring(0, 2) })) {
            if (-not $entry.statusSticks) { $entry.status = 'OK' }
        }
        Save-ModelHost $modelHost
        return
    }
    $message = if ($fault.message) { $fault.message } else { "error $code at '$Root'" }
    if ($code -eq 5) { throw (New-Object UnauthorizedAccessException $message) }
    $hresult = if ($code -gt 65535) { [int]($code - 4294967296) } else { [int](0x80070000L + $code - 4294967296) }
    throw (New-Object IO.IOException $message, $hresult)
}

function Test-ModelPort([string[]]$Addresses, [int]$Port) {
    Add-ModelCall 'connect' @{ Addresses = $Addresses; Port = $Port }
    $null = Use-Fault 'connect'
    $modelHost = Get-ModelHost
    $open = $false
    foreach ($address in $Addresses) {
        $state = $modelHost.addresses[$address]
        if ($state -is [bool]) { $open = $open -or $state; continue }
        if ($null -eq $state) { continue }
        if ($state -le 0) { $open = $true; $modelHost.addresses[$address] = $true } else { $modelHost.addresses[$address] = $state - 1 }
    }
    Save-ModelHost $modelHost
    $open
}

# What happens to a host between two runs.
function Invoke-ModelEvent([string]$Name) {
    $modelHost = Get-ModelHost
    switch ($Name) {
        'reboot' {
            $modelHost.boot = '2026-11-23T09:30:00Z'
            $modelHost.mappings = @($modelHost.mappings | Where-Object { $_.persistent })
            foreach ($entry in $modelHost.mappings) { $entry.status = 'Disconnected'; $entry.live = $false }
        }
        'idle' { foreach ($entry in $modelHost.mappings) { $entry.status = 'Disconnected'; $entry.live = $false } }
        'fail-over' { $modelHost.addresses = @{ '10.0.1.10' = $false; '10.0.2.10' = $true }; foreach ($entry in $modelHost.mappings) { $entry.status = 'Reconnecting'; $entry.live = $false } }
        'rotate' { $modelHost.accounts['CORP\svc-ecs'] = 'Changed-Today-8'; $modelHost.parameters.domainUserPassword = 'Changed-Today-8'; $modelHost.versions.domainUserPassword++ }
        'save-parameter' { $modelHost.versions.domainUserPassword++ }
        're-create-parameters' { $modelHost.written++ }   # the version begins anew
        'rotate-account-only' { $modelHost.accounts['CORP\svc-ecs'] = 'Changed-Today-8' }
        default { throw "no such event: $Name" }
    }
    Save-ModelHost $modelHost
}

# GetParameters, for the cmdlet and for the assemblies. Returns @{ error; message } or @{ Parameters; InvalidParameters }.
function Get-ModelParameter([string[]]$Names, [bool]$WithDecryption, [string]$Region, [bool]$OwnRole) {
    Add-ModelCall 'GetParameters' @{ As = $(if ($OwnRole) { 'own-role' } else { 'default-chain' }); Names = $Names; WithDecryption = $WithDecryption; Region = $Region }
    $fault = Use-Fault 'GetParameters'
    if ($fault.error -or $fault.message -or $fault.exception) { return $fault }
    $modelHost = Get-ModelHost
    if ($Region -cne $modelHost.region) { return @{ Parameters = @(); InvalidParameters = $Names } }
    $found = @($Names | Where-Object { @($modelHost.parameters.Keys) -ccontains $_ })
    [array]::Reverse($found)   # the service promises no order
    @{
        Parameters = @($found | ForEach-Object { @{ Name = $_; Version = $modelHost.versions[$_]; LastModifiedDate = $(if ($null -ne $modelHost.written) { [datetime]::new(2026, 11, 1).AddDays($modelHost.written) }); Value = $(if ($WithDecryption) { $modelHost.parameters[$_] } else { 'AQICAHh-encrypted' }) } })
        InvalidParameters = @($Names | Where-Object { $found -cnotcontains $_ })
    }
}

# For the stub assemblies: the response of the service, or its exception.
function Invoke-AmazonModel($Region, $Request, $Credentials) {
    $answer = Get-ModelParameter @($Request.Names) $Request.WithDecryption $Region.SystemName ($null -ne $Credentials)
    if ($answer.exception) { throw (New-ModelException $answer) }
    if ($answer.error) {
        $exception = New-Object Amazon.Runtime.AmazonServiceException $answer.message, $answer.error
        foreach ($outer in @($answer.outer)) { if ($outer) { $exception = New-Object InvalidOperationException $outer, $exception } }
        throw $exception
    }
    if ($answer.message) { throw (New-Object InvalidOperationException $answer.message) }
    [pscustomobject]@{
        Parameters = @($answer.Parameters | ForEach-Object { [pscustomobject]$_ })
        InvalidParameters = $(if ($answer.InvalidParameters.Count -gt 0) { $answer.InvalidParameters })   # newer SDKs leave an empty list null
    }
}

# An exception of the type that a fault names, which is none of the service's.
function New-ModelException($Fault) {
    if ($Fault.exception -ceq 'SocketException') { return New-Object Net.Sockets.SocketException 10060 }
    New-Object $Fault.exception $Fault.message
}

# For the stub assemblies: what the constructor of the instance's own credentials does.
function Assert-ModelRole {
    if (-not (Get-ModelHost).instanceRole) { throw 'No roles found' }
}
