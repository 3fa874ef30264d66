# Get-CimInstance for the two classes that the script reads, over the modelled host.

function Get-CimInstance {
    [CmdletBinding()]
    param([Parameter(Mandatory, Position = 0)][string]$ClassName)
    Add-ModelCall 'Get-CimInstance' $PSBoundParameters
    $fault = Use-Fault $ClassName
    if ($fault.error) { $PSCmdlet.WriteError((New-ModelError $fault.error $fault.message)); return }
    $modelHost = Get-ModelHost
    switch ($ClassName) {
        # The real command returns local time. A model from JSON already holds a time.
        'Win32_OperatingSystem' {
            $boot = if ($null -eq $modelHost.boot -or $modelHost.boot -is [datetime]) { $modelHost.boot } else { [datetime]::Parse($modelHost.boot, [Globalization.CultureInfo]::InvariantCulture) }
            [pscustomobject]@{ LastBootUpTime = $(if ($null -eq $boot) { $null } else { $boot.ToLocalTime() }) }
        }
        'Win32_ComputerSystem' { [pscustomobject]@{ PartOfDomain = $modelHost.domain; Domain = $(if ($modelHost.domain) { $modelHost.domainName } else { 'WORKGROUP' }) } }
        default { $PSCmdlet.WriteError((New-ModelError 'HRESULT 0x80041010' 'Invalid class')) }
    }
}
