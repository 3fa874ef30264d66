# Runs the text of the SSM document on modelled hosts, one after another, for the local AWS: as an SSM agent would, but for
# the host calls, the limits and the end of the process, so that one process serves a fleet.
#
# Standard input: first {"document": text, "limits": {...}}, then {"id": ..., "action": ..., "host": {...}} a line, with what
# differs from New-ModelHost. Standard output: {"id", "line", "exit", "mappings", "logOns"} a line.

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
