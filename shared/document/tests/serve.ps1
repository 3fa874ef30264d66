# Runs the SSM document on modelled hosts, one after another, for the local AWS. The host calls, the limits and the end of
# the process are replaced, so that one process serves a fleet.
#
# Standard input: first {"document": text, "limits": {...}}, then one {"id": ..., "action": ..., "host": {...}} per line,
# with the differences from New-ModelHost. Standard output: one {"id", "line", "exit", "mappings", "logOns"} per line.

Set-StrictMode -Off
$ErrorActionPreference = 'Stop'
. ([IO.Path]::Combine($PSScriptRoot, 'bench.ps1'))
$env:SMB_MODEL_FILE = $null
Set-ModulePath 'modular'
Import-Module SmbModel
$out = [Console]::Out
$setup = ConvertFrom-Json -AsHashtable ([Console]::In.ReadLine())
$limits = $bench.Limits.Clone()
Merge-Table $limits $setup.limits
while ($null -ne ($request = [Console]::In.ReadLine())) {
    $request = ConvertFrom-Json -AsHashtable $request
    $modelHost = New-ModelHost
    foreach ($key in @($request.host.Keys)) { $modelHost[$key] = $request.host[$key] }
    Save-ModelHost $modelHost
    $env:AWS_SSM_REGION_NAME = $modelHost.region
    $text = Get-AgentScript $setup.document $request.action $limits 'function Exit-Process([int]$ExitCode) { $global:served = $ExitCode }'
    $global:served = $null
    $said = New-Object IO.StringWriter
    [Console]::SetOut($said)
    try { $null = & ([scriptblock]::Create($text)) } finally { [Console]::SetOut($out) }
    $modelHost = Get-ModelHost
    $answer = @{ id = $request.id; line = $said.ToString(); exit = $global:served; mappings = @($modelHost.mappings); logOns = @($modelHost.logOns) }
    $out.WriteLine((ConvertTo-Json -Depth 5 -Compress $answer))
    $out.Flush()
}
