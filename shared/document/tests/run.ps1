# Runs the tests: pwsh -NoProfile -File run.ps1 [-Script FILE] [-Only TEXT] [-StopAtFirst] [-Report FILE] [-Part 1/2] [-Serve]
#
# First every case of cases.json, then the tests that need a process of their own. Exit code 1 if one failed. The report
# has one JSON object per run: case, action, expectation and the script's result line, for the parser's tests.
# `-Part 2/3` runs the second of every three. `-Serve` is for mutate.ps1; see below.
param([string]$Script, [string]$Only = '', [switch]$StopAtFirst, [string]$Report = '', [string]$Part = '1/1', [switch]$Serve)

Set-StrictMode -Off
$ErrorActionPreference = 'Stop'
if (-not $Script) { $Script = [IO.Path]::Combine($PSScriptRoot, '..', 'map-share.ps1') }
. ([IO.Path]::Combine($PSScriptRoot, 'bench.ps1'))
. ([IO.Path]::Combine($PSScriptRoot, 'stub-assemblies.ps1'))
. ([IO.Path]::Combine($PSScriptRoot, 'units.ps1'))
. ([IO.Path]::Combine($PSScriptRoot, 'harden.ps1'))
. ([IO.Path]::Combine($PSScriptRoot, 'processes.ps1'))
$env:SMB_MODEL_FILE = $null
Set-ModulePath 'missing'
Import-Module SmbModel

$bench.Scratch = [IO.Path]::Combine([IO.Path]::GetTempPath(), "smb-bench-$PID")
$bench.Assemblies = [IO.Path]::Combine($bench.Scratch, 'assemblies')
$monolithic = [IO.Path]::Combine($bench.Assemblies, 'AWSPowerShell')
[void][IO.Directory]::CreateDirectory($monolithic)
$canEmit = $null -ne ('System.Reflection.Emit.PersistedAssemblyBuilder' -as [type])
$bench.ModularAssemblies = [IO.Path]::Combine($bench.Scratch, 'modular')
$core = [IO.Path]::Combine($bench.ModularAssemblies, 'AWS.Tools.Common', '4.1.700')
$service = [IO.Path]::Combine($bench.ModularAssemblies, 'AWS.Tools.SimpleSystemsManagement', '4.1.700')
$bench.OldAssemblies = [IO.Path]::Combine($bench.Scratch, 'old')
$old = [IO.Path]::Combine($bench.OldAssemblies, 'AWSPowerShell')
# Earlier versions, by number and by text, which do not work.
$earlier = @(foreach ($version in '4.1.99', '3.15.1') { @{ Core = $core.Replace('4.1.700', $version); Service = $service.Replace('4.1.700', $version) } })
$bench.BrokenAssemblies = [IO.Path]::Combine($bench.Scratch, 'broken')
$broken = [IO.Path]::Combine($bench.BrokenAssemblies, 'AWSPowerShell')
$folders = @($core, $service, $old, $broken) + @($earlier | ForEach-Object { $_.Core; $_.Service })
foreach ($folder in $folders) { [void][IO.Directory]::CreateDirectory($folder) }
foreach ($name in 'Core', 'SimpleSystemsManagement') { [IO.File]::WriteAllText([IO.Path]::Combine($broken, "AWSSDK.$name.dll"), 'no assembly') }
if ($canEmit) {
    foreach ($version in $earlier) { New-StubAssemblies $version.Core $version.Service $false }
    New-StubAssemblies $old $old $false
    New-StubAssemblies $monolithic $monolithic
    New-StubAssemblies $core $service
} else {
    [Console]::Out.WriteLine('SKIPPED: cases with stub assemblies need PowerShell 7.5 or later')
}
$bench.Aws = if ($canEmit) { 'assemblies' } else { 'modular' }

$failed = @()
$passed = 0
$rows = @()
function Add-Outcome([string]$Name, $Problems, $Lines) {
    foreach ($line in @($Lines)) { if ($line) { $script:rows += ConvertTo-Json -Depth 6 -Compress @{ case = $Name; action = $line.Action; expect = $line.Expect; line = $line.Line; exit = $line.ExitCode } } }
    $problems = @($Problems | Where-Object { $_ })
    if ($problems.Count -eq 0) { $script:passed++; return }
    $script:failed += $Name
    [Console]::Out.WriteLine("FAILED: $Name")
    foreach ($problem in $problems) { [Console]::Out.WriteLine("    $problem") }
}

function Invoke-Test($Test, [string]$Script) {
    try { if ($Test.Case) { Invoke-Case $Test.Case $Script } else { @{ Problems = @(& $Test.Body $Script); Lines = @() } } }
    catch { @{ Problems = @("threw: $_ $($_.ScriptStackTrace)"); Lines = @() } }
}

$table = ConvertFrom-Json -AsHashtable ([IO.File]::ReadAllText([IO.Path]::Combine($PSScriptRoot, 'cases.json')))
$names = @($table.cases | ForEach-Object { $_.name })
foreach ($group in @($names | Group-Object | Where-Object { $_.Count -gt 1 })) { throw "two cases have the name '$($group.Name)'" }
$part, $parts = [int[]]$Part.Split('/')
$number = 0
$all = @($table.cases | ForEach-Object { @{ Name = $_.name; Case = $_ } }) + @(Get-UnitTests) + @(Get-HardenTests) + @(Get-ProcessTests)
$all = @($all | Where-Object { $canEmit -or $_.Case.aws -notmatch '^assemblies' })

# Standard input: one JSON object per line, with the file of a script, numbers of tests, and a folder for its coverage.
# Each test is announced before it runs. The answer is the first failure, or `passed`.
if ($Serve) {
    # A script that forgets one of its own variables must not find one of these.
    Remove-Variable -Name 'names', 'number', 'part', 'parts', 'failed', 'passed', 'rows', 'core', 'service', 'folder', 'folders', 'group', 'name', 'version', 'old', 'broken', 'earlier' -ErrorAction Ignore
    function Write-Answer([string]$Text) { [Console]::Out.WriteLine("serve $Text"); [Console]::Out.Flush() }
    Write-Answer "ready $(ConvertTo-Json -Compress -Depth 9 @($all | ForEach-Object { @{ name = $_.Name; case = $_.Case } }))"
    while ($null -ne ($requestText = [Console]::In.ReadLine())) {
        $request = ConvertFrom-Json -AsHashtable $requestText
        $env:SMB_COVERAGE = $request.coverage
        $verdict = 'passed'
        foreach ($index in $request.tests) {
            Write-Answer "test $index"
            $testProblems = @((Invoke-Test $all[$index] $request.script).Problems | Where-Object { $_ })
            if ($testProblems.Count -gt 0) { $verdict = "failed $($all[$index].Name): $($testProblems -join '; ' -replace '\s+', ' ')"; break }
        }
        Write-Answer $verdict
    }
    [Environment]::Exit(0)
}

foreach ($test in $all) {
    $number++
    if ($number % $parts -ne $part - 1) { continue }
    if ($StopAtFirst -and $failed.Count -gt 0) { break }
    if ($Only -and -not $test.Name.Contains($Only)) { continue }
    $outcome = Invoke-Test $test $Script
    Add-Outcome $test.Name $outcome.Problems $outcome.Lines
}

if ($Report) { [IO.File]::WriteAllLines($Report, [string[]]$rows) }
[IO.Directory]::Delete($bench.Scratch, $true)
[Console]::Out.WriteLine("$passed passed, $($failed.Count) failed")
[Console]::Out.Flush()
# `exit` would wait for the runspaces that hang after a case.
[Environment]::Exit($(if ($failed.Count -gt 0) { 1 } else { 0 }))
