# Runs one case of cases.json: host before and action -> result line, exit code, host after, and calls.

$bench = @{
    Here = $PSScriptRoot
    Letter = 'G:'; Remote = '\\fs.corp.example.com\share'; User = 'CORP\svc-ecs'; Password = 'Not-In-Any-Stream-7'
    # Time limits are long, so that no case fails on a slow machine; waits are short. Cases that hang set their own limits.
    Limits = @{
        script = 120; mutex = 20; lookup = 20; read = 20; readPause = 0.01; domain = 8; dns = 8; port = 8; pause = 0.01
        awsTools = 30; parameters = 20; remove = 20; create = 20; proof = 0.2
    }
}

function Merge-Table([hashtable]$Into, $From) {
    if ($null -eq $From) { return }
    foreach ($key in @($From.Keys)) {
        if ($From[$key] -is [hashtable] -and $Into[$key] -is [hashtable] -and @('accounts', 'parameters', 'addresses', 'dns') -notcontains $key) { Merge-Table $Into[$key] $From[$key] }
        else { $Into[$key] = $From[$key] }
    }
}

# `ours` is our mapping as this script makes it, with the changes of the case; `others` are added unchanged.
function New-CaseHost($Case) {
    $modelHost = New-ModelHost
    Merge-Table $modelHost $Case.host
    if ($null -ne $Case.ours) {
        $ours = @{ local = $bench.Letter; remote = $bench.Remote; status = 'OK'; privacy = $true; persistent = $true; user = $bench.User; password = $bench.Password; owner = 'ours' }
        Merge-Table $ours $Case.ours
        $modelHost.mappings = @($modelHost.mappings) + $ours
    }
    foreach ($other in @($Case.others)) {
        if ($null -eq $other) { continue }
        $entry = @{ status = 'OK'; privacy = $true; persistent = $true; user = 'CORP\someone'; password = 'theirs'; owner = 'other' }
        Merge-Table $entry $other
        $modelHost.mappings = @($modelHost.mappings) + $entry
    }
    if ($Case.leaks) {
        $modelHost.mappings = @($modelHost.mappings) + @(1..$Case.leaks | ForEach-Object { @{ local = $null; remote = "\\leaked\volume$_"; status = 'Disconnected'; privacy = $false; persistent = $true; user = 'x'; password = 'x'; owner = 'other' } })
    }
    $modelHost
}

function ConvertTo-EncodedSettings($Overrides) {
    $values = @{ 'drive' = 'G'; 'remote' = $bench.Remote; 'user-parameter' = 'domainUserName'; 'password-parameter' = 'domainUserPassword'; 'require-domain' = 'true' }
    if ($null -ne $Overrides) {
        if ($Overrides -is [string]) { return $Overrides }
        foreach ($key in @($Overrides.Keys)) { if ($null -eq $Overrides[$key]) { $values.Remove($key) } else { $values[$key] = $Overrides[$key] } }
    }
    [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes((@($values.Keys | ForEach-Object { "$_=$($values[$_])" }) -join "`n") + "`n"))
}

# The AWS tools of a case: `assemblies`, a folder of `aws`, several of them with `beside`, or `missing`.
# The SMB commands: `current`, `old`, `missing`.
function Set-ModulePath([string]$Aws, [string]$Smb = 'current') {
    $roots = @([IO.Path]::Combine($bench.Here, 'model'))
    if ($Smb -cne 'missing') { $roots += [IO.Path]::Combine($bench.Here, 'smb', $Smb) }
    foreach ($tools in $Aws -split ' beside ') {
        if ($tools -ceq 'assemblies') { $roots += $bench.Assemblies } elseif ($tools -cne 'missing') { $roots += [IO.Path]::Combine($bench.Here, 'aws', $tools) }
    }
    # PowerShell's own modules come last: a runspace loads them from the same path.
    $env:PSModulePath = ($roots + [IO.Path]::Combine($PSHOME, 'Modules')) -join [IO.Path]::PathSeparator
}

# Runs the script as its entry point does, in this process, and returns the output of all streams.
function Invoke-Script([string]$Script, [string]$Action, [string]$Settings, [hashtable]$Limits) {
    . $Script
    . ([IO.Path]::Combine($bench.Here, 'host-calls.ps1'))
    Invoke-MapShare $Action $Settings $Limits
}

# The document's text as the agent writes it to its file. Before the last statement the host calls and the limits are
# replaced, and $Before is inserted.
function Get-AgentScript([string]$Document, [string]$Action, [hashtable]$Limits, [string]$Before) {
    $entry = $Document.LastIndexOf("`nif (Test-Path -LiteralPath 'Variable:EncodedSettings')")
    if ($entry -lt 0) { throw 'the entry point of the script was not found' }
    $limitText = @($Limits.Keys | ForEach-Object { "$_ = $($Limits[$_].ToString([Globalization.CultureInfo]::InvariantCulture))" }) -join '; '
    $inserted = "`n. '$([IO.Path]::Combine($bench.Here, 'host-calls.ps1'))'`nfunction Get-DefaultLimit { @{ $limitText } }`n$Before"
    ($Document.Substring(0, $entry) + $inserted + $Document.Substring($entry)).Replace('{{ Action }}', $Action)
}

function Get-MappingText($ModelHost) {
    @($ModelHost.mappings | Where-Object { -not $_.removed } | ForEach-Object { "$($_.local) $($_.remote) persistent=$($_.persistent) privacy=$($_.privacy) of $($_.owner)" })
}

function Get-ChangeText([string]$Change, $Case) {
    $remote = $bench.Remote
    $letter = $bench.Letter
    $user = $bench.User
    if ($Case.settings -is [hashtable]) {
        if ($Case.settings.remote) { $remote = $Case.settings.remote.Replace('/', '\').TrimEnd('\') }
        if ($Case.settings.drive) { $letter = $Case.settings.drive + ':' }
    }
    if ($Case.host.parameters.domainUserName) { $user = $Case.host.parameters.domainUserName }
    switch ($Change) {
        'new' { "New-SmbGlobalMapping -Credential <$user> -ErrorAction Stop -LocalPath $letter -Persistent True -RemotePath $remote -RequirePrivacy True" }
        'remove' { "Remove-SmbGlobalMapping -ErrorAction Stop -Force True -LocalPath $letter -RemotePath $(if ($Case.ours.remote) { $Case.ours.remote } else { $remote })" }
        default { $Change }
    }
}

# Runs the steps of one case. Returns @{ Problems; Lines }; without problems it passed.
function Invoke-Case($Case, [string]$Script) {
    $problems = @()
    $lines = @()
    # The host is made of the tables of its case, and changes them: a case that runs again needs new ones.
    $Case = ConvertFrom-Json -AsHashtable (ConvertTo-Json -Compress -Depth 9 $Case)
    $modelHost = New-CaseHost $Case
    Save-ModelHost $modelHost
    Set-ModulePath $(if ($Case.aws) { $Case.aws } else { $bench.Aws }) $(if ($Case.smb) { $Case.smb } else { 'current' })
    $env:AWS_SSM_REGION_NAME = if ($Case.ContainsKey('region')) { $Case.region } else { 'eu-central-1' }
    $limits = $bench.Limits.Clone()
    Merge-Table $limits $Case.limits
    $steps = if ($Case.steps) { @($Case.steps) } else { @($Case) }
    foreach ($step in $steps) {
        if ($step.event) { Invoke-ModelEvent $step.event; continue }
        if ($step.set) { $modelHost = Get-ModelHost; Merge-Table $modelHost $step.set; Save-ModelHost $modelHost; continue }
        $modelHost = Get-ModelHost
        $modelHost.calls = @()
        $modelHost.logOns = @()
        Save-ModelHost $modelHost
        $before = Get-MappingText $modelHost
        $secrets = @($modelHost.mappings | ForEach-Object { $_.password }) + @($modelHost.parameters.domainUserPassword) | Where-Object { $_ -and $_.Length -gt 3 }
        $clock = [Diagnostics.Stopwatch]::StartNew()
        $output = @(Invoke-Script $Script $step.action (ConvertTo-EncodedSettings $Case.settings) $limits *>&1)
        $seconds = $clock.Elapsed.TotalSeconds
        $modelHost = Get-ModelHost
        $said = @($output | Where-Object { $_ -isnot [hashtable] -or $_.Line -isnot [string] })
        $results = @($output | Where-Object { $_ -is [hashtable] -and $_.Line -is [string] })
        if ($said.Count -gt 0) { $problems += "said beside the result: $said" }
        if ($results.Count -ne 1) { $problems += "gave $($results.Count) results"; break }
        $result = $results[0]
        $lines += @{ Line = $result.Line; ExitCode = $result.ExitCode; Action = $step.action; Expect = $step.expect }
        $problems += Compare-Line $step.expect $result $Case
        if ($step.atLeast -and $seconds -lt $step.atLeast) { $problems += "took $([Math]::Round($seconds, 1)) s, not at least $($step.atLeast)" }
        if ($step.within -and $seconds -gt $step.within) { $problems += "took $([Math]::Round($seconds, 1)) s, not at most $($step.within)" }
        $changes = @($modelHost.calls | Where-Object { $_ -match '^(New|Remove)-' })
        $wanted = @($step.changes | Where-Object { $_ } | ForEach-Object { Get-ChangeText $_ $Case })
        if (($changes -join ' | ') -cne ($wanted -join ' | ')) { $problems += "changed: $($changes -join ' | '); expected: $($wanted -join ' | ')" }
        if ($step.counts) {
            foreach ($name in @($step.counts.Keys)) {
                $count = @($modelHost.calls | Where-Object { $_ -ceq $name -or $_.StartsWith("$name ") }).Count
                if ($count -ne $step.counts[$name]) { $problems += "$name was called $count times, not $($step.counts[$name])" }
            }
        }
        if ($step.order) {
            $names = @($modelHost.calls | ForEach-Object { $_.Split(' ')[0] })
            $at = 0
            foreach ($name in $names) { if ($at -lt $step.order.Count -and $name -ceq $step.order[$at]) { $at++ } }
            if ($at -lt $step.order.Count) { $problems += "not in this order: $($step.order -join ', '); was $($names -join ', ')" }
        }
        # A step that gives no number logs on once for each mapping that it creates.
        $logOns = Get-ModelLogon
        $wantedLogOns = if ($null -ne $step.logOns) { $step.logOns } else { @($wanted | Where-Object { $_ -match '^New-' }).Count }
        if ($logOns.All -ne $wantedLogOns) { $problems += "$($logOns.All) log-ons, not $wantedLogOns" }
        $refused = if ($result.Line -match '"refused":(\d+),') { [int]$Matches[1] } else { $null }
        if ($step.expect.failed -and $refused -ne $logOns.Refused) { $problems += "says that $refused log-ons were refused, not $($logOns.Refused)" }
        $after = Get-MappingText $modelHost
        if ($step.action -ceq 'check' -and -not $modelHost.changedByOthers -and ($after -join ';') -cne ($before -join ';')) { $problems += "a check changed the mappings to $after" }
        $lost = @($before | Where-Object { $_ -like '* of other' -and $after -notcontains $_ })
        if ($lost.Count -gt 0) { $problems += "removed what is not ours: $lost" }
        if ($step.expect.mapped -and $modelHost.note) { $problems += "left the note $($modelHost.note)" }
        if ($step.after) { if (($after -join '; ') -cne ($step.after -join '; ')) { $problems += "left $($after -join '; '), not $($step.after -join '; ')" } }
        foreach ($secret in $secrets) {
            $where = @(@($output | ForEach-Object { if ($_ -is [hashtable]) { $_.Values } else { "$_" } }) + $modelHost.calls | Where-Object { "$_".Contains($secret) })
            if ($where.Count -gt 0) { $problems += "shows a password: $where" }
        }
    }
    @{ Problems = $problems; Lines = $lines }
}

# ConvertFrom-Json turns a text in the format of a time into a time.
function Get-JsonText {
    foreach ($value in $args) { if ($null -eq $value) { 'null' } elseif ($value -is [datetime]) { $value.ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ssZ') } else { "$value" } }
}

function Compare-Line($Expect, $Result, $Case) {
    if ($Result.Line -cmatch '[^\x20-\x7e]') { 'the line is not printable ASCII' }
    if ($Result.Line.Length -gt 1000) { "the line has $($Result.Line.Length) bytes" }
    # ConvertFrom-Json takes more than JSON.
    try { $null = [Text.Json.JsonDocument]::Parse($Result.Line); $line = ConvertFrom-Json -AsHashtable $Result.Line } catch { "not JSON: $($Result.Line)"; return }
    if ($line.v -ne 1) { "v is $($line.v)" }
    if ($Expect.mapped) {
        if ($line.smbMapping -cne 'mapped') { "not mapped: $($Result.Line)"; return }
        $wanted = @{ changed = $false; drive = $bench.Letter; remote = $bench.Remote; status = 'OK'; privacy = $true; boot = '2026-11-22T08:00:00Z' }
        Merge-Table $wanted $Expect.mapped
        foreach ($key in @($wanted.Keys)) {
            $value, $want = Get-JsonText $line[$key] $wanted[$key]
            if ($value -cne $want) { "$key is $value, not $want" }
        }
        if ($Result.ExitCode -ne 0) { "mapped, with exit code $($Result.ExitCode)" }
    } else {
        $got = "$($line.smbMapping) $($line.cause) $($line.step) $($Result.ExitCode)"
        if ($got -cne "failed $($Expect.failed) $($Expect.exit)") { "got '$got': $($line.message)" }
        if (-not $line.message) { 'no message' }
        if ($Expect.saysLast -and -not $line.message.EndsWith($Expect.saysLast)) { "the message does not end with '$($Expect.saysLast)': $($line.message)" }
        if ($Expect.says -and -not $line.message.Contains($Expect.says)) { "the message does not say '$($Expect.says)': $($line.message)" }
    }
}
