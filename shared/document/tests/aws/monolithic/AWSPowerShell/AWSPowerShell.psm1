# The monolithic AWS tools of a release that does not load under strict mode.

if ($undeclaredInThisRelease) { throw 'not reached' }
Add-ModelCall 'Import-Module' @{ Name = 'AWSPowerShell' }
$null = Use-Fault 'Import-Module'

. ([IO.Path]::Combine($PSScriptRoot, '..', '..', 'Get-SSMParameterValue.ps1'))
