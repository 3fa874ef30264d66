# Runs the tests against every mutant of the mapping script (mutants.ps1): one test must fail each time. Lists all of them.
# Exit code 1 if a survivor is not in survivors.json, or if that file names one that is caught or does not exist.
#
#     pwsh -NoProfile -File mutate.ps1 [-Only TEXT] [-Sample 1/4] [-Workers 2] [-List] [-Most 50]
#
# `-Only` takes the mutants whose function or name contains a text, and `-Sample 2/4` the second of every four. `-List`
# runs nothing. With `-Most 15` a mutant meets no more tests: a quick look, with survivors that a later test would catch.
#
# The tests run first once against a copy of the script that records which statements run: a mutant meets only the tests
# that reach it. One that no test reaches survives.
#
# survivors.json has one {"function", "mutation", "why"} per survivor. An entry without a mutation accepts all of its function.
param([string]$Only = '', [string]$Sample = '1/1', [int]$Workers = 2, [switch]$List, [int]$Most = 9999)

Set-StrictMode -Off
$ErrorActionPreference = 'Stop'
. ([IO.Path]::Combine($PSScriptRoot, 'mutants.ps1'))
$clock = [Diagnostics.Stopwatch]::StartNew()
# The coverage is some ten thousand folders, which a disk makes and deletes slowly.
$scratch = [IO.Path]::Combine($(if ([IO.Directory]::Exists('/dev/shm')) { '/dev/shm' } else { [IO.Path]::GetTempPath() }), "smb-mutate-$PID")
$tests = @()       # name, case
$seconds = @{}     # of a test
$turn = @{}        # of a test among those that reach the same statements, fastest first
$reached = @{}     # statement -> tests
$catches = @{}     # "function test" -> how many mutants of the function the test caught
$servers = New-Object Collections.ArrayList
$idle = New-Object Collections.Stack
# A survivor that is listed meets fewer tests, because it would meet all each time.
$mostOfListed = 10

function Write-Row([string]$Text) { [Console]::Out.WriteLine($Text); [Console]::Out.Flush() }

# ---- processes that run tests (run.ps1 -Serve)

function Start-Server {
    $start = New-Object Diagnostics.ProcessStartInfo
    $start.FileName = if ($env:PWSH) { $env:PWSH } else { 'pwsh' }
    foreach ($argument in '-NoProfile', '-File', [IO.Path]::Combine($PSScriptRoot, 'run.ps1'), '-Serve') { $start.ArgumentList.Add($argument) }
    $start.RedirectStandardInput = $start.RedirectStandardOutput = $start.RedirectStandardError = $true
    # One that is killed leaves its files here.
    $start.Environment['TMPDIR'] = $start.Environment['TEMP'] = $scratch
    $process = [Diagnostics.Process]::Start($start)
    [void]$servers.Add($process)
    $errors = $process.StandardError.ReadToEndAsync()
    while ($true) {
        $line = $process.StandardOutput.ReadLine()
        if ($null -eq $line) { throw "run.ps1 -Serve did not start: $($errors.Result)" }
        if ($line -cmatch '^serve ready (.+)$') { $script:tests = @(ConvertFrom-Json -AsHashtable $Matches[1]); break }
    }
    @{ Process = $process; Done = 0 }
}

function Stop-Server($Process) {
    if (-not $Process.HasExited) { $Process.Kill($true); $Process.WaitForExit() }
    $servers.Remove($Process)
}

function Send-Job($Job) {
    $server = if ($idle.Count -gt 0) { $idle.Pop() } else { Start-Server }
    $server.Job = $Job
    $file = $Job.File
    if ($Job.Mutant) {
        $server.Done++
        $file = [IO.Path]::Combine($scratch, [guid]::NewGuid().ToString('N') + '.ps1')
        [IO.File]::WriteAllText($file, $Job.Mutant.Text)
        $Job.Tests = Get-SortedTests $Job.Mutant
    }
    $server.Process.StandardInput.WriteLine((ConvertTo-Json -Compress @{ script = $file; coverage = $Job.Coverage; tests = @($Job.Tests) }))
    $server.Read = $server.Process.StandardOutput.ReadLineAsync()
    $server.Until = $clock.Elapsed.TotalSeconds + 60
    $server
}

# 'passed', or what failed, or nothing as long as the job runs.
function Get-Outcome($Server) {
    while ($Server.Read.IsCompleted) {
        $line = $Server.Read.Result
        $now = $clock.Elapsed.TotalSeconds
        if ($null -eq $line) { Stop-Server $Server.Process; return 'the process ended' }
        if ($line -cmatch '^serve (passed|failed .+)$') {
            $Server.Job.Seconds = $now - $Server.Started
            if ($line -cne 'serve passed') { $Server.Job.Caught = $Server.Test }
            # A server keeps every script that it has loaded.
            if ($Server.Done -lt 60) { $idle.Push($Server) } else { Stop-Server $Server.Process }
            return $line.Substring(6)
        }
        if ($line -cmatch '^serve test (\d+)$') {
            $Server.Test = [int]$Matches[1]
            $Server.Started = $now
            $Server.Until = $now + $(if ($null -ne $seconds[$Server.Test]) { 5 + 3 * $seconds[$Server.Test] } else { 90 })
        }
        $Server.Read = $Server.Process.StandardOutput.ReadLineAsync()
    }
    if ($clock.Elapsed.TotalSeconds -gt $Server.Until) { Stop-Server $Server.Process; return "does not end: $($tests[$Server.Test].name)" }
}

# $OnEnd gets a job and its outcome.
function Invoke-Jobs([object[]]$Jobs, [scriptblock]$OnEnd) {
    $busy = @()
    $next = 0
    while ($next -lt $Jobs.Count -or $busy.Count -gt 0) {
        while ($next -lt $Jobs.Count -and $busy.Count -lt $Workers) { $busy += Send-Job $Jobs[$next++] }
        [void][Threading.Tasks.Task]::WaitAny([Threading.Tasks.Task[]]@($busy | ForEach-Object { $_.Read }), 500)
        $busy = @(foreach ($server in $busy) {
            $outcome = Get-Outcome $server
            if ($outcome) { $null = & $OnEnd $server.Job $outcome } else { $server }
        })
    }
}

# ---- which tests reach a statement

function Read-Coverage([string]$Instrumented) {
    $idle.Push((Start-Server))
    $file = [IO.Path]::Combine($scratch, 'instrumented.ps1')
    [IO.File]::WriteAllText($file, $Instrumented)
    $jobs = @(for ($i = 0; $i -lt $tests.Count; $i++) { @{ File = $file; Tests = @($i); Coverage = [IO.Path]::Combine($scratch, "coverage-$i") } })
    $paths = @{}
    Invoke-Jobs $jobs {
        param($Job, $Outcome)
        if ($Outcome -cne 'passed') { throw "a test fails without a mutation: $Outcome" }
        $seconds[$Job.Tests[0]] = $Job.Seconds
        if (-not [IO.Directory]::Exists($Job.Coverage)) { return }
        $statements = @([IO.Directory]::GetDirectories($Job.Coverage) | ForEach-Object { [int][IO.Path]::GetFileName($_) } | Sort-Object)
        foreach ($statement in $statements) { $reached[$statement] += $Job.Tests }
        $paths[$statements -join ' '] += $Job.Tests
    }
    foreach ($same in $paths.Values) { $order = 0; foreach ($test in @($same | Sort-Object { $seconds[$_] })) { $turn[$test] = $order++ } }
}

# First the tests that mention what the mutant lost, and those that caught others of its function; then one for each way
# through the script; then the fastest.
function Get-SortedTests($Mutant) {
    $scored = foreach ($test in $reached[$Mutant.Statement]) {
        $caught = $catches["$($Mutant.Function) $test"]
        $score = if ($Mutant.Word -match '^[\w-]{2,}$' -and $texts[$test].Contains($Mutant.Word)) { 0 }
        elseif ($caught) { $seconds[$test] / (1 + $caught) }
        else { $seconds[$test] + 10 * $turn[$test] }
        @{ Test = $test; Score = $score }
    }
    $limit = if (Get-Reason $Mutant) { [Math]::Min($Most, $mostOfListed) } else { $Most }
    @($scored | Sort-Object { $_.Score } | Select-Object -First $limit | ForEach-Object { $_.Test })
}

# ---- the run

$derived = Get-Mutants ([IO.Path]::Combine($PSScriptRoot, '..', 'map-share.ps1'))
$number = 0
$part, $parts = [int[]]$Sample.Split('/')
$chosen = @($derived.Mutants | Where-Object { "$($_.Function) $($_.Name)".Contains($Only) -and ($number++) % $parts -eq $part - 1 })
$title = { "$($args[0].Function) $($args[0].Line)  $($args[0].Name)" }
if ($List) {
    foreach ($mutant in $chosen) { Write-Row (& $title $mutant) }
    Write-Row "$($chosen.Count) of $($derived.Mutants.Count) mutants"
    exit 0
}

$accepted = @((ConvertFrom-Json -AsHashtable ([IO.File]::ReadAllText([IO.Path]::Combine($PSScriptRoot, 'survivors.json')))).survivors)
function Test-Names($Entry, $Mutant) { $Entry.function -ceq $Mutant.Function -and ($null -eq $Entry.mutation -or $Entry.mutation -ceq $Mutant.Name) }
function Get-Reason($Mutant) { foreach ($entry in $accepted) { if (Test-Names $entry $Mutant) { return $entry.why } } }

$unexpected = New-Object Collections.ArrayList
function Complete-Mutant($Mutant, [string]$Outcome, [string]$Why) {
    $Mutant.Outcome = $Outcome
    if ($Outcome -cne 'caught') {
        $Why = Get-Reason $Mutant
        if (-not $Why) { $Why = 'NOT LISTED'; [void]$unexpected.Add($Mutant) }
    }
    Write-Row "$($Outcome.PadRight(12)) $(& $title $Mutant)  <-  $Why"
}

[void][IO.Directory]::CreateDirectory($scratch)
try {
    Read-Coverage $derived.Instrumented
    $texts = @($tests | ForEach-Object { ConvertTo-Json -Compress -Depth 9 $_ })
    Write-Row "$($chosen.Count) of $($derived.Mutants.Count) mutants, $($tests.Count) tests, $([int]$clock.Elapsed.TotalSeconds) s for the coverage"
    foreach ($mutant in $chosen) { if (-not $reached.ContainsKey($mutant.Statement)) { Complete-Mutant $mutant 'not reached' } }
    Invoke-Jobs @($chosen | Where-Object { -not $_.Outcome } | ForEach-Object { @{ Mutant = $_ } }) {
        param($Job, $Outcome)
        if ($null -ne $Job.Caught) { $catches["$($Job.Mutant.Function) $($Job.Caught)"]++ }
        if ($Outcome -ceq 'passed') { Complete-Mutant $Job.Mutant 'survived' }
        else { Complete-Mutant $Job.Mutant 'caught' $Outcome.Substring(0, [Math]::Min(120, $Outcome.Length)) }
    }
} finally {
    foreach ($process in @($servers)) { Stop-Server $process }
    [IO.Directory]::Delete($scratch, $true)
}

$wrong = $unexpected.Count
foreach ($entry in $accepted) {
    $meant = @($derived.Mutants | Where-Object { Test-Names $entry $_ })
    $run = @($meant | Where-Object { $_.Outcome })
    $problem = if ($meant.Count -eq 0) { 'there is no such mutant' } elseif ($run.Count -gt 0 -and @($run | Where-Object { $_.Outcome -cne 'caught' }).Count -eq 0) { 'it is caught' }
    if ($problem) { $wrong++; Write-Row "survivors.json: $($entry.function) $($entry.mutation): $problem" }
}
$columns = 'caught', 'survived', 'not reached'
Write-Row ("{0,-12}{1,9}{2,9}{3,10}{4,13}{5,12}" -f 'operator', 'mutants', 'caught', 'survived', 'not reached', 'not parsed')
foreach ($operator in @($derived.Mutants | ForEach-Object { $_.Operator } | Sort-Object -Unique) + 'all') {
    $of = @($chosen | Where-Object { $operator -ceq 'all' -or $_.Operator -ceq $operator })
    $counts = @($columns | ForEach-Object { $outcome = $_; @($of | Where-Object { $_.Outcome -ceq $outcome }).Count })
    $unparsed = if ($operator -ceq 'all') { ($derived.Unparsed.Values | Measure-Object -Sum).Sum } else { $derived.Unparsed[$operator] }
    Write-Row ("{0,-12}{1,9}{2,9}{3,10}{4,13}{5,12}" -f $operator, $of.Count, $counts[0], $counts[1], $counts[2], [int]$unparsed)
}
Write-Row "$wrong unexpected, $([int]$clock.Elapsed.TotalSeconds) s"
exit $(if ($wrong -gt 0) { 1 } else { 0 })
