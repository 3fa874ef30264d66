# A stub of the only cmdlet of the AWS tools that the script uses.

function Get-SSMParameterValue {
    [CmdletBinding()]
    param([Parameter(Mandatory)][string[]]$Name, [Nullable[bool]]$WithDecryption, [string]$Region, $Credential)
    Add-ModelCall 'Get-SSMParameterValue' $PSBoundParameters
    $answer = Get-ModelParameter $Name $WithDecryption $Region ($null -ne $Credential)
    if ($answer.exception) { $PSCmdlet.ThrowTerminatingError((New-ModelError 'Amazon.PowerShell' '' (New-ModelException $answer))) }
    if ($answer.error) {
        # As in the real tools, the service's exception is inside one of the module.
        $inner = New-Object InvalidOperationException $answer.message
        $inner | Add-Member -NotePropertyName ErrorCode -NotePropertyValue $answer.error
        foreach ($outer in @($answer.outer)) { if ($outer) { $inner = New-Object InvalidOperationException $outer, $inner } }
        $PSCmdlet.ThrowTerminatingError((New-ModelError 'Amazon.SimpleSystemsManagement.AmazonSimpleSystemsManagementException' '' (New-Object InvalidOperationException $answer.message, $inner)))
    }
    if ($answer.message) { $PSCmdlet.ThrowTerminatingError((New-ModelError 'Amazon.PowerShell' $answer.message)) }
    [pscustomobject]@{
        Parameters = @($answer.Parameters | ForEach-Object { [pscustomobject]$_ })
        InvalidParameters = $answer.InvalidParameters
    }
}
