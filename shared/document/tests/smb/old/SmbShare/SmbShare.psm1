# The module of a Windows release whose New-SmbGlobalMapping has no RequirePrivacy.

function Get-SmbGlobalMapping {
    [CmdletBinding()]
    param([Parameter(Position = 0)][string[]]$RemotePath, [Parameter(Position = 1)][string[]]$LocalPath)
    Add-ModelCall 'Get-SmbGlobalMapping' $PSBoundParameters
}

function New-SmbGlobalMapping {
    [CmdletBinding()]
    param([string]$LocalPath, [string]$RemotePath, [Parameter(Mandatory)][pscredential]$Credential, [bool]$Persistent = $true)
    Add-ModelCall 'New-SmbGlobalMapping' $PSBoundParameters
}
