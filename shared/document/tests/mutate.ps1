# Removes one guard of the mapping script at a time (mutations.json) and runs the tests: one must fail.
# Lists each guard and the test that failed. Exit code 1 if none failed for some guard.
#
# The tests that a guard's hint names run first. All tests run only if these pass.
param([string]$Only = '')

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$here = $PSScriptRoot
$script = [IO.File]::ReadAllText([IO.Path]::Combine($here, '..', 'map-share.ps1'))
$table = ConvertFrom-Json -AsHashtable ([IO.File]::ReadAllText([IO.Path]::Combine($here, 'mutations.json')))
$scratch = [IO.Path]::Combine([IO.Path]::GetTempPath(), "smb-mutate-$PID")
[void][IO.Directory]::CreateDirectory($scratch)

function Start-Bench([string]$File, [string]$Hint) {
    $start = New-Object Diagnostics.ProcessStartInfo
    $start.FileName = if ($env:PWSH) { $env:PWSH } else { 'pwsh' }
    foreach ($argument in '-NoProfile', '-File', [IO.Path]::Combine($here, 'run.ps1'), '-Script', $File, '-Only', $Hint, '-StopAtFirst') { $start.ArgumentList.Add($argument) }
    $start.RedirectStandardOutput = $true
    $start.RedirectStandardError = $true
    $process = [Diagnostics.Process]::Start($start)
    $null = $process.StandardError.ReadToEndAsync()
    @{ Process = $process; Out = $process.StandardOutput.ReadToEndAsync() }
}

# The test that failed, or nothing. A run that does not end is a failure: a script without its limits hangs.
function Get-Catcher($Bench) {
    if (-not $Bench.Process.WaitForExit(240000)) { $Bench.Process.Kill(); return 'the bench did not end' }
    $failed = @($Bench.Out.Result.Split("`n") | Where-Object { $_.StartsWith('FAILED: ') })
    if ($failed.Count -gt 0) { return $failed[0].Substring(8) }
    if ($Bench.Process.ExitCode -ne 0) { return 'the bench did not run to its end' }
}

$survivors = @()
$todo = New-Object Collections.Queue (, @($table.mutations | Where-Object { $_.guard.Contains($Only) }))
$count = $todo.Count
$running = @()
while ($todo.Count -gt 0 -or $running.Count -gt 0) {
    while ($running.Count -lt 2 -and $todo.Count -gt 0) {
        $guard = $todo.Dequeue()
        $at = $script.IndexOf($guard.find, [StringComparison]::Ordinal)
        if ($at -lt 0) { throw "not in the script: $($guard.find)" }
        $file = [IO.Path]::Combine($scratch, [guid]::NewGuid().ToString('N') + '.ps1')
        [IO.File]::WriteAllText($file, $script.Remove($at, $guard.find.Length).Insert($at, $guard.replace))
        $running += @{ Guard = $guard; File = $file; Bench = Start-Bench $file $guard.hint; Whole = $false }
    }
    $first = $running[0]
    $catcher = Get-Catcher $first.Bench
    if (-not $catcher -and -not $first.Whole) {
        $first.Whole = $true
        $first.Bench = Start-Bench $first.File ''
        continue
    }
    $running = @($running | Select-Object -Skip 1)
    if ($catcher) { [Console]::Out.WriteLine("caught    $($first.Guard.guard)  <-  $catcher") }
    else { $survivors += $first.Guard.guard; [Console]::Out.WriteLine("SURVIVED  $($first.Guard.guard)") }
}
[IO.Directory]::Delete($scratch, $true)
[Console]::Out.WriteLine("$count guards, $($count - $survivors.Count) caught, $($survivors.Count) survived")
[Environment]::Exit($(if ($survivors.Count -gt 0) { 1 } else { 0 }))
