# The functions of map-share.ps1 that call .NET or the registry of Windows directly, over the modelled host instead.
# Everything else of the script runs as it is.

function Read-FirstEntry {
    param([string]$Root)
    Read-ModelRoot $Root
}

function Connect-AnyAddress {
    param([string[]]$Addresses, [int]$Port, [double]$Seconds)
    Test-ModelPort $Addresses $Port
}

# A global mapping has a letter like any other drive.
function Get-DriveLetter {
    $modelHost = Get-ModelHost
    @($modelHost.drives) + @($modelHost.mappings | ForEach-Object { $_.local })
}

function Test-JoinPending { (Get-ModelHost).joinPending }

# One mutex a modelled host, or all tests of this machine would wait for each other.
function Get-MutexName([string]$Drive) {
    'Global\smb-bench-' + $(if ($env:SMB_MODEL_FILE) { [IO.Path]::GetFileNameWithoutExtension($env:SMB_MODEL_FILE) } else { $PID }) + '-' + $Drive.Substring(0, 1)
}
