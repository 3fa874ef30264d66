# Resolve-DnsName over the modelled host: a CNAME record has no address, as with the real command.

function Resolve-DnsName {
    [CmdletBinding()]
    param([Parameter(Mandatory, Position = 0)][string]$Name)
    Add-ModelCall 'Resolve-DnsName' $PSBoundParameters
    $fault = Use-Fault 'Resolve-DnsName'
    $addresses = (Get-ModelHost).dns[$Name]
    if ($fault.error -or $null -eq $addresses) {
        $PSCmdlet.WriteError((New-ModelError 'DNS_ERROR_RCODE_NAME_ERROR' "$Name : DNS name does not exist"))
        return
    }
    [pscustomobject]@{ Name = $Name; Type = 'CNAME'; NameHost = "target.$Name" }
    foreach ($address in $addresses) { [pscustomobject]@{ Name = "target.$Name"; Type = 'A'; IPAddress = $address } }
}
