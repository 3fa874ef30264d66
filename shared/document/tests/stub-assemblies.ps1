# Makes stubs of AWSSDK.Core.dll and AWSSDK.SimpleSystemsManagement.dll, with only the types, constructors and the method
# that the script uses, for the modelled host. PowerShell 7.5 or later is needed to write an assembly without a compiler.

function New-StubAssembly([string]$Name, [string]$Folder, [scriptblock]$Types) {
    $assembly = [Reflection.Emit.PersistedAssemblyBuilder]::new([Reflection.AssemblyName]::new("$Name, Version=3.3.0.0"), [object].Assembly)
    $module = $assembly.DefineDynamicModule($Name)
    & $Types $module
    $assembly.Save([IO.Path]::Combine($Folder, "$Name.dll"))
}

# A class whose constructor passes its first $ToBase arguments to the base, and stores all of them in fields of these names.
function Add-StubClass($Module, [string]$Name, [type]$Base, [object[]]$Fields, [int]$ToBase) {
    $class = $Module.DefineType($Name, 'Public,Class', $Base)
    $made = @{}
    $types = [type[]]@($Fields | ForEach-Object { $_[1] })
    $constructor = $class.DefineConstructor('Public', 'Standard', $types)
    $il = $constructor.GetILGenerator()
    $il.Emit([Reflection.Emit.OpCodes]::Ldarg_0)
    for ($i = 0; $i -lt $ToBase; $i++) { $il.Emit([Reflection.Emit.OpCodes]::Ldarg, [int16]($i + 1)) }
    $il.Emit([Reflection.Emit.OpCodes]::Call, $Base.GetConstructor([type[]]@($types | Select-Object -First $ToBase)))
    for ($i = $ToBase; $i -lt $Fields.Count; $i++) {
        $field = $class.DefineField($Fields[$i][0], $Fields[$i][1], 'Public')
        $il.Emit([Reflection.Emit.OpCodes]::Ldarg_0)
        $il.Emit([Reflection.Emit.OpCodes]::Ldarg, [int16]($i + 1))
        $il.Emit([Reflection.Emit.OpCodes]::Stfld, $field)
        $made[$Fields[$i][0]] = $field
    }
    $il.Emit([Reflection.Emit.OpCodes]::Ret)
    @{ Class = $class; Constructor = $constructor; Fields = $made }
}

# Emits a call of a command of the modelled host with the fields of `this` that are given, and the first argument where there is one.
function Add-CommandCall($Il, [string]$Command, $Fields, [bool]$TakesArgument) {
    $shell = [Management.Automation.PowerShell]
    $Il.Emit([Reflection.Emit.OpCodes]::Ldc_I4, [int][Management.Automation.RunspaceMode]::CurrentRunspace)
    $Il.Emit([Reflection.Emit.OpCodes]::Call, $shell.GetMethod('Create', [type[]]@([Management.Automation.RunspaceMode])))
    $Il.Emit([Reflection.Emit.OpCodes]::Ldstr, $Command)
    $Il.Emit([Reflection.Emit.OpCodes]::Callvirt, $shell.GetMethod('AddCommand', [type[]]@([string])))
    $addArgument = $shell.GetMethod('AddArgument')
    for ($i = 0; $i -lt @($Fields).Count; $i++) {
        if ($i -eq 1 -and $TakesArgument) { $Il.Emit([Reflection.Emit.OpCodes]::Ldarg_1); $Il.Emit([Reflection.Emit.OpCodes]::Callvirt, $addArgument) }
        $Il.Emit([Reflection.Emit.OpCodes]::Ldarg_0)
        $Il.Emit([Reflection.Emit.OpCodes]::Ldfld, $Fields[$i])
        $Il.Emit([Reflection.Emit.OpCodes]::Callvirt, $addArgument)
    }
    $Il.Emit([Reflection.Emit.OpCodes]::Callvirt, @($shell.GetMethods() | Where-Object { $_.Name -ceq 'Invoke' -and -not $_.IsGenericMethod -and $_.GetParameters().Count -eq 0 })[0])
}

# Without `-Async` the client is one that .NET 3.5 has: it lacks the method that the script calls.
function New-StubAssemblies([string]$CoreFolder, [string]$ServiceFolder, [bool]$Async = $true) {
    New-StubAssembly 'AWSSDK.Core' $CoreFolder {
        param($module)
        $region = Add-StubClass $module 'Amazon.RegionEndpoint' ([object]) @(, @('SystemName', [string])) 0
        $method = $region.Class.DefineMethod('GetBySystemName', 'Public,Static', $region.Class, [type[]]@([string]))
        $il = $method.GetILGenerator()
        $il.Emit([Reflection.Emit.OpCodes]::Ldarg_0)
        $il.Emit([Reflection.Emit.OpCodes]::Newobj, $region.Constructor)
        $il.Emit([Reflection.Emit.OpCodes]::Ret)
        [void]$region.Class.CreateType()
        $exception = Add-StubClass $module 'Amazon.Runtime.AmazonServiceException' ([Exception]) @(@('Message', [string]), @('ErrorCode', [string])) 1
        [void]$exception.Class.CreateType()
        $role = $module.DefineType('Amazon.Runtime.InstanceProfileAWSCredentials', 'Public,Class')
        $il = $role.DefineConstructor('Public', 'Standard', [type[]]@()).GetILGenerator()
        $il.Emit([Reflection.Emit.OpCodes]::Ldarg_0)
        $il.Emit([Reflection.Emit.OpCodes]::Call, [object].GetConstructor([type[]]@()))
        Add-CommandCall $il 'Assert-ModelRole' @() $false
        $il.Emit([Reflection.Emit.OpCodes]::Pop)
        $il.Emit([Reflection.Emit.OpCodes]::Ret)
        [void]$role.CreateType()
    }
    New-StubAssembly 'AWSSDK.SimpleSystemsManagement' $ServiceFolder {
        param($module)
        $request = $module.DefineType('Amazon.SimpleSystemsManagement.Model.GetParametersRequest', 'Public,Class')
        [void]$request.DefineField('Names', [Collections.Generic.List[string]], 'Public')
        [void]$request.DefineField('WithDecryption', [Nullable[bool]], 'Public')
        [void]$request.DefineDefaultConstructor('Public')
        [void]$request.CreateType()
        $client = Add-StubClass $module 'Amazon.SimpleSystemsManagement.AmazonSimpleSystemsManagementClient' ([object]) @(@('Credentials', [object]), @('Region', [object])) 0
        # The other constructor takes the region alone, and asks the default chain for credentials.
        $il = $client.Class.DefineConstructor('Public', 'Standard', [type[]]@([object])).GetILGenerator()
        $il.Emit([Reflection.Emit.OpCodes]::Ldarg_0)
        $il.Emit([Reflection.Emit.OpCodes]::Ldnull)
        $il.Emit([Reflection.Emit.OpCodes]::Ldarg_1)
        $il.Emit([Reflection.Emit.OpCodes]::Call, $client.Constructor)
        $il.Emit([Reflection.Emit.OpCodes]::Ret)
        $name = if ($Async) { 'GetParametersAsync' } else { 'BeginGetParameters' }
        $method = $client.Class.DefineMethod($name, 'Public', [Threading.Tasks.Task[object]], [type[]]@($request, [Threading.CancellationToken]))
        $il = $method.GetILGenerator()
        Add-CommandCall $il 'Invoke-AmazonModel' @($client.Fields.Region, $client.Fields.Credentials) $true
        $il.Emit([Reflection.Emit.OpCodes]::Ldc_I4_0)
        $il.Emit([Reflection.Emit.OpCodes]::Callvirt, [Collections.ObjectModel.Collection[psobject]].GetMethod('get_Item'))
        $il.Emit([Reflection.Emit.OpCodes]::Call, [Threading.Tasks.Task].GetMethod('FromResult').MakeGenericMethod([object]))
        $il.Emit([Reflection.Emit.OpCodes]::Ret)
        [void]$client.Class.CreateType()
    }
}
