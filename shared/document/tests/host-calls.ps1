# Replaces the functions of map-share.ps1 that call .NET or the registry of Windows, by ones for the modelled host. All
# other functions of the script run unchanged.

function Read-FirstEntry {
    param([string]$Root)
    Read-ModelRoot $Root
}

function Connect-AnyAddress {
    param([string[]]$Addresses, [int]$Port, [double]$Seconds)
    Test-ModelPort $Addresses $Port
}

# The letter of a global mapping is a drive like any other.
function Get-DriveLetter {
    $modelHost = Get-ModelHost
    @($modelHost.drives) + @($modelHost.mappings | ForEach-Object { $_.local })
}

function Test-JoinPending { (Get-ModelHost).joinPending }

function Read-Note { (Get-ModelHost).note }

function Write-Note([string]$Drive, [string]$Text) {
    $modelHost = Get-ModelHost
    $modelHost.note = if ($Text -cne '') { $Text }
    Save-ModelHost $modelHost
}

# One mutex per modelled host, so that the tests of this machine do not wait for each other.
function Get-MutexName([string]$Drive) {
    'Global\smb-bench-' + $(if ($env:SMB_MODEL_FILE) { [IO.Path]::GetFileNameWithoutExtension($env:SMB_MODEL_FILE) } else { $PID }) + '-' + $Drive.Substring(0, 1)
}
