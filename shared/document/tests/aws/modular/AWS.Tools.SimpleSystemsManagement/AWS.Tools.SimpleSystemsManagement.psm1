# The modular AWS tools, without their assemblies where the script looks for them.

. ([IO.Path]::Combine($PSScriptRoot, '..', '..', 'Get-SSMParameterValue.ps1'))
