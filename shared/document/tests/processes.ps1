# Tests that need a process of their own: the exit code and the end of a process in which a call hangs, standard output as
# the SSM agent reads it, concurrent processes, a killed process, and assemblies that no earlier case has loaded.
#
# The document runs as the agent runs it: the settings on the first line, the action in place of its placeholder, as a
# file with a byte order mark. Only the host calls and the limits are replaced, before its last statement.

function Start-Document($Case, [string]$Script, [string]$ModelFile, [string]$Before = '') {
    $limits = $bench.Limits.Clone()
    Merge-Table $limits $Case.limits
    $document = "`$EncodedSettings = '$(ConvertTo-EncodedSettings $Case.settings)'`n`$ScriptVersion = '0123abcd'`n" + [IO.File]::ReadAllText($Script)
    $file = [IO.Path]::Combine($bench.Scratch, [guid]::NewGuid().ToString('N') + '.ps1')
    [IO.File]::WriteAllText($file, (Get-AgentScript $document $Case.action $limits $Before), (New-Object Text.UTF8Encoding $true))

    Set-ModulePath $(if ($Case.aws) { $Case.aws } else { $bench.Aws })
    if ($Case.modulePath) { $env:PSModulePath += [IO.Path]::PathSeparator + $Case.modulePath }
    Start-File $file $ModelFile $Case
}

# A process that runs the file.
function Start-File([string]$File, [string]$ModelFile = '', $Case = @{}) {
    $start = New-Object Diagnostics.ProcessStartInfo
    $start.FileName = if ($env:PWSH) { $env:PWSH } else { 'pwsh' }
    foreach ($argument in '-NoProfile', '-NonInteractive', '-ExecutionPolicy', 'Unrestricted', '-File', $File) { $start.ArgumentList.Add($argument) }
    $start.RedirectStandardOutput = $true
    $start.RedirectStandardError = $true
    $start.Environment['SMB_MODEL_FILE'] = $ModelFile
    $start.Environment['AWS_SSM_REGION_NAME'] = 'eu-central-1'
    $start.Environment['TZ'] = 'Asia/Tokyo'
    $process = [Diagnostics.Process]::Start($start)
    @{ Process = $process; Out = $process.StandardOutput.ReadToEndAsync(); Err = $process.StandardError.ReadToEndAsync(); Clock = [Diagnostics.Stopwatch]::StartNew(); Case = $Case }
}

function New-ModelFile($Case) {
    $file = [IO.Path]::Combine($bench.Scratch, [guid]::NewGuid().ToString('N') + '.json')
    [IO.File]::WriteAllText($file, (ConvertTo-Json -Depth 8 (New-CaseHost $Case)))
    $file
}

# The problems with the end of a document, which must end within $Seconds after its start.
function Complete-Document($Document, $Expect, [double]$Seconds = 60) {
    $left = [int][Math]::Max(1, 1000 * ($Seconds - $Document.Clock.Elapsed.TotalSeconds))
    if (-not $Document.Process.WaitForExit($left)) { $Document.Process.Kill(); return "did not end within $Seconds s" }
    $out = $Document.Out.Result
    if ($Document.Err.Result -cne '') { "wrote to standard error: $($Document.Err.Result)" }
    if ($out.TrimEnd("`r", "`n").Contains("`n") -or -not $out.EndsWith("`n")) { "did not write one line: $out" }
    Compare-Line $Expect @{ Line = $out.TrimEnd("`r", "`n"); ExitCode = $Document.Process.ExitCode } $Document.Case
}

function Wait-Until([scriptblock]$Condition) {
    $clock = [Diagnostics.Stopwatch]::StartNew()
    while (-not (& $Condition)) {
        if ($clock.Elapsed.TotalSeconds -gt 40) { throw "waited too long for: $Condition" }
        Start-Sleep -Milliseconds 50
    }
}

# Another process writes the model file; a half-written one is read again.
function Read-ModelCalls([string]$File) {
    try { @((ConvertFrom-Json -AsHashtable ([IO.File]::ReadAllText($File))).calls) } catch { @() }
}

function Get-ProcessTests {
    @{ Name = 'the document maps, writes one line and ends with 0, in any time zone'; Body = {
        param($Script)
        $case = @{ action = 'map' }
        $file = New-ModelFile $case
        Complete-Document (Start-Document $case $Script $file) @{ mapped = @{ changed = $true; script = '0123abcd' } }
        $calls = @(Read-ModelCalls $file | Where-Object { $_ -match '^New-' })
        if ($calls.Count -ne 1) { "made $($calls.Count) mappings" }
    } }

    @{ Name = 'the document ends with 78 where nothing will heal by itself, and with 0 for a check that answered'; Body = {
        param($Script)
        foreach ($action in 'map', 'check') {
            $case = @{ action = $action; host = @{ drives = @('C:', 'G:') } }
            $exit = if ($action -ceq 'map') { 78 } else { 0 }
            Complete-Document (Start-Document $case $Script (New-ModelFile $case)) @{ failed = 'drive-in-use look'; exit = $exit }
        }
    } }

    @{ Name = 'in constrained language mode a check ends with 0 and a map with 78'; Body = {
        param($Script)
        foreach ($action in 'map', 'check') {
            $text = "`$ExecutionContext.SessionState.LanguageMode = 'ConstrainedLanguage'`n`$ScriptVersion = '0123abcd'`n" + [IO.File]::ReadAllText($Script)
            $file = [IO.Path]::Combine($bench.Scratch, [guid]::NewGuid().ToString('N') + '.ps1')
            [IO.File]::WriteAllText($file, $text.Replace('{{ Action }}', $action), (New-Object Text.UTF8Encoding $true))
            $document = Start-File $file
            $exit = if ($action -ceq 'map') { 78 } else { 0 }
            Complete-Document $document @{ failed = 'constrained-language script'; exit = $exit }
            if ($document.Out.Result -cnotmatch '"script":"0123abcd"') { "does not name its version: $($document.Out.Result)" }
        }
    } }

    @{ Name = 'a look-up that hangs ends in its cause, and the process with it'; Body = {
        param($Script)
        $case = @{ action = 'map'; limits = @{ lookup = 1 }; host = @{ faults = @{ 'Get-SmbGlobalMapping' = @(@{ hang = 300 }) } } }
        Complete-Document (Start-Document $case $Script (New-ModelFile $case)) @{ failed = 'lookup-hung look'; exit = 75 } 25
    } }

    @{ Name = 'a creation that hangs ends in its cause, and the process with it'; Body = {
        param($Script)
        $case = @{ action = 'map'; limits = @{ create = 1 }; host = @{ faults = @{ 'New-SmbGlobalMapping' = @(@{ hang = 300 }) } } }
        Complete-Document (Start-Document $case $Script (New-ModelFile $case)) @{ failed = 'call-hung create'; exit = 75 } 30
    } }

    @{ Name = 'assemblies that lie in two folders are found by a fresh process'; Body = {
        param($Script)
        if (-not $canEmit) { return }
        $case = @{ action = 'map'; aws = 'missing'; modulePath = $bench.ModularAssemblies }
        Complete-Document (Start-Document $case $Script (New-ModelFile $case)) @{ mapped = @{ changed = $true } }
    } }

    @{ Name = 'a client without the asynchronous method is left for the module beside it'; Body = {
        param($Script)
        if (-not $canEmit) { return }
        $case = @{ action = 'map'; aws = 'modular'; modulePath = $bench.OldAssemblies }
        $file = New-ModelFile $case
        Complete-Document (Start-Document $case $Script $file) @{ mapped = @{ changed = $true } }
        $asked = @(Read-ModelCalls $file | Where-Object { $_ -match '^(GetParameters|Get-SSMParameterValue) ' } | ForEach-Object { $_.Split(' ')[0] })
        if (($asked -join ' ') -cne 'Get-SSMParameterValue GetParameters') { "asked by $asked" }
        $case = @{ action = 'map'; aws = 'modular' }
        $file = New-ModelFile $case
        Complete-Document (Start-Document $case $Script $file) @{ mapped = @{ changed = $true } }
        if (@(Read-ModelCalls $file | Where-Object { $_ -match '^GetParameters -As default-chain' }).Count -ne 1) { 'the module alone did not ask the default chain' }
        $case = @{ action = 'map'; aws = 'missing'; modulePath = $bench.BrokenAssemblies }
        Complete-Document (Start-Document $case $Script (New-ModelFile $case)) @{ failed = 'aws-tools-missing aws-tools'; exit = 78; says = 'AWSSDK.SimpleSystemsManagement.dll: ' }
        # Without the module the binding error is the tools' own, not Parameter Store's.
        $case = @{ action = 'map'; aws = 'missing'; modulePath = $bench.OldAssemblies }
        Complete-Document (Start-Document $case $Script (New-ModelFile $case)) @{ failed = 'aws-tools-missing parameters'; exit = 78; says = 'GetParametersAsync' }
    } }

    @{ Name = 'two at once map once'; Body = {
        param($Script)
        $case = @{ action = 'map'; limits = @{ mutex = 50 }; host = @{ faults = @{ 'New-SmbGlobalMapping' = @(@{ hang = 1 }) } } }
        $file = New-ModelFile $case
        $both = @((Start-Document $case $Script $file), (Start-Document $case $Script $file))
        foreach ($document in $both) { if (-not $document.Process.WaitForExit(60000)) { $document.Process.Kill(); 'one did not end' } }
        $lines = @($both | ForEach-Object { $_.Out.Result.Trim() } | Sort-Object)
        if ($lines[0] -notmatch '"mapped".*"changed":false' -or $lines[1] -notmatch '"mapped".*"changed":true') { "said $($lines -join ' and ')" }
        $calls = @(Read-ModelCalls $file | Where-Object { $_ -match '^(New|Remove)-' })
        if ($calls.Count -ne 1) { "changed $($calls.Count) times" }
    } }

    @{ Name = 'one that is killed leaves an abandoned mutex to the one that waits'; Body = {
        param($Script)
        # Windows and .NET report the abandoned mutex to a waiter; a process that starts after the kill finds no mutex.
        $case = @{ action = 'map'; limits = @{ create = 100; mutex = 50 }; host = @{ faults = @{ 'New-SmbGlobalMapping' = @(@{ hang = 300 }) } } }
        $file = New-ModelFile $case
        $first = Start-Document $case $Script $file
        Wait-Until { (Read-ModelCalls $file) -match '^New-' }
        $marker = "$file.waits"
        $second = Start-Document $case $Script $file "[IO.File]::WriteAllText('$marker', '')`n"
        Wait-Until { [IO.File]::Exists($marker) }
        Start-Sleep -Milliseconds 1500
        if ($second.Process.HasExited) { 'the second did not wait for the first' }
        $first.Process.Kill()
        Complete-Document $second @{ mapped = @{ changed = $true } }
    } }

    @{ Name = 'one that waits too long for another is busy'; Body = {
        param($Script)
        $case = @{ action = 'map'; limits = @{ create = 100 }; host = @{ faults = @{ 'New-SmbGlobalMapping' = @(@{ hang = 300 }) } } }
        $file = New-ModelFile $case
        $first = Start-Document $case $Script $file
        Wait-Until { (Read-ModelCalls $file) -match '^New-' }
        $case.limits = @{ mutex = 1 }
        Complete-Document (Start-Document $case $Script $file) @{ failed = 'busy mutex'; exit = 75 } 30
        $first.Process.Kill()
    } }
}
