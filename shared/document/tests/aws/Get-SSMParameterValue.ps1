# A stub of the only cmdlet of the AWS tools that the script uses.

function Get-SSMParameterValue {
    [CmdletBinding()]
    param([Parameter(Mandatory)][string[]]$Name, [Nullable[bool]]$WithDecryption, [string]$Region)
    Add-ModelCall 'Get-SSMParameterValue' $PSBoundParameters
    $answer = Get-ModelParameter $Name $WithDecryption $Region
    if ($answer.error) {
        # As in the real tools, the service's exception is inside one of the module.
        $inner = New-Object InvalidOperationException $answer.message
        $inner | Add-Member -NotePropertyName ErrorCode -NotePropertyValue $answer.error
        $PSCmdlet.ThrowTerminatingError((New-ModelError 'Amazon.SimpleSystemsManagement.AmazonSimpleSystemsManagementException' '' (New-Object InvalidOperationException $answer.message, $inner)))
    }
    [pscustomobject]@{
        Parameters = @($answer.Parameters | ForEach-Object { [pscustomobject]$_ })
        InvalidParameters = $answer.InvalidParameters
    }
}
