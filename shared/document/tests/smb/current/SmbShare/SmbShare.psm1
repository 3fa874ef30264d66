# The three commands of the real module that the script uses, over the modelled host, with its parameters and error ids.
# Like the real ones they are module functions, so a caller's $ErrorActionPreference does not apply to them.

function Get-SmbGlobalMapping {
    [CmdletBinding()]
    param([Parameter(Position = 0)][string[]]$RemotePath, [Parameter(Position = 1)][string[]]$LocalPath)
    Add-ModelCall 'Get-SmbGlobalMapping' $PSBoundParameters
    $fault = Use-Fault 'Get-SmbGlobalMapping'
    if ($fault.error) { $PSCmdlet.WriteError((New-ModelError $fault.error $fault.message)); return }
    $modelHost = Get-ModelHost
    $found = @(Find-ModelMapping ([string]$LocalPath) ([string]$RemotePath))
    if ($found.Count -eq 0 -and ($LocalPath -or $RemotePath)) {
        $by = if ($LocalPath) { 'LocalPath' } else { 'RemotePath' }
        $PSCmdlet.WriteError((New-ModelError "CmdletizationQuery_NotFound_$by" "No MSFT_SmbGlobalMapping objects found with property '$by' equal to '$LocalPath$RemotePath'."))
    }
    $names = @('OK', 'Paused', 'Disconnected', 'NetworkError', 'Connecting', 'Reconnecting', 'Unavailable')
    foreach ($entry in $found) {
        $shown = [ordered]@{ Status = $(if ($modelHost.numericStatus) { [uint32][array]::IndexOf($names, $entry.status) } else { $entry.status }); LocalPath = $entry.local; RemotePath = $entry.remote }
        if ($modelHost.privacyProperty) { $shown.RequirePrivacy = $entry.privacy }
        [pscustomobject]$shown
    }
}

function New-SmbGlobalMapping {
    [CmdletBinding()]
    param([string]$LocalPath, [string]$RemotePath, [Parameter(Mandatory)][pscredential]$Credential, [bool]$Persistent = $true, [bool]$RequirePrivacy, [bool]$RequireIntegrity)
    Add-ModelCall 'New-SmbGlobalMapping' $PSBoundParameters
    $fault = Use-Fault 'New-SmbGlobalMapping'
    # Whatever New- answers, it may have presented the credential.
    if ($fault.error) {
        $code = if ($fault.error -match '(Error |_)(\d{1,5})$') { [int]$Matches[2] } else { -1 }
        $password = Read-SecureText $Credential.Password
        Add-ModelLogon $Credential.UserName $password $false $code
        $message = $fault.message.Replace('<half>', [string][char]0xde00).Replace('<password>', $password)
        $PSCmdlet.WriteError((New-ModelError $fault.error $message))
        return
    }
    $code = New-ModelMapping $LocalPath $RemotePath $Credential $Persistent $RequirePrivacy
    if ($code -ne 0) { $PSCmdlet.WriteError((New-ModelError "Windows System Error $code" "error $code")); return }
    Write-Warning 'the mapping is visible to all users of this host'
    Find-ModelMapping $LocalPath $RemotePath | ForEach-Object { [pscustomobject]@{ Status = $_.status; LocalPath = $_.local; RemotePath = $_.remote } }
}

function Remove-SmbGlobalMapping {
    [CmdletBinding()]
    param([Parameter(Position = 0)][string[]]$RemotePath, [string[]]$LocalPath, [switch]$Force)
    Add-ModelCall 'Remove-SmbGlobalMapping' $PSBoundParameters
    $fault = Use-Fault 'Remove-SmbGlobalMapping'
    if ($fault.error) { $PSCmdlet.WriteError((New-ModelError $fault.error $fault.message)); return }
    if (-not $Force) { $PSCmdlet.ThrowTerminatingError((New-ModelError 'InvalidOperation' 'it would ask for confirmation, and the host is not interactive')) }
    $found = @(Find-ModelMapping ([string]$LocalPath) ([string]$RemotePath))
    if ($found.Count -eq 0) { $PSCmdlet.WriteError((New-ModelError 'CmdletizationQuery_NotFound_RemotePath' 'nothing is mapped so')); return }
    foreach ($entry in $found) { Remove-ModelMapping $entry }
}
