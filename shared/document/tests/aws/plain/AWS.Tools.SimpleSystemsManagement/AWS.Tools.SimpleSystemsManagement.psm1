# AWS tools whose command takes no credentials.

function Get-SSMParameterValue {
    [CmdletBinding()]
    param([Parameter(Mandatory)][string[]]$Name, [Nullable[bool]]$WithDecryption, [string]$Region)
    Add-ModelCall 'Get-SSMParameterValue' $PSBoundParameters
    $answer = Get-ModelParameter $Name $WithDecryption $Region $false
    [pscustomobject]@{ Parameters = @($answer.Parameters | ForEach-Object { [pscustomobject]$_ }) }
}
